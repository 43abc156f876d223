// The cluster map: members, and for every partition its slots, its settled replicas and the one move
// under way. Immutable values; the meta group's state machine makes new ones. The map holds intent,
// never the truth about who votes: that is each group's own Raft configuration (RULES 10).

import type { LogIndex, NodeId, PartitionId, ReplicaId } from "../base/ids.ts";
import { META_PARTITION } from "../base/ids.ts";
import { SLOT_COUNT } from "../base/slot.ts";

/** Data partitions are fixed at bootstrap; every one is a Raft group on each of its nodes. */
export const PARTITIONS_MAX = 1024;
/** Members of one cluster; bounds the map, gossip and the meta group's learners. */
export const MEMBERS_MAX = 256;
/** Copies of a partition. More than seven voters slow every write and buy nothing. */
export const REPLICATION_MAX = 7;
/** Voters of the meta group; every other member is a learner of it. */
export const META_VOTERS_MAX = 5;
/** Retired replicas a partition remembers by name; older ones are known by `nextReplicaId` alone. */
export const RETIRED_KEPT_MAX = 16;
/** Replicas of one partition on their way out of its configuration outside a move. */
export const DROPPING_MAX = 64;
/** Largest share of the data a member may ask for, relative to the others' weights. */
export const WEIGHT_MAX = 1000;
/** Epoch and log index of the genesis map; logs start behind it. */
export const GENESIS_INDEX: LogIndex = 1;

/**
 * A member that is not `active` takes no new replicas, and those it has go elsewhere. Then one that is
 * `draining` stays a member without replicas; one that is `leaving` is taken off the map.
 */
export type MemberState = "active" | "draining" | "leaving";

/** What a member says about itself. */
export interface MemberDetails {
  /** Unique in the cluster; 1..64 of A-Z a-z 0-9 `_.-`. */
  readonly name: string;
  /** Advertised `host:port` of the peer links. Unique in the cluster. */
  readonly peer: string;
  /** Advertised `host:port` of the HTTP API. Unique in the cluster. */
  readonly http: string;
  /** Machine label: two replicas of a partition never share one if that is avoidable. */
  readonly host?: string;
  /** Failure-domain label: replicas of a partition spread over zones. */
  readonly zone?: string;
  /** Share of replicas and leaders relative to other members: 1..WEIGHT_MAX. */
  readonly weight: number;
}

export interface Member extends MemberDetails {
  readonly nodeId: NodeId;
  readonly state: MemberState;
}

/** One replica and the node that is to hold it. */
export interface ReplicaRef {
  readonly replicaId: ReplicaId;
  readonly nodeId: NodeId;
}

/** Half-open: [start, end). */
export interface SlotRange {
  readonly start: number;
  readonly end: number;
}

/**
 * A change of a partition's voters that its group's leader carries out. Exactly one a partition.
 *
 * *Invariant:* `removing` and `demoting` are settled replicas; `adding` are not. In the meta group
 * every one of `adding` is also a learner, before and after a cancelled move.
 */
export interface Move {
  /** Epoch of the map that began it; also its identity within the partition. */
  readonly beganEpoch: LogIndex;
  /** Become voters. */
  readonly adding: readonly ReplicaRef[];
  /** Leave the configuration. */
  readonly removing: readonly ReplicaRef[];
  /** Meta group only: voters that become learners. */
  readonly demoting: readonly ReplicaRef[];
  /** `promoted` once a recorded configuration had one of `adding` as voter: no way back. */
  readonly phase: "learning" | "promoted";
  /** Epoch at which cancellation was asked for. The group's configuration decides whether it won. */
  readonly cancelEpoch?: LogIndex;
}

/** A replica that must leave the configuration without ever having to vote again. */
export interface DroppingReplica extends ReplicaRef {
  /** Only a configuration made from a map of this epoch or a later one proves that it is out. */
  readonly sinceEpoch: LogIndex;
}

/** A replica outside the final committed configuration; its data may be deleted. */
export interface RetiredReplica extends ReplicaRef {
  readonly epoch: LogIndex;
}

export interface PartitionEntry {
  readonly partition: PartitionId;
  /** Ascending, disjoint; empty for the meta group. */
  readonly slots: readonly SlotRange[];
  /** Where the leader should be if a voter is there; never for the meta group. */
  readonly preferredZone?: string;
  /** The settled voters, by replicaId. */
  readonly replicas: readonly ReplicaRef[];
  /** Settled learners, by replicaId. Meta group: a replica of every member that does not vote. */
  readonly learners: readonly ReplicaRef[];
  readonly move?: Move;
  readonly dropping: readonly DroppingReplica[];
  /** Newest last, at most {@linkcode RETIRED_KEPT_MAX}. */
  readonly retired: readonly RetiredReplica[];
  /** Greater than every replicaId ever handed out in this partition. */
  readonly nextReplicaId: ReplicaId;
  /** Index, in the group's own log, of the newest configuration recorded here. */
  readonly confIndex: LogIndex;
}

export interface ClusterMap {
  readonly clusterId: string;
  /** Log index of the meta entry that made this map. */
  readonly epoch: LogIndex;
  /** Wanted copies of each data partition; min(replication, members) are kept. */
  readonly replication: number;
  /** By nodeId. */
  readonly members: readonly Member[];
  /** `partitions[p].partition === p`; 0 is the meta group. */
  readonly partitions: readonly PartitionEntry[];
}

/** What a node that joins knows before the meta group's first snapshot reaches it: nothing. */
export const UNKNOWN_MAP: ClusterMap = {
  clusterId: "",
  epoch: 0,
  replication: 1,
  members: [],
  partitions: [],
};

/** Even contiguous split of the slots over data partitions 1..partitionCount. */
export function slotsOf(partitionCount: number): SlotRange[] {
  const ranges: SlotRange[] = [];
  for (let i = 0; i < partitionCount; i++) {
    ranges.push({
      start: Math.floor(i * SLOT_COUNT / partitionCount),
      end: Math.floor((i + 1) * SLOT_COUNT / partitionCount),
    });
  }
  return ranges;
}

/** Voters the meta group should have with `memberCount` members: odd, because an even one more
 * tolerates no further failure; but two of two, so that a lost disk does not lose the map. */
export function metaVoterTarget(memberCount: number): number {
  if (memberCount <= 2) return memberCount;
  return Math.min(META_VOTERS_MAX, memberCount % 2 === 1 ? memberCount : memberCount - 1);
}

/** Everything a partition has or will have: voters, learners, replicas being added or dropped. */
export function namedReplicas(entry: PartitionEntry): ReplicaRef[] {
  const named = [...entry.replicas, ...entry.learners];
  for (const ref of entry.move?.adding ?? []) {
    if (!named.some((other) => other.replicaId === ref.replicaId)) named.push(ref);
  }
  for (const { replicaId, nodeId } of entry.dropping) named.push({ replicaId, nodeId });
  return named;
}

/** The voters once the move is done; the settled ones if there is none or it is being cancelled. */
export function intendedVoters(entry: PartitionEntry): ReplicaRef[] {
  const { move } = entry;
  if (move === undefined || move.cancelEpoch !== undefined && move.phase === "learning") {
    return [...entry.replicas];
  }
  const leaving = new Set([...move.removing, ...move.demoting].map((ref) => ref.replicaId));
  return [...entry.replicas.filter((ref) => !leaving.has(ref.replicaId)), ...move.adding];
}

/**
 * What a map says of a replica that a node holds.
 *
 * - `keep`: named; host it.
 * - `delete`: it is out of the final committed configuration, recorded by the meta group; its data may
 *   go and a tombstone must refuse its id and all older ones.
 * - `unknown`: this map is older than the replica and says nothing about it.
 */
export type ReplicaFate = "keep" | "delete" | "unknown";

/** The fate of replica `replicaId` of `partition`. Ids are never reused, so no history is needed. */
export function replicaFate(
  map: ClusterMap,
  partition: PartitionId,
  replicaId: ReplicaId,
): ReplicaFate {
  const entry = map.partitions[partition];
  if (entry === undefined || replicaId >= entry.nextReplicaId) return "unknown";
  return namedReplicas(entry).some((ref) => ref.replicaId === replicaId) ? "keep" : "delete";
}

/** A replica a node is to hold. */
export interface HostedReplica {
  readonly partition: PartitionId;
  readonly replicaId: ReplicaId;
}

/** Answers a map's questions in constant time. Build once an epoch, share freely. */
export class MapIndex {
  readonly map: ClusterMap;
  /** Every partition that owns slots, ascending. */
  readonly dataPartitions: readonly PartitionId[];
  readonly #partitionOfSlot = new Uint16Array(SLOT_COUNT);
  readonly #members = new Map<NodeId, Member>();
  readonly #nodeOfReplica: Map<ReplicaId, NodeId>[] = [];
  readonly #hosted = new Map<NodeId, HostedReplica[]>();

  constructor(map: ClusterMap) {
    this.map = map;
    this.dataPartitions = map.partitions
      .filter(({ slots }) => slots.length > 0)
      .map(({ partition }) => partition);
    for (const member of map.members) this.#members.set(member.nodeId, member);
    for (const entry of map.partitions) {
      for (const { start, end } of entry.slots) {
        this.#partitionOfSlot.fill(entry.partition, start, end);
      }
      this.#addReplicas(entry);
    }
  }

  /** The data partition that owns `slot` (0..16383). */
  partitionOfSlot(slot: number): PartitionId {
    return this.#partitionOfSlot[slot];
  }

  member(nodeId: NodeId): Member | undefined {
    return this.#members.get(nodeId);
  }

  /** The node of a replica that the map names. */
  nodeOf(partition: PartitionId, replicaId: ReplicaId): NodeId | undefined {
    return this.#nodeOfReplica[partition]?.get(replicaId);
  }

  /**
   * The replicas a node must hold, at most one a partition. Where a suspect replica is replaced on its
   * own node the newer id counts: the older one never votes again, and the two may not share a disk.
   */
  hostedBy(nodeId: NodeId): readonly HostedReplica[] {
    return this.#hosted.get(nodeId) ?? [];
  }

  #addReplicas(entry: PartitionEntry): void {
    const nodes = new Map<ReplicaId, NodeId>();
    const newest = new Map<NodeId, ReplicaId>();
    for (const { replicaId, nodeId } of namedReplicas(entry)) {
      nodes.set(replicaId, nodeId);
      newest.set(nodeId, Math.max(replicaId, newest.get(nodeId) ?? 0));
    }
    this.#nodeOfReplica[entry.partition] = nodes;
    for (const [nodeId, replicaId] of newest) {
      const hosted = this.#hosted.get(nodeId) ?? [];
      hosted.push({ partition: entry.partition, replicaId });
      this.#hosted.set(nodeId, hosted);
    }
  }
}

/** Whether the entry is the meta group's. */
export function isMeta(entry: PartitionEntry): boolean {
  return entry.partition === META_PARTITION;
}
