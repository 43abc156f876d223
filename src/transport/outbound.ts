// The connection this node dialled to one peer: dials, proves itself, keeps alive, dials again with
// jittered back-off. Everything sent to the peer goes through here, and nothing else does.

import { BytesWriter } from "../base/codec.ts";
import { PEER_QUEUE_BYTES_MAX } from "../base/limits.ts";
import type { NodeId, PartitionId } from "../base/ids.ts";
import type { Address, Connection, TimerHandle } from "../platform/ports.ts";
import type { Message } from "../raft/mod.ts";
import { BatchWriter, expectFrame, FrameReader, sendFrame } from "./connection_io.ts";
import { FrameType } from "./frame.ts";
import {
  HANDSHAKE_PAYLOAD_BYTES_MAX,
  proofOf,
  PROTOCOL_VERSION,
  Purpose,
  readRefusal,
  readWelcome,
  writeHello,
} from "./handshake.ts";
import { writeMessage } from "./raft_codec.ts";
import type { TransportEnvironment } from "./transport.ts";

const DIAL_TIMEOUT_MS = 1000;
const HANDSHAKE_TIMEOUT_MS = 1000;
const KEEPALIVE_INTERVAL_MS = 250;
/** Keepalives without an answer after which the link counts as dead. Counted, not timed: a node that
 * was itself asleep must not blame its peers. */
const KEEPALIVES_MISSED_MAX = 4;
const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 1000;
/** Raft frames are closed at this size, so that one checksum does not span megabytes. */
const RAFT_FRAME_BYTES = 1024 * 1024;

/** A connection that completed its handshake. */
interface Established {
  readonly connection: Connection;
  readonly writer: BatchWriter;
  missedKeepalives: number;
  keepalive: TimerHandle | undefined;
}

export interface OutboundEvents {
  onUp(nodeId: NodeId, bootNonce: number): void;
  /** Also called when dialling fails after the link was up or never came up. */
  onDown(nodeId: NodeId, reason: string): void;
  /** An established connection broke; frames from `sentPosition` on were never begun to be sent. */
  onLost(sentPosition: number): void;
}

/** The directed link to one peer. */
export class Outbound {
  readonly nodeId: NodeId;
  #address: Address;
  readonly #environment: TransportEnvironment;
  readonly #events: OutboundEvents;
  #established: Established | undefined;
  /** Messages of this turn, encoded, not yet framed. */
  readonly #raft = new BytesWriter(64 * 1024);
  #attempts = 0;
  #retry: TimerHandle | undefined;
  #closed = false;
  #lastReason = "";

  constructor(
    nodeId: NodeId,
    address: Address,
    environment: TransportEnvironment,
    events: OutboundEvents,
  ) {
    this.nodeId = nodeId;
    this.#address = address;
    this.#environment = environment;
    this.#events = events;
    this.#dial();
  }

  get isUp(): boolean {
    return this.#established !== undefined;
  }

  get address(): Address {
    return this.#address;
  }

  /** Dials the new address from the next attempt on. */
  moveTo(address: Address): void {
    if (address === this.#address) return;
    this.#address = address;
    this.#established?.connection.close();
  }

  /** Queues a Raft message; false if the link is down or its queue full: the message is dropped. */
  sendRaft(group: PartitionId, message: Message): boolean {
    const established = this.#established;
    if (established === undefined) return false;
    if (established.writer.waitingBytes + this.#raft.length > PEER_QUEUE_BYTES_MAX) return false;
    writeMessage(this.#raft, group, message);
    if (this.#raft.length >= RAFT_FRAME_BYTES) this.#frameRaft(established);
    return true;
  }

  /** Queues any other frame; returns its place in the stream, or undefined if it can't be taken. */
  send(type: FrameType, write: (writer: BytesWriter) => void): number | undefined {
    const established = this.#established;
    if (established === undefined) return undefined;
    if (established.writer.waitingBytes > PEER_QUEUE_BYTES_MAX) return undefined;
    return established.writer.add(type, write);
  }

  /** End of a turn: sends what was queued. */
  flush(): void {
    const established = this.#established;
    if (established === undefined) return;
    if (this.#raft.length > 0) this.#frameRaft(established);
    established.writer.flush();
  }

  #frameRaft(established: Established): void {
    established.writer.add(FrameType.Raft, (writer) => {
      writer.f64(this.#environment.clock.wallMs()).raw(this.#raft.view());
    });
    this.#raft.clear();
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#established?.keepalive?.cancel();
    this.#established?.connection.close();
    this.#established = undefined;
  }

  /** The peer was heard of (it dialled us): waiting any longer makes no sense. */
  retryNow(): void {
    if (this.#retry === undefined || this.#closed) return;
    this.#retry.cancel();
    this.#retry = undefined;
    this.#dial();
  }

  #dial(): void {
    this.#connect().catch((cause) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      if (this.#closed) return;
      if (reason !== this.#lastReason) {
        this.#lastReason = reason;
        this.#environment.log.log("warn", "peer link is down", { peer: this.nodeId, reason });
      }
      this.#events.onDown(this.nodeId, reason);
      this.#scheduleRetry();
    });
  }

  #scheduleRetry(): void {
    if (this.#closed) return;
    const ceilingMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** this.#attempts++);
    const delayMs = ceilingMs * (0.5 + this.#environment.random.float() / 2);
    this.#retry = this.#environment.clock.setTimer(delayMs, () => {
      this.#retry = undefined;
      this.#dial();
    });
  }

  async #connect(): Promise<void> {
    const address = this.#environment.dialOverride(this.nodeId, this.#address);
    const connection = await this.#environment.network.dial(address, DIAL_TIMEOUT_MS);
    const deadline = this.#environment.clock.setTimer(
      HANDSHAKE_TIMEOUT_MS,
      () => connection.close(),
    );
    let bootNonce: number;
    const reader = new FrameReader(connection, HANDSHAKE_PAYLOAD_BYTES_MAX);
    try {
      bootNonce = await dialHandshake(
        this.#environment,
        connection,
        reader,
        Purpose.Link,
        this.nodeId,
      );
    } catch (cause) {
      connection.close();
      throw cause;
    } finally {
      deadline.cancel();
    }
    if (this.#closed) return connection.close();
    this.#establish(connection, reader, bootNonce);
  }

  #establish(connection: Connection, reader: FrameReader, bootNonce: number): void {
    this.#attempts = 0;
    this.#lastReason = "";
    const lost = (cause: unknown) => {
      if (this.#established !== established) return;
      this.#established = undefined;
      this.#raft.clear();
      established.keepalive?.cancel();
      connection.close();
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#environment.log.log("info", "peer link lost", { peer: this.nodeId, reason });
      this.#events.onLost(established.writer.sentPosition);
      this.#events.onDown(this.nodeId, reason);
      this.#scheduleRetry();
    };
    const established: Established = {
      connection,
      writer: new BatchWriter(connection, lost),
      missedKeepalives: 0,
      keepalive: undefined,
    };
    this.#established = established;
    // The acceptor sends nothing but answers to our pings.
    reader.each((frame) => {
      if (frame.type !== FrameType.Pong) throw new Error(`unexpected frame ${frame.type}`);
      established.missedKeepalives = 0;
    }).catch(lost);
    this.#keepAlive(established, lost);
    this.#events.onUp(this.nodeId, bootNonce);
  }

  #keepAlive(established: Established, lost: (cause: unknown) => void): void {
    established.keepalive = this.#environment.clock.setTimer(KEEPALIVE_INTERVAL_MS, () => {
      if (this.#established !== established) return;
      if (established.missedKeepalives >= KEEPALIVES_MISSED_MAX) {
        return lost(new Error("no sign of life"));
      }
      established.missedKeepalives++;
      established.writer.add(FrameType.Ping, () => {});
      established.writer.flush();
      this.#keepAlive(established, lost);
    });
  }
}

/**
 * The dialler's side of the handshake. Resolves with the acceptor's boot nonce; rejects with the reason
 * when either side refuses. `expected` undefined takes whoever answers.
 */
export async function dialHandshake(
  environment: TransportEnvironment,
  connection: Connection,
  reader: FrameReader,
  purpose: Purpose,
  expected: NodeId | undefined,
): Promise<number> {
  const { digest, secret, nodeId } = environment;
  const clusterId = environment.clusterId();
  const dialler = { nodeId, nonce: environment.random.bytes(16), clusterId };
  await sendFrame(connection, FrameType.Hello, (writer) =>
    writeHello(writer, {
      version: PROTOCOL_VERSION,
      purpose,
      bootNonce: environment.bootNonce,
      ...dialler,
    }));
  const frame = await reader.next();
  if (frame.type === FrameType.Accept) {
    throw new Error(`the peer refused: ${readRefusal(frame.payload)}`);
  }
  if (frame.type !== FrameType.Welcome) throw new Error(`unexpected frame ${frame.type}`);
  const welcome = readWelcome(frame.payload);
  if (expected !== undefined && welcome.nodeId !== expected) {
    throw new Error(`another node answers there: ${welcome.nodeId}`);
  }
  if (!digest.equal(welcome.proof, proofOf(digest, secret, "acceptor", dialler, welcome))) {
    throw new Error("the peer holds another shared secret");
  }
  const proof = proofOf(digest, secret, "dialler ", dialler, welcome);
  await sendFrame(connection, FrameType.Proof, (writer) => writer.raw(proof));
  const refusal = readRefusal(await expectFrame(reader, FrameType.Accept));
  if (refusal !== "") throw new Error(`the peer refused: ${refusal}`);
  return welcome.bootNonce;
}
