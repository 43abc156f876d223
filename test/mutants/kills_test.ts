// A sample of the known bugs, put back in: the simulator still finds each, and is silent without it.

import { assert, assertEquals } from "@std/assert";
import { MUTANTS } from "../../chaos/mutants/catalogue.ts";
import { readKills } from "../../chaos/mutants/kills.ts";
import { runAttempt } from "../../chaos/mutants/runner.ts";
import { MutantTree } from "../../chaos/mutants/tree.ts";
import { runSchedule } from "../sim/run.ts";

const SAMPLE_SIZE = 5;
/** A change of the product may mend a stored kill; then one of the first seeds has to find the bug. */
const SEEDS = 60;
const MINUTES = 0.4;

/** Easily found ones, no two of them in one file. */
function sample() {
  const kills = readKills();
  const files = new Set<string>();
  return MUTANTS.filter(({ name }) => kills[name] !== undefined)
    .map((mutant) => ({ mutant, kill: kills[mutant.name] }))
    .sort((a, b) => a.kill.seeds - b.kill.seeds || a.kill.events - b.kill.events)
    .filter(({ mutant }) => !files.has(mutant.file) && files.add(mutant.file))
    .slice(0, SAMPLE_SIZE);
}

Deno.test("the simulator finds a sample of the known bugs, and nothing without them", async () => {
  const tree = MutantTree.create();
  try {
    for (const { mutant, kill } of sample()) {
      tree.become(mutant);
      const outcome = await runAttempt(tree.folder, {
        schedules: [kill.schedule],
        seeds: SEEDS,
        minutes: MINUTES,
        shrinkRuns: 0,
      });
      assert(outcome.kind === "killed", `${mutant.name}: ${JSON.stringify(outcome)}`);
      const { failure } = await runSchedule(kill.schedule);
      assertEquals(failure, undefined, `the schedule that finds ${mutant.name}, without it`);
    }
  } finally {
    tree.remove();
  }
});
