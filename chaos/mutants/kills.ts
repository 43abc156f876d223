// The stored kills, kills.json: how each mutant was found last. Tried first the next time.

import { MUTANTS } from "./catalogue.ts";
import type { Kill, Kills } from "./types.ts";

const FILE = new URL("kills.json", import.meta.url);

export function readKills(): Kills {
  try {
    return JSON.parse(Deno.readTextFileSync(FILE));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return {};
    throw cause;
  }
}

/** Stores `kill` beside those that are there, in the catalogue's order, a mutant a line. */
export function storeKill(name: string, kill: Kill): void {
  const kills: Record<string, Kill> = { ...readKills(), [name]: kill };
  const lines = MUTANTS.filter((mutant) => kills[mutant.name] !== undefined)
    .map((mutant) => `  ${JSON.stringify(mutant.name)}: ${JSON.stringify(kills[mutant.name])}`);
  Deno.writeTextFileSync(FILE, `{\n${lines.join(",\n")}\n}\n`);
}
