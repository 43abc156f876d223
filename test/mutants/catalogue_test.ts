// The catalogue of known bugs can't rot: every target is there exactly once, every mutant type-checks, and of each
// it is known what finds it.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { MUTANTS } from "../../chaos/mutants/catalogue.ts";
import { readKills } from "../../chaos/mutants/kills.ts";
import { OPEN } from "../../chaos/mutants/open.ts";
import { MutantTree, mutate } from "../../chaos/mutants/tree.ts";
import type { Mutant } from "../../chaos/mutants/types.ts";

const ROOT = new URL("../../", import.meta.url);
const CHECK_TIMEOUT_MS = 100_000;

function textOf(file: string): string {
  return Deno.readTextFileSync(new URL(file, ROOT));
}

Deno.test("every mutant has a name of its own, a property and a target that occurs once", () => {
  const names = MUTANTS.map(({ name }) => name);
  assertEquals(names.length, new Set(names).size, "names repeat");
  assert(names.length >= 34, `only ${names.length} known bugs`);
  for (const mutant of MUTANTS) {
    assertMatch(mutant.name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
    assert(mutant.breaks.length > 0, mutant.name);
    assert(mutate(mutant, textOf(mutant.file)) !== textOf(mutant.file), mutant.name);
  }
});

Deno.test("of every mutant it is known what finds it, or that nothing has yet", () => {
  const kills = readKills();
  for (const { name, needs, recipe } of MUTANTS) {
    const known = [kills[name] !== undefined, needs !== undefined, OPEN[name] !== undefined];
    assertEquals(
      known.filter(Boolean).length,
      1,
      `${name}: a kill, a recipe, or a place in open.ts`,
    );
    if (needs !== undefined) assert(recipe !== undefined, `${name} has no recipe`);
  }
  const names = new Set(MUTANTS.map(({ name }) => name));
  const gone = [...Object.keys(kills), ...Object.keys(OPEN)].filter((name) => !names.has(name));
  assertEquals(gone, [], "mutants that are gone");
});

/** Mutants that can stand in one tree side by side, as their targets do not overlap; as few sets as it takes. */
function disjointSets(): Mutant[][] {
  const sets: Mutant[][] = [];
  for (const mutant of MUTANTS) {
    const at = textOf(mutant.file).indexOf(mutant.target);
    const overlaps = (other: Mutant) => {
      if (other.file !== mutant.file) return false;
      const otherAt = textOf(other.file).indexOf(other.target);
      return at < otherAt + other.target.length && otherAt < at + mutant.target.length;
    };
    const set = sets.find((set) => !set.some(overlaps));
    if (set === undefined) sets.push([mutant]);
    else set.push(mutant);
  }
  return sets;
}

Deno.test("every mutant type-checks", async () => {
  const trees: MutantTree[] = [];
  try {
    const files = new Set<string>();
    for (const set of disjointSets()) {
      const tree = MutantTree.create();
      trees.push(tree);
      for (const mutant of set) {
        tree.add(mutant);
        files.add(`${tree.folder}/${mutant.file}`);
      }
    }
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", "--config", `${trees[0].folder}/deno.json`, ...files],
      cwd: trees[0].folder,
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(CHECK_TIMEOUT_MS),
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  } finally {
    for (const tree of trees) tree.remove();
  }
});
