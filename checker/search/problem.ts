// One partition of a history laid out for the search: operations sorted by call, their calls and returns
// as one list of entries, operations of unknown outcome apart.

import { isKnown, type Operation } from "../history/types.ts";
import type { AnyModel } from "../models/model.ts";
import { classify } from "./states.ts";

/**
 * Entries are numbered from 1 in the record's order; 0 is the list's head and end. At equal positions calls
 * come before returns: such operations are concurrent.
 */
export interface Problem {
  readonly model: AnyModel;
  /** Known operations by call, then the optional ones by call. Everything below is indexed like it. */
  readonly operations: readonly Operation[];
  /** Each one's number in the whole history. */
  readonly ids: Int32Array;
  readonly knownCount: number;
  readonly classOf: Int32Array;
  readonly classes: readonly Operation[];
  /** 1 for operations that never change a state. */
  readonly observes: Uint8Array;
  /** Of known operations: the model's guess of the order, NaN without one. Absent if it never guesses. */
  readonly priority: Float64Array | undefined;
  readonly callEntry: Int32Array;
  readonly returnEntry: Int32Array;
  /** Entry -> operation; negative (-operation - 1) for a return. */
  readonly entries: Int32Array;
  /** Entry -> number of calls before it. */
  readonly callsBefore: Int32Array;
  /** Of optional operations: how many entries come before its call. */
  readonly availableAfter: Int32Array;
  /** Numbers of optional operations dropped because nothing can depend on them. */
  readonly droppedCount: number;
}

export interface ProblemOptions {
  /** Keep every operation of unknown outcome. */
  readonly keepIrrelevant?: boolean;
}

export function layOut(
  model: AnyModel,
  operations: readonly Operation[],
  ids: Int32Array,
  options: ProblemOptions = {},
): Problem {
  const dropped = options.keepIrrelevant ? new Set<number>() : irrelevantOf(model, operations);
  const byCall: number[] = [];
  const optional: number[] = [];
  for (let i = 0; i < operations.length; i++) {
    if (isKnown(operations[i]!)) byCall.push(i);
    else if (!dropped.has(i)) optional.push(i);
  }
  const callOrder = (a: number, b: number) => operations[a]!.call - operations[b]!.call || a - b;
  if (!isSorted(byCall, operations)) byCall.sort(callOrder);
  if (!isSorted(optional, operations)) optional.sort(callOrder);
  const knownCount = byCall.length;
  const order = byCall.concat(optional);
  const sorted = order.map((i) => operations[i]!);
  const { classOf, classes } = classify(model, blurred(model, operations, order, sorted));
  const observes = new Uint8Array(sorted.length);
  if (model.observes !== undefined) {
    for (let i = 0; i < sorted.length; i++) observes[i] = model.observes(sorted[i]!) ? 1 : 0;
  }
  return {
    model,
    operations: sorted,
    ids: Int32Array.from(order, (i) => ids[i]!),
    knownCount,
    classOf,
    classes,
    observes,
    priority: prioritiesOf(model, sorted, knownCount),
    ...entriesOf(sorted, knownCount),
    droppedCount: dropped.size,
  };
}

/** Operations of unknown outcome that no completed response can depend on: pure reads, and the model's. */
function irrelevantOf(model: AnyModel, operations: readonly Operation[]): Set<number> {
  const dropped = new Set<number>();
  let unknown = false;
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i]!;
    if (isKnown(operation)) continue;
    unknown = true;
    if (model.observes?.(operation)) dropped.add(i);
  }
  if (unknown) { for (const i of model.irrelevant?.(operations) ?? []) dropped.add(i); }
  return dropped;
}

/** The sorted operations with the model's replacements, which is how the search sees them. */
function blurred(
  model: AnyModel,
  operations: readonly Operation[],
  order: readonly number[],
  sorted: readonly Operation[],
): readonly Operation[] {
  const replacements = model.blur?.(operations);
  if (replacements === undefined || replacements.size === 0) return sorted;
  return order.map((i) => replacements.get(i) ?? operations[i]!);
}

function isSorted(order: readonly number[], operations: readonly Operation[]): boolean {
  for (let i = 1; i < order.length; i++) {
    if (operations[order[i - 1]!]!.call > operations[order[i]!]!.call) return false;
  }
  return true;
}

function prioritiesOf(
  model: AnyModel,
  sorted: readonly Operation[],
  knownCount: number,
): Float64Array | undefined {
  if (model.order === undefined) return undefined;
  const priority = new Float64Array(knownCount).fill(NaN);
  for (let i = 0; i < knownCount; i++) priority[i] = model.order(sorted[i]!) ?? NaN;
  return priority;
}

function entriesOf(sorted: readonly Operation[], knownCount: number) {
  const byReturn = Array.from({ length: knownCount }, (_, i) => i);
  byReturn.sort((a, b) => sorted[a]!.return! - sorted[b]!.return! || a - b);
  const count = 2 * knownCount + 1;
  const entries = new Int32Array(count);
  const callsBefore = new Int32Array(count + 1);
  const callEntry = new Int32Array(knownCount);
  const returnEntry = new Int32Array(knownCount);
  const availableAfter = new Int32Array(sorted.length - knownCount);
  let calls = 0;
  let returns = 0;
  let optional = 0;
  for (let entry = 1; entry < count; entry++) {
    callsBefore[entry] = calls;
    const returnAt = sorted[byReturn[returns]!]!.return!;
    const isCall = calls < knownCount && sorted[calls]!.call <= returnAt;
    const position = isCall ? sorted[calls]!.call : returnAt;
    // A call at the very position of a return is concurrent with it.
    while (optional < availableAfter.length) {
      const call = sorted[knownCount + optional]!.call;
      if (call > position) break;
      availableAfter[optional++] = entry - 1;
    }
    if (isCall) {
      callEntry[calls] = entry;
      entries[entry] = calls++;
    } else {
      const operation = byReturn[returns++]!;
      returnEntry[operation] = entry;
      entries[entry] = -operation - 1;
    }
  }
  callsBefore[count] = calls;
  while (optional < availableAfter.length) availableAfter[optional++] = count - 1;
  return { entries, callsBefore, callEntry, returnEntry, availableAfter };
}
