// Rates and latencies over the last minutes, from counters that only grow. Pure: views in, samples out.

import { DURATION_BOUNDS_SECONDS } from "../../base/histogram.ts";
import type { DashboardView, MemberRow, WorkName, WorkRow } from "../view.ts";

/** What is drawn: some kinds of work together make one line. */
export const LINES = ["put", "get", "scan", "other", "sync", "apply"] as const;
export type Line = typeof LINES[number];

const WORKS_OF: Readonly<Record<Line, readonly WorkName[]>> = {
  put: ["put"],
  get: ["get"],
  scan: ["scan"],
  other: ["txn", "delete", "batch"],
  sync: ["sync"],
  apply: ["apply"],
};

export const SAMPLES_KEPT_MAX = 600;
/** Reports are up to a second old, so that a shorter span would show their jitter. */
const SPAN_MS = 2_000;
const SAMPLE_GAP_MS = 950;

/** Of one line, over the span that ends at the sample. */
export interface LineSample {
  readonly perSecond: number;
  /** Absent if nothing was done. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

export interface Sample {
  readonly atMs: number;
  readonly lines: Readonly<Record<Line, LineSample>>;
}

/** Counters of one member as they stood. */
interface Stand {
  readonly atMs: number;
  readonly members: ReadonlyMap<string, Readonly<Record<WorkName, WorkRow>>>;
}

/**
 * The upper estimate of a quantile from bucket counts, in ms: linear within its bucket, as Prometheus does.
 * Undefined if the counts are all zero.
 */
export function quantileMs(counts: readonly number[], quantile: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let rank = quantile * total;
  for (const [i, count] of counts.entries()) {
    if (rank > count || count === 0) {
      rank -= count;
      continue;
    }
    const low = i === 0 ? 0 : DURATION_BOUNDS_SECONDS[i - 1];
    const high = DURATION_BOUNDS_SECONDS[i] ?? low;
    return 1000 * (low + (high - low) * Math.max(0, rank) / count);
  }
  return 1000 * DURATION_BOUNDS_SECONDS.at(-1)!;
}

export class WorkHistory {
  #stands: Stand[] = [];
  #samples: Sample[] = [];

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** Takes a view in; true if that made a sample. */
  push({ atMs, members }: Pick<DashboardView, "atMs" | "members">): boolean {
    const last = this.#stands.at(-1);
    // The node's wall clock may jump back; then the history begins anew.
    if (last !== undefined && atMs < last.atMs) this.#stands = [];
    else if (last !== undefined && atMs - last.atMs < SAMPLE_GAP_MS) return false;
    const stand: Stand = { atMs, members: new Map(members.flatMap(workOf)) };
    this.#stands.push(stand);
    while (this.#stands.length > 2 && atMs - this.#stands[1].atMs >= SPAN_MS) this.#stands.shift();
    const from = this.#stands[0];
    if (from === stand) return false;
    this.#samples.push(sampleBetween(from, stand));
    if (this.#samples.length > SAMPLES_KEPT_MAX) this.#samples.shift();
    return true;
  }
}

function workOf({ nodeId, work }: MemberRow): [string, Readonly<Record<WorkName, WorkRow>>][] {
  return work === undefined ? [] : [[nodeId, work]];
}

function sampleBetween(from: Stand, to: Stand): Sample {
  const seconds = (to.atMs - from.atMs) / 1000;
  const lines = Object.fromEntries(LINES.map((line): [Line, LineSample] => {
    let count = 0;
    const counts = new Array<number>(DURATION_BOUNDS_SECONDS.length + 1).fill(0);
    for (const [nodeId, now] of to.members) {
      const before = from.members.get(nodeId);
      // Nothing is known of what a member did that has just begun to report.
      if (before === undefined) continue;
      for (const work of WORKS_OF[line]) {
        // A restarted node counts from zero.
        const restarted = now[work].count < before[work].count;
        count += now[work].count - (restarted ? 0 : before[work].count);
        now[work].counts.forEach((value, i) => {
          counts[i] += value - (restarted ? 0 : before[work].counts[i]);
        });
      }
    }
    return [line, {
      perSecond: count / seconds,
      p50Ms: quantileMs(counts, 0.5),
      p99Ms: quantileMs(counts, 0.99),
    }];
  }));
  return { atMs: to.atMs, lines: lines as Record<Line, LineSample> };
}
