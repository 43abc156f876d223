// Several runs one after the other: what is planned, what is done, what is left. A campaign keeps its plan beside its
// reports, so that it can go on after it was stopped. It starts with a canary: a system that is wrong must be caught
// before any other verdict counts.

import type { RunOptions } from "../options.ts";
import { runName } from "../options.ts";
import type { RunResults } from "../report/write.ts";
import type { Valid } from "../outcome.ts";

/** What campaign.json holds. */
export interface CampaignPlan {
  readonly version: 1;
  readonly seed: number;
  /** First the canary, if there is one. */
  readonly runs: readonly PlannedRun[];
}

export interface PlannedRun {
  readonly options: RunOptions;
  /** It is wrong on purpose: a violation is what is wanted. */
  readonly isCanary: boolean;
}

export interface FinishedRun {
  readonly planned: PlannedRun;
  readonly results: RunResults;
}

const PLAN_FILE = "campaign.json";
const CANARY_TIME_LIMIT_MS = 6000;

/** The wrong system's run: short, and with the fault that brings its error out. */
function canaryRun(system: string, options: RunOptions): PlannedRun {
  return {
    isCanary: true,
    options: {
      ...options,
      system,
      workload: "register",
      nemeses: system === "wrong-unsynced" ? ["kill-all"] : [],
      nodes: 3,
      rate: Math.max(options.rate, 200),
      net: "proxy",
      expect: [],
      clients: "mixed",
      timeLimitMs: CANARY_TIME_LIMIT_MS,
    },
  };
}

export function planCampaign(
  runs: readonly RunOptions[],
  seed: number,
  canary: string,
): CampaignPlan {
  const planned = runs.map((options) => ({ options, isCanary: false }));
  return {
    version: 1,
    seed,
    runs: canary === "none" ? planned : [canaryRun(canary, runs[0]!), ...planned],
  };
}

export function savePlan(plan: CampaignPlan, dir: string): void {
  Deno.mkdirSync(dir, { recursive: true });
  Deno.writeTextFileSync(`${dir}/${PLAN_FILE}`, JSON.stringify(plan, undefined, 2) + "\n");
}

/** @throws Error naming the file if there is none, or if it is of another version */
export function loadPlan(dir: string): CampaignPlan {
  const path = `${dir}/${PLAN_FILE}`;
  let plan: CampaignPlan;
  try {
    plan = JSON.parse(Deno.readTextFileSync(path));
  } catch (cause) {
    throw new Error(`Cannot resume: ${path} can't be read`, { cause });
  }
  if (plan.version !== 1) throw new Error(`Cannot resume ${path}: its version is ${plan.version}`);
  return plan;
}

/** What an earlier attempt found, if it came to an end; a run that was interrupted is done again. */
export function resultsIn(dir: string, { options }: PlannedRun): RunResults | undefined {
  try {
    const results: RunResults = JSON.parse(
      Deno.readTextFileSync(`${dir}/${runName(options)}/results.json`),
    );
    return results.interrupted ? undefined : results;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/** A canary is well when it was caught. */
export function isWell({ planned, results }: FinishedRun): boolean {
  return planned.isCanary ? results.valid === false : results.valid === true;
}

/** All runs as one verdict. A canary that was missed makes everything else unknown. */
export function campaignVerdict(finished: readonly FinishedRun[], planned: number): Valid {
  const real = finished.filter((one) => !one.planned.isCanary);
  if (real.some(({ results }) => results.valid === false)) return false;
  return finished.length === planned && finished.every(isWell) ? true : "unknown";
}

/** How long the rest will take, by what the runs so far took beyond their time limits. */
export function timeLeftMs(
  left: readonly PlannedRun[],
  done: readonly { readonly timeLimitMs: number; readonly tookMs: number }[],
): number {
  const beyondMs = done.length === 0
    ? 8000
    : done.reduce((sum, { timeLimitMs, tookMs }) => sum + tookMs - timeLimitMs, 0) / done.length;
  return left.reduce((sum, { options }) => sum + options.timeLimitMs + beyondMs, 0);
}
