// A copy of the tree that known bugs are put into, one after the other. Kept for all of them, so that a run
// compiles only the file that differs. Owns its folder; never writes outside of it.

import { MUTANTS } from "./catalogue.ts";
import type { Mutant } from "./types.ts";

const ROOT = new URL("../../", import.meta.url);
const COPIED = [
  ...["src", "checker", "chaos", "test/sim", "test/faulty", "scripts/types"],
  ...["deno.json", "deno.lock"],
];
/** Not part of any program: dependencies, outputs, tests. */
const SKIPPED = /^(node_modules|out|testdata|\..*)$|_test\.ts$/;

/** The mutant called `name`. Throws if there is none. */
export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((mutant) => mutant.name === name);
  if (mutant === undefined) throw new Error(`There is no mutant ${name}`);
  return mutant;
}

/** `text` with the bug in it. Throws unless the target occurs exactly once. */
export function mutate(mutant: Mutant, text: string): string {
  const count = text.split(mutant.target).length - 1;
  if (count !== 1) throw new Error(`${mutant.name}: its target occurs ${count} times`);
  return text.replace(mutant.target, () => mutant.replacement);
}

export class MutantTree {
  readonly folder: string;
  /** The file that has a bug in it, as it was: the tree it was copied from may be another one by now. */
  #original: { readonly path: string; readonly text: string } | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Copies the tree as it is. */
  static create(): MutantTree {
    const folder = Deno.makeTempDirSync({ prefix: "mutants-" });
    for (const path of COPIED) copy(new URL(path, ROOT), `${folder}/${path}`);
    return new MutantTree(folder);
  }

  /** Puts the bug in, in place of the one before; undefined: takes that one out. */
  become(mutant: Mutant | undefined): void {
    if (this.#original !== undefined) {
      Deno.writeTextFileSync(this.#original.path, this.#original.text);
    }
    this.#original = undefined;
    if (mutant === undefined) return;
    const path = this.#path(mutant.file);
    this.#original = { path, text: Deno.readTextFileSync(path) };
    this.add(mutant);
  }

  /** Puts a bug in beside those that are there. */
  add(mutant: Mutant): void {
    const path = this.#path(mutant.file);
    Deno.writeTextFileSync(path, mutate(mutant, Deno.readTextFileSync(path)));
  }

  remove(): void {
    Deno.removeSync(this.folder, { recursive: true });
  }

  #path(file: string): string {
    return `${this.folder}/${file}`;
  }
}

function copy(from: URL, to: string): void {
  if (Deno.statSync(from).isDirectory) {
    Deno.mkdirSync(to, { recursive: true });
    for (const { name } of Deno.readDirSync(from)) {
      if (SKIPPED.test(name)) continue;
      copy(new URL(`${from.href.replace(/\/$/, "")}/${name}`), `${to}/${name}`);
    }
  } else {
    Deno.mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    Deno.copyFileSync(from, to);
  }
}
