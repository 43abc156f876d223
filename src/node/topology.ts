// Which map this node goes by: the newest it has applied through its meta replica, or was shown while it
// has none. Epochs only ascend. Whoever depends on the map is told when it changes.

import type { NodeId, PartitionId, ReplicaId } from "../base/ids.ts";
import { slotOf } from "../base/slot.ts";
import { type ClusterMap, MapIndex, type Member, UNKNOWN_MAP } from "../partition/mod.ts";

export class Topology {
  #index = new MapIndex(UNKNOWN_MAP);
  readonly #onChange: (map: ClusterMap, before: ClusterMap) => void;

  constructor(onChange: (map: ClusterMap, before: ClusterMap) => void) {
    this.#onChange = onChange;
  }

  get map(): ClusterMap {
    return this.#index.map;
  }

  get epoch(): number {
    return this.#index.map.epoch;
  }

  get index(): MapIndex {
    return this.#index;
  }

  /** Goes over to `map` if it is newer. */
  offer(map: ClusterMap): void {
    if (map.epoch <= this.#index.map.epoch) return;
    const before = this.#index.map;
    this.#index = new MapIndex(map);
    this.#onChange(map, before);
  }

  partitionOf(key: string): PartitionId {
    return this.#index.partitionOfSlot(slotOf(key));
  }

  nodeOf(partition: PartitionId, replicaId: ReplicaId): NodeId | undefined {
    return this.#index.nodeOf(partition, replicaId);
  }

  member(nodeId: NodeId): Member | undefined {
    return this.#index.member(nodeId);
  }

  /** A member by name or nodeId. */
  findMember(nameOrId: string): Member | undefined {
    return this.map.members.find(({ nodeId, name }) => nodeId === nameOrId || name === nameOrId);
  }
}
