// Many seeds, one after the other: progress, totals, and what is kept so that a campaign can go on later.

import { type RunResult, runSchedule } from "./run.ts";
import { drawSchedule, type FixedFlags, overridesOf, type SimSchedule } from "./schedule.ts";
import { shrink } from "./shrink.ts";
import { writeReport } from "./report.ts";

/** Where a campaign stands; DIR/campaign.json. */
export interface CampaignState {
  readonly firstSeed: number;
  readonly lastSeed: number;
  readonly fixed: FixedFlags;
  nextSeed: number;
  simulatedMs: number;
  wallMs: number;
  operations: number;
  unknown: number;
  undecided: number;
  readonly failures: { readonly seed: number; readonly invariant: string }[];
}

export interface CampaignOptions {
  /** Folder for reports and state; undefined: nothing is written. */
  readonly out: string | undefined;
  readonly minutes: number;
  /** Failing seeds of this part after which it ends. */
  readonly failuresMax: number;
  readonly shrink: boolean;
  readonly shrinkMinutes: number;
  /** True when it shall end behind the seed that runs. */
  readonly stopped: () => boolean;
}

const STATE_FILE = "campaign.json";
const SAVE_SEEDS = 20;
const PROGRESS_MS = 5000;
const SHRINK_RUNS_MAX = 400;
const MESSAGE_LENGTH = 1500;

export function newCampaign(
  firstSeed: number,
  lastSeed: number,
  fixed: FixedFlags,
): CampaignState {
  return {
    firstSeed,
    lastSeed,
    fixed,
    nextSeed: firstSeed,
    simulatedMs: 0,
    wallMs: 0,
    operations: 0,
    unknown: 0,
    undecided: 0,
    failures: [],
  };
}

/** The campaign that was left in `folder`. Throws if there is none, or none that this version can go on with. */
export function loadCampaign(folder: string): CampaignState {
  const state: CampaignState = JSON.parse(Deno.readTextFileSync(`${folder}/${STATE_FILE}`));
  const { firstSeed, lastSeed, nextSeed, fixed } = state;
  if (![firstSeed, lastSeed, nextSeed].every(Number.isSafeInteger) || fixed === undefined) {
    throw new Error(`${folder}/${STATE_FILE} is no campaign of this version`);
  }
  return state;
}

/** Runs what is left of `state`; true if no seed failed, in this part or an earlier one. */
export async function runCampaign(
  state: CampaignState,
  options: CampaignOptions,
): Promise<boolean> {
  const startedMs = performance.now();
  const earlierMs = state.wallMs;
  const earlierFailures = state.failures.length;
  const endMs = startedMs + options.minutes * 60_000;
  let reportedMs = startedMs;
  while (state.nextSeed <= state.lastSeed && performance.now() < endMs && !options.stopped()) {
    const schedule = drawSchedule(state.nextSeed, overridesOf(state.fixed));
    const result = await runSchedule(schedule);
    state.nextSeed++;
    state.simulatedMs += result.simulatedMs;
    state.operations += result.operations + result.unknown;
    state.unknown += result.unknown;
    if (result.undecided) state.undecided++;
    state.wallMs = earlierMs + performance.now() - startedMs;
    if (result.failure !== undefined) {
      state.failures.push({ seed: schedule.seed, invariant: result.failure.invariant });
      const replay = replayLine(schedule.seed, state.fixed);
      await reportFailure(schedule, result, replay, options);
    }
    const done = state.nextSeed > state.lastSeed;
    if (performance.now() - reportedMs > PROGRESS_MS || done) {
      reportedMs = performance.now();
      console.log(progressLine(state, result, endMs - reportedMs));
    }
    if ((state.nextSeed - state.firstSeed) % SAVE_SEEDS === 0) save(state, options.out);
    if (state.failures.length - earlierFailures >= options.failuresMax) break;
  }
  save(state, options.out);
  if (options.stopped()) {
    const done = state.nextSeed - state.firstSeed;
    console.log(`interrupted after ${done} seeds; go on: deno task sim --resume ${options.out}`);
  }
  return state.failures.length === 0;
}

function save(state: CampaignState, out: string | undefined): void {
  if (out === undefined) return;
  Deno.mkdirSync(out, { recursive: true });
  Deno.writeTextFileSync(`${out}/${STATE_FILE}`, JSON.stringify(state, null, 2) + "\n");
}

function progressLine(state: CampaignState, { traceHash }: RunResult, leftMs: number): string {
  const done = state.nextSeed - state.firstSeed;
  const total = state.lastSeed - state.firstSeed + 1;
  const wallSeconds = state.wallMs / 1000;
  const simulatedSeconds = state.simulatedMs / 1000;
  const seedsLeftMs = state.wallMs / done * (total - done);
  const left = Math.max(0, Math.min(leftMs, seedsLeftMs)) / 1000;
  return `${done} of ${total} seeds, ${state.failures.length} failed; ` +
    `${(simulatedSeconds / wallSeconds).toFixed(1)} simulated s/s, ` +
    `${(state.operations / simulatedSeconds).toFixed(1)} operations a simulated s ` +
    `(${state.unknown} unknown, ${state.undecided} histories undecided); ` +
    `trace ${traceHash}; ${duration(left)} left`;
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

/** The command that runs `seed` again. */
export function replayLine(seed: number, fixed: FixedFlags): string {
  const flags = Object.entries(fixed).map(([name, value]) => ` --${name} ${value}`);
  return `deno task sim --seed ${seed}${flags.join("")}`;
}

/** Says what failed and how to run it again, and leaves it behind, made small if that was asked for. */
export async function reportFailure(
  schedule: SimSchedule,
  { failure }: RunResult,
  replay: string,
  options: CampaignOptions,
): Promise<void> {
  if (failure === undefined) return;
  const { invariant, message } = failure;
  console.log(`seed ${schedule.seed} FAILED (${invariant}): ${message.slice(0, MESSAGE_LENGTH)}`);
  console.log(`  replay: ${replay}`);
  let smallest = schedule;
  if (options.shrink) {
    const untilMs = performance.now() + options.shrinkMinutes * 60_000;
    let last = "";
    smallest = await shrink(schedule, invariant, {
      runsMax: SHRINK_RUNS_MAX,
      stopped: () => performance.now() > untilMs || options.stopped(),
      onProgress: (smaller, runs) => {
        const size = sizeOf(smaller);
        if (size !== last) console.log(`  after ${runs} runs: ${size}`);
        last = size;
      },
    });
  }
  if (options.out === undefined) return;
  const folder = `${options.out}/seed-${schedule.seed}`;
  writeReport(folder, smallest, await runSchedule(smallest, { record: true }));
  console.log(`  left in ${folder}; replay: deno task sim --schedule ${folder}/schedule.json`);
}

function sizeOf({ faults, options }: SimSchedule): string {
  const { nodes, partitions, clients, keys, safetyMs, operationsMax } = options;
  return `${faults.length} faults, ${nodes} nodes, ${partitions} partitions, ${clients} clients, ` +
    `${keys} keys, ${safetyMs} ms` +
    (operationsMax === undefined ? "" : `, ${operationsMax} operations`);
}
