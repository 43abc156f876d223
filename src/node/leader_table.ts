// Where each partition's leader is, as far as this node knows: from its own replica, or from what other
// nodes answered. A wrong entry costs a hop, never correctness.

import type { NodeId, PartitionId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";
import type { HostedData } from "./group.ts";
import type { Route } from "./router.ts";
import type { Topology } from "./topology.ts";

interface LeaderSources {
  readonly nodeId: NodeId;
  hosted(partition: PartitionId): HostedData | undefined;
  isUp(nodeId: NodeId): boolean;
}

export class LeaderTable {
  readonly #clock: Clock;
  readonly #topology: Topology;
  readonly #sources: LeaderSources;
  /** For partitions without a replica here. */
  readonly #noted = new Map<PartitionId, NodeId>();
  #rotation = 0;
  #waiting: { deadlineMs: number; resolve: () => void }[] = [];

  constructor(clock: Clock, topology: Topology, sources: LeaderSources) {
    this.#clock = clock;
    this.#topology = topology;
    this.#sources = sources;
  }

  /** The node that leads `partition`; undefined if it is not known. */
  leaderOf(partition: PartitionId): NodeId | undefined {
    const hosted = this.#sources.hosted(partition);
    if (hosted === undefined) return this.#noted.get(partition);
    const { leader } = hosted.replica;
    return leader === 0 ? undefined : this.#topology.nodeOf(partition, leader);
  }

  known(): ReadonlyMap<PartitionId, NodeId> {
    const leaders = new Map<PartitionId, NodeId>();
    for (const { partition } of this.#topology.map.partitions) {
      const leader = partition === 0 ? undefined : this.leaderOf(partition);
      if (leader !== undefined) leaders.set(partition, leader);
    }
    return leaders;
  }

  /** Another node said that `nodeId` leads `partition`; undefined: that whom we took for it does not. */
  note(partition: PartitionId, nodeId: NodeId | undefined): void {
    if (nodeId === undefined) this.#noted.delete(partition);
    else this.#noted.set(partition, nodeId);
  }

  route(partition: PartitionId): Route {
    const hosted = this.#sources.hosted(partition);
    if (hosted !== undefined && hosted.replica.isLeader && hosted.replica.serving) {
      return { kind: "local", partition: hosted.data };
    }
    let nodeId = this.leaderOf(partition);
    let leads = true;
    // Of a partition without a replica here only others can tell who leads once the noted one is gone.
    if (hosted === undefined && (nodeId === undefined || !this.#sources.isUp(nodeId))) {
      nodeId = this.#anyReplica(partition);
      leads = false;
    }
    if (nodeId === undefined || nodeId === this.#sources.nodeId || !this.#sources.isUp(nodeId)) {
      return { kind: "unknown" };
    }
    // A client is sent to a leader only, never to somebody who might know one.
    const http = leads ? this.#topology.member(nodeId)?.http : undefined;
    return { kind: "remote", nodeId, http };
  }

  /** Some other node with a replica of a partition; each call may give another one. */
  replicaElsewhere(partition: PartitionId): NodeId | undefined {
    return this.#anyReplica(partition);
  }

  /** Some replica of a partition that is not here: it will say who leads. */
  #anyReplica(partition: PartitionId): NodeId | undefined {
    const replicas = this.#topology.map.partitions[partition]?.replicas ?? [];
    for (let i = 0; i < replicas.length; i++) {
      const { nodeId } = replicas[this.#rotation++ % replicas.length];
      if (this.#sources.isUp(nodeId)) return nodeId;
    }
    return undefined;
  }

  /** Something about leaders, links or the map has changed. */
  changed(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve();
  }

  /** Resolves at the next change, or once `deadlineMs` has passed. */
  nextChange(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ deadlineMs, resolve }));
  }

  /** Lets go whoever waited long enough. Call at every tick. */
  expire(): void {
    if (this.#waiting.length === 0) return;
    const nowMs = this.#clock.monotonicMs();
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ deadlineMs }) => deadlineMs > nowMs);
    for (const { deadlineMs, resolve } of waiting) if (deadlineMs <= nowMs) resolve();
  }
}
