// Witness first: when responses carry the log position at which they applied, the order by it is most
// likely a linearization. It is verified like any other; if it is none, that proves nothing by itself.

import { isKnown, type Operation } from "../history/types.ts";
import type { AnyModel } from "../models/model.ts";
import { findFlaw } from "./verify.ts";

/**
 * The known operations by applied position: a write before the reads that saw it, reads by call. Undefined
 * when some response carries none.
 */
export function appliedOrder(
  model: AnyModel,
  operations: readonly Operation[],
): Int32Array | undefined {
  const known: number[] = [];
  for (let i = 0; i < operations.length; i++) {
    if (!isKnown(operations[i]!)) continue;
    if (operations[i]!.applied === undefined) return undefined;
    known.push(i);
  }
  const reads = Uint8Array.from(operations, (operation) => model.observes?.(operation) ? 1 : 0);
  return Int32Array.from(known).sort((a, b) =>
    operations[a]!.applied! - operations[b]!.applied! || reads[a]! - reads[b]! ||
    operations[a]!.call - operations[b]!.call || a - b
  );
}

/**
 * A linearization found by applied positions, or undefined. An operation of unknown outcome is put in only
 * right before one that is impossible without it.
 */
export function findWitness(
  model: AnyModel,
  operations: readonly Operation[],
): Int32Array | undefined {
  const order = appliedOrder(model, operations);
  if (order === undefined) return undefined;
  const full = withUnknown(model, operations, order);
  return full !== undefined && findFlaw(model, operations, full) === undefined ? full : undefined;
}

function withUnknown(
  model: AnyModel,
  operations: readonly Operation[],
  order: Int32Array,
): Int32Array | undefined {
  const unknown: number[] = [];
  for (let i = 0; i < operations.length; i++) if (!isKnown(operations[i]!)) unknown.push(i);
  const result: number[] = [];
  let state: unknown = model.init();
  for (const i of order) {
    const operation = operations[i]!;
    let next = model.step(state, operation);
    for (let u = 0; next === undefined && u < unknown.length; u++) {
      const candidate = operations[unknown[u]!]!;
      if (candidate.call > operation.return!) continue;
      const between = model.step(state, candidate);
      if (between === undefined) continue;
      next = model.step(between, operation);
      if (next !== undefined) result.push(...unknown.splice(u, 1));
    }
    if (next === undefined) return undefined;
    state = next;
    result.push(i);
  }
  return Int32Array.from(result);
}

/** Two operations whose applied positions contradict the record: the first returned before the second's call. */
export interface AppliedContradiction {
  readonly first: number;
  readonly second: number;
}

/**
 * The same operations with the applied order made binding: each may only take effect between its neighbours
 * in it (reads at one position keep the record's order among themselves). Operations of unknown outcome
 * keep their freedom. Undefined when some response carries no position.
 */
export function boundByApplied(
  model: AnyModel,
  operations: readonly Operation[],
): Operation[] | AppliedContradiction | undefined {
  const order = appliedOrder(model, operations);
  if (order === undefined) return undefined;
  const group = new Int32Array(order.length);
  let latest = -1;
  for (let at = 0; at < order.length; at++) {
    const operation = operations[order[at]!]!;
    if (latest >= 0 && operation.return! < operations[latest]!.call) {
      return { first: order[at]!, second: latest };
    }
    if (latest < 0 || operation.call > operations[latest]!.call) latest = order[at]!;
    if (at === 0) continue;
    const before = operations[order[at - 1]!]!;
    const together = before.applied === operation.applied &&
      model.observes?.(before) === true && model.observes?.(operation) === true;
    group[at] = group[at - 1]! + (together ? 0 : 1);
  }
  const bound: Operation[] = [...operations];
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && group[to] === group[from]) to++;
    placeGroup(bound, operations, order.subarray(from, to), 2 * group[from]!);
    from = to;
  }
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i]!;
    if (isKnown(operation)) continue;
    // Whatever returned before its call comes before it.
    let after = -1;
    for (let at = order.length - 1; at >= 0 && after < 0; at--) {
      if (operations[order[at]!]!.return! < operation.call) after = group[at]!;
    }
    bound[i] = { ...operation, call: 2 * after + 1.5 };
  }
  return bound;
}

/** Moves the members of a group into [start, start + 1], keeping the record's order among them. */
function placeGroup(
  bound: Operation[],
  operations: readonly Operation[],
  members: Int32Array,
  start: number,
): void {
  const positions = new Set<number>();
  for (const i of members) positions.add(operations[i]!.call).add(operations[i]!.return!);
  const rank = new Map([...positions].sort((a, b) => a - b).map((position, at) => [position, at]));
  const scale = 1 / positions.size;
  for (const i of members) {
    const { call, return: end } = operations[i]!;
    bound[i] = {
      ...operations[i]!,
      call: start + rank.get(call)! * scale,
      return: start + rank.get(end!)! * scale,
    };
  }
}
