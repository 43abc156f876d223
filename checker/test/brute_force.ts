// The reference: tries every order, with every choice of the operations of unknown outcome. Shares nothing with
// the search but the model's step.

import { isKnown, type Operation } from "../history/types.ts";
import { type AnyModel, type AnyNondeterministicModel, deterministic } from "../models/model.ts";

/** True iff some order of all known and some unknown operations respects the record and fits the model. */
export function isLinearizable(
  operations: readonly Operation[],
  given: AnyModel | AnyNondeterministicModel,
): boolean {
  const model: AnyModel = deterministic(given);
  const parts = new Map<unknown, Operation[]>();
  for (const operation of operations) {
    const key = model.partition?.(operation);
    parts.set(key, [...parts.get(key) ?? [], operation]);
  }
  return [...parts.values()].every((part) => isPartLinearizable(part, model));
}

function isPartLinearizable(operations: readonly Operation[], model: AnyModel): boolean {
  const count = operations.length;
  const ends = operations.map((operation) => (isKnown(operation) ? operation.return! : Infinity));
  const allKnown = operations.reduce(
    (mask, operation, i) => isKnown(operation) ? mask | (1 << i) : mask,
    0,
  );
  const failed = new Set<string>();
  const go = (done: number, state: unknown): boolean => {
    if ((done & allKnown) === allKnown) return true;
    const key = `${done}/${model.hash(state)}`;
    if (model.equal === undefined && failed.has(key)) return false;
    for (let i = 0; i < count; i++) {
      if ((done & (1 << i)) !== 0) continue;
      // Nothing that is still to come may have returned before this call.
      let first = true;
      for (let j = 0; j < count && first; j++) {
        if ((done & (1 << j)) === 0 && ends[j]! < operations[i]!.call) first = false;
      }
      if (!first) continue;
      const next = model.step(state, operations[i]!);
      if (next !== undefined && go(done | (1 << i), next)) return true;
    }
    failed.add(key);
    return false;
  };
  return go(0, model.init());
}
