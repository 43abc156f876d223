// From "illegal" to a counterexample a person can follow: the shortest illegal prefix, made small, the
// operation that can't be placed, the states it met, and a paragraph that says so.

import { isKnown, type Operation, type PartitionKey } from "../history/types.ts";
import type { AnyModel } from "../models/model.ts";
import { PagePool } from "../search/configurations.ts";
import type { Search } from "../search/search.ts";
import { layOut } from "../search/problem.ts";
import { Search as SearchRun } from "../search/search.ts";
import { type Budget, minimize, searchAll, shortestPrefix, type SubHistory } from "./minimize.ts";
import type { Counterexample } from "./types.ts";

/** States listed in a counterexample at most. */
const STATES_SHOWN_MAX = 8;

export interface ExplainOptions {
  readonly partition: PartitionKey;
  /** Where the shortest illegal prefix may end: a return position, or NaN. */
  readonly guess: number;
  /** Make it small, not just short. */
  readonly minimize: boolean;
  readonly budget: Budget;
}

/** `whole` is one partition's operations, known to be illegal. */
export function explain(
  model: AnyModel,
  whole: SubHistory,
  options: ExplainOptions,
): Counterexample {
  const { budget } = options;
  const pool = new PagePool();
  const shortest = shortestPrefix(model, whole, options.guess, budget, pool);
  let { subHistory } = shortest;
  const blocked = lastToReturn(subHistory);
  let minimal = shortest.minimal && options.minimize;
  if (options.minimize) {
    const small = minimize(model, subHistory, budget, pool);
    subHistory = small.subHistory;
    minimal &&= small.minimal;
  }
  subHistory = byCall(subHistory);
  // Taking away can make an earlier return the one that can't be passed.
  const cut = shortestPrefix(model, subHistory, NaN, budget, pool);
  if (cut.subHistory.ids.length <= subHistory.ids.length) subHistory = byCall(cut.subHistory);
  const id = subHistory.ids.includes(lastToReturn(subHistory)) ? lastToReturn(subHistory) : blocked;
  const watched = watch(model, subHistory, id, budget, pool);
  const states = [...watched.states].slice(0, STATES_SHOWN_MAX);
  const original = new Map(whole.ids.map((wholeId, i) => [wholeId, whole.operations[i]!]));
  const open = subHistory.ids.filter((opId, i) =>
    !isKnown(subHistory.operations[i]!) && isKnown(original.get(opId)!)
  );
  const verified = searchAll(plain(model), subHistory, {
    stepsLeft: 1_000_000,
    sizeBytesMax: budget.sizeBytesMax,
    expired: budget.expired,
  }, pool)?.legal === false;
  return {
    partition: options.partition,
    operations: subHistory.ids,
    open,
    blocked: id,
    minimal,
    verified,
    prefix: [...watched.order],
    states,
    explanation: inWords(model, subHistory, id, states, watched.states.size, open),
  };
}

/** The model without anything optional: what the re-verification runs on. */
export function plain(model: AnyModel): AnyModel {
  return {
    name: model.name,
    init: () => model.init(),
    step: (state, operation) => model.step(state, operation),
    hash: (state) => model.hash(state),
    ...(model.equal === undefined ? {} : { equal: (a, b) => model.equal!(a, b) }),
    ...(model.usesProcess === undefined ? {} : { usesProcess: model.usesProcess }),
    describe: (operation) => model.describe(operation),
    describeState: (state) => model.describeState(state),
  };
}

function byCall({ operations, ids }: SubHistory): SubHistory {
  const order = ids.map((_, i) => i).sort((a, b) => operations[a]!.call - operations[b]!.call || a - b);
  return { operations: order.map((i) => operations[i]!), ids: order.map((i) => ids[i]!) };
}

function lastToReturn({ operations, ids }: SubHistory): number {
  let last = -1;
  operations.forEach((operation, i) => {
    if (!isKnown(operation)) return;
    if (last < 0 || operation.return! > operations[last]!.return!) last = i;
  });
  return ids[last] ?? -1;
}

/** Searches once more, noting the states in which the blocked operation was impossible. */
function watch(
  model: AnyModel,
  subHistory: SubHistory,
  blocked: number,
  budget: Budget,
  pool: PagePool,
): { readonly states: ReadonlySet<string>; readonly order: Int32Array } {
  const search: Search = new SearchRun(
    layOut(model, subHistory.operations, Int32Array.from(subHistory.ids)),
    pool,
  );
  search.watch(search.problem.ids.indexOf(blocked));
  search.run(1_000_000, budget.sizeBytesMax);
  search.release();
  const states = new Set<string>();
  for (const id of search.refusedIn) states.add(model.describeState(search.states.state(id)));
  return { states, order: search.order() };
}

function where(operation: Operation): string {
  return operation.line === undefined
    ? `process ${operation.process}, called at ${operation.call}`
    : `process ${operation.process}, line ${operation.line}`;
}

/** One line of a history for people. */
export function describeOperation(model: AnyModel, operation: Operation): string {
  return `${model.describe(operation)} (${where(operation)})`;
}

function inWords(
  model: AnyModel,
  { operations, ids }: SubHistory,
  blocked: number,
  states: readonly string[],
  stateCount: number,
  open: readonly number[],
): string {
  const operation = operations[ids.indexOf(blocked)];
  if (operation === undefined) return "These operations have no order that fits.";
  const parts = [
    `${describeOperation(model, operation)} can't be placed: no order of the ${ids.length} ` +
    `operation${ids.length === 1 ? "" : "s"} of this sub-history allows it.`,
  ];
  if (states.length > 0) {
    const more = stateCount > states.length ? ` (and ${stateCount - states.length} more)` : "";
    parts.push(
      `In every order that the others allow, the state at each moment it could have taken effect is ` +
        `${states.join(", or ")}${more}; there this response is impossible.`,
    );
  }
  const unknown = operations.filter((other, i) => !isKnown(other) && !open.includes(ids[i]!)).length;
  if (unknown > 0) {
    parts.push(
      `${unknown} operation${unknown === 1 ? "" : "s"} of unknown outcome may have taken effect or not; ` +
        `neither choice helps.`,
    );
  }
  if (open.length > 0) {
    parts.push(
      `${open.length} call${open.length === 1 ? " was" : "s were"} still open at that moment; even so they ` +
        `can't explain it.`,
    );
  }
  return parts.join(" ");
}

