// One run: start, drive, break, heal, stop, judge, report. Leaves no process behind, whatever happens.

import { check, checkApplied, kv, renderPage, type Verdict } from "../checker/mod.ts";
import { type Fault, runNemesis } from "./nemesis.ts";
import { createSystem } from "./systems.ts";
import { type Recording, runWorkload } from "./workload.ts";

export interface RunOptions {
  readonly system: string;
  readonly workload: string;
  readonly nemeses: readonly string[];
  readonly nodes: number;
  readonly concurrency: number;
  readonly keys: number;
  readonly rate: number;
  readonly timeLimitMs: number;
  readonly seed: number;
  /** The report's directory; created. */
  readonly out: string;
  /** Ends the run early: it heals, stops everything and still reports. */
  readonly signal?: AbortSignal;
}

export interface RunResult {
  /** `true`: held. `false`: a violation. `unknown`: this run proves nothing; `reason` says why. */
  readonly valid: boolean | "unknown";
  readonly reason: string;
  readonly counts: Recording["counts"];
  readonly faults: readonly Fault[];
  readonly verdict: Verdict | undefined;
}

const REQUEST_TIMEOUT_MS = 6000;
const HEAL_TIMEOUT_MS = 30_000;
const CHECK_TIMEOUT_MS = 60_000;
/** Fewer decided operations than this prove nothing. */
const OK_MIN = 50;

/** Mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function drive(
  options: RunOptions,
  recording: Recording,
  faults: Fault[],
): Promise<boolean> {
  const system = createSystem(options.system, options.nodes, options.out);
  try {
    await system.start();
    const endMs = performance.now() + options.timeLimitMs;
    let failed = false;
    const stopped = () => failed || options.signal?.aborted === true || performance.now() >= endMs;
    const stopOthers = (cause: unknown) => {
      failed = true;
      throw cause;
    };
    await Promise.all([
      runWorkload({
        ...options,
        nodes: system.nodes,
        requestTimeoutMs: REQUEST_TIMEOUT_MS,
        random: randomFrom(options.seed),
        stopped,
      }, recording).catch(stopOthers),
      runNemesis({
        kinds: options.nemeses,
        system,
        random: randomFrom(options.seed + 1),
        stopped,
      }, faults).catch(stopOthers),
    ]);
    // A system that does not come back after the last heal proves nothing more.
    await system.ready(HEAL_TIMEOUT_MS);
    return system.promisesApplied;
  } finally {
    await system.stop();
  }
}

function judge(
  options: RunOptions,
  verdict: Verdict,
  recording: Recording,
  faults: readonly Fault[],
): Pick<RunResult, "valid" | "reason"> {
  if (verdict.verdict === "illegal") {
    return { valid: false, reason: verdict.counterexample!.explanation };
  }
  if (verdict.verdict === "unknown") return { valid: "unknown", reason: verdict.reason! };
  if (recording.counts.ok < OK_MIN) {
    return { valid: "unknown", reason: `only ${recording.counts.ok} operations were decided` };
  }
  for (const kind of options.nemeses) {
    if (kind !== "none" && !faults.some((fault) => fault.kind === kind && fault.bit)) {
      return { valid: "unknown", reason: `the fault ${kind} never bit` };
    }
  }
  return { valid: true, reason: "linearizable" };
}

/** Does one run and writes its report. An error of the bench itself makes the verdict `unknown`. */
export async function run(options: RunOptions): Promise<RunResult> {
  Deno.mkdirSync(options.out, { recursive: true });
  const recording: Recording = { operations: [], lines: [], counts: { ok: 0, fail: 0, info: 0 } };
  const faults: Fault[] = [];
  const model = kv();
  let problem: string | undefined;
  let promisesApplied = false;
  try {
    promisesApplied = await drive(options, recording, faults);
  } catch (cause) {
    problem = cause instanceof Error ? cause.message : String(cause);
  }
  Deno.writeTextFileSync(`${options.out}/history.ndjson`, recording.lines.join("\n") + "\n");
  recording.operations.sort((a, b) => a.call - b.call);
  let verdict: Verdict | undefined;
  try {
    if (recording.operations.length > 0) {
      const limits = { timeoutMs: CHECK_TIMEOUT_MS };
      verdict = promisesApplied
        ? checkApplied(recording.operations, model, limits)
        : check(recording.operations, model, limits);
    }
  } catch (cause) {
    problem ??= `the checker failed: ${cause instanceof Error ? cause.message : cause}`;
  }
  // A violation stands whatever else went wrong; anything less is void if the bench itself failed.
  const outcome = verdict !== undefined &&
      (problem === undefined || verdict.verdict === "illegal")
    ? judge(options, verdict, recording, faults)
    : { valid: "unknown" as const, reason: problem ?? "no operation was recorded" };
  if (verdict !== undefined) {
    const title = `${options.system}, ${options.workload}, ${options.nemeses.join("+")}`;
    Deno.writeTextFileSync(
      `${options.out}/index.html`,
      renderPage(recording.operations, model, verdict, { title }),
    );
  }
  const result = { ...outcome, counts: recording.counts, faults, verdict };
  const { signal: _signal, out: _out, ...told } = options;
  Deno.writeTextFileSync(
    `${options.out}/results.json`,
    JSON.stringify(
      {
        ...outcome,
        options: told,
        versions: Deno.version,
        counts: recording.counts,
        faults,
        counterexample: verdict?.counterexample,
      },
      undefined,
      2,
    ),
  );
  return result;
}
