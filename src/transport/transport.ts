// All peer links of a node: one dialled to each peer to speak on, one accepted from each to listen on.
// Owns who may speak, at-most-once execution of forwarded requests, and keepalive; must never let what
// one peer sends harm the link of another.

import { assert } from "../base/assert.ts";
import type { NodeId, PartitionId } from "../base/ids.ts";
import { PEER_FRAME_SIZE_BYTES_MAX } from "../base/limits.ts";
import type { Address, Connection, Listener, TimerHandle } from "../platform/ports.ts";
import type { Message } from "../raft/mod.ts";
import { callAddress, serveCall } from "./control_call.ts";
import {
  type LinkDirection,
  textOf,
  type TransportEnvironment,
  type TransportHandlers,
} from "./environment.ts";
import { FrameReader } from "./frame.ts";
import { acceptHandshake, HandshakeError, LinkKind, type Session } from "./handshake.ts";
import { InboundLink, type InboundSink } from "./inbound_link.ts";
import { type OutboundEvents, OutboundLink } from "./outbound_link.ts";
import {
  DATAGRAM_QUEUE_BYTES_MAX,
  HANDSHAKE_FRAME_BYTES_MAX,
  INBOUND_HANDSHAKES_MAX,
  INBOUND_LINKS_MAX,
  KEEPALIVE_INTERVAL_MS,
  KEEPALIVE_STALL_MS,
  RECEIVE_BUFFER_BYTES,
  REQUEST_SWEEP_MS,
} from "./parameters.ts";
import { isName } from "./payload.ts";
import { RefusalLog } from "./refusal_log.ts";
import { RequestServer } from "./request_server.ts";
import type { CallResult } from "./requests.ts";

export interface Peer {
  readonly nodeId: NodeId;
  readonly address: Address;
}

/** One peer as operators see it. */
export interface PeerStatus extends Peer {
  readonly outboundUp: boolean;
  /** Of the protocol on the link that this node dialled; null while it is down. */
  readonly version: number | null;
  readonly inboundUp: boolean;
  readonly queuedBytes: number;
  readonly writtenBytes: number;
  readonly readBytes: number;
  /** Raft messages dropped because the queue was full. */
  readonly droppedMessages: number;
  readonly roundTripMs: number | null;
  /** The peer's wall clock minus this node's. */
  readonly wallOffsetMs: number | null;
  readonly outstandingRequests: number;
}

export class Transport {
  readonly #environment: TransportEnvironment;
  readonly #handlers: TransportHandlers;
  readonly #outbound = new Map<NodeId, OutboundLink>();
  readonly #inbound = new Map<NodeId, InboundLink>();
  readonly #bootNonces = new Map<NodeId, number>();
  readonly #requestServer: RequestServer;
  readonly #refusals: RefusalLog;
  readonly #shaking = new Set<Connection>();
  readonly #calls = new Set<Connection>();
  #dirty: OutboundLink[] = [];
  #keepAliveTimer: TimerHandle | null = null;
  #sweepTimer: TimerHandle | null = null;
  #listener: Listener | null = null;
  #nextSequence = 1;
  #stopped = false;

  constructor(environment: TransportEnvironment, handlers: TransportHandlers) {
    const { nodeId, bootNonce } = environment;
    assert(nodeId !== "" && isName(nodeId), `not a node id: ${nodeId}`);
    assert(Number.isSafeInteger(bootNonce) && bootNonce >= 0, `not a boot nonce: ${bootNonce}`);
    this.#environment = environment;
    this.#refusals = new RefusalLog(environment.clock, environment.log);
    this.#handlers = handlers;
    this.#requestServer = new RequestServer(environment, handlers, (to, ...response) => {
      return this.#outbound.get(to)?.respond(...response) ?? false;
    });
  }

  /** Listens; resolves with the bound address, rejects if it can't be had. */
  async start(address: Address): Promise<Address> {
    const listener = await this.#environment.network.listen(address, (connection) => {
      this.#accept(connection);
    });
    if (this.#stopped) listener.close();
    this.#listener = listener;
    this.#scheduleKeepAlive();
    return listener.address;
  }

  /** Closes everything. Requests under way end as RULES 13 says; no handler is called any more. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#listener?.close();
    this.#keepAliveTimer?.cancel();
    this.#sweepTimer?.cancel();
    for (const link of this.#outbound.values()) link.close();
    for (const link of this.#inbound.values()) link.close("this node stops");
    for (const connection of this.#shaking) connection.close();
    for (const connection of this.#calls) connection.close();
  }

  /** Says which peers to dial; others are no longer dialled. The node itself may be in the list. */
  setPeers(peers: readonly Peer[]): void {
    if (this.#stopped) return;
    const wanted = new Map(peers.map((peer) => [peer.nodeId, peer.address]));
    wanted.delete(this.#environment.nodeId);
    for (const [nodeId, link] of this.#outbound) {
      if (wanted.get(nodeId) === link.address) continue;
      const wasUp = link.isUp;
      this.#outbound.delete(nodeId);
      link.close();
      if (wasUp) this.#linkDown(nodeId, "outbound", "the peer was removed or has moved");
    }
    for (const [nodeId, address] of wanted) {
      if (this.#outbound.has(nodeId)) continue;
      const link = new OutboundLink(nodeId, address, this.#environment, this.#outboundEvents);
      this.#outbound.set(nodeId, link);
    }
  }

  // --------------------------------------------------------------------------------------- sending

  /** Queues a Raft message. False if it was certainly not sent: no link, or its queue is full. */
  sendRaft(to: NodeId, group: PartitionId, message: Message): boolean {
    return this.#outbound.get(to)?.sendRaft(group, message) ?? false;
  }

  /**
   * Runs `body` at the peer, at most once. Resolves within about `budgetMs`, never rejects. "not-sent"
   * is certain: no byte of it left this node, or the peer says that it did not begin.
   */
  request(to: NodeId, body: Uint8Array, budgetMs: number): Promise<CallResult> {
    const link = this.#outbound.get(to);
    if (link === undefined) return Promise.resolve({ kind: "not-sent", reason: "no such peer" });
    return new Promise((resolve) => {
      link.request(this.#nextSequence++, body, budgetMs, resolve);
      this.#scheduleSweep();
    });
  }

  /** Queues bytes that may get lost; false without a link, or if too much waits already. */
  sendDatagram(to: NodeId, body: Uint8Array): boolean {
    return this.#outbound.get(to)?.sendDatagram(body, DATAGRAM_QUEUE_BYTES_MAX) ?? false;
  }

  /**
   * Calls whoever listens at `address`, cluster or not. Rejects with the reason when it can't be
   * reached, refuses, or does not answer within `timeoutMs`; the call may have been handled then.
   */
  callAddress(address: Address, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return callAddress(this.#environment, address, body, timeoutMs);
  }

  /** End of a turn: hands what was queued to the network. */
  flush(): void {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const link of dirty) link.flush();
  }

  // ---------------------------------------------------------------------------------------- status

  /** Whether something can be sent to the peer now. */
  isUp(nodeId: NodeId): boolean {
    return this.#outbound.get(nodeId)?.isUp ?? false;
  }

  /** Whether the peer has a link to us. */
  isHeard(nodeId: NodeId): boolean {
    return this.#inbound.has(nodeId);
  }

  /** Every peer, for operators. */
  status(): PeerStatus[] {
    return Array.from(this.#outbound.values(), (link) => {
      const inbound = this.#inbound.get(link.nodeId);
      return {
        nodeId: link.nodeId,
        address: link.address,
        outboundUp: link.isUp,
        version: link.version,
        inboundUp: inbound !== undefined,
        queuedBytes: link.queuedBytes,
        writtenBytes: link.writtenBytes,
        readBytes: inbound?.readBytes ?? 0,
        droppedMessages: link.droppedCount,
        roundTripMs: link.roundTripMs,
        wallOffsetMs: inbound?.wallOffsetMs ?? null,
        outstandingRequests: link.requests.count,
      };
    });
  }

  // ------------------------------------------------------------------------------------- accepting

  async #accept(connection: Connection): Promise<void> {
    const crowded = this.#shaking.size >= INBOUND_HANDSHAKES_MAX ||
      this.#inbound.size + this.#calls.size >= INBOUND_LINKS_MAX;
    if (this.#stopped || crowded) return connection.close();
    this.#shaking.add(connection);
    const reader = new FrameReader(RECEIVE_BUFFER_BYTES, HANDSHAKE_FRAME_BYTES_MAX);
    let session: Session;
    try {
      session = await acceptHandshake(connection, reader, this.#environment);
    } catch (cause) {
      if (this.#stopped) return;
      const code = cause instanceof HandshakeError ? cause.code : "malformed";
      this.#refusals.refused(connection.remote, code, textOf(cause));
      return;
    } finally {
      this.#shaking.delete(connection);
    }
    if (this.#stopped) return connection.close();
    if (session.kind === LinkKind.Call) await this.#serveCall(connection, reader, session);
    else this.#admit(connection, reader, session);
  }

  async #serveCall(connection: Connection, reader: FrameReader, session: Session): Promise<void> {
    this.#calls.add(connection);
    await serveCall(
      this.#environment,
      connection,
      reader,
      session,
      (body, caller) => this.#handlers.onControl(body, caller),
    );
    this.#calls.delete(connection);
  }

  #admit(connection: Connection, reader: FrameReader, session: Session): void {
    const { nodeId } = session;
    reader.payloadBytesMax = PEER_FRAME_SIZE_BYTES_MAX;
    this.#inbound.get(nodeId)?.close("replaced by a newer link");
    const link = new InboundLink(session, connection, reader, this.#environment, this.#sink);
    this.#inbound.set(nodeId, link);
    this.#noteBootNonce(nodeId, session.bootNonce);
    const outbound = this.#outbound.get(nodeId);
    if (outbound?.bootNonce !== undefined && outbound.bootNonce !== session.bootNonce) {
      outbound.breakLink("the peer has restarted");
    }
    outbound?.nudge();
    this.#guard(() => this.#handlers.onLinkUp(nodeId, "inbound"));
    link.run().catch((cause) => this.#environment.process.fatal("peer link failed", cause));
  }

  #noteBootNonce(nodeId: NodeId, bootNonce: number): void {
    const known = this.#bootNonces.get(nodeId);
    this.#bootNonces.set(nodeId, bootNonce);
    if (known !== undefined && known !== bootNonce) {
      this.#guard(() => this.#handlers.onPeerRestarted?.(nodeId));
    }
  }

  // -------------------------------------------------------------------------------------- arriving

  readonly #sink: InboundSink = {
    onRaftFrame: ({ nodeId }, { messages, wallMs }) => {
      for (const { group, message } of messages) {
        this.#handlers.onRaft(nodeId, group, message, wallMs);
      }
    },
    onRead: (deliver) =>
      this.#handlers.onRead === undefined ? deliver() : this.#handlers.onRead(deliver),
    onRequestFrame: (link, request, budgetMs) => this.#requestServer.take(link, request, budgetMs),
    onResponseFrame: (link, sequence, result) => {
      this.#outbound.get(link.nodeId)?.requests.answered(sequence, result);
    },
    onDatagramFrame: (link, body) => this.#handlers.onDatagram(link.nodeId, body),
    onInboundClosed: (link, reason) => {
      if (this.#inbound.get(link.nodeId) !== link) return;
      this.#inbound.delete(link.nodeId);
      this.#linkDown(link.nodeId, "inbound", reason);
    },
  };

  readonly #outboundEvents: OutboundEvents = {
    onUp: (link) => {
      if (link.bootNonce !== undefined) this.#noteBootNonce(link.nodeId, link.bootNonce);
      this.#guard(() => this.#handlers.onLinkUp(link.nodeId, "outbound"));
    },
    onDown: (link, reason) => this.#linkDown(link.nodeId, "outbound", reason),
    onDirty: (link) => {
      this.#dirty.push(link);
      this.#environment.scheduleFlush();
    },
  };

  #linkDown(nodeId: NodeId, direction: LinkDirection, reason: string): void {
    if (this.#stopped) return;
    this.#guard(() => this.#handlers.onLinkDown(nodeId, direction, reason));
  }

  /** A handler that throws where no peer's bytes are to blame has broken an invariant. */
  #guard(call: () => void): void {
    if (this.#stopped) return;
    try {
      call();
    } catch (cause) {
      this.#environment.process.fatal("handler of a link event failed", cause);
    }
  }

  // ------------------------------------------------------------------------------------------ time

  #scheduleKeepAlive(): void {
    const { clock } = this.#environment;
    if (this.#stopped) return;
    const dueMs = clock.monotonicMs() + KEEPALIVE_INTERVAL_MS;
    this.#keepAliveTimer = clock.setTimer(KEEPALIVE_INTERVAL_MS, () => {
      const nowMs = clock.monotonicMs();
      const stalled = nowMs - dueMs > KEEPALIVE_STALL_MS;
      for (const link of [...this.#outbound.values()]) link.keepAlive(nowMs, stalled);
      for (const link of [...this.#inbound.values()]) link.keepAlive(nowMs, stalled);
      this.#scheduleKeepAlive();
    });
  }

  #scheduleSweep(): void {
    if (this.#sweepTimer !== null || this.#stopped) return;
    const { clock } = this.#environment;
    this.#sweepTimer = clock.setTimer(REQUEST_SWEEP_MS, () => {
      this.#sweepTimer = null;
      const nowMs = clock.monotonicMs();
      let outstanding = 0;
      for (const link of this.#outbound.values()) {
        link.requests.expire(nowMs);
        outstanding += link.requests.count;
      }
      if (outstanding > 0) this.#scheduleSweep();
    });
  }
}
