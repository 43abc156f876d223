// The link to one peer: dialled, shaken hands on, kept alive, and dialled again when it breaks. All that
// this node has to say to the peer goes here and nowhere else; what comes back are pongs. Nothing is
// queued for a peer that can't be reached.

import { BytesReader, CodecError } from "../base/codec.ts";
import type { NodeId, PartitionId } from "../base/ids.ts";
import { PEER_FRAME_SIZE_BYTES_MAX, PEER_QUEUE_BYTES_MAX } from "../base/limits.ts";
import type { Address, Connection, LogLevel, TimerHandle } from "../platform/ports.ts";
import type { Message } from "../raft/mod.ts";
import { textOf, type TransportEnvironment } from "./environment.ts";
import { FrameReader, FrameType } from "./frame.ts";
import {
  dialHandshake,
  HandshakeError,
  LinkKind,
  olderVersion,
  type Session,
  versionsOf,
} from "./handshake.ts";
import {
  BACKOFF_MS_MAX,
  BACKOFF_MS_MIN,
  DIAL_TIMEOUT_MS,
  HANDSHAKE_FRAME_BYTES_MAX,
  KEEPALIVE_SILENCE_MS,
  LINK_SETTLED_MS,
  RAFT_FRAME_BYTES,
  REFUSED_BACKOFF_MS,
} from "./parameters.ts";
import { readTime } from "./payload.ts";
import { messageBytes, writeMessage } from "./raft_codec.ts";
import {
  type CallResult,
  OutstandingRequests,
  REQUEST_FIXED_BYTES,
  RESPONSE_FIXED_BYTES,
  writeRequest,
  writeResponse,
} from "./requests.ts";
import { SendQueue } from "./send_queue.ts";

/** Only handshake frames and pongs come back on a link. */
const PONG_BUFFER_BYTES = 4096;
/** Room in a frame beside what a caller gives. */
const FRAME_SLACK_BYTES = 64;

export interface OutboundEvents {
  onUp(link: OutboundLink): void;
  onDown(link: OutboundLink, reason: string): void;
  /** Something was queued; `flush()` is wanted at the end of the turn. */
  onDirty(link: OutboundLink): void;
}

/** A link that stands: its connection, who is there, and what waits to be written. */
interface Standing {
  readonly connection: Connection;
  readonly session: Session;
  readonly queue: SendQueue;
  readonly sinceMs: number;
  heardMs: number;
}

export class OutboundLink {
  readonly nodeId: NodeId;
  readonly address: Address;
  readonly requests = new OutstandingRequests();
  readonly #environment: TransportEnvironment;
  readonly #events: OutboundEvents;
  #standing: Standing | null = null;
  /** The connection of an attempt under way, to be closed with the link. */
  #attempting: Connection | null = null;
  #retry: TimerHandle | null = null;
  #backoffMs = BACKOFF_MS_MIN;
  #lastFailure = "";
  /** What the next attempt proposes. */
  #version: number;
  #closed = false;
  #dirty = false;
  #pingDue = false;
  #roundTripMs: number | null = null;
  #droppedCount = 0;
  #writtenBytes = 0;

  constructor(
    nodeId: NodeId,
    address: Address,
    environment: TransportEnvironment,
    events: OutboundEvents,
  ) {
    this.nodeId = nodeId;
    this.address = address;
    this.#environment = environment;
    this.#events = events;
    this.#version = versionsOf(environment).newest;
    this.#dial();
  }

  get isUp(): boolean {
    return this.#standing !== null;
  }

  /** Boot nonce of the process at the other end; undefined while the link is down. */
  get bootNonce(): number | undefined {
    return this.#standing?.session.bootNonce;
  }

  /** Of the protocol that this link speaks; null while it is down. */
  get version(): number | null {
    return this.#standing?.session.version ?? null;
  }

  /** Bytes that wait to be written. */
  get queuedBytes(): number {
    return this.#standing?.queue.queuedBytes ?? 0;
  }

  /** Of the last answered ping; null before the first. */
  get roundTripMs(): number | null {
    return this.#roundTripMs;
  }

  /** Raft messages dropped at the queue's bound since the start. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  // --------------------------------------------------------------------------------------- sending

  /** Queues a message; false if it was dropped. */
  sendRaft(group: PartitionId, message: Message): boolean {
    const standing = this.#standing;
    if (standing === null) return false;
    const sizeBytes = messageBytes(message);
    if (sizeBytes > PEER_FRAME_SIZE_BYTES_MAX - FRAME_SLACK_BYTES) {
      this.#log("error", "message too large for a peer link dropped", { group, sizeBytes });
      return false;
    }
    const batch = standing.queue.batchFor(sizeBytes);
    if (batch === undefined) {
      this.#droppedCount += 1;
      return false;
    }
    const { frames } = batch;
    if (frames.openType !== FrameType.Raft || frames.openBytes + sizeBytes > RAFT_FRAME_BYTES) {
      frames.open(FrameType.Raft);
      frames.payload.f64(this.#environment.clock.wallMs());
    }
    writeMessage(frames.payload, group, message);
    this.#markDirty();
    return true;
  }

  /** Queues a datagram unless more than `queueBytesMax` would wait then. */
  sendDatagram(body: Uint8Array, queueBytesMax: number): boolean {
    if (body.length > PEER_FRAME_SIZE_BYTES_MAX) return false;
    const batch = this.#standing?.queue.batchFor(body.length, queueBytesMax);
    if (batch === undefined) return false;
    batch.frames.append(FrameType.Datagram, body);
    this.#markDirty();
    return true;
  }

  /** Queues a request; `settle` runs exactly once, perhaps before this returns. */
  request(
    sequence: number,
    body: Uint8Array,
    budgetMs: number,
    settle: (result: CallResult) => void,
  ): void {
    const refuse = (reason: string) => settle({ kind: "not-sent", reason });
    const standing = this.#standing;
    if (standing === null) return refuse("no link to the peer");
    if (!(budgetMs > 0)) return refuse("no time left");
    const payloadBytes = REQUEST_FIXED_BYTES + body.length;
    if (payloadBytes > PEER_FRAME_SIZE_BYTES_MAX) return refuse("too large for a peer link");
    const batch = standing.queue.batchFor(payloadBytes);
    if (batch === undefined) return refuse("too much waits for the peer already");
    const nowMs = this.#environment.clock.monotonicMs();
    const frame = { sequence, budgetMs, sentMonotonicMs: nowMs, body };
    const frameOffset = writeRequest(batch.frames, frame);
    const deadlineMs = nowMs + budgetMs;
    this.requests.add(sequence, { batch, frameOffset, payloadBytes, deadlineMs, settle });
    this.#markDirty();
  }

  /** Answers a request of the incarnation `bootNonce`; false if the answer can't be sent. */
  respond(bootNonce: number, sequence: number, status: number, body: Uint8Array): boolean {
    const standing = this.#standing;
    // Another incarnation numbers its requests anew: the answer would meet the wrong one.
    if (standing === null || standing.session.bootNonce !== bootNonce) return false;
    const sizeBytes = RESPONSE_FIXED_BYTES + body.length;
    if (sizeBytes > PEER_FRAME_SIZE_BYTES_MAX) return false;
    const batch = standing.queue.batchFor(sizeBytes);
    if (batch === undefined) return false;
    writeResponse(batch.frames, sequence, status, body);
    this.#markDirty();
    return true;
  }

  #markDirty(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#events.onDirty(this);
  }

  /** Begins to write what is queued, unless a write is under way: then it goes with the next one. */
  flush(): void {
    this.#dirty = false;
    const standing = this.#standing;
    if (standing === null || standing.queue.isWriting) return;
    const { clock } = this.#environment;
    const ping = this.#pingDue
      ? { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() }
      : undefined;
    const bytes = standing.queue.begin(ping);
    if (bytes === undefined) return;
    this.#pingDue = false;
    standing.connection.write(bytes).then(
      () => {
        this.#writtenBytes += bytes.length;
        standing.queue.written();
        if (this.#standing === standing) this.flush();
      },
      (cause) => this.#break(standing, `write failed: ${textOf(cause)}`),
    );
  }

  // ------------------------------------------------------------------------------------- keepalive

  /** Called at each keepalive interval; `stalled` if this node itself did not run for a while. */
  keepAlive(nowMs: number, stalled: boolean): void {
    const standing = this.#standing;
    if (standing === null) return;
    if (stalled) standing.heardMs = nowMs;
    const silenceMs = nowMs - standing.heardMs;
    if (silenceMs > KEEPALIVE_SILENCE_MS) {
      this.#break(standing, `no sign of life for ${Math.round(silenceMs)} ms`);
      return;
    }
    this.#pingDue = true;
    this.flush();
  }

  async #readPongs(standing: Standing, reader: FrameReader): Promise<void> {
    const { clock } = this.#environment;
    try {
      while (this.#standing === standing) {
        const count = await standing.connection.read(reader.room());
        if (count === null) throw new CodecError("closed by the peer");
        reader.filled(count);
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
          if (frame.type !== FrameType.Pong) {
            throw new CodecError(`unexpected frame of type ${frame.type} on an outbound link`);
          }
          standing.heardMs = clock.monotonicMs();
          const sentMs = readTime(new BytesReader(frame.payload));
          this.#roundTripMs = Math.max(0, standing.heardMs - sentMs);
        }
      }
    } catch (cause) {
      this.#break(standing, textOf(cause));
    }
  }

  // ------------------------------------------------------------------------------------ connecting

  /** The peer was heard of: if this link waits to dial again, it does so now. */
  nudge(): void {
    if (this.#retry === null) return;
    this.#retry.cancel();
    this.#dial();
  }

  #dial(): void {
    this.#retry = null;
    this.#connect().catch((cause) => this.#environment.process.fatal("peer link failed", cause));
  }

  async #connect(): Promise<void> {
    const environment = this.#environment;
    const reader = new FrameReader(PONG_BUFFER_BYTES, HANDSHAKE_FRAME_BYTES_MAX);
    let connection: Connection;
    let session: Session;
    try {
      if (environment.clusterId() === "") {
        throw new HandshakeError("not-ready", "this node is in no cluster yet");
      }
      const target = environment.dialOverride(this.nodeId, this.address);
      connection = await environment.network.dial(target, DIAL_TIMEOUT_MS);
      if (this.#closed) return connection.close();
      this.#attempting = connection;
      const dialling = { kind: LinkKind.Link, wantedNodeId: this.nodeId, version: this.#version };
      session = await dialHandshake(connection, reader, environment, dialling);
    } catch (cause) {
      this.#attempting = null;
      if (!this.#closed) this.#failed(cause);
      return;
    }
    this.#attempting = null;
    if (this.#closed) return connection.close();
    const nowMs = environment.clock.monotonicMs();
    const standing: Standing = {
      connection,
      session,
      queue: new SendQueue(PEER_QUEUE_BYTES_MAX),
      sinceMs: nowMs,
      heardMs: nowMs,
    };
    this.#standing = standing;
    this.#lastFailure = "";
    this.#log("info", "peer link up", { address: this.address, version: session.version });
    this.#readPongs(standing, reader);
    this.#pingDue = true;
    this.flush();
    this.#events.onUp(this);
  }

  #failed(cause: unknown): void {
    const older = olderVersion(this.#environment, this.#version, cause);
    this.#version = older ?? versionsOf(this.#environment).newest;
    if (older !== undefined) return this.#dial();
    const reason = textOf(cause);
    const refused = cause instanceof HandshakeError;
    const level = this.#lastFailure === reason ? "debug" : refused ? "warn" : "info";
    this.#lastFailure = reason;
    this.#log(level, "cannot link to peer", { address: this.address, reason });
    this.#scheduleRetry(refused ? REFUSED_BACKOFF_MS : 0);
  }

  #scheduleRetry(leastMs: number): void {
    const { random, clock } = this.#environment;
    const pauseMs = Math.max(leastMs, this.#backoffMs);
    this.#backoffMs = Math.min(BACKOFF_MS_MAX, this.#backoffMs * 2);
    const jitteredMs = pauseMs * (0.5 + 0.5 * random.float());
    this.#retry = clock.setTimer(jitteredMs, () => this.#dial());
  }

  /** Ends a standing link from the outside, for instance because the peer has restarted. */
  breakLink(reason: string): void {
    if (this.#standing !== null) this.#break(this.#standing, reason);
  }

  #break(standing: Standing, reason: string): void {
    if (this.#standing !== standing) return;
    this.#standing = null;
    // It may come back as a newer program.
    this.#version = versionsOf(this.#environment).newest;
    standing.connection.close();
    this.#log("warn", "peer link lost", { address: this.address, reason });
    const { clock } = this.#environment;
    if (clock.monotonicMs() - standing.sinceMs >= LINK_SETTLED_MS) this.#backoffMs = BACKOFF_MS_MIN;
    this.#scheduleRetry(0);
    this.requests.linkLost(`the link to the peer was lost: ${reason}`);
    this.#events.onDown(this, reason);
  }

  /** Ends the link for good; nothing is reported. */
  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#retry = null;
    this.#attempting?.close();
    const standing = this.#standing;
    this.#standing = null;
    standing?.connection.close();
    this.requests.linkLost("the link to the peer was closed");
  }

  #log(level: LogLevel, message: string, fields: Record<string, unknown>): void {
    this.#environment.log.log(level, message, { peer: this.nodeId, ...fields });
  }
}
