// `deno task chaos`: flags, runs, exit code. 0 all held, 1 a violation, 2 unknown, 64 usage. A signal heals, stops
// every child and still writes the report of the run under way; a second one ends at once.

import { listenForStop } from "../scripts/cluster/stop_requests.ts";
import {
  type CampaignPlan,
  campaignVerdict,
  type FinishedRun,
  isWell,
  loadPlan,
  planCampaign,
  type PlannedRun,
  resultsIn,
  savePlan,
  timeLeftMs,
} from "./campaign/campaign.ts";
import { writeOverview } from "./campaign/overview.ts";
import { type Command, HELP, parseCommand, UsageError } from "./command.ts";
import { consoleScreen, LiveView } from "./live/live_view.ts";
import { runName, type RunOptions } from "./options.ts";
import { faultsText, number } from "./report/words.ts";
import { resultsOf, type RunResults } from "./report/write.ts";
import type { Valid } from "./outcome.ts";
import { run } from "./run.ts";

const EXIT_CODES: Readonly<Record<string, number>> = { true: 0, false: 1, unknown: 2 };
const USAGE = 64;

const live = new LiveView(consoleScreen());

function lineOf(results: RunResults, isCanary: boolean, dir: string): string {
  const { ok, fail, info } = results.counts;
  const word = isCanary
    ? (results.valid === false ? "caught" : "CANARY MISSED")
    : { true: "held", false: "VIOLATION", unknown: "unknown" }[String(results.valid)];
  const why = results.valid === true || isCanary ? "" : `; ${results.reason}`;
  return `${word}: ${results.name}: ${number(ok)} ok, ${number(fail)} refused, ${number(info)} ` +
    `unknown, ${faultsText(results)}${why}\n  ${dir}/index.html`;
}

async function runOne(
  options: RunOptions,
  dir: string,
  signal: AbortSignal,
  before: string,
  isCanary: boolean,
): Promise<RunResults> {
  const record = await run(options, {
    out: dir,
    signal,
    onStart: (view) => live.show(view, before),
  });
  const results = resultsOf(record);
  live.end(lineOf(results, isCanary, dir));
  return results;
}

function minutes(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  return seconds < 100 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

async function runCampaign(
  plan: CampaignPlan,
  dir: string,
  signal: AbortSignal,
): Promise<Valid> {
  const finished: FinishedRun[] = [];
  const done: { timeLimitMs: number; tookMs: number }[] = [];
  const missing: PlannedRun[] = [];
  for (const planned of plan.runs) {
    const results = resultsIn(dir, planned);
    if (results === undefined) missing.push(planned);
    else finished.push({ planned, results });
  }
  if (finished.length > 0) {
    console.log(`${finished.length} of ${plan.runs.length} runs are done already`);
  }
  const told = () => writeOverview(dir, plan, finished);
  for (let i = 0; i < missing.length && !signal.aborted; i++) {
    const planned = missing[i]!;
    const left = minutes(timeLeftMs(missing.slice(i), done));
    const before = `[${finished.length + 1}/${plan.runs.length}, ${left} left] `;
    const startMs = performance.now();
    const { options } = planned;
    const results = await runOne(
      options,
      `${dir}/${runName(options)}`,
      signal,
      before,
      planned.isCanary,
    );
    done.push({ timeLimitMs: options.timeLimitMs, tookMs: performance.now() - startMs });
    if (!results.interrupted) finished.push({ planned, results });
    told();
  }
  told();
  const well = finished.filter(isWell).length;
  console.log(
    `${well} of ${plan.runs.length} runs came out as they should` +
      (finished.length < plan.runs.length
        ? `, ${plan.runs.length - finished.length} are left: --resume ${dir}`
        : "") +
      `\n  ${dir}/index.html`,
  );
  return campaignVerdict(finished, plan.runs.length);
}

async function execute(command: Command, signal: AbortSignal): Promise<Valid> {
  if (command.kind === "help") {
    console.log(HELP);
    return true;
  }
  if (command.kind === "resume") {
    return await runCampaign(loadPlan(command.dir), command.dir, signal);
  }
  const { runs, out, seed, canary } = command;
  if (runs.length === 1) {
    const options = runs[0]!;
    return (await runOne(options, `${out}/${runName(options)}`, signal, "", false)).valid;
  }
  const dir = `${out}/campaign-${seed}`;
  const plan = planCampaign(runs, seed, canary);
  savePlan(plan, dir);
  return await runCampaign(plan, dir, signal);
}

function commandOrExit(): Command {
  try {
    return parseCommand(Deno.args, () => 1 + Math.floor(Math.random() * 2 ** 31));
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    console.error(`chaos: ${cause.message} (--help)`);
    return Deno.exit(USAGE);
  }
}

const command = commandOrExit();
const abort = new AbortController();
listenForStop(
  (cause) => {
    console.error(`stopping (${cause}): healing, ending all processes, writing the report`);
    abort.abort();
  },
  // Children end with their standard input.
  () => Deno.exit(EXIT_CODES.unknown),
);
try {
  Deno.exit(EXIT_CODES[String(await execute(command, abort.signal))]);
} catch (cause) {
  // A bench that failed has proven nothing.
  console.error(`chaos: ${cause instanceof Error ? cause.message : cause}`);
  Deno.exit(EXIT_CODES.unknown);
}
