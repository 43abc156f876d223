// Hands a history to the checker and to the workload's own judges. Knows neither system nor nemesis.

import {
  type AnyModel,
  type AnyNondeterministicModel,
  check,
  checkApplied,
  type Operation,
  type Verdict,
} from "../checker/mod.ts";
import { operationsOf } from "./operations.ts";
import { sleep, until } from "./wait.ts";
import type { Evidence, Flaw, WorkloadRun } from "./workloads/types.ts";

export interface HistoryToCheck {
  readonly operations: readonly Operation[];
  /** The order by applied position must itself be a linearization (RULES 20). */
  readonly promisesApplied: boolean;
}

/** A verdict, or why there is none. */
export interface Finding {
  readonly verdict?: Verdict;
  readonly problem?: string;
}

export interface Judgement {
  readonly verdict: Verdict | undefined;
  readonly flaws: readonly Flaw[];
  /** What the checker judged. */
  readonly operations: readonly Operation[];
  readonly model: AnyModel | AnyNondeterministicModel;
  /** Why there is no verdict. */
  readonly problem?: string;
}

const CHECK_TIMEOUT_MS = 30_000;
/** What the checker is given after a request to stop. */
const GRACE_MS = 5000;

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The checker's part; an error of the checker is no verdict. */
export function checkHistory(
  { operations, promisesApplied }: HistoryToCheck,
  model: AnyModel | AnyNondeterministicModel,
): Finding {
  try {
    const limits = { timeoutMs: CHECK_TIMEOUT_MS };
    return {
      verdict: promisesApplied
        ? checkApplied(operations, model, limits)
        : check(operations, model, limits),
    };
  } catch (cause) {
    return { problem: `the checker failed: ${textOf(cause)}` };
  }
}

/** The same in a thread of its own, so that a signal is heard while it thinks; cut short soon after `stopped` holds. */
async function checkInThread(
  history: HistoryToCheck,
  workload: string,
  stopped: () => boolean,
): Promise<Finding> {
  const worker = new Worker(new URL("./judge_worker.ts", import.meta.url), { type: "module" });
  let over = false;
  const cutShort = async (): Promise<Finding> => {
    await until("", Infinity, () => over || stopped());
    const endMs = performance.now() + GRACE_MS;
    while (!over && performance.now() < endMs) await sleep(50);
    return { problem: "it was interrupted while the checker was at work" };
  };
  try {
    const answer = new Promise<Finding>((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        resolve({ problem: `the checker's thread failed: ${event.message}` });
      };
    });
    worker.postMessage({ ...history, workload });
    return await Promise.race([answer, cutShort()]);
  } finally {
    over = true;
    worker.terminate();
  }
}

/**
 * Judges what a run recorded.
 *
 * @param checker what decides about the operations; default: {@linkcode checkHistory} on the spot
 */
async function judgeWith(
  run: WorkloadRun,
  evidence: Evidence,
  promisesApplied: boolean,
  checker: (history: HistoryToCheck) => Finding | Promise<Finding>,
): Promise<Judgement> {
  const { model } = run;
  const operations = (run.operations?.(evidence.calls) ?? operationsOf(evidence.calls))
    .sort((a, b) => a.call - b.call);
  let flaws: readonly Flaw[] = [];
  const none = (problem: string) => ({ verdict: undefined, flaws, operations, model, problem });
  try {
    flaws = run.flaws?.(evidence) ?? [];
  } catch (cause) {
    return none(`the workload's judge failed: ${textOf(cause)}`);
  }
  if (operations.length === 0) return none("nothing was recorded");
  const { verdict, problem } = await checker({ operations, promisesApplied });
  return verdict === undefined
    ? none(problem ?? "the checker gave no verdict")
    : { verdict, flaws, operations, model };
}

/** Judges here and now. */
export function judge(
  run: WorkloadRun,
  evidence: Evidence,
  promisesApplied: boolean,
): Promise<Judgement> {
  return judgeWith(
    run,
    evidence,
    promisesApplied,
    (history) => checkHistory(history, run.model),
  );
}

/** Judges with the checker in a thread of its own. */
export function judgeInThread(
  run: WorkloadRun,
  evidence: Evidence,
  promisesApplied: boolean,
  workload: string,
  stopped: () => boolean,
): Promise<Judgement> {
  return judgeWith(
    run,
    evidence,
    promisesApplied,
    (history) => checkInThread(history, workload, stopped),
  );
}
