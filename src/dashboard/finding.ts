// What the health sentence is made of: one thing that is the matter, and what several kinds of them ask of a view.
// Pure.

import type { DashboardView, MemberRow, PartitionRow, ReplicaCell } from "./view.ts";

/**
 * `broken`: some requests can't be served. `degraded`: they can, with less in reserve. `busy`: the cluster is
 * rearranging itself, as it was told or as it must. `note`: worth knowing.
 */
export type Tone = "broken" | "degraded" | "busy" | "note" | "well";

export interface Finding {
  readonly tone: Tone;
  /** What is the matter; one sentence. */
  readonly what: string;
  /** For so long it has been so, if that is known. */
  readonly forMs?: number;
  /** What the cluster does about it, or what somebody should. */
  readonly doing: string;
  /** What it concerns, to be shown where it stands. */
  readonly partitions?: readonly number[];
  readonly members?: readonly string[];
}

/** Members that can't be counted on: nobody hears of them, or they are believed to be gone. */
export function isSilent({ isSelf, reachable, status }: MemberRow): boolean {
  return !isSelf && (!reachable || status !== "alive");
}

export function voters({ replicas }: PartitionRow): ReplicaCell[] {
  return replicas.filter(({ role, change }) => role !== "learner" && change !== "adding");
}

export function dataPartitions(view: DashboardView): PartitionRow[] {
  return view.partitions.filter(({ partition }) => partition !== 0);
}

/** How long ago the last happening of a kind was. */
export function sinceLast(
  view: DashboardView,
  kind: string,
  names: readonly string[],
): number | undefined {
  const last = view.happenings.findLast((one) => one.kind === kind && names.includes(one.member));
  return last === undefined ? undefined : Math.max(0, view.atMs - last.atMs);
}

export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
