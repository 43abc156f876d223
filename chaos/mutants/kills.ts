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

/** Stores `kill` beside those that are there, in the catalogue's order. */
export function storeKill(name: string, kill: Kill): void {
  const known: Record<string, Kill> = { ...readKills(), [name]: kill };
  const kills = MUTANTS.filter((mutant) => known[mutant.name] !== undefined)
    .map((mutant) => [mutant.name, known[mutant.name]]);
  Deno.writeTextFileSync(FILE, JSON.stringify(Object.fromEntries(kills), null, 2) + "\n");
}
