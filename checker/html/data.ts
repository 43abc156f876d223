// What the page shows, worked out beforehand: the page itself knows no model.

import { isKnown, type Operation } from "../history/types.ts";
import {
  type AnyModel,
  type AnyNondeterministicModel,
  deterministic,
  placed,
} from "../models/model.ts";
import type { PartitionVerdict, Verdict } from "../verdict/types.ts";

/** Operations on one page at most; beyond it the page shows the partition that matters, from its start. */
export const PAGE_OPERATIONS_MAX = 50_000;

export interface PageOperation {
  readonly id: number;
  readonly process: string;
  /** Ranks in the record's order, so that gaps in its numbering take no room. */
  readonly call: number;
  /** Undefined: open-ended. */
  readonly end?: number;
  readonly text: string;
  readonly line?: number;
  readonly part: number;
  /** Place in its partition's order, from 0; absent if it has none. */
  readonly place?: number;
  /** The state after it, in that order. */
  readonly state?: string;
}

export interface PagePart {
  readonly key: string;
  readonly verdict: string;
  readonly method: string;
  readonly operationCount: number;
  readonly initial: string;
}

export interface PageData {
  readonly title: string;
  readonly model: string;
  readonly verdict: string;
  readonly summary: string;
  readonly reason?: string;
  readonly explanation?: string;
  readonly states?: readonly string[];
  readonly minimal?: boolean;
  readonly operations: readonly PageOperation[];
  readonly parts: readonly PagePart[];
  /** The partition shown first; -1 for all. */
  readonly shown: number;
  readonly blocked?: number;
  readonly counterexample: readonly number[];
  /** Why operations are missing from the page. */
  readonly omitted?: string;
}

export function pageData(
  recorded: readonly Operation[],
  given: AnyModel | AnyNondeterministicModel,
  verdict: Verdict,
  title: string,
): PageData {
  const model = deterministic(given);
  const history = placed(recorded, model);
  const { counterexample } = verdict;
  const shown = counterexample === undefined
    ? (verdict.partitions.length === 1 ? 0 : -1)
    : verdict.partitions.findIndex((part) => part.key === counterexample.partition);
  const partIndex = new Map(verdict.partitions.map((part, i) => [part.key, i]));
  const partOf = history.map((operation) => partIndex.get(model.partition?.(operation) ?? 0) ?? 0);
  const ids = selectIds(history, partOf, shown, counterexample?.operations ?? []);
  const places = placesOf(history, model, verdict, shown, counterexample?.prefix ?? []);
  const rank = ranksOf(history, ids);
  return {
    title,
    model: verdict.model,
    verdict: verdict.verdict,
    summary: summaryOf(verdict),
    ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
    ...(counterexample === undefined ? {} : {
      explanation: counterexample.explanation,
      states: counterexample.states,
      minimal: counterexample.minimal,
      blocked: counterexample.blocked,
    }),
    operations: ids.map((id) => {
      const operation = history[id]!;
      const place = places.get(id);
      return {
        id,
        process: String(operation.process),
        call: rank.get(operation.call)!,
        ...(isKnown(operation) ? { end: rank.get(operation.return!)! } : {}),
        text: model.describe(operation),
        ...(operation.line === undefined ? {} : { line: operation.line }),
        part: partOf[id]!,
        ...(place === undefined ? {} : place),
      };
    }),
    parts: verdict.partitions.slice(0, PAGE_OPERATIONS_MAX).map((part) => ({
      key: String(part.key),
      verdict: part.verdict,
      method: part.method,
      operationCount: part.operationCount,
      initial: model.describeState(model.init()),
    })),
    shown,
    counterexample: counterexample?.operations ?? [],
    ...(ids.length === history.length
      ? {}
      : { omitted: `Showing ${ids.length} of ${history.length} operations.` }),
  };
}

function summaryOf(verdict: Verdict): string {
  const parts = verdict.partitions.length;
  return `${verdict.operationCount} operations, ${verdict.unknownOutcomeCount} of unknown outcome, ` +
    `${parts} partition${parts === 1 ? "" : "s"}, model ${verdict.model}, ` +
    `${verdict.elapsedMs.toFixed(0)} ms`;
}

function selectIds(
  history: readonly Operation[],
  partOf: readonly number[],
  shown: number,
  always: readonly number[],
): number[] {
  const all = history.map((_, id) => id);
  if (all.length <= PAGE_OPERATIONS_MAX) return all;
  const chosen = all.filter((id) => shown < 0 || partOf[id] === shown);
  if (chosen.length <= PAGE_OPERATIONS_MAX) return chosen;
  // Around what matters: up to the last operation of the counterexample, or from the start.
  const last = Math.max(...always, -1);
  const end = last < 0 ? PAGE_OPERATIONS_MAX : chosen.findIndex((id) => id >= last) + 100;
  const window = chosen.slice(
    Math.max(0, end - PAGE_OPERATIONS_MAX),
    Math.max(end, PAGE_OPERATIONS_MAX),
  );
  return [...new Set([...always, ...window])].sort((a, b) => a - b);
}

function ranksOf(history: readonly Operation[], ids: readonly number[]): Map<number, number> {
  const positions = new Set<number>();
  for (const id of ids) {
    positions.add(history[id]!.call);
    if (isKnown(history[id]!)) positions.add(history[id]!.return!);
  }
  return new Map([...positions].sort((a, b) => a - b).map((position, rank) => [position, rank]));
}

/** Place and state of every operation that is in its partition's order. */
function placesOf(
  history: readonly Operation[],
  model: AnyModel,
  verdict: Verdict,
  shown: number,
  prefix: readonly number[],
): Map<number, { place: number; state: string }> {
  const places = new Map<number, { place: number; state: string }>();
  verdict.partitions.forEach((part: PartitionVerdict, i) => {
    const order = part.order.length === 0 && i === shown ? prefix : part.order;
    let state: unknown = model.init();
    for (let place = 0; place < order.length; place++) {
      const id = order[place]!;
      state = model.step(state, history[id]!);
      // A prefix of a sub-history may rest on responses that are open there.
      if (state === undefined) break;
      places.set(id, { place, state: model.describeState(state) });
    }
  });
  return places;
}
