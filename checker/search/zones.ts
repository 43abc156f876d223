// The zone check: decides a register history of reads and writes in n log n, provided that responses reveal
// nothing but the values read and that written values are distinct (from the initial one too). Says
// "inapplicable" whenever that does not hold; never guesses.
//
// Source: Gibbons & Korach, "Testing shared memories", 1997. A cluster is a write with its reads; its zone
// spans from the earliest return to the latest call. If the former comes first the zone is forward (the value
// must be current throughout), else backward (current at some moment within). The history is linearizable
// iff no read precedes its write, no two forward zones overlap, and no backward zone lies inside a
// forward one. The initial value is a write before everything. Unknown reads and unread unknown
// writes are dropped; an unknown write that was read returns after everything.

import { isKnown, type Operation } from "../history/types.ts";
import type { AnyModel } from "../models/model.ts";
import { valueKey } from "../models/values.ts";

export type ZoneResult =
  | { readonly kind: "inapplicable" }
  | { readonly kind: "linearizable"; readonly order: Int32Array }
  /** Positions of operations that can't be ordered among themselves. */
  | { readonly kind: "illegal"; readonly conflict: readonly number[] };

const INAPPLICABLE: ZoneResult = { kind: "inapplicable" };

/** The cluster of the initial value. */
const INITIAL = 0;

/** Per cluster, by number. -1 stands for no operation (the initial value's write has none). */
interface Clusters {
  readonly count: number;
  readonly write: Int32Array;
  readonly earliestReturn: Float64Array;
  readonly latestCall: Float64Array;
  readonly earliestReturner: Int32Array;
  readonly latestCaller: Int32Array;
  /** Operation -> its cluster, or -1 if it was dropped. */
  readonly clusterOf: Int32Array;
}

/** Judges one partition's operations. Results name positions in `operations`. */
export function checkZones(model: AnyModel, operations: readonly Operation[]): ZoneResult {
  if (model.access === undefined || model.initialValue === undefined) return INAPPLICABLE;
  const clusters = clustersOf(model, operations);
  if (clusters === undefined) return INAPPLICABLE;
  if ("kind" in clusters) return clusters;
  const conflict = findConflict(clusters);
  if (conflict !== undefined) return { kind: "illegal", conflict };
  return { kind: "linearizable", order: orderOf(clusters, operations) };
}

function clustersOf(
  model: AnyModel,
  operations: readonly Operation[],
): Clusters | ZoneResult | undefined {
  const byValue = new Map<string | number, number>([[valueKey(model.initialValue), INITIAL]]);
  const size = operations.length + 1;
  const write = new Int32Array(size).fill(-1);
  const clusterOf = new Int32Array(operations.length).fill(-1);
  let count = 1;
  for (let i = 0; i < operations.length; i++) {
    const access = model.access!(operations[i]!);
    if (access === undefined) return undefined;
    if (access.kind === "read") continue;
    const key = valueKey(access.value);
    if (byValue.has(key)) return undefined;
    byValue.set(key, count);
    write[count] = i;
    clusterOf[i] = count++;
  }
  const earliestReturn = new Float64Array(count).fill(Infinity);
  const latestCall = new Float64Array(count).fill(-Infinity);
  const earliestReturner = new Int32Array(count).fill(-1);
  const latestCaller = new Int32Array(count).fill(-1);
  earliestReturn[INITIAL] = -Infinity;
  const read = new Uint8Array(count);
  const add = (cluster: number, i: number) => {
    const { call, return: end } = operations[i]!;
    if (end !== undefined && end !== null && end < earliestReturn[cluster]!) {
      earliestReturn[cluster] = end;
      earliestReturner[cluster] = i;
    }
    if (call > latestCall[cluster]!) {
      latestCall[cluster] = call;
      latestCaller[cluster] = i;
    }
  };
  for (let cluster = 1; cluster < count; cluster++) add(cluster, write[cluster]!);
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i]!;
    if (clusterOf[i] !== -1 || !isKnown(operation)) continue;
    const cluster = byValue.get(valueKey(model.access!(operation)!.value));
    if (cluster === undefined) return { kind: "illegal", conflict: [i] };
    clusterOf[i] = cluster;
    read[cluster] = 1;
    if (cluster !== INITIAL && operation.return! < operations[write[cluster]!]!.call) {
      return { kind: "illegal", conflict: [i, write[cluster]!] };
    }
    add(cluster, i);
  }
  for (let cluster = 1; cluster < count; cluster++) {
    const i = write[cluster]!;
    if (read[cluster] === 0 && !isKnown(operations[i]!)) clusterOf[i] = -1;
  }
  return { count, write, earliestReturn, latestCall, earliestReturner, latestCaller, clusterOf };
}

function isForward(clusters: Clusters, cluster: number): boolean {
  return clusters.earliestReturn[cluster]! < clusters.latestCall[cluster]!;
}

/** Dropped writes keep a cluster nobody is in: it must take no part. */
function isLive(clusters: Clusters, cluster: number): boolean {
  return cluster === INITIAL
    ? clusters.latestCaller[INITIAL] !== -1
    : clusters.clusterOf[clusters.write[cluster]!] !== -1;
}

/** The live forward clusters by the start of their zones. */
function forwardZones(clusters: Clusters): Int32Array {
  const forward: number[] = [];
  for (let cluster = 0; cluster < clusters.count; cluster++) {
    if (isLive(clusters, cluster) && isForward(clusters, cluster)) forward.push(cluster);
  }
  const start = clusters.earliestReturn;
  return Int32Array.from(forward).sort((a, b) =>
    start[a]! < start[b]! ? -1 : start[a]! > start[b]! ? 1 : 0
  );
}

function findConflict(clusters: Clusters): number[] | undefined {
  const { earliestReturn, latestCall } = clusters;
  const forward = forwardZones(clusters);
  for (let i = 1; i < forward.length; i++) {
    if (earliestReturn[forward[i]!]! < latestCall[forward[i - 1]!]!) {
      return membersOf(clusters, forward[i - 1]!, forward[i]!);
    }
  }
  for (let cluster = 0; cluster < clusters.count; cluster++) {
    if (!isLive(clusters, cluster) || isForward(clusters, cluster)) continue;
    // The zone runs from latestCall to earliestReturn. Forward zones don't overlap, so only the last one
    // that starts before it can hold it.
    const at = firstWhere(forward, (other) => earliestReturn[other]! >= latestCall[cluster]!) - 1;
    if (at >= 0 && earliestReturn[cluster]! < latestCall[forward[at]!]!) {
      return membersOf(clusters, forward[at]!, cluster);
    }
  }
  return undefined;
}

/** The operations that fix two clusters' zones, with the writes. */
function membersOf(clusters: Clusters, ...pair: number[]): number[] {
  const members = new Set<number>();
  for (const cluster of pair) {
    for (const list of [clusters.write, clusters.earliestReturner, clusters.latestCaller]) {
      if (list[cluster]! >= 0) members.add(list[cluster]!);
    }
  }
  return [...members];
}

/** Number of leading elements for which `holds` is false; it must not turn false again after. */
function firstWhere(sorted: Int32Array, holds: (element: number) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(sorted[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * A linearization: forward clusters by their zones; each backward one right before the first forward zone
 * that ends after it began to be possible, among themselves by latest call. In a cluster the write, then
 * the reads by call.
 */
function orderOf(clusters: Clusters, operations: readonly Operation[]): Int32Array {
  const { count, latestCall, earliestReturn, clusterOf, write } = clusters;
  const forward = forwardZones(clusters);
  const gap = new Float64Array(count);
  const live: number[] = [];
  forward.forEach((cluster, i) => gap[cluster] = 2 * i + 1);
  for (let cluster = 0; cluster < count; cluster++) {
    if (!isLive(clusters, cluster)) continue;
    live.push(cluster);
    if (isForward(clusters, cluster)) continue;
    gap[cluster] = 2 *
      firstWhere(forward, (other) => latestCall[other]! > earliestReturn[cluster]!);
  }
  const sorted = Int32Array.from(live).sort((a, b) =>
    gap[a]! - gap[b]! || latestCall[a]! - latestCall[b]! || a - b
  );
  // Counting sort of the operations by cluster, in order of their calls.
  const rank = new Int32Array(count).fill(-1);
  const starts = new Int32Array(sorted.length + 1);
  sorted.forEach((cluster, i) => rank[cluster] = i);
  for (let i = 0; i < operations.length; i++) {
    if (clusterOf[i] !== -1) starts[rank[clusterOf[i]!]! + 1]!++;
  }
  for (let i = 0; i < sorted.length; i++) starts[i + 1]! += starts[i]!;
  const order = new Int32Array(starts[sorted.length]!);
  const next = starts.slice(0, sorted.length);
  for (const cluster of sorted) {
    if (cluster !== INITIAL) order[next[rank[cluster]!]!++] = write[cluster]!;
  }
  for (const i of byCall(operations)) {
    const cluster = clusterOf[i]!;
    if (cluster !== -1 && write[cluster] !== i) order[next[rank[cluster]!]!++] = i;
  }
  return order;
}

function byCall(operations: readonly Operation[]): Int32Array {
  const order = Int32Array.from(operations, (_, i) => i);
  for (let i = 1; i < operations.length; i++) {
    if (operations[i - 1]!.call > operations[i]!.call) {
      return order.sort((a, b) => operations[a]!.call - operations[b]!.call);
    }
  }
  return order;
}
