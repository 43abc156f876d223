// Makes an illegal sub-history small without losing the proof. A part of a linearizable history need not be
// linearizable (take away a write and its reads hang in the air), so a small illegal part proves nothing by
// itself. Only these are taken away, each of which keeps a linearizable history linearizable:
//
// - what was called after some moment; what returned after it counts as open (prefix closure);
// - operations that change no state;
// - all operations about a token, with whatever is tied to it (the model's `tokens`);
// - what returned before the call of a plain write that overlaps no other known operation (the model's `resets`);
// - operations of unknown outcome that nothing can depend on (the model's `irrelevant`).
//
// Source of the procedure: Zeller & Hildebrandt, "Simplifying and isolating failure-inducing input", 2002.

import { isKnown, type Operation } from "../history/types.ts";
import type { AnyModel } from "../models/model.ts";
import type { PagePool } from "../search/configurations.ts";
import { layOut } from "../search/problem.ts";
import { Search } from "../search/search.ts";

/** What minimizing may cost; `expired` is asked between searches. */
export interface Budget {
  stepsLeft: number;
  readonly sizeBytesMax: number;
  readonly expired: () => boolean;
}

/** Operations with their numbers in the whole history, by call. */
export interface SubHistory {
  readonly operations: readonly Operation[];
  readonly ids: readonly number[];
}

export interface Minimized {
  readonly subHistory: SubHistory;
  readonly minimal: boolean;
}

/** Plain writes tried as a new beginning, from the latest on. */
const RESETS_TRIED_MAX = 20;

/** One search over a sub-history, spending from the budget. Undefined when that ran out. */
export function searchAll(
  model: AnyModel,
  { operations, ids }: SubHistory,
  budget: Budget,
  pool: PagePool,
): { readonly search: Search; readonly legal: boolean } | undefined {
  if (budget.stepsLeft <= 0 || budget.expired()) return undefined;
  const search = new Search(layOut(model, operations, Int32Array.from(ids)), pool);
  const slice = 100_000;
  for (;;) {
    const before = search.steps;
    const outcome = search.run(Math.min(slice, budget.stepsLeft), budget.sizeBytesMax);
    budget.stepsLeft -= search.steps - before;
    if (outcome === "linearizable" || outcome === "illegal") {
      search.release();
      return { search, legal: outcome === "linearizable" };
    }
    if (outcome === "memory-exhausted" || budget.stepsLeft <= 0 || budget.expired()) {
      search.release();
      return undefined;
    }
  }
}

/** The sub-history as it stood right after position `until`: later calls gone, later returns open. */
export function prefixOf({ operations, ids }: SubHistory, until: number): SubHistory {
  const kept: Operation[] = [];
  const keptIds: number[] = [];
  operations.forEach((operation, i) => {
    if (operation.call > until) return;
    const open = isKnown(operation) && operation.return! > until;
    kept.push(open ? { ...operation, return: undefined } : operation);
    keptIds.push(ids[i]!);
  });
  return { operations: kept, ids: keptIds };
}

/** The shortest illegal prefix, given that the whole is illegal; `guess` is where it may end. */
export function shortestPrefix(
  model: AnyModel,
  whole: SubHistory,
  guess: number,
  budget: Budget,
  pool: PagePool,
): Minimized {
  const ends = whole.operations.filter(isKnown).map((operation) => operation.return!)
    .sort((a, b) => a - b);
  let low = 0;
  let high = ends.length - 1;
  let minimal = true;
  const illegalAt = (i: number) => {
    const result = searchAll(model, prefixOf(whole, ends[i]!), budget, pool);
    // Undecided: this cut can't be used.
    if (result === undefined) minimal = false;
    return result !== undefined && !result.legal;
  };
  const guessed = ends.indexOf(guess);
  if (guessed >= 0) {
    if (illegalAt(guessed)) high = guessed;
    else low = guessed + 1;
    if (high === guessed && (guessed === 0 || !illegalAt(guessed - 1))) low = guessed;
  }
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (illegalAt(middle)) high = middle;
    else low = middle + 1;
  }
  return { subHistory: prefixOf(whole, ends[high] ?? Infinity), minimal };
}

/** Takes away what can be, until nothing more can or the budget is spent. */
export function minimize(
  model: AnyModel,
  start: SubHistory,
  budget: Budget,
  pool: PagePool,
): Minimized {
  let current = withoutIrrelevant(model, start);
  let minimal = true;
  // The plain write that stands for everything forgotten before it: it must stay.
  let beginning = -1;
  const staysIllegal = (candidate: SubHistory) => {
    const result = searchAll(model, candidate, budget, pool);
    if (result === undefined) minimal = false;
    return result !== undefined && !result.legal;
  };
  if (!staysIllegal(current)) return { subHistory: start, minimal: false };
  for (let before = -1; before !== current.ids.length && minimal;) {
    before = current.ids.length;
    for (const unitsOf of [observersOf, tokenGroups]) {
      const units = unitsOf(model, current).filter((unit) => !unit.has(beginning));
      current = removeUnits(current, units, staysIllegal);
    }
    const past = withoutPast(model, current, staysIllegal);
    beginning = past?.beginning ?? beginning;
    current = withoutIrrelevant(model, past?.subHistory ?? current);
  }
  return { subHistory: current, minimal };
}

/** Delta debugging over units that are removable each by itself, in growing fineness. */
function removeUnits(
  start: SubHistory,
  units: readonly ReadonlySet<number>[],
  staysIllegal: (candidate: SubHistory) => boolean,
): SubHistory {
  let current = start;
  let left = units;
  for (let size = left.length; size >= 1 && left.length > 0; size = Math.floor(size / 2)) {
    const kept: ReadonlySet<number>[] = [];
    for (let from = 0; from < left.length; from += size) {
      const chunk = left.slice(from, from + size);
      const candidate = without(current, new Set(chunk.flatMap((unit) => [...unit])));
      if (candidate.ids.length > 0 && staysIllegal(candidate)) current = candidate;
      else kept.push(...chunk);
    }
    left = kept;
  }
  return current;
}

function without({ operations, ids }: SubHistory, gone: ReadonlySet<number>): SubHistory {
  const keep = ids.map((id) => !gone.has(id));
  return { operations: operations.filter((_, i) => keep[i]), ids: ids.filter((_, i) => keep[i]) };
}

/** Known observers one by one, and unknown ones, which never matter. */
function observersOf(model: AnyModel, { operations, ids }: SubHistory): ReadonlySet<number>[] {
  return ids.filter((_, i) => model.observes?.(operations[i]!)).map((id) => new Set([id]));
}

/** Groups of operations tied by shared tokens; none if some operation is about everything. */
function tokenGroups(model: AnyModel, { operations, ids }: SubHistory): ReadonlySet<number>[] {
  if (model.tokens === undefined) return [];
  const parent = new Map<string | number, string | number>();
  const find = (token: string | number): string | number => {
    let root = token;
    while (parent.get(root) !== root) root = parent.get(root)!;
    parent.set(token, root);
    return root;
  };
  const tokensOf: (readonly (string | number)[])[] = [];
  for (const operation of operations) {
    const tokens = model.tokens(operation);
    if (tokens === undefined) return [];
    tokensOf.push(tokens);
    for (const token of tokens) {
      if (!parent.has(token)) parent.set(token, token);
      parent.set(find(token), find(tokens[0]!));
    }
  }
  const groups = new Map<string | number, Set<number>>();
  tokensOf.forEach((tokens, i) => {
    if (tokens.length === 0) return;
    const root = find(tokens[0]!);
    const group = groups.get(root);
    if (group === undefined) groups.set(root, new Set([ids[i]!]));
    else group.add(ids[i]!);
  });
  return [...groups.values()];
}

/** Forgets what came before the latest plain write that still leaves an illegal rest. */
function withoutPast(
  model: AnyModel,
  current: SubHistory,
  staysIllegal: (candidate: SubHistory) => boolean,
): { readonly subHistory: SubHistory; readonly beginning: number } | undefined {
  if (model.resets === undefined) return undefined;
  const { operations, ids } = current;
  const known = operations.map((_, i) => i).filter((i) => isKnown(operations[i]!))
    .sort((a, b) => operations[a]!.call - operations[b]!.call);
  const lonely: number[] = [];
  let latestReturn = -Infinity;
  known.forEach((i, at) => {
    const { call, return: end } = operations[i]!;
    const next = known[at + 1];
    const alone = latestReturn < call && (next === undefined || operations[next]!.call > end!);
    if (alone && at > 0 && model.resets!(operations[i]!)) lonely.push(i);
    latestReturn = Math.max(latestReturn, end!);
  });
  for (const i of lonely.reverse().slice(0, RESETS_TRIED_MAX)) {
    const { call } = operations[i]!;
    const past = new Set(
      ids.filter((_, k) => isKnown(operations[k]!) && operations[k]!.return! < call),
    );
    const candidate = without(current, past);
    if (staysIllegal(candidate)) return { subHistory: candidate, beginning: ids[i]! };
  }
  return undefined;
}

function withoutIrrelevant(model: AnyModel, subHistory: SubHistory): SubHistory {
  const { operations, ids } = subHistory;
  const gone = new Set<number>();
  operations.forEach((operation, i) => {
    if (!isKnown(operation) && model.observes?.(operation)) gone.add(ids[i]!);
  });
  for (const i of model.irrelevant?.(operations) ?? []) gone.add(ids[i]!);
  return gone.size === 0 ? subHistory : without(subHistory, gone);
}
