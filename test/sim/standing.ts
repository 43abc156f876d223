// How a simulated cluster stands, as its nodes tell from within: for a run that has to know whether it may go on, and
// for those who have to find out why it can't. Looks only.

import type { LogIndex, PartitionId } from "../../src/base/ids.ts";
import type { Hosted } from "../../src/node/group.ts";
import type { SimNode } from "./sim_node.ts";

/** A replica that runs, not a damaged one. */
export type RunningReplica = Exclude<Hosted, { kind: "suspect" }>;

/** Whether the cluster is still carrying moves out, or has damaged replicas to replace, a few at a time. */
export function isMoving(nodes: readonly SimNode[]): boolean {
  return nodes.some(({ life }) => {
    const running = life?.running?.node;
    if (running === undefined) return false;
    return running.topology.map.partitions.some(({ move }) => move !== undefined) ||
      (running.hosting?.unusable().length ?? 0) > 0;
  });
}

/** How far each partition is committed, as far as any node knows. */
export function committed(nodes: readonly SimNode[]): Map<PartitionId, LogIndex> {
  const indexes = new Map<PartitionId, LogIndex>();
  for (const { partition, replica } of replicasOf(nodes)) {
    indexes.set(partition, Math.max(indexes.get(partition) ?? 0, replica.core.committed));
  }
  return indexes;
}

/** Whether every replica has applied its partition's log up to where `indexes` says. */
export function haveApplied(
  nodes: readonly SimNode[],
  indexes: ReadonlyMap<PartitionId, LogIndex>,
): boolean {
  return replicasOf(nodes).every(({ partition, replica }) =>
    replica.appliedIndex >= (indexes.get(partition) ?? 0)
  );
}

/** Of all nodes that run. */
export function replicasOf(nodes: readonly SimNode[]): RunningReplica[] {
  return nodes.flatMap(({ life }) => [...life?.running?.node.hosting?.all() ?? []])
    .filter((hosted): hosted is RunningReplica => hosted.kind !== "suspect");
}

/** Where a leader's configuration is not what its map says, though nothing moves. */
export function disagreement(nodes: readonly SimNode[]): string | undefined {
  for (const { name, life } of nodes) {
    const running = life?.running?.node;
    for (const hosted of running?.hosting?.all() ?? []) {
      if (hosted.kind === "suspect" || !hosted.replica.isLeader) continue;
      const entry = running!.topology.map.partitions[hosted.partition];
      if (entry === undefined || entry.move !== undefined) continue;
      const { voters, votersOutgoing } = hosted.replica.configuration.confState;
      const named = entry.replicas.map(({ replicaId }) => replicaId);
      const same = voters.length === named.length && voters.every((id) => named.includes(id));
      if (same && votersOutgoing.length === 0) continue;
      return `${name}, partition ${hosted.partition}: ${voters}, by the map ${named}`;
    }
  }
  return undefined;
}

/** A partition that none of the nodes that run leads. */
export function leaderless(nodes: readonly SimNode[]): PartitionId | undefined {
  const groups = new Map<PartitionId, boolean>();
  for (const { life } of nodes) {
    for (const hosted of life?.running?.node.hosting?.all() ?? []) {
      const leads = hosted.kind !== "suspect" && hosted.replica.isLeader;
      groups.set(hosted.partition, leads || (groups.get(hosted.partition) ?? false));
    }
  }
  for (const [partition, isLed] of groups) if (!isLed) return partition;
  return undefined;
}

/** Role, term, commit and applied of a node's replicas, for those who have to find out why it is stuck. */
export function describeNode({ name, life }: SimNode): string {
  const running = life?.running;
  if (running === undefined) return `${name} does not run`;
  const replicas = [...running.node.hosting?.all() ?? []].map((hosted) => {
    const { partition, replicaId } = hosted;
    if (hosted.kind === "suspect") return `p${partition}/${replicaId} suspect`;
    const { isLeader, leader, term, core, appliedIndex } = hosted.replica;
    const role = isLeader ? "leads" : `follows ${leader}`;
    return `p${partition}/${replicaId} ${role} t${term} c${core.committed} a${appliedIndex}`;
  });
  return `${name} ${running.node.api.ready().reason} (${replicas.join(", ")})`;
}
