// Hands a history to the checker and to the workload's own judges. Pure; knows neither system nor nemesis.

import {
  type AnyModel,
  type AnyNondeterministicModel,
  check,
  checkApplied,
  type Operation,
  type Verdict,
} from "../checker/mod.ts";
import type { Evidence, Flaw, RecordedCall, WorkloadRun } from "./workloads/types.ts";

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

/** Every call as the checker wants it; what failed did not happen. */
export function operationsOf(calls: readonly RecordedCall[]): Operation[] {
  return calls.flatMap(({ process, call, return: returned, input, outcome }) => {
    if (outcome?.type === "fail") return [];
    if (outcome?.type !== "ok") return [{ process, call, input }];
    const { output, applied, partition } = outcome;
    return [{
      process,
      call,
      return: returned,
      input,
      output,
      ...(applied === undefined ? {} : { applied }),
      ...(partition === undefined ? {} : { partition }),
    }];
  });
}

/** `promisesApplied`: the order by applied position must itself be a linearization (RULES 20). */
export function judge(
  run: WorkloadRun,
  evidence: Evidence,
  promisesApplied: boolean,
): Judgement {
  const { model } = run;
  let flaws: readonly Flaw[] = [];
  const operations = (run.operations?.(evidence.calls) ?? operationsOf(evidence.calls))
    .sort((a, b) => a.call - b.call);
  if (operations.length === 0) {
    return { verdict: undefined, flaws, operations, model, problem: "nothing was recorded" };
  }
  try {
    flaws = run.flaws?.(evidence) ?? [];
    const limits = { timeoutMs: CHECK_TIMEOUT_MS };
    const verdict = promisesApplied
      ? checkApplied(operations, model, limits)
      : check(operations, model, limits);
    return { verdict, flaws, operations, model };
  } catch (cause) {
    const problem = `the checker failed: ${cause instanceof Error ? cause.message : cause}`;
    return { verdict: undefined, flaws, operations, model, problem };
  }
}
