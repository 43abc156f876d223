// A copy of the tree with one known bug in it.

import { MUTANTS } from "./catalogue.ts";
import type { Mutant } from "./types.ts";

const ROOT = new URL("../../", import.meta.url);
const COPIED = ["src", "checker", "test/sim", "scripts/types", "deno.json", "deno.lock"];

/** Makes the copy with the bug called `name`; returns its folder, which the caller removes. */
export function prepareTree(name: string): Promise<string> {
  const mutant = MUTANTS.find((mutant) => mutant.name === name);
  if (mutant === undefined) throw new Error(`There is no mutant ${name}`);
  const folder = Deno.makeTempDirSync({ prefix: "mutant-" });
  for (const path of COPIED) copy(new URL(path, ROOT), `${folder}/${path}`);
  apply(mutant, folder);
  return Promise.resolve(folder);
}

function copy(from: URL, to: string): void {
  if (Deno.statSync(from).isDirectory) {
    Deno.mkdirSync(to, { recursive: true });
    for (const { name } of Deno.readDirSync(from)) {
      copy(new URL(`${from.href.replace(/\/$/, "")}/${name}`), `${to}/${name}`);
    }
  } else {
    Deno.mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    Deno.copyFileSync(from, to);
  }
}

function apply(mutant: Mutant, folder: string): void {
  const path = `${folder}/${mutant.file}`;
  const text = Deno.readTextFileSync(path);
  const count = text.split(mutant.target).length - 1;
  if (count !== 1) throw new Error(`${mutant.name}: its target occurs ${count} times`);
  Deno.writeTextFileSync(path, text.replace(mutant.target, () => mutant.replacement));
}
