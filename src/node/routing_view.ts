// What a client routes by, for `GET /cluster`: every data partition's slots, replicas and leader as this node
// knows them, whether or not it holds a replica. A wrong leader costs a client one refusal, never more.

import type { NodeId, PartitionId } from "../base/ids.ts";
import { META_PARTITION } from "../base/ids.ts";
import type { RoutingView } from "./service.ts";
import type { Topology } from "./topology.ts";

/** The data partitions of the map that this node goes by, ascending. */
export function routingView(
  topology: Topology,
  leaders: ReadonlyMap<PartitionId, NodeId>,
): RoutingView[] {
  return topology.map.partitions
    .filter(({ partition }) => partition !== META_PARTITION)
    .map(({ partition, slots, replicas, preferredZone }) => ({
      partition,
      slots: slots.map(({ start, end }) => [start, end] as const),
      replicas: replicas.map(({ nodeId }) => nodeId),
      leader: leaders.get(partition),
      ...(preferredZone === undefined ? {} : { preferredZone }),
    }));
}
