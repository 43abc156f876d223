// A link that a peer dialled: reads its frames and hands them on. The only bytes this side ever writes
// to it are pongs. Anything malformed closes it with one log line and harms nobody else.

import { BytesReader, CodecError } from "../base/codec.ts";
import type { NodeId } from "../base/ids.ts";
import type { Connection, LogLevel } from "../platform/ports.ts";
import { textOf, type TransportEnvironment } from "./environment.ts";
import { type Frame, type FrameReader, FrameType } from "./frame.ts";
import { FrameWriter } from "./frame_writer.ts";
import type { Session } from "./handshake.ts";
import { KEEPALIVE_SILENCE_MS } from "./parameters.ts";
import { readTime } from "./payload.ts";
import { type RaftFrame, readRaftFrame } from "./raft_codec.ts";
import { type CallResult, readRequest, readResponse, type RequestFrame } from "./requests.ts";
import { TransitEstimate } from "./transit.ts";

/** Where the link's decoded frames go. A call that throws CodecError costs the link. */
export interface InboundSink {
  onRaftFrame(link: InboundLink, frame: RaftFrame): void;
  /** Runs `deliver`, which hands over all that one read brought. */
  onRead(deliver: () => void): void;
  /** `budgetMs` is what is left of the request's; its body is the callee's. */
  onRequestFrame(link: InboundLink, request: RequestFrame, budgetMs: number): void;
  onResponseFrame(link: InboundLink, sequence: number, result: CallResult): void;
  /** The body is the callee's. */
  onDatagramFrame(link: InboundLink, body: Uint8Array): void;
  onInboundClosed(link: InboundLink, reason: string): void;
}

export class InboundLink {
  readonly session: Session;
  readonly #connection: Connection;
  readonly #reader: FrameReader;
  readonly #environment: TransportEnvironment;
  readonly #sink: InboundSink;
  readonly #transit = new TransitEstimate();
  readonly #pong = new FrameWriter(64);
  #ponging = false;
  #heardMs: number;
  #wallOffsetMs: number;
  #closed = false;
  #readBytes = 0;

  constructor(
    session: Session,
    connection: Connection,
    reader: FrameReader,
    environment: TransportEnvironment,
    sink: InboundSink,
  ) {
    this.session = session;
    this.#connection = connection;
    this.#reader = reader;
    this.#environment = environment;
    this.#sink = sink;
    const { clock } = environment;
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
    const { clock } = this.#environment;
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
      this.#sink.onRead(this.#takeFrames);
    }
  }

  readonly #takeFrames = (): void => {
    while (!this.#closed) {
      try {
        const frame = this.#reader.next();
        if (frame === undefined) return;
        this.#take(frame);
      } catch (cause) {
        if (!(cause instanceof CodecError)) throw cause;
        return this.close(cause.message, "warn");
      }
    }
  };

  /** Decodes the whole of a frame before any of it is handed on. Throws CodecError. */
  #take({ type, payload, owned }: Frame): void {
    const sink = this.#sink;
    switch (type) {
      case FrameType.Raft:
        return sink.onRaftFrame(this, readRaftFrame(payload, owned));
      case FrameType.Request: {
        const request = readRequest(payload);
        const { sentMonotonicMs, budgetMs } = request;
        const leftMs = budgetMs - this.#transit.latenessMs(sentMonotonicMs, this.#heardMs);
        const body = owned ? request.body : request.body.slice();
        return sink.onRequestFrame(this, { ...request, body }, leftMs);
      }
      case FrameType.Response: {
        const { sequence, result } = readResponse(payload, owned);
        return sink.onResponseFrame(this, sequence, result);
      }
      case FrameType.Datagram:
        return sink.onDatagramFrame(this, owned ? payload : payload.slice());
      case FrameType.Ping: {
        const reader = new BytesReader(payload);
        const sentMs = readTime(reader);
        const wallMs = readTime(reader);
        reader.end();
        return this.#answerPing(sentMs, wallMs);
      }
      case FrameType.Void:
        return;
      default:
        throw new CodecError(`unknown frame type ${type}`);
    }
  }

  #answerPing(sentMs: number, wallMs: number): void {
    this.#transit.latenessMs(sentMs, this.#heardMs);
    this.#wallOffsetMs = wallMs - this.#environment.clock.wallMs();
    if (this.#ponging) return; // the peer reads no pongs; its next ping will do
    this.#pong.clear();
    this.#pong.open(FrameType.Pong);
    this.#pong.payload.f64(sentMs);
    this.#ponging = true;
    this.#connection.write(this.#pong.view()).then(
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
    this.#environment.log.log(level, "link from peer closed", {
      peer: this.nodeId,
      remote: this.#connection.remote,
      reason,
    });
    this.#sink.onInboundClosed(this, reason);
  }
}
