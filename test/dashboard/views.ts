// Views for tests: a cluster as its dashboard is told of it, of any size, with what is to be wrong with it.

import type {
  DashboardView,
  MemberRow,
  PartitionRow,
  WorkName,
  WorkRow,
} from "../../src/dashboard/view.ts";

const NOW_MS = Date.UTC(2026, 0, 1, 12);
const SLOTS = 16384;
const WORKS: readonly WorkName[] = [
  "put",
  "get",
  "scan",
  "txn",
  "delete",
  "batch",
  "sync",
  "apply",
];

export function workOf(count: number, bucket = 4): Record<WorkName, WorkRow> {
  const counts = new Array<number>(17).fill(0);
  counts[bucket] = count;
  const row = { count, sumSeconds: count / 1000, counts };
  return Object.fromEntries(WORKS.map((work) => [work, row])) as unknown as Record<
    WorkName,
    WorkRow
  >;
}

export function member(name: string, change: Partial<MemberRow> = {}): MemberRow {
  return {
    nodeId: `id-${name}`,
    name,
    http: `${name}.example:7001`,
    state: "active",
    weight: 1,
    replicas: 8,
    leads: 3,
    isSelf: name === "n1",
    reachable: true,
    status: "alive",
    requestsPerSecond: 120,
    logBytes: 40_000_000,
    diskFreeBytes: 70e9,
    diskLow: false,
    version: "0.1.0",
    uptimeMs: 3_600_000,
    memoryBytes: 140e6,
    requestsInFlight: 2,
    clockErrorMs: 3,
    reportAgeMs: 400,
    work: workOf(1000),
    ...change,
  };
}

/** `replicas` copies of each partition, leaders going round; the meta group on the first nodes. */
export function viewOf(
  nodes: number,
  partitions: number,
  change: Partial<DashboardView> = {},
  replicas = 3,
): DashboardView {
  const members = Array.from({ length: nodes }, (_, i) => member(`n${i + 1}`));
  const row = (partition: number): PartitionRow => {
    const copies = Math.min(replicas, nodes);
    const leader = partition % nodes;
    const holders = Array.from({ length: copies }, (_, i) => (leader + i * 7 + i) % nodes)
      .map((index, i, all) => all.indexOf(index) === i ? index : (leader + i) % nodes);
    const at = (index: number) => Math.floor(SLOTS * index / partitions);
    return {
      partition,
      slots: partition === 0 ? [] : [[at(partition - 1), at(partition)]],
      leader,
      term: 3,
      commitIndex: 1000 + partition,
      keys: partition === 0 ? undefined : 500,
      replicas: holders.toSorted((a, b) => a - b).map((index) => ({
        member: index,
        role: index === leader ? "leader" as const : "voter" as const,
        behind: 0,
        unapplied: 0,
      })),
    };
  };
  const rows = Array.from({ length: partitions + 1 }, (_, partition) => row(partition));
  return {
    atMs: NOW_MS,
    clusterId: "5f0c9a17-cluster",
    version: "0.1.0",
    epoch: 12,
    deadAfterMs: 300_000,
    members: members.map((one, index) => ({
      ...one,
      leads: rows.filter(({ partition, leader }) => partition !== 0 && leader === index).length,
      replicas:
        rows.filter((each) =>
          each.partition !== 0 && each.replicas.some((cell) => cell.member === index)
        ).length,
    })),
    partitions: rows,
    moves: [],
    happenings: [],
    ...change,
  };
}

/** The view with one member changed. */
export function withMember(
  view: DashboardView,
  name: string,
  change: Partial<MemberRow>,
): DashboardView {
  const members = view.members.map((one) => one.name === name ? { ...one, ...change } : one);
  return { ...view, members };
}

/** The view with some partitions changed. */
export function withPartitions(
  view: DashboardView,
  wanted: (row: PartitionRow) => boolean,
  change: (row: PartitionRow) => Partial<PartitionRow>,
): DashboardView {
  return {
    ...view,
    partitions: view.partitions.map((row) => wanted(row) ? { ...row, ...change(row) } : row),
  };
}
