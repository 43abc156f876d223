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
kill first, then seeds 1, 2, …, until a property is broken. Then runs what killed it on the tree without a bug, where
it may not fail, and stores it in chaos/mutants/kills.json.

  --only NAME       this mutant only; may be given several times
  --seeds N         seeds to try                                          [2000]
  --minutes M       minutes for each mutant                               [3]
  --jobs N          mutants at a time                                     [1]
  --fresh           forget the stored kills of the mutants that are run
  --list            names, what they break and where they are known from
  --help

Exit codes: 0 all were killed and the tree without a bug is silent, 1 not so, 64 usage, 130 interrupted.`;

const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;
/** Aborted by SIGINT and SIGTERM: the copies of the tree are removed before the process ends. */
const interrupt = new AbortController();
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

type Verdict = "killed" | "survived" | "alarm" | "skipped";

/** Tries one mutant in `tree` and prints its line of the matrix. */
async function tryMutant(
  mutant: Mutant,
  tree: MutantTree,
  { seeds, minutes, fresh }: Options,
): Promise<Verdict> {
  const print = (verdict: string, rest: string) =>
    console.log(`${verdict.padEnd(8)}  ${mutant.name.padEnd(NAME_WIDTH)}  ${rest}`);
  if (mutant.needs !== undefined) {
    print("NEEDS", `${mutant.needs}: ${mutant.recipe ?? ""}`);
    return "skipped";
  }
  tree.become(mutant);
  const known = fresh ? undefined : readKills()[mutant.name];
  const schedules = known === undefined ? [] : [known.schedule];
  const shrinkRuns = SHRINK_RUNS_MAX;
  const { theme } = mutant;
  const attempt = { schedules, seeds, theme, minutes, shrinkRuns };
  const outcome = await runAttempt(tree.folder, attempt, interrupt.signal);
  switch (outcome.kind) {
    case "killed": {
      const { kill } = outcome;
      const alarm = await alarmOf(kill, tree);
      if (alarm !== undefined) {
        print("ALARM", `the tree without the bug: ${alarm}`);
        return "alarm";
      }
      // Found by its stored kill, it is as hard to find as it was.
      const isKnown = known !== undefined && kill.seeds === 1;
      const stored = isKnown ? { ...kill, seeds: known.seeds, seed: known.seed } : kill;
      storeKill(mutant.name, stored);
      const size = `${kill.events} events, ${kill.simulatedMs} ms`;
      print("killed", `${kill.by}; ${stored.seeds} seeds; seed ${stored.seed}; ${size}`);
      return "killed";
    }
    case "survived":
      print("SURVIVED", `${outcome.seeds} seeds, ${outcome.operations} operations`);
      return "survived";
    case "broken":
      print("BROKEN", outcome.reason);
      return "survived";
  }
}

/** What the tree without a bug is accused of by what killed a mutant; undefined if it is silent, as it must be. */
async function alarmOf({ schedule, seed }: Kill, tree: MutantTree): Promise<string | undefined> {
  tree.become(undefined);
  const schedules = [schedule, drawSchedule(seed)];
  const attempt = { schedules, seeds: 0, minutes: 1, shrinkRuns: 0 };
  const outcome = await runAttempt(tree.folder, attempt, interrupt.signal);
  if (outcome.kind === "survived") return undefined;
  if (outcome.kind === "broken") return outcome.reason;
  return `seed ${outcome.kill.seed}: ${outcome.kill.by}: ${outcome.message}`;
}

async function main(): Promise<boolean> {
  const options = readOptions();
  if (options === undefined) return true;
  const queue = [...options.mutants];
  const verdicts: Verdict[] = [];
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interrupt.abort());
  }
  const trees = Array.from({ length: Math.min(options.jobs, queue.length) }, MutantTree.create);
  try {
    await Promise.all(trees.map(async (tree) => {
      while (queue.length > 0 && !interrupt.signal.aborted) {
        verdicts.push(await tryMutant(queue.shift()!, tree, options));
      }
    }));
  } finally {
    for (const tree of trees) tree.remove();
  }
  const count = (wanted: Verdict) => verdicts.filter((verdict) => verdict === wanted).length;
  const tried = verdicts.length - count("skipped");
  console.log(`${count("killed")} of ${tried} killed; ${count("alarm")} alarms without a bug`);
  return count("killed") === tried;
}

try {
  const isGood = await main();
  Deno.exit(interrupt.signal.aborted ? EXIT_INTERRUPTED : isGood ? 0 : 1);
} catch (cause) {
  console.error(`${cause instanceof Error ? cause.message : cause}\n\n${HELP}`);
  Deno.exit(EXIT_USAGE);
}
