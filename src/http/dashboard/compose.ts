// Makes the dashboard's view of what a node knows itself and what the others report. Pure; invents nothing: what
// nobody told is absent.

import { META_PARTITION, type NodeId, type PartitionId } from "../../base/ids.ts";
import type {
  DashboardView,
  HappeningRow,
  MemberRow,
  MoveRow,
  PartitionRow,
  ReplicaCell,
} from "../../dashboard/view.ts";
import type { NodeFigures } from "../../node/meters.ts";
import type { ClusterView, MoveView, OverviewSource } from "../../node/service.ts";

/** A report older than this says nothing about now. */
const REPORT_AGE_MS_MAX = 5_000;
/** A clock can't be called wrong by fewer than two others. */
const CLOCKS_MIN = 3;

type Reports = ReturnType<OverviewSource["reports"]>;
type Report = Reports extends ReadonlyMap<NodeId, infer Known> ? Known : never;
type ReplicaReport = Report["report"]["replicas"][number];
type Happenings = ReturnType<OverviewSource["happenings"]>;

export interface ViewParts {
  readonly cluster: ClusterView;
  readonly figures: NodeFigures;
  readonly reports: Reports;
  readonly happenings: Happenings;
  /** Wall clock of this node. */
  readonly nowMs: number;
}

/** One partition's replicas that reported, by node. */
type PartitionReports = ReadonlyMap<NodeId, ReplicaReport>;

export function composeView(parts: ViewParts): DashboardView {
  const { cluster, nowMs } = parts;
  const fresh = new Map<NodeId, Report>();
  for (const [nodeId, known] of parts.reports) {
    if (known.ageMs <= REPORT_AGE_MS_MAX) fresh.set(nodeId, known);
  }
  const ordered = cluster.members.toSorted((a, b) => compareNames(a.name, b.name));
  const names = new Map(ordered.map(({ nodeId, name }) => [nodeId, name]));
  const nameOf = (nodeId: NodeId) => names.get(nodeId) ?? nodeId.slice(0, 8);
  const indexOf = new Map(ordered.map(({ nodeId }, index) => [nodeId, index]));
  const partitions = partitionRows(cluster, fresh, indexOf);
  const leads = new Array<number>(ordered.length).fill(0);
  for (const { partition, leader } of partitions) {
    if (partition !== META_PARTITION && leader !== undefined) leads[leader]++;
  }
  const clocks = clockErrors(parts);
  return {
    atMs: nowMs,
    clusterId: cluster.clusterId,
    version: cluster.version,
    epoch: cluster.epoch,
    deadAfterMs: parts.reports.get(cluster.nodeId)?.report.deadAfterMs ?? 0,
    members: ordered.map((member, index) =>
      memberRow(member, cluster.nodeId, leads[index], fresh.get(member.nodeId), clocks)
    ),
    partitions,
    moves: cluster.moves
      .filter(({ partition }) => partition !== META_PARTITION)
      .map((move) => moveRow(move, fresh, nameOf)),
    ...(cluster.plan === undefined ? {} : { plan: cluster.plan }),
    happenings: parts.happenings.map((one): HappeningRow => ({
      atMs: one.atMs,
      kind: one.kind,
      member: nameOf(one.nodeId),
      count: one.count,
      partitions: one.partitions,
      term: one.term,
      durationMs: one.durationMs,
      to: one.to?.map(nameOf),
      from: one.from?.map(nameOf),
    })),
  };
}

/** n2 before n10. */
function compareNames(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => /^(.*?)(\d*)$/.exec(name)!);
  if (left[1] !== right[1]) return left[1] < right[1] ? -1 : 1;
  return Number(left[2]) - Number(right[2]);
}

function memberRow(
  member: ClusterView["members"][number],
  self: NodeId,
  leads: number,
  known: Report | undefined,
  clocks: ReadonlyMap<string, number>,
): MemberRow {
  const { nodeId, name, load, gossip } = member;
  const isSelf = nodeId === self;
  const report = known?.report;
  return {
    nodeId,
    name,
    http: member.http,
    state: member.state,
    zone: member.zone,
    host: member.host,
    weight: member.weight,
    replicas: member.replicas,
    leads,
    isSelf,
    reachable: member.reachable,
    status: isSelf ? "alive" : gossip ?? "alive",
    statusForMs: isSelf ? undefined : member.gossipForMs,
    requestsPerSecond: report?.requestsPerSecond ?? load?.requestsPerSecond,
    logBytes: report?.logBytes ?? (load?.logBytes || undefined),
    diskFreeBytes: report?.diskFreeBytes ?? (load?.diskFreeBytes || undefined),
    diskLow: report?.diskLow,
    version: report?.version,
    uptimeMs: report === undefined ? undefined : Math.round(report.uptimeMs),
    memoryBytes: report?.memoryBytes,
    requestsInFlight: report?.requestsInFlight,
    clockErrorMs: clocks.get(isSelf ? "" : name),
    reportAgeMs: known === undefined ? undefined : Math.round(known.ageMs),
    work: report?.work,
  };
}

/** By peer's name, this node's under "". */
function clockErrors({ figures }: ViewParts): Map<string, number> {
  const offsets = new Map<string, number>([["", 0]]);
  for (const { to, up, wallOffsetMs } of figures.links) {
    if (up && wallOffsetMs !== null) offsets.set(to, wallOffsetMs);
  }
  if (offsets.size < CLOCKS_MIN) return new Map();
  const sorted = [...offsets.values()].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1];
  return new Map([...offsets].map(([name, offset]) => [name, Math.round(offset - median)]));
}

// ------------------------------------------------------------------------------------------ partitions

function partitionRows(
  cluster: ClusterView,
  fresh: ReadonlyMap<NodeId, Report>,
  indexOf: ReadonlyMap<NodeId, number>,
): PartitionRow[] {
  const told = new Map<PartitionId, Map<NodeId, ReplicaReport>>();
  for (const [nodeId, { report }] of fresh) {
    for (const replica of report.replicas) {
      let byNode = told.get(replica.partition);
      if (byNode === undefined) told.set(replica.partition, byNode = new Map());
      byNode.set(nodeId, replica);
    }
  }
  const moves = new Map(cluster.moves.map((move) => [move.partition, move]));
  const own = new Map(cluster.partitions.map((partition) => [partition.partition, partition]));
  const meta = own.get(META_PARTITION);
  const metaRouting = meta === undefined ? [] : [{
    partition: META_PARTITION,
    slots: [],
    replicas: meta.replicas.map(({ nodeId }) => nodeId),
    leader: meta.leaderNodeId,
    preferredZone: undefined,
  }];
  return [...metaRouting, ...cluster.routing].map((routing) =>
    partitionRow(
      routing,
      { term: own.get(routing.partition)?.term, self: cluster.nodeId },
      told.get(routing.partition) ?? new Map(),
      moves.get(routing.partition),
      indexOf,
    )
  );
}

/** Who leads, by whoever knows the latest term. */
function leaderOf(
  routed: NodeId | undefined,
  ownTerm: number | undefined,
  told: PartitionReports,
): { leader: NodeId | undefined; term: number | undefined } {
  let leader = routed;
  let term = ownTerm;
  for (const [nodeId, replica] of told) {
    if (replica.role !== "leader" || replica.term < (term ?? 0)) continue;
    // In one term there is one leader at most: who says so of itself is right.
    leader = nodeId;
    term = replica.term;
  }
  return { leader, term };
}

function partitionRow(
  routing: ClusterView["routing"][number],
  own: { readonly term: number | undefined; readonly self: NodeId },
  told: PartitionReports,
  move: MoveView | undefined,
  indexOf: ReadonlyMap<NodeId, number>,
): PartitionRow {
  const { leader, term } = leaderOf(routing.leader, own.term, told);
  const leading = leader === undefined ? undefined : told.get(leader);
  const behind = leading?.role === "leader" ? leading.behind : undefined;
  const nodes = new Set([...routing.replicas, ...move?.adding ?? []]);
  const replicas = [...nodes].flatMap((nodeId): ReplicaCell[] => {
    const member = indexOf.get(nodeId);
    if (member === undefined) return [];
    const replica = told.get(nodeId);
    const isAdding = move?.adding.includes(nodeId) ?? false;
    const isLearner = replica === undefined ? isAdding : replica.role === "learner";
    return [{
      member,
      role: nodeId === leader ? "leader" : isLearner ? "learner" : "voter",
      change: isAdding ? "adding" : move?.removing.includes(nodeId) ? "removing" : undefined,
      behind: behind === undefined ? undefined : behind[nodeId] ?? 0,
      unapplied: replica?.unapplied,
      trouble: replica?.trouble,
    }];
  });
  const waits = [...told.values()].flatMap(({ leaderlessMs }) => leaderlessMs ?? []);
  const commits = [...told.values()].map(({ commitIndex }) => commitIndex);
  return {
    partition: routing.partition,
    slots: routing.slots,
    leader: leader === undefined ? undefined : indexOf.get(leader),
    term,
    commitIndex: commits.length === 0 ? undefined : Math.max(...commits),
    keys: leading?.keys ?? [...told.values()].find(({ keys }) => keys !== undefined)?.keys,
    leaderlessMs: leader !== undefined || waits.length === 0
      ? undefined
      : Math.round(Math.max(...waits)),
    preferredZone: routing.preferredZone,
    replicas: replicas.sort((a, b) => a.member - b.member),
  };
}

// ---------------------------------------------------------------------------------------------- moves

function moveRow(
  move: MoveView,
  fresh: ReadonlyMap<NodeId, Report>,
  nameOf: (nodeId: NodeId) => string,
): MoveRow {
  const { partition } = move;
  const reports = [...fresh.values()].map(({ report }) => report);
  const send = reports.flatMap(({ sends }) => sends)
    .find((one) => one.partition === partition && move.adding.includes(one.to));
  const leading = reports.flatMap(({ replicas }) => replicas)
    .find((replica) => replica.partition === partition && replica.role === "leader");
  const lags = move.adding.map((nodeId) => leading?.behind?.[nodeId] ?? 0);
  const isEmpty = leading !== undefined && send === undefined && leading.commitIndex > 0 &&
    lags.some((lag) => lag >= leading.commitIndex);
  return {
    partition,
    beganEpoch: move.beganEpoch,
    to: move.adding.map(nameOf),
    from: move.removing.map(nameOf),
    phase: move.phase,
    cancelled: move.cancelled,
    sentBytes: send?.sentBytes,
    sizeBytes: send?.sizeBytes,
    behind: leading === undefined || lags.length === 0 ? undefined : Math.max(...lags),
    ...(isEmpty ? { empty: true } : {}),
    waitingFor: move.waitingFor,
  };
}
