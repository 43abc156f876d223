// What placement is told about the world beside the map: who is silent, whose log is damaged. Gathered
// by the meta group's leader; never part of the replicated state.

import type { NodeId, PartitionId, ReplicaId } from "../base/ids.ts";

export interface ClusterStatus {
  /** Out of reach at present: given nothing, and not counted on for a quorum. Includes the dead. */
  readonly down: ReadonlySet<NodeId>;
  /** Silent for `deadAfter` or longer: their replicas are replaced. */
  readonly dead: ReadonlySet<NodeId>;
  /** Replicas that never again vote under their id (RULES 4), by partition. */
  readonly suspects: ReadonlyMap<PartitionId, ReadonlySet<ReplicaId>>;
}

/** Nothing is wrong anywhere. */
export const ALL_WELL: ClusterStatus = { down: new Set(), dead: new Set(), suspects: new Map() };

export function isSuspect(
  status: ClusterStatus,
  partition: PartitionId,
  replicaId: ReplicaId,
): boolean {
  return status.suspects.get(partition)?.has(replicaId) ?? false;
}
