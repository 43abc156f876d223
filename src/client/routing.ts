// The client's copy of the cluster's map: which partition a key belongs to and who leads it. Goes by the
// newest epoch it was shown, and never back. What it gets wrong, the cluster corrects with 421.

import { SLOT_COUNT, slotOf } from "../base/slot.ts";
import type { NodePool, PooledNode } from "./node_pool.ts";
import type { Member } from "./types.ts";

/** What `GET /cluster` says, as far as the client looks. */
export interface ClusterDocument {
  readonly clusterId: string;
  readonly epoch: number;
  readonly members: readonly { nodeId: string; name: string; http: string }[];
  readonly routing: readonly {
    partition: number;
    slots: readonly (readonly [number, number])[];
    replicas: readonly string[];
    leader?: string;
  }[];
}

/** Stands for "some partition" until a map says more. */
export const UNKNOWN_PARTITION = 0;

interface Place {
  readonly replicas: readonly PooledNode[];
  leader: PooledNode | undefined;
}

const NOBODY: Place = { replicas: [], leader: undefined };

export class Routing {
  readonly #pool: NodePool;
  #clusterId = "";
  #epoch = -1;
  #members: readonly Member[] = [];
  #partitionOfSlot = new Uint16Array(SLOT_COUNT);
  #places = new Map<number, Place>();

  constructor(pool: NodePool) {
    this.#pool = pool;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** Every data partition, ascending. */
  get partitions(): number[] {
    return [...this.#places.keys()];
  }

  /** {@linkcode UNKNOWN_PARTITION} before the first map. */
  partitionOf(latin1: string): number {
    return this.#partitionOfSlot[slotOf(latin1)];
  }

  replicasOf(partition: number): readonly PooledNode[] {
    return (this.#places.get(partition) ?? NOBODY).replicas;
  }

  leaderOf(partition: number): PooledNode | undefined {
    return (this.#places.get(partition) ?? NOBODY).leader;
  }

  /** An answer said so; undefined: the one we took for the leader is none. */
  setLeader(partition: number, leader: PooledNode | undefined): void {
    const place = this.#places.get(partition);
    if (place !== undefined) place.leader = leader;
  }

  /**
   * Goes over to `document` unless it is older. A view of the same epoch only adds leaders that are
   * missing. Returns whether the map changed. Throws TypeError for another cluster's.
   */
  adopt(document: ClusterDocument): boolean {
    if (document.members.length === 0 || document.routing.length === 0) return false;
    if (this.#clusterId !== "" && document.clusterId !== this.#clusterId) {
      throw new TypeError(
        `Cannot use the map of cluster ${document.clusterId}: connected to ${this.#clusterId}`,
      );
    }
    const urls = new Map(
      document.members.map(({ nodeId, http }) => [nodeId, this.#pool.urlOf(http)]),
    );
    const nodeOf = (nodeId: string | undefined) => {
      const url = nodeId === undefined ? undefined : urls.get(nodeId);
      return url === undefined ? undefined : this.#pool.at(url);
    };
    if (document.epoch <= this.#epoch) {
      for (const { partition, leader } of document.routing) {
        if (this.leaderOf(partition) === undefined) this.setLeader(partition, nodeOf(leader));
      }
      return false;
    }
    this.#clusterId = document.clusterId;
    this.#epoch = document.epoch;
    this.#members = document.members.map(({ nodeId, name, http }) => ({
      nodeId,
      name,
      url: this.#pool.urlOf(http),
    }));
    this.#pool.setMembers(this.#members);
    const places = new Map<number, Place>();
    const partitionOfSlot = new Uint16Array(SLOT_COUNT);
    for (const { partition, slots, replicas, leader } of document.routing) {
      for (const [start, end] of slots) partitionOfSlot.fill(partition, start, end);
      places.set(partition, {
        replicas: replicas.map(nodeOf).filter((node) => node !== undefined),
        leader: nodeOf(leader) ?? this.leaderOf(partition),
      });
    }
    this.#places = places;
    this.#partitionOfSlot = partitionOfSlot;
    return true;
  }
}
