// For systems that promise their applied positions to be a valid order: then a history that is linearizable in
// some other order only is a violation too.

import { check, type CheckOptions } from "./check.ts";
import type { Operation, PartitionKey } from "./history/types.ts";
import {
  type AnyModel,
  type AnyNondeterministicModel,
  deterministic,
  placed,
} from "./models/model.ts";
import { boundByApplied } from "./search/witness.ts";
import { describeOperation } from "./verdict/explain.ts";
import type { Counterexample, Verdict } from "./verdict/types.ts";

/**
 * Judges whether the order of `applied` is a linearization, operations of unknown outcome put in where they
 * are needed. Partitions in which some response carries no position are checked without it.
 *
 * @throws HistoryError as `check` does.
 */
export function checkApplied(
  recorded: readonly Operation[],
  given: AnyModel | AnyNondeterministicModel,
  options: CheckOptions = {},
): Verdict {
  const model = deterministic(given);
  const plain = check(recorded, model, options);
  if (plain.verdict === "illegal") return plain;
  const history = placed(recorded, model);
  const byKey = new Map<PartitionKey, number[]>();
  history.forEach((operation, id) => {
    const key = model.partition?.(operation) ?? 0;
    const ids = byKey.get(key);
    if (ids === undefined) byKey.set(key, [id]);
    else ids.push(id);
  });
  const bound: Operation[] = [...history];
  for (const [key, ids] of byKey) {
    const result = boundByApplied(model, ids.map((id) => history[id]!));
    if (result === undefined) continue;
    if ("first" in result) {
      return contradiction(plain, model, history, key, ids[result.first]!, ids[result.second]!);
    }
    // Positions order one key; on that scale a process's calls on different keys may seem to overlap, so
    // each key sees processes of its own. The history as it came has passed the check already.
    result.forEach((operation, i) => {
      bound[ids[i]!] = { ...operation, process: `${operation.process} (${String(key)})` };
    });
  }
  // The witness would look at the same order again; binding it is what decides.
  const verdict = check(bound, model, options);
  const { counterexample } = verdict;
  if (counterexample === undefined) return verdict;
  return {
    ...verdict,
    counterexample: {
      ...counterexample,
      explanation:
        `The order of the applied positions is not a linearization, though another is. ` +
        counterexample.explanation,
    },
  };
}

function contradiction(
  plain: Verdict,
  model: AnyModel,
  history: readonly Operation[],
  key: PartitionKey,
  first: number,
  second: number,
): Verdict {
  const earlier = history[first]!;
  const later = history[second]!;
  const counterexample: Counterexample = {
    partition: key,
    operations: [first, second],
    open: [],
    blocked: first,
    minimal: true,
    verified: true,
    prefix: [],
    states: [],
    explanation: `${describeOperation(model, earlier)} returned before ` +
      `${
        describeOperation(model, later)
      } was called, but says that it applied at ${earlier.applied}, ` +
      `after ${later.applied}.`,
  };
  const { reason: _reason, ...rest } = plain;
  return { ...rest, verdict: "illegal", counterexample };
}
