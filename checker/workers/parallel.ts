// Checks with several threads: the easy partitions here, the hard ones dealt out. Each thread gives turns to
// its share, so that one hard partition never hides an easy refutation.

import { check, type CheckOptions, EASY_ONLY_REASON } from "../check.ts";
import type { Operation } from "../history/types.ts";
import { deterministic, placed } from "../models/model.ts";
import type { Counterexample, PartitionVerdict, Verdict } from "../verdict/types.ts";
import type { AnyModelReference, WorkerHandle, WorkerRequest } from "./protocol.ts";
import { resolveModel } from "./resolve.ts";
import { spawnWorker } from "./spawn.ts";

export interface ParallelOptions extends CheckOptions {
  /** Threads besides this one. 1 or less: none, all is done here. */
  readonly jobs: number;
  /** Default: a web worker, or Node's worker_threads. */
  readonly spawn?: () => Promise<WorkerHandle> | WorkerHandle;
}

interface Share {
  readonly ids: number[];
  verdict?: Verdict;
}

/**
 * {@linkcode check} over several threads.
 *
 * @throws HistoryError as `check` does; Error when a thread fails.
 */
export async function checkParallel(
  recorded: readonly Operation[],
  reference: AnyModelReference,
  options: ParallelOptions,
): Promise<Verdict> {
  const model = await resolveModel(reference);
  const { jobs, spawn, ...rest } = options;
  if (jobs <= 1) return check(recorded, model, rest);
  const first = check(recorded, model, { ...rest, easyOnly: true });
  const aside = first.partitions.filter((part) => part.reason === EASY_ONLY_REASON);
  if (first.verdict !== "unknown" || aside.length === 0) return first;
  const partition = deterministic(model).partition;
  const history = placed(recorded, model);
  const shareOf = new Map(aside.map((part, i) => [part.key, i % Math.min(jobs, aside.length)]));
  const shares: Share[] = Array.from({ length: Math.min(jobs, aside.length) }, () => ({ ids: [] }));
  history.forEach((operation, id) => {
    const share = shareOf.get(partition?.(operation) ?? 0);
    if (share !== undefined) shares[share]!.ids.push(id);
  });
  const clock = options.clock ?? (() => performance.now());
  const startedAt = clock();
  await runShares(history, reference, shares, rest, first, spawn ?? (() => spawnWorker()));
  return merge(first, shares, first.elapsedMs + clock() - startedAt, options.exhaustive === true);
}

async function runShares(
  history: readonly Operation[],
  model: AnyModelReference,
  shares: readonly Share[],
  options: CheckOptions,
  first: Verdict,
  spawn: () => Promise<WorkerHandle> | WorkerHandle,
): Promise<void> {
  const { clock: _clock, onProgress, timeoutMs, memoryBytes, stepsMax, ...plain } = options;
  const request = (share: Share): WorkerRequest => ({
    model,
    operations: share.ids.map((id) => history[id]!),
    options: {
      ...plain,
      ...(timeoutMs === undefined ? {} : { timeoutMs: Math.max(timeoutMs - first.elapsedMs, 1) }),
      memoryBytes: (memoryBytes ?? 1024 ** 3) / shares.length,
      ...(stepsMax === undefined ? {} : { stepsMax: Math.ceil(stepsMax / shares.length) }),
    },
  });
  const done = new Int32Array(shares.length);
  const steps = new Float64Array(shares.length);
  const base = first.partitions.length -
    shares.reduce((n, _, i) => n + partsOf(first, shares, i), 0);
  const workers: WorkerHandle[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      let left = shares.length;
      shares.forEach(async (share, i) => {
        try {
          const worker = await spawn();
          workers.push(worker);
          worker.onResponse((response) => {
            if (response.kind === "error") return reject(new Error(response.message));
            if (response.kind === "progress") {
              done[i] = response.progress.partitionsDone;
              steps[i] = response.progress.steps;
              onProgress?.({
                partitionsDone: base + done.reduce((a, b) => a + b, 0),
                partitionCount: first.partitions.length,
                steps: first.steps + steps.reduce((a, b) => a + b, 0),
              });
              return;
            }
            share.verdict = response.verdict;
            if (--left === 0 || (response.verdict.verdict === "illegal" && !options.exhaustive)) {
              resolve();
            }
          });
          worker.send(request(share));
        } catch (error) {
          reject(error);
        }
      });
    });
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

/** How many of the partitions set aside share `i` has. */
function partsOf(first: Verdict, shares: readonly Share[], i: number): number {
  const aside = first.partitions.filter((part) => part.reason === EASY_ONLY_REASON).length;
  return Math.floor(aside / shares.length) + (i < aside % shares.length ? 1 : 0);
}

function merge(
  first: Verdict,
  shares: readonly Share[],
  elapsedMs: number,
  exhaustive: boolean,
): Verdict {
  const decided = new Map<unknown, PartitionVerdict>();
  let counterexample: Counterexample | undefined;
  let steps = first.steps;
  for (const { verdict, ids } of shares) {
    if (verdict === undefined) continue;
    steps += verdict.steps;
    for (const part of verdict.partitions) {
      decided.set(part.key, { ...part, order: part.order.map((at) => ids[at]!) });
    }
    const found = verdict.counterexample;
    if (found !== undefined && counterexample === undefined) {
      counterexample = {
        ...found,
        operations: found.operations.map((at) => ids[at]!),
        open: found.open.map((at) => ids[at]!),
        prefix: found.prefix.map((at) => ids[at]!),
        blocked: ids[found.blocked] ?? -1,
      };
    }
  }
  const stopped = counterexample !== undefined && !exhaustive;
  const partitions = first.partitions.map((part) =>
    decided.get(part.key) ??
      (stopped && part.verdict === "unknown"
        ? { ...part, reason: "another partition is illegal" }
        : part)
  );
  const undecided = partitions.filter((part) => part.verdict === "unknown");
  const { reason: _reason, ...kept } = first;
  return {
    ...kept,
    verdict: counterexample !== undefined
      ? "illegal"
      : undecided.length > 0
      ? "unknown"
      : "linearizable",
    partitions,
    ...(counterexample === undefined ? {} : { counterexample }),
    ...(counterexample === undefined && undecided.length > 0
      ? {
        reason: `${undecided.length} of ${partitions.length} partitions undecided: ` +
          undecided[0]!.reason,
      }
      : {}),
    steps,
    elapsedMs,
  };
}
