// All traffic between nodes: one directed link to each peer, requests over them, and short control calls
// for the time before a cluster exists. Owns who is connected; never decides what a message means.

import { BytesReader, CodecError } from "../base/codec.ts";
import type { NodeId, PartitionId } from "../base/ids.ts";
import { PEER_FRAME_SIZE_BYTES_MAX } from "../base/limits.ts";
import type {
  Address,
  Clock,
  Digest,
  Listener,
  Log,
  Network,
  Random,
  TimerHandle,
} from "../platform/ports.ts";
import type { Message } from "../raft/mod.ts";
import { type CallResult, PendingCalls, SeenCalls } from "./calls.ts";
import { expectFrame, FrameReader, sendFrame } from "./connection_io.ts";
import { type Frame, FrameType } from "./frame.ts";
import { Purpose } from "./handshake.ts";
import { eachRaftMessage, serveInbound } from "./inbound.ts";
import { dialHandshake, Outbound } from "./outbound.ts";

/** What the parts of the transport share. */
export interface TransportEnvironment {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly digest: Digest;
  readonly log: Log;
  readonly nodeId: NodeId;
  /** Ascends with each start of this node. */
  readonly bootNonce: number;
  /** Shared by all nodes of a cluster; empty bytes if none is configured. */
  readonly secret: Uint8Array;
  /** Our cluster, "" before there is one. */
  readonly clusterId: () => string;
  /** Asks for `Transport.flush()` at the end of this turn. */
  readonly scheduleFlush: () => void;
  /** Where to dial for a peer instead of its address; for proxies and address translation. */
  readonly dialOverride: (nodeId: NodeId, address: Address) => Address;
}

/** What the transport delivers. Calls are synchronous unless they return a promise. */
export interface TransportHandlers {
  onRaft(from: NodeId, group: PartitionId, message: Message, wallMs: number): void;
  /** Runs a peer's request; what it returns is the answer. Must not reject. */
  onRequest(from: NodeId, body: Uint8Array, budgetMs: number): Promise<Uint8Array>;
  /** Answers a control call, from whoever holds the secret. Must not reject. */
  onControl(body: Uint8Array): Promise<Uint8Array>;
  onDatagram(from: NodeId, body: Uint8Array): void;
  /** The link to a peer came up. */
  onLinkUp(nodeId: NodeId): void;
  /** A link to or from a peer broke. */
  onLinkDown(nodeId: NodeId): void;
}

export interface Peer {
  readonly nodeId: NodeId;
  readonly address: Address;
}

const CONTROL_DIAL_TIMEOUT_MS = 1000;
const EXPIRE_INTERVAL_MS = 50;

export class Transport {
  readonly #environment: TransportEnvironment;
  readonly #handlers: TransportHandlers;
  readonly #links = new Map<NodeId, Outbound>();
  /** Inbound links that are up, per peer. */
  readonly #inbound = new Map<NodeId, number>();
  readonly #calls = new PendingCalls();
  readonly #seen = new SeenCalls();
  #listener: Listener | undefined;
  #expire: TimerHandle | undefined;
  #stopped = false;

  constructor(environment: TransportEnvironment, handlers: TransportHandlers) {
    this.#environment = environment;
    this.#handlers = handlers;
  }

  /** Listens; resolves with the bound address, rejects if it can't be had. */
  async start(address: Address): Promise<Address> {
    this.#listener = await this.#environment.network.listen(address, (connection) => {
      serveInbound(this.#environment, connection, {
        onLink: (nodeId) => {
          this.#inbound.set(nodeId, (this.#inbound.get(nodeId) ?? 0) + 1);
          this.#links.get(nodeId)?.retryNow();
        },
        onFrame: (nodeId, bootNonce, frame) => this.#onFrame(nodeId, bootNonce, frame),
        onLinkEnd: (nodeId) => {
          this.#inbound.set(nodeId, (this.#inbound.get(nodeId) ?? 1) - 1);
          if (!this.#stopped) this.#handlers.onLinkDown(nodeId);
        },
        onControl: (body) => this.#handlers.onControl(body),
      });
    });
    this.#scheduleExpire();
    return this.#listener.address;
  }

  /** Whom to be linked with. Links to others are closed. */
  setPeers(peers: readonly Peer[]): void {
    const wanted = new Set(peers.map((peer) => peer.nodeId));
    for (const [nodeId, link] of this.#links) {
      if (wanted.has(nodeId)) continue;
      link.close();
      this.#links.delete(nodeId);
      this.#calls.linkLost(nodeId, Infinity);
    }
    for (const { nodeId, address } of peers) {
      if (nodeId === this.#environment.nodeId) continue;
      const known = this.#links.get(nodeId);
      if (known !== undefined) known.moveTo(address);
      else this.#links.set(nodeId, this.#newLink(nodeId, address));
    }
  }

  #newLink(nodeId: NodeId, address: Address): Outbound {
    return new Outbound(nodeId, address, this.#environment, {
      onUp: () => this.#handlers.onLinkUp(nodeId),
      onDown: () => {
        this.#handlers.onLinkDown(nodeId);
      },
      onLost: (sentPosition) => this.#calls.linkLost(nodeId, sentPosition),
    });
  }

  /** Whether something can be sent to the peer now. */
  isUp(nodeId: NodeId): boolean {
    return this.#links.get(nodeId)?.isUp ?? false;
  }

  /** Whether the peer has a link to us. */
  isHeard(nodeId: NodeId): boolean {
    return (this.#inbound.get(nodeId) ?? 0) > 0;
  }

  /** Queues a Raft message until `flush()`; false if it was dropped. */
  sendRaft(to: NodeId, group: PartitionId, message: Message): boolean {
    return this.#links.get(to)?.sendRaft(group, message) ?? false;
  }

  /** Queues bytes that may get lost; false when the link can't take them. */
  sendDatagram(to: NodeId, body: Uint8Array): boolean {
    const link = this.#links.get(to);
    const position = link?.send(FrameType.Datagram, (writer) => writer.raw(body));
    if (position !== undefined) this.#environment.scheduleFlush();
    return position !== undefined;
  }

  /** End of a turn: sends what was queued. */
  flush(): void {
    for (const link of this.#links.values()) link.flush();
  }

  /** Sends a request and waits for its answer, at most `budgetMs`. */
  request(to: NodeId, body: Uint8Array, budgetMs: number): Promise<CallResult> {
    const link = this.#links.get(to);
    if (body.length + 64 > PEER_FRAME_SIZE_BYTES_MAX) {
      return Promise.resolve({ kind: "not-sent", reason: "the request does not fit a frame" });
    }
    const sequence = this.#calls.take();
    const position = link?.send(FrameType.Request, (writer) => {
      writer.f64(sequence).f64(Math.max(1, Math.floor(budgetMs))).raw(body);
    });
    if (position === undefined) {
      const reason = link === undefined ? "no such peer" : "the link to the peer is down or full";
      return Promise.resolve({ kind: "not-sent", reason });
    }
    this.#environment.scheduleFlush();
    const deadlineMs = this.#environment.clock.monotonicMs() + budgetMs;
    return new Promise((settle) => {
      this.#calls.add(sequence, { nodeId: to, position, deadlineMs, settle });
    });
  }

  /**
   * Calls whoever listens at `address`, cluster or not. Rejects with the reason when it can't be
   * reached, refuses, or does not answer within `timeoutMs`.
   */
  async callAddress(address: Address, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const { network, clock } = this.#environment;
    const connection = await network.dial(address, Math.min(timeoutMs, CONTROL_DIAL_TIMEOUT_MS));
    const deadline = clock.setTimer(timeoutMs, () => connection.close());
    try {
      const reader = new FrameReader(connection, PEER_FRAME_SIZE_BYTES_MAX);
      await dialHandshake(this.#environment, connection, reader, Purpose.Control, undefined);
      await sendFrame(connection, FrameType.Control, (writer) => writer.raw(body));
      return (await expectFrame(reader, FrameType.ControlResponse)).slice();
    } finally {
      deadline.cancel();
      connection.close();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#expire?.cancel();
    this.#listener?.close();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #scheduleExpire(): void {
    this.#expire = this.#environment.clock.setTimer(EXPIRE_INTERVAL_MS, () => {
      this.#calls.expire(this.#environment.clock.monotonicMs());
      this.#scheduleExpire();
    });
  }

  #onFrame(nodeId: NodeId, bootNonce: number, frame: Frame): void {
    if (this.#stopped) return;
    switch (frame.type) {
      case FrameType.Raft:
        return eachRaftMessage(frame.payload, (group, message, wallMs) => {
          this.#handlers.onRaft(nodeId, group, message, wallMs);
        });
      case FrameType.Request:
        return this.#onRequest(nodeId, bootNonce, frame.payload);
      case FrameType.Response: {
        const reader = new BytesReader(frame.payload);
        const sequence = reader.integer();
        return this.#calls.answered(sequence, nodeId, reader.raw(reader.remaining).slice());
      }
      case FrameType.Datagram:
        return this.#handlers.onDatagram(nodeId, frame.payload.slice());
      default:
        throw new CodecError(`frame ${frame.type} on an established link`);
    }
  }

  #onRequest(nodeId: NodeId, bootNonce: number, payload: Uint8Array): void {
    const reader = new BytesReader(payload);
    const sequence = reader.integer();
    const budgetMs = reader.integer();
    if (!this.#seen.admit(nodeId, bootNonce, sequence)) return;
    const body = reader.raw(reader.remaining).slice();
    this.#handlers.onRequest(nodeId, body, budgetMs).then((answer) => {
      const link = this.#links.get(nodeId);
      link?.send(FrameType.Response, (writer) => writer.f64(sequence).raw(answer));
      this.#environment.scheduleFlush();
    });
  }
}
