// What placement is told about the world beside the map: who is silent, whose log is damaged. Gathered
// by the meta group's leader; never part of the replicated state.

import type { NodeId, PartitionId, ReplicaId } from "../base/ids.ts";
import { intendedVoters, type PartitionEntry, type ReplicaRef } from "./map.ts";

export interface ClusterStatus {
  /** Out of reach at present: given nothing, and not counted on for a quorum. Includes the dead. */
  readonly down: ReadonlySet<NodeId>;
  /** Silent for `deadAfter` or longer: their replicas are replaced. */
  readonly dead: ReadonlySet<NodeId>;
  /** Short of disk space, and so refusing writes: given no replica, and nothing to lead that another can lead. */
  readonly full: ReadonlySet<NodeId>;
  /** Replicas that never again vote under their id (RULES 4), by partition. */
  readonly suspects: ReadonlyMap<PartitionId, ReadonlySet<ReplicaId>>;
}

/** Nothing is wrong anywhere. */
export const ALL_WELL: ClusterStatus = {
  down: new Set(),
  dead: new Set(),
  full: new Set(),
  suspects: new Map(),
};

export function isSuspect(
  status: ClusterStatus,
  partition: PartitionId,
  replicaId: ReplicaId,
): boolean {
  return status.suspects.get(partition)?.has(replicaId) ?? false;
}

/**
 * Replicas of the partition's voters whose log is damaged: suspects, and those that a move replaces on their
 * own node, which may be gone by now.
 */
export function lostVoters(entry: PartitionEntry, status: ClusterStatus): ReplicaId[] {
  const { move } = entry;
  const isReplacedInPlace = ({ replicaId, nodeId }: ReplicaRef) =>
    move !== undefined && move.adding.some((ref) => ref.nodeId === nodeId) &&
    move.removing.some((ref) => ref.replicaId === replicaId);
  return votersOf(entry)
    .filter((ref) => isSuspect(status, entry.partition, ref.replicaId) || isReplacedInPlace(ref))
    .map(({ replicaId }) => replicaId);
}

/**
 * Whether so many of the partition's voters have a damaged log that the others are no majority: nobody is
 * left who could agree on replacing them (RULES 4). May be wrong for a moment, until the meta group hears
 * that a replacement has become a voter.
 */
export function hasLostQuorum(entry: PartitionEntry, status: ClusterStatus): boolean {
  const count = votersOf(entry).length;
  return 2 * (count - lostVoters(entry, status).length) <= count;
}

function votersOf(entry: PartitionEntry): readonly ReplicaRef[] {
  return entry.move?.phase === "promoted" ? intendedVoters(entry) : entry.replicas;
}
