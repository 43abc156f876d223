// From "illegal" to a counterexample a person can follow: the shortest illegal prefix, made small, the
// operation that can't be placed, the states it met, and a paragraph that says so.

import { isKnown, type Operation, type PartitionKey } from "../history/types.ts";
import type { AnyModel } from "../models/model.ts";
import { PagePool } from "../search/configurations.ts";
import { layOut } from "../search/problem.ts";
import { Search } from "../search/search.ts";
import {
  type Budget,
  minimize,
  prefixOf,
  searchAll,
  shortestPrefix,
  type SubHistory,
} from "./minimize.ts";
import type { Counterexample } from "./types.ts";

/** States listed in a counterexample at most. */
const STATES_SHOWN_MAX = 8;
const RELATIVES_SHOWN_MAX = 3;
/** Re-verification goes without any shortcut, so it can't be afforded for large parts. */
const VERIFY_STEPS_MAX = 200_000;
const WATCH_STEPS_MIN = 100_000;

export interface ExplainOptions {
  readonly partition: PartitionKey;
  /** Where the shortest illegal prefix may end: a return position, or NaN. */
  readonly guess: number;
  /** Make it small, not just short. */
  readonly minimize: boolean;
  /** The search that found it, if one did. */
  readonly search?: Search | undefined;
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
  if (options.minimize === false && options.search !== undefined) {
    return asFound(model, whole, options.partition, options.search);
  }
  const shortest = shortestPrefix(model, whole, options.guess, budget, pool);
  let { subHistory } = shortest;
  let minimal = shortest.minimal && options.minimize;
  if (options.minimize) {
    const small = minimize(model, subHistory, budget, pool);
    minimal &&= small.minimal;
    // Taking away can make an earlier return the one that can't be passed.
    subHistory = shortestPrefix(model, small.subHistory, NaN, budget, pool).subHistory;
  }
  subHistory = byCall(subHistory);
  const search = new Search(
    layOut(model, subHistory.operations, Int32Array.from(subHistory.ids)),
    pool,
  );
  search.run(Math.max(budget.stepsLeft, WATCH_STEPS_MIN), budget.sizeBytesMax);
  search.release();
  const verified = searchAll(plain(model), subHistory, {
    stepsLeft: VERIFY_STEPS_MAX,
    sizeBytesMax: budget.sizeBytesMax,
    expired: budget.expired,
  }, pool)?.legal === false;
  return describe(model, whole, subHistory, options.partition, search, { minimal, verified });
}

/** The prefix at which the first search was stuck, without searching again. */
function asFound(
  model: AnyModel,
  whole: SubHistory,
  partition: PartitionKey,
  search: Search,
): Counterexample {
  const { ids, operations } = search.problem;
  const until = operations[search.blocked]?.return ?? Infinity;
  // A hopeless operation may have ended paths earlier than its return: then the cut would be too short.
  const subHistory = model.hopeless === undefined
    ? prefixOf({ operations, ids: [...ids] }, until)
    : { operations, ids: [...ids] };
  return describe(model, whole, byCall(subHistory), partition, search, {
    minimal: false,
    verified: false,
  });
}

function describe(
  model: AnyModel,
  whole: SubHistory,
  subHistory: SubHistory,
  partition: PartitionKey,
  search: Search,
  proof: { readonly minimal: boolean; readonly verified: boolean },
): Counterexample {
  const original = new Map(whole.ids.map((id, i) => [id, whole.operations[i]!]));
  const open = subHistory.ids.filter((id, i) =>
    !isKnown(subHistory.operations[i]!) && isKnown(original.get(id)!)
  );
  const blocked = search.problem.ids[search.blocked] ?? -1;
  const all = new Set<string>();
  for (const id of search.refusedIn) all.add(model.describeState(search.states.state(id)));
  const states = [...all].slice(0, STATES_SHOWN_MAX);
  return {
    partition,
    operations: subHistory.ids,
    open,
    blocked,
    ...proof,
    prefix: [...search.order()],
    states,
    explanation: [
      inWords(model, subHistory, blocked, states, all.size, open),
      ...relatives(model, whole, subHistory, blocked),
    ].join(" "),
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
  const order = ids.map((_, i) => i).sort((a, b) =>
    operations[a]!.call - operations[b]!.call || a - b
  );
  return { operations: order.map((i) => operations[i]!), ids: order.map((i) => ids[i]!) };
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

/** Operations about the same as the blocked one that the proof can do without, but a reader will look for. */
function relatives(
  model: AnyModel,
  whole: SubHistory,
  subHistory: SubHistory,
  blocked: number,
): string[] {
  const own = whole.operations[whole.ids.indexOf(blocked)];
  const tokens = own === undefined ? undefined : model.tokens?.(own);
  if (tokens === undefined || tokens.length === 0) return [];
  const inside = new Set(subHistory.ids);
  const found = whole.operations.filter((operation, i) =>
    !inside.has(whole.ids[i]!) && operation.call < (own!.return ?? Infinity) &&
    !model.observes?.(operation) && model.tokens!(operation)?.some((token) =>
      tokens.includes(token)
    )
  );
  if (found.length === 0) return [];
  const named = found.slice(-RELATIVES_SHOWN_MAX).map((operation) =>
    describeOperation(model, operation)
  );
  return [
    `Left out, because it can't help: ${found.length > named.length ? "… " : ""}${
      named.join(", ")
    }.`,
  ];
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
  const unknown =
    operations.filter((other, i) => !isKnown(other) && !open.includes(ids[i]!)).length;
  if (unknown > 0) {
    parts.push(
      `${unknown} operation${
        unknown === 1 ? "" : "s"
      } of unknown outcome may have taken effect or not; ` +
        `neither choice helps.`,
    );
  }
  if (open.length > 0) {
    parts.push(
      `${open.length} call${
        open.length === 1 ? " was" : "s were"
      } still open at that moment; even so they ` +
        `can't explain it.`,
    );
  }
  return parts.join(" ");
}
