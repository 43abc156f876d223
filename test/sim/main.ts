// `deno task sim`: runs seeds and says which fail.

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { TextLineStream } from "@std/streams";
import {
  type CampaignOptions,
  type CampaignState,
  loadCampaign,
  newCampaign,
  replayLine,
  reportFailure,
  runCampaign,
} from "./campaign.ts";
import { writeReport } from "./report.ts";
import { runSchedule } from "./run.ts";
import { drawSchedule, type FixedFlags, overridesOf, type SimSchedule } from "./schedule.ts";

const HELP = `Usage: deno task sim [options]

  --seeds A..B      seeds to run, one after the other       [1..100]
  --seed N          one seed; with --out its events, schedule, calls and picture are left
  --schedule FILE   one schedule, as left by a failing seed
  --minutes M       end after M minutes
  --nodes N         a cluster of N nodes, whatever a seed draws
  --partitions N    likewise partitions
  --rate N          client operations of all kinds a simulated second, and no readers beside them
  --shrink          make the schedule of a failing seed small
  --out DIR         where failing seeds and the state of the campaign are left   [out/sim]
  --resume DIR      go on with the campaign that was left in DIR
  --stop-after N    failing seeds after which the campaign ends                  [1]
  --mutant NAME     on a copy of the tree with this known bug (deno task mutants --list)
  --help

An interrupted campaign ends behind the seed that runs; --resume goes on with it.

Exit codes: 0 no property was broken, 1 a seed failed, 64 usage, 130 interrupted.`;

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;
const COMMAND = "deno task sim";
const DEFAULT_OUT = "out/sim";
const SHRINK_MINUTES = 3;
const PATH_FLAGS: ReadonlySet<string> = new Set(["out", "resume", "schedule"]);

class UsageError extends Error {}

let interrupted = false;

/** The first signal ends a campaign behind the seed that runs, so that it can be resumed; the second at once. */
function onSignal(): void {
  if (interrupted) Deno.exit(EXIT_INTERRUPTED);
  interrupted = true;
}

function readFlags() {
  try {
    return parseArgs({
      strict: true,
      options: {
        seeds: { type: "string", default: "1..100" },
        seed: { type: "string" },
        schedule: { type: "string" },
        minutes: { type: "string" },
        nodes: { type: "string" },
        partitions: { type: "string" },
        rate: { type: "string" },
        shrink: { type: "boolean", default: false },
        out: { type: "string" },
        resume: { type: "string" },
        "stop-after": { type: "string", default: "1" },
        mutant: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (cause) {
    throw new UsageError(messageOf(cause));
  }
}

type Flags = ReturnType<typeof readFlags>;

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new UsageError(`--${name} takes a whole number from ${least} to ${most}: got ${text}`);
  }
  return value;
}

function fixedOf({ nodes, partitions, rate }: Flags): FixedFlags {
  return {
    ...(nodes === undefined ? {} : { nodes: whole("nodes", nodes, 3, 24) }),
    ...(partitions === undefined ? {} : { partitions: whole("partitions", partitions, 1, 64) }),
    ...(rate === undefined ? {} : { rate: whole("rate", rate, 1, 10_000) }),
  };
}

function seedsOf(text: string): [number, number] {
  const match = /^(\d+)\.\.(\d+)$/.exec(text);
  if (match === null || Number(match[1]) > Number(match[2])) {
    throw new UsageError(`--seeds takes a range such as 1..1000: got ${text}`);
  }
  return [Number(match[1]), Number(match[2])];
}

function optionsOf(flags: Flags): CampaignOptions {
  const minutes = flags.minutes === undefined ? Infinity : Number(flags.minutes);
  if (!(minutes > 0)) throw new UsageError(`--minutes takes a number: got ${flags.minutes}`);
  return {
    out: flags.resume ?? flags.out ?? DEFAULT_OUT,
    minutes,
    failuresMax: whole("stop-after", flags["stop-after"], 1, 1_000_000),
    shrink: flags.shrink,
    shrinkMinutes: SHRINK_MINUTES,
    stopped: () => interrupted,
  };
}

/** What `read` returns. What keeps it from reading `file` is the user's to mend. */
function readGiven<T>(flag: string, file: string, read: (file: string) => T): T {
  try {
    return read(file);
  } catch (cause) {
    throw new UsageError(`Cannot read --${flag} ${file}: ${messageOf(cause)}`);
  }
}

function readSchedule(file: string): SimSchedule {
  const schedule: SimSchedule = JSON.parse(Deno.readTextFileSync(file));
  if (typeof schedule?.seed === "number" && Array.isArray(schedule.faults)) return schedule;
  throw new Error("it is no schedule");
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Returns the exit code. */
async function main(flags: Flags): Promise<number> {
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, onSignal);
  if (flags.mutant !== undefined) return await runMutated(flags.mutant, flags);
  if (!await run(flags)) return EXIT_FAILED;
  return interrupted ? EXIT_INTERRUPTED : 0;
}

/** False if a property was broken. */
async function run(flags: Flags): Promise<boolean> {
  const options = optionsOf(flags);
  if (flags.schedule !== undefined) {
    const schedule = readGiven("schedule", flags.schedule, readSchedule);
    const replay = `${COMMAND} --schedule ${flags.schedule}`;
    return await runOne(schedule, flags, options, replay);
  }
  if (flags.seed !== undefined) {
    const seed = whole("seed", flags.seed, 0, Number.MAX_SAFE_INTEGER);
    const fixed = fixedOf(flags);
    const schedule = drawSchedule(seed, overridesOf(fixed));
    return await runOne(schedule, flags, options, replayLine(seed, fixed));
  }
  const state: CampaignState = flags.resume === undefined
    ? newCampaign(...seedsOf(flags.seeds), fixedOf(flags))
    : readGiven("resume", flags.resume, loadCampaign);
  return await runCampaign(state, options);
}

/** One run, all of which is left in --out. */
async function runOne(
  schedule: SimSchedule,
  flags: Flags,
  options: CampaignOptions,
  replay: string,
): Promise<boolean> {
  const result = await runSchedule(schedule, { record: true });
  const { failure, simulatedMs, events, operations, unknown, elections, traceHash } = result;
  console.log(
    `${replay}: ${failure === undefined ? "no property is broken" : "FAILED"}; ` +
      `${
        (simulatedMs / 1000).toFixed(1)
      } simulated s, ${events} events, ${operations} operations ` +
      `decided, ${unknown} unknown, ${elections} elections, trace ${traceHash}`,
  );
  if (failure !== undefined) {
    await reportFailure(schedule, result, replay, options);
  } else if (flags.out !== undefined) {
    const folder = `${flags.out}/seed-${schedule.seed}`;
    writeReport(folder, schedule, result);
    console.log(`  left in ${folder}`);
  }
  return failure === undefined;
}

/** Flags as arguments of a command that runs in another folder. */
function argumentsFor(flags: Flags): string[] {
  return Object.entries(flags).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    if (value === true) return [`--${name}`];
    return [`--${name}`, PATH_FLAGS.has(name) ? resolve(value) : value];
  });
}

/** The same command, in a copy of the tree that has the bug. Returns its exit code. */
async function runMutated(name: string, flags: Flags): Promise<number> {
  const { mutantNamed, MutantTree } = await import("../../chaos/mutants/tree.ts");
  let mutant;
  try {
    mutant = mutantNamed(name);
  } catch (cause) {
    throw new UsageError(messageOf(cause));
  }
  const tree = MutantTree.create();
  try {
    tree.become(mutant);
    const args = argumentsFor({ out: DEFAULT_OUT, ...flags, mutant: undefined });
    const child = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "sim", ...args],
      cwd: tree.folder,
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    // The lines that replay what it found are for here.
    for await (const line of lines) {
      console.log(line.replaceAll(COMMAND, `${COMMAND} --mutant ${name}`));
    }
    return (await child.status).code;
  } finally {
    tree.remove();
  }
}

let exitCode: number;
try {
  const flags = readFlags();
  if (flags.help) console.log(HELP);
  exitCode = flags.help ? 0 : await main(flags);
} catch (cause) {
  if (!(cause instanceof UsageError)) throw cause;
  console.error(`${cause.message}\n\n${HELP}`);
  exitCode = EXIT_USAGE;
}
Deno.exit(exitCode);
