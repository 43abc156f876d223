// `deno task mutants`: puts each known bug into a copy of the tree, runs seeds until one fails, and prints
// which property caught it. A bug that survives is a hole in the bench.

import { parseArgs } from "node:util";
import { drawSchedule } from "../../test/sim/schedule.ts";
import { MUTANTS } from "./catalogue.ts";
import { readKills, storeKill } from "./kills.ts";
import { runAttempt } from "./runner.ts";
import { mutantNamed, MutantTree } from "./tree.ts";
import type { Kill, Mutant } from "./types.ts";

const HELP = `Usage: deno task mutants [options]

Puts each known bug of the catalogue into a copy of the tree and runs the simulator's seeds on it: its stored
kill first, then seeds 1, 2, …, until a property is broken. Stores what killed it in chaos/mutants/kills.json.
Then runs the same seeds on the tree without a bug, where none may fail.

  --only NAME       this mutant only; may be given several times
  --seeds N         seeds to try                                          [2000]
  --minutes M       minutes for each mutant                               [3]
  --jobs N          mutants at a time                                     [1]
  --fresh           forget the stored kills of the mutants that are run
  --list            names, what they break and where they are known from
  --help

Exit codes: 0 all were killed and the tree without a bug is silent, 1 not so, 64 usage.`;

const EXIT_USAGE = 64;
const SHRINK_RUNS_MAX = 80;
const NAME_WIDTH = Math.max(...MUTANTS.map(({ name }) => name.length));

interface Options {
  readonly mutants: readonly Mutant[];
  readonly seeds: number;
  readonly minutes: number;
  readonly jobs: number;
  readonly fresh: boolean;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    strict: true,
    options: {
      only: { type: "string", multiple: true },
      seeds: { type: "string", default: "2000" },
      minutes: { type: "string", default: "3" },
      jobs: { type: "string", default: "1" },
      fresh: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return undefined;
  }
  const mutants = values.only?.map(mutantNamed) ?? MUTANTS;
  if (values.list) {
    for (const { name, breaks, seenIn } of mutants) {
      console.log(`${name.padEnd(NAME_WIDTH)}  ${breaks}${seenIn ? ` (${seenIn})` : ""}`);
    }
    return undefined;
  }
  const positive = (flag: string, text: string) => {
    const value = Number(text);
    if (!(value > 0)) throw new Error(`--${flag} takes a positive number: got ${text}`);
    return value;
  };
  return {
    mutants,
    seeds: Math.ceil(positive("seeds", values.seeds)),
    minutes: positive("minutes", values.minutes),
    jobs: Math.ceil(positive("jobs", values.jobs)),
    fresh: values.fresh,
  };
}

/** Tries one mutant in `tree` and prints its line of the matrix. Returns its kill, if it was killed. */
async function tryMutant(
  mutant: Mutant,
  tree: MutantTree,
  { seeds, minutes, fresh }: Options,
): Promise<Kill | undefined> {
  const print = (verdict: string, rest: string) =>
    console.log(`${verdict.padEnd(8)}  ${mutant.name.padEnd(NAME_WIDTH)}  ${rest}`);
  if (mutant.needs !== undefined) {
    print("NEEDS", `${mutant.needs}: ${mutant.recipe ?? ""}`);
    return undefined;
  }
  tree.become(mutant);
  const known = fresh ? undefined : readKills()[mutant.name];
  const schedules = known === undefined ? [] : [known.schedule];
  const shrinkRuns = SHRINK_RUNS_MAX;
  const { theme } = mutant;
  const outcome = await runAttempt(tree.folder, { schedules, seeds, theme, minutes, shrinkRuns });
  switch (outcome.kind) {
    case "killed": {
      const { kill } = outcome;
      // Found by its stored kill, it is as hard to find as it was.
      const isKnown = known !== undefined && kill.seeds === 1;
      const stored = isKnown ? { ...kill, seeds: known.seeds, seed: known.seed } : kill;
      storeKill(mutant.name, stored);
      const size = `${kill.events} events, ${kill.simulatedMs} ms`;
      print("killed", `${kill.by}; ${stored.seeds} seeds; seed ${stored.seed}; ${size}`);
      return stored;
    }
    case "survived":
      print("SURVIVED", `${outcome.seeds} seeds, ${outcome.operations} operations`);
      return undefined;
    case "broken":
      print("BROKEN", outcome.reason);
      return undefined;
  }
}

/** Whether the tree without a bug runs the seeds and schedules of all kills without an alarm. */
async function isSilent(kills: readonly Kill[], tree: MutantTree): Promise<boolean> {
  tree.become(undefined);
  const seeds = [...new Set(kills.map(({ seed }) => seed))];
  const schedules = [
    ...kills.map(({ schedule }) => schedule),
    ...seeds.map((seed) => drawSchedule(seed)),
  ];
  const outcome = await runAttempt(tree.folder, {
    schedules,
    seeds: 0,
    minutes: Math.max(1, schedules.length / 20),
    shrinkRuns: 0,
  });
  if (outcome.kind === "survived") {
    console.log(`silent    the tree without a bug, on the ${outcome.seeds} schedules of the kills`);
    return true;
  }
  const reason = outcome.kind === "broken"
    ? outcome.reason
    : `seed ${outcome.kill.seed}: ${outcome.kill.by}: ${outcome.message}`;
  console.log(`ALARM     the tree without a bug: ${reason}`);
  return false;
}

async function main(): Promise<boolean> {
  const options = readOptions();
  if (options === undefined) return true;
  const queue = [...options.mutants];
  const kills: Kill[] = [];
  const trees = Array.from({ length: Math.min(options.jobs, queue.length) }, MutantTree.create);
  try {
    await Promise.all(trees.map(async (tree) => {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        const kill = await tryMutant(mutant, tree, options);
        if (kill !== undefined) kills.push(kill);
      }
    }));
    const tried = options.mutants.filter(({ needs }) => needs === undefined).length;
    console.log(`${kills.length} of ${tried} killed`);
    const silent = kills.length === 0 || await isSilent(kills, trees[0]);
    return silent && kills.length === tried;
  } finally {
    for (const tree of trees) tree.remove();
  }
}

try {
  if (!await main()) Deno.exit(1);
} catch (cause) {
  console.error(`${cause instanceof Error ? cause.message : cause}\n\n${HELP}`);
  Deno.exit(EXIT_USAGE);
}
