// What a node does for its replicas now and then: asks for help for damaged ones, keeps the shared log short,
// and gives leadership away while its disk is full.

import { META_PARTITION, type NodeId, type PartitionId, type ReplicaId } from "../base/ids.ts";
import { LOG_SIZE_BYTES_MAX } from "../base/limits.ts";
import type { Clock } from "../platform/ports.ts";
import type { Wal } from "../wal/mod.ts";
import { encodeReplicaRequest, RequestKind } from "./forward.ts";
import { giveLeadershipAway } from "./handover.ts";
import type { Hosting } from "./hosting.ts";
import type { Topology } from "./topology.ts";

/** Between two reports of a replica that needs help. */
const HELP_INTERVAL_TICKS = 20;
/** For the answer to such a report. */
export const HELP_TIMEOUT_MS = 1000;
/** Between two looks at the length of the log. */
const LOG_SIZE_INTERVAL_TICKS = 40;
/** Between two attempts to give leadership away while the disk is full. */
const DISK_HANDOVER_INTERVAL_MS = 2000;

export interface HousekeepingHost {
  readonly clock: Clock;
  readonly wal: Wal;
  readonly nodeId: NodeId;
  readonly topology: Topology;
  readonly hosting: () => Hosting | undefined;
  /** Whether a member is known to have no room for writes. */
  readonly isFull: (nodeId: NodeId) => boolean;
  /** Tells this node's own steward of a replica that lost its log. */
  readonly reportSuspectHere: (partition: PartitionId, replicaId: ReplicaId) => void;
  readonly request: (to: NodeId, body: Uint8Array) => unknown;
}

export class Housekeeping {
  readonly #host: HousekeepingHost;
  #ticks = 0;
  #nextHandoverMs = 0;

  constructor(host: HousekeepingHost) {
    this.#host = host;
  }

  /** Call once a tick. */
  tick(): void {
    const hosting = this.#host.hosting();
    if (hosting === undefined) return;
    this.#ticks++;
    if (this.#ticks % HELP_INTERVAL_TICKS === 0) this.#askForHelp(hosting);
    if (this.#ticks % LOG_SIZE_INTERVAL_TICKS === 0) this.#releaseOldSegments(hosting);
    if (this.#host.wal.diskLow) this.#handOverForSpace(hosting);
  }

  /** Replicas that lost their log or their state tell those who can mend it. */
  #askForHelp(hosting: Hosting): void {
    const { topology, nodeId: own } = this.#host;
    for (const { partition, replicaId } of hosting.unusable()) {
      const body = encodeReplicaRequest(RequestKind.Suspect, partition, replicaId);
      for (const { nodeId } of topology.map.partitions[META_PARTITION]?.replicas ?? []) {
        if (nodeId === own) this.#host.reportSuspectHere(partition, replicaId);
        else this.#host.request(nodeId, body);
      }
    }
    for (const hosted of hosting.all()) {
      const { partition, replicaId } = hosted;
      if (hosted.kind !== "suspect" && hosted.replica.awaitingSnapshot) {
        const leader = topology.nodeOf(partition, hosted.replica.leader);
        const body = encodeReplicaRequest(RequestKind.SnapshotWanted, partition, replicaId);
        if (leader !== undefined) this.#host.request(leader, body);
      }
    }
  }

  /** Groups that hardly write keep the oldest segment of the shared log until they have a snapshot. */
  #releaseOldSegments(hosting: Hosting): void {
    const { wal } = this.#host;
    if (wal.sizeBytes < LOG_SIZE_BYTES_MAX) return;
    for (const group of wal.oldestPins()) {
      const hosted = hosting.get(group);
      if (hosted !== undefined && hosted.kind !== "suspect") hosted.replica.wantSnapshot();
    }
  }

  /** A full disk can't lead: whoever has room should. */
  #handOverForSpace(hosting: Hosting): void {
    const nowMs = this.#host.clock.monotonicMs();
    if (nowMs < this.#nextHandoverMs) return;
    this.#nextHandoverMs = nowMs + DISK_HANDOVER_INTERVAL_MS;
    const { topology, isFull } = this.#host;
    // Another full node would give it back at once, and each time an election has to be waited for.
    giveLeadershipAway(hosting, (partition, replicaId) => {
      const nodeId = topology.nodeOf(partition, replicaId);
      return nodeId !== undefined && !isFull(nodeId);
    });
  }
}
