// A link that a peer dialled: reads its frames and hands them on. The only bytes this side ever writes
// to it are pongs. Anything malformed closes it with one log line and harms nobody else.

import type { NodeId } from "../base/ids.ts";
import type { Connection, LogLevel } from "../platform/ports.ts";
import { type LinkEnvironment, textOf } from "./environment.ts";
import { type Frame, type FrameReader, FrameType, ProtocolError } from "./frame.ts";
import { FrameBuffer } from "./frame_buffer.ts";
import type { Session } from "./handshake.ts";
import { KEEPALIVE_SILENCE_MS } from "./parameters.ts";
import { PayloadReader } from "./payload_reader.ts";
import { decodeRaftFrame, type RaftFrame } from "./raft_codec.ts";
import {
  decodeRequest,
  decodeResponse,
  type ForwardResult,
  type RequestFrame,
} from "./requests.ts";
import { TransitEstimate } from "./transit.ts";

/** Where the link's decoded frames go. */
export interface InboundSink {
  onRaftFrame(link: InboundLink, frame: RaftFrame): void;
  /** `budgetMs` is what is left of the request's; its body is the callee's. */
  onRequestFrame(link: InboundLink, request: RequestFrame, budgetMs: number): void;
  onResponseFrame(link: InboundLink, sequence: number, result: ForwardResult): void;
  onSnapshotFrame(link: InboundLink, body: Uint8Array): void;
  onGossipFrame(link: InboundLink, body: Uint8Array): void;
  onInboundClosed(link: InboundLink, reason: string): void;
}

export class InboundLink {
  readonly session: Session;
  readonly #connection: Connection;
  readonly #reader: FrameReader;
  readonly #environment: LinkEnvironment;
  readonly #sink: InboundSink;
  readonly #transit = new TransitEstimate();
  readonly #pong = new FrameBuffer();
  #ponging = false;
  #heardMs: number;
  #wallOffsetMs: number;
  #closed = false;
  #readBytes = 0;

  constructor(
    session: Session,
    connection: Connection,
    reader: FrameReader,
    environment: LinkEnvironment,
    sink: InboundSink,
  ) {
    this.session = session;
    this.#connection = connection;
    this.#reader = reader;
    this.#environment = environment;
    this.#sink = sink;
    const { clock } = environment.platform;
    this.#heardMs = clock.monotonicMs();
    this.#wallOffsetMs = session.wallMs - clock.wallMs();
  }

  get nodeId(): NodeId {
    return this.session.nodeId;
  }

  /** When the peer's last bytes came, by this node's monotonic clock. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** The peer's wall clock minus this node's, as of the last ping, its passage included. */
  get wallOffsetMs(): number {
    return this.#wallOffsetMs;
  }

  get readBytes(): number {
    return this.#readBytes;
  }

  /** Reads until the link ends. Rejects only with what the sink throws. */
  async run(): Promise<void> {
    const { clock } = this.#environment.platform;
    while (!this.#closed) {
      let count: number | null;
      try {
        count = await this.#connection.read(this.#reader.room());
      } catch (cause) {
        return this.close(textOf(cause));
      }
      if (this.#closed) return;
      if (count === null) return this.close("closed by the peer");
      this.#heardMs = clock.monotonicMs();
      this.#readBytes += count;
      this.#reader.filled(count);
      this.#takeFrames();
    }
  }

  #takeFrames(): void {
    while (!this.#closed) {
      let deliver: (() => void) | undefined;
      try {
        const frame = this.#reader.next();
        if (frame === undefined) return;
        deliver = this.#decode(frame);
      } catch (cause) {
        if (!(cause instanceof ProtocolError)) throw cause;
        return this.close(cause.message, "warn");
      }
      deliver();
    }
  }

  /** Checks and decodes the whole of a frame; the result hands it on. Throws ProtocolError. */
  #decode({ type, payload, owned }: Frame): () => void {
    const sink = this.#sink;
    switch (type) {
      case FrameType.Raft: {
        const frame = decodeRaftFrame(payload, owned);
        return () => sink.onRaftFrame(this, frame);
      }
      case FrameType.Request: {
        const request = decodeRequest(payload);
        const { sentMonotonicMs, budgetMs } = request;
        const leftMs = budgetMs - this.#transit.latenessMs(sentMonotonicMs, this.#heardMs);
        const body = owned ? request.body : request.body.slice();
        return () => sink.onRequestFrame(this, { ...request, body }, leftMs);
      }
      case FrameType.Response: {
        const { sequence, result } = decodeResponse(payload, owned);
        return () => sink.onResponseFrame(this, sequence, result);
      }
      case FrameType.Snapshot: {
        const body = owned ? payload : payload.slice();
        return () => sink.onSnapshotFrame(this, body);
      }
      case FrameType.Gossip: {
        const body = owned ? payload : payload.slice();
        return () => sink.onGossipFrame(this, body);
      }
      case FrameType.Ping: {
        const reader = new PayloadReader(payload);
        const sentMs = reader.finite();
        const wallMs = reader.finite();
        reader.end();
        return () => this.#answerPing(sentMs, wallMs);
      }
      case FrameType.Void:
        return () => {};
      default:
        throw new ProtocolError(`unknown frame type ${type}`);
    }
  }

  #answerPing(sentMs: number, wallMs: number): void {
    this.#transit.latenessMs(sentMs, this.#heardMs);
    this.#wallOffsetMs = wallMs - this.#environment.platform.clock.wallMs();
    if (this.#ponging) return; // the peer reads no pongs; its next ping will do
    this.#pong.clear();
    this.#pong.open(FrameType.Pong);
    this.#pong.f64(sentMs);
    this.#pong.close();
    this.#ponging = true;
    this.#connection.write(this.#pong.bytes.subarray(0, this.#pong.length)).then(
      () => this.#ponging = false,
      (cause) => this.close(`write failed: ${textOf(cause)}`),
    );
  }

  /** Called at each keepalive interval; `stalled` if this node itself did not run for a while. */
  keepAlive(nowMs: number, stalled: boolean): void {
    if (stalled) this.#heardMs = nowMs;
    const silenceMs = nowMs - this.#heardMs;
    if (silenceMs > KEEPALIVE_SILENCE_MS) {
      this.close(`no sign of life for ${Math.round(silenceMs)} ms`);
    }
  }

  close(reason: string, level: LogLevel = "info"): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
    this.#environment.platform.log.log(level, "link from peer closed", {
      peer: this.nodeId,
      remote: this.#connection.remote,
      reason,
    });
    this.#sink.onInboundClosed(this, reason);
  }
}
