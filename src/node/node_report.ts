// What a node says of itself to whoever shows the cluster to people: figures of the process, every replica it
// holds, what it counted. Plain JSON values, so that it travels between nodes as it is.

import type { DurationHistogram } from "../base/histogram.ts";
import type { LogIndex, NodeId, PartitionId, ReplicaId, Term } from "../base/ids.ts";
import type { Hosted } from "./group.ts";
import type { Happening } from "./journal.ts";
import type { Meters } from "./meters.ts";
import type { Topology } from "./topology.ts";

/** What is timed, on the way of requests and below it. */
export const WORKS = ["put", "get", "scan", "txn", "delete", "batch", "sync", "apply"] as const;
export type Work = typeof WORKS[number];

/** A {@linkcode DurationHistogram} since the node's start. */
export interface WorkCount {
  readonly count: number;
  readonly sumSeconds: number;
  /** By DURATION_BOUNDS_SECONDS; not cumulative. */
  readonly counts: readonly number[];
}

/** One replica on the node that reports. */
export interface ReplicaReport {
  readonly partition: PartitionId;
  readonly replicaId: ReplicaId;
  readonly role: "leader" | "voter" | "learner" | "none";
  readonly term: Term;
  readonly commitIndex: LogIndex;
  /** Entries committed and not yet applied here. */
  readonly unapplied: number;
  /** On the leader: by node, how many entries it is not known to hold yet. Nodes that hold all are left out. */
  readonly behind?: Readonly<Record<NodeId, number>>;
  readonly keys?: number;
  readonly asleep?: true;
  /** Since so long no leader is known here. */
  readonly leaderlessMs?: number;
  /** As PartitionView's, where it is neither `ok` nor `no-leader`. */
  readonly trouble?: string;
}

/** A snapshot on its way from the node that reports. */
export interface SnapshotSend {
  readonly partition: PartitionId;
  readonly to: NodeId;
  readonly sentBytes: number;
  readonly sizeBytes: number;
}

export interface NodeReport {
  readonly version: string;
  /** Starts of this data directory so far: with it, positions in the journal are of this life. */
  readonly boots: number;
  readonly uptimeMs: number;
  /** Resident memory, where the platform can tell. */
  readonly memoryBytes?: number;
  readonly logBytes: number;
  readonly diskFreeBytes: number;
  /** Writes are refused for lack of space. */
  readonly diskLow: boolean;
  readonly requestsInFlight: number;
  readonly requestsPerSecond: number;
  /** After so long a silence a member's replicas are built anew elsewhere. */
  readonly deadAfterMs: number;
  readonly work: Readonly<Record<Work, WorkCount>>;
  readonly replicas: readonly ReplicaReport[];
  readonly sends: readonly SnapshotSend[];
  /** New since the asker's position. */
  readonly happenings: readonly Happening[];
  /** The asker's next position. */
  readonly changes: number;
}

function countOf({ count, sumSeconds, counts }: DurationHistogram): WorkCount {
  return { count, sumSeconds, counts: [...counts] };
}

export function workCounts({ requests, sync, apply }: Meters): Record<Work, WorkCount> {
  return {
    put: countOf(requests.put),
    get: countOf(requests.get),
    scan: countOf(requests.scan),
    txn: countOf(requests.txn),
    delete: countOf(requests.delete),
    batch: countOf(requests.batch),
    sync: countOf(sync),
    apply: countOf(apply),
  };
}

/** `leaderlessMs`: since when this node knows no leader of it. */
export function replicaReport(
  hosted: Hosted,
  topology: Topology,
  leaderlessMs: number | undefined,
): ReplicaReport {
  const { partition } = hosted;
  if (hosted.kind === "suspect") {
    const { replicaId } = hosted;
    const trouble = `corrupt: ${hosted.reason}`;
    return { partition, replicaId, role: "none", term: 0, commitIndex: 0, unapplied: 0, trouble };
  }
  const { replica, replicaId } = hosted;
  const { core, configuration } = replica;
  const { confState } = configuration;
  const isVoter = confState.voters.includes(replicaId) ||
    confState.votersOutgoing.includes(replicaId);
  return {
    partition,
    replicaId,
    role: replica.isLeader
      ? "leader"
      : isVoter
      ? "voter"
      : confState.learners.includes(replicaId)
      ? "learner"
      : "none",
    term: replica.term,
    commitIndex: core.committed,
    unapplied: Math.max(0, core.committed - replica.appliedIndex),
    ...(replica.isLeader ? { behind: behindOf(hosted, topology) } : {}),
    ...(hosted.kind === "data" ? { keys: hosted.machine.store.size } : {}),
    ...(replica.asleep ? { asleep: true } : {}),
    ...(replica.leader === 0 && leaderlessMs !== undefined ? { leaderlessMs } : {}),
    ...(replica.awaitingSnapshot ? { trouble: "awaiting-snapshot" } : {}),
  };
}

function behindOf(
  hosted: Exclude<Hosted, { kind: "suspect" }>,
  topology: Topology,
): Record<NodeId, number> {
  const { core } = hosted.replica;
  const behind: Record<NodeId, number> = {};
  for (const { id, match } of core.status().progress) {
    const nodeId = topology.nodeOf(hosted.partition, id);
    const lag = core.lastIndex - match;
    if (nodeId !== undefined && lag > 0) behind[nodeId] = lag;
  }
  return behind;
}
