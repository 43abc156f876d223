// The node's part in the membership gossip: puts it on the links, feeds it the map and this node's
// figures, and says who can be reached by anybody. It informs; nothing here changes the map.

import type { LogIndex, NodeId } from "../base/ids.ts";
import { LEADER_DISK_FREE_BYTES_MIN } from "../base/limits.ts";
import {
  decodeEnvelope,
  encodeEnvelope,
  Gossip,
  type LoadFigures,
  type MemberNews,
  type Status,
} from "../gossip/mod.ts";
import type { Clock, Log, Random } from "../platform/ports.ts";
import type { ClusterMap } from "../partition/mod.ts";

/** Between two looks at this node's own figures. */
const FIGURES_INTERVAL_MS = 2000;

export interface MemberWatchHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly nodeId: NodeId;
  readonly boots: number;
  send(to: NodeId, datagram: Uint8Array): boolean;
  isConnected(nodeId: NodeId): boolean;
  epoch(): LogIndex;
  /** Figures of this moment, `requestsPerSecond` aside. */
  load(): Omit<LoadFigures, "requestsPerSecond">;
  /** Client requests begun since the start. */
  requestCount(): number;
  /** The member does not answer anybody who asked it. */
  onSuspected(nodeId: NodeId): void;
  /** What is believed of a member has changed. */
  onStatus(nodeId: NodeId, status: Status): void;
  /** Another node follows a newer map than this one does. */
  onNewerEpoch(epoch: LogIndex, from: NodeId): void;
}

export class MemberWatch {
  readonly #host: MemberWatchHost;
  readonly #gossip: Gossip;
  #figuresMs = -Infinity;
  #countedRequests = 0;
  #requestsPerSecond = 0;

  constructor(host: MemberWatchHost) {
    this.#host = host;
    this.#gossip = new Gossip({
      nodeId: host.nodeId,
      boots: host.boots,
      random: host.random,
      send: (to, envelope) => host.send(to, encodeEnvelope(envelope)),
      onStatus: (nodeId, status, before) => this.#onStatus(nodeId, status, before),
      onEpoch: (epoch, from) => host.onNewerEpoch(epoch, from),
    });
  }

  mapChanged(map: ClusterMap): void {
    const nowMs = this.#host.clock.monotonicMs();
    this.#gossip.setMembers(map.members.map(({ nodeId }) => nodeId), nowMs);
  }

  /** Call at every tick of the node. */
  tick(): void {
    const nowMs = this.#host.clock.monotonicMs();
    if (nowMs - this.#figuresMs >= FIGURES_INTERVAL_MS) this.#refreshFigures(nowMs);
    this.#gossip.tick(nowMs);
  }

  #refreshFigures(nowMs: number): void {
    const { requestCount, load, epoch } = this.#host;
    const seconds = (nowMs - this.#figuresMs) / 1000;
    const count = requestCount();
    const requestsPerSecond = Math.round((count - this.#countedRequests) / seconds);
    this.#requestsPerSecond = requestsPerSecond;
    this.#figuresMs = nowMs;
    this.#countedRequests = count;
    this.#gossip.setFigures(epoch(), { ...load(), requestsPerSecond }, nowMs);
  }

  /** Client requests that came to this node, as it last told the others. */
  get requestsPerSecond(): number {
    return this.#requestsPerSecond;
  }

  /** A datagram that begins with the gossip's byte. Throws CodecError on bytes that no peer sends. */
  onDatagram(from: NodeId, body: Uint8Array): void {
    this.#gossip.receive(from, decodeEnvelope(body), this.#host.clock.monotonicMs());
  }

  onLinkUp(nodeId: NodeId): void {
    this.#gossip.contact(nodeId);
  }

  /** What is believed of a member; undefined of this node itself and of strangers. */
  newsOf(nodeId: NodeId): MemberNews | undefined {
    return this.#gossip.members().find((member) => member.nodeId === nodeId);
  }

  /** Whether this node has a link to the member, or others have heard from it in this life. */
  isReachable(nodeId: NodeId): boolean {
    if (this.#host.isConnected(nodeId)) return true;
    const news = this.newsOf(nodeId);
    // Without an incarnation nobody has heard from it: a new member's silence must count.
    return news !== undefined && news.status === "alive" && news.incarnation > 0;
  }

  /** Whether the member last said that it has too little room to take writes, or hardly enough to go on taking them. */
  isFull(nodeId: NodeId): boolean {
    const news = this.newsOf(nodeId);
    return news !== undefined && news.version > 0 &&
      news.load.diskFreeBytes < LEADER_DISK_FREE_BYTES_MIN;
  }

  #onStatus(nodeId: NodeId, status: Status, before: Status): void {
    this.#host.log.log(status === "dead" ? "warn" : "info", `member is ${status}`, {
      member: nodeId,
      before,
    });
    if (status === "suspect") this.#host.onSuspected(nodeId);
    this.#host.onStatus(nodeId, status);
  }
}
