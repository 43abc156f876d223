// Checks that an order is a linearization, in linear time and without any search: what makes a positive
// verdict a proof.

import { isKnown, type Operation } from "../history/types.ts";
import type { AnyModel } from "../models/model.ts";

/** Why an order is none, or undefined if it is one. `at` is a position in the order. */
export interface Flaw {
  readonly at: number;
  readonly reason: "repeated" | "too-late" | "impossible" | "missing";
}

/**
 * `order` must hold every operation of known outcome once, may hold those of unknown outcome, must respect
 * that an operation that returned before another's call comes first, and every response must fit the model.
 */
export function findFlaw(
  model: AnyModel,
  operations: readonly Operation[],
  order: ArrayLike<number>,
): Flaw | undefined {
  const placed = new Uint8Array(operations.length);
  let state: unknown = model.init();
  let latestCall = -Infinity;
  for (let at = 0; at < order.length; at++) {
    const i = order[at]!;
    const operation = operations[i]!;
    if (placed[i] === 1) return { at, reason: "repeated" };
    placed[i] = 1;
    // Something before it in the order was called only after it had returned.
    if (isKnown(operation) && operation.return! < latestCall) return { at, reason: "too-late" };
    latestCall = Math.max(latestCall, operation.call);
    const next = model.step(state, operation);
    if (next === undefined) return { at, reason: "impossible" };
    state = next;
  }
  for (let i = 0; i < operations.length; i++) {
    if (placed[i] === 0 && isKnown(operations[i]!)) return { at: order.length, reason: "missing" };
  }
  return undefined;
}
