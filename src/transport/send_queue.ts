// Frames waiting to be written to one peer, bounded in bytes. Everything queued while a write is in
// flight goes out as the next one. Must keep apart what has begun to be sent and what has not: only the
// latter may ever be called "not sent" (RULES 13).

import { assert } from "../base/assert.ts";
import { FRAME_HEADER_BYTES, FrameType } from "./frame.ts";
import { FrameWriter } from "./frame_writer.ts";
import { SEGMENT_BYTES, SPARE_SEGMENTS_MAX } from "./parameters.ts";

/** Payload of a ping: the sender's monotonic and wall clock, both f64 in milliseconds. */
const PING_BYTES = 16;
/** Every batch begins with room for a ping, which so never waits behind what is queued. */
const PING_FRAME_BYTES = FRAME_HEADER_BYTES + PING_BYTES;
const NO_PING = new Uint8Array(PING_FRAME_BYTES);

/** Frames that are handed to the network together. */
export class Batch {
  readonly frames: FrameWriter;
  /** Whether a byte of it may have left this node. */
  begun = false;

  constructor(frames: FrameWriter) {
    this.frames = frames;
  }

  /** Bytes queued in it. */
  get sizeBytes(): number {
    return this.frames.length - PING_FRAME_BYTES;
  }
}

export class SendQueue {
  readonly #limitBytes: number;
  /** Not begun, oldest first; the last one takes further frames. */
  #waiting: Batch[] = [];
  #inFlight: Batch | null = null;
  /** Bytes of all waiting batches but the last, and of the one in flight. */
  #closedBytes = 0;
  readonly #spare: FrameWriter[] = [];
  readonly #ping = new FrameWriter(PING_FRAME_BYTES);

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes that wait or are being written. */
  get queuedBytes(): number {
    return this.#closedBytes + (this.#waiting.at(-1)?.sizeBytes ?? 0);
  }

  get isWriting(): boolean {
    return this.#inFlight !== null;
  }

  /**
   * The batch to which a frame of about `sizeBytes` is to be added, or undefined if the bound does not
   * allow it. `limitBytes` may set a lower bound for traffic of less importance.
   */
  batchFor(sizeBytes: number, limitBytes: number = this.#limitBytes): Batch | undefined {
    if (this.queuedBytes + FRAME_HEADER_BYTES + sizeBytes > limitBytes) return undefined;
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.sizeBytes < SEGMENT_BYTES) return last;
    if (last !== undefined) this.#closedBytes += last.sizeBytes;
    const frames = this.#spare.pop() ?? new FrameWriter();
    frames.clear();
    frames.payload.raw(NO_PING);
    const batch = new Batch(frames);
    this.#waiting.push(batch);
    return batch;
  }

  /**
   * Begins the next batch: the bytes to write, or undefined if there is nothing to send. `ping`, if
   * given, goes first. The bytes stay untouched until `written()`.
   */
  begin(ping?: { readonly monotonicMs: number; readonly wallMs: number }): Uint8Array | undefined {
    assert(this.#inFlight === null, "one write at a time");
    if (this.#waiting.length === 0 && ping !== undefined) this.batchFor(0, Infinity);
    const batch = this.#waiting.shift();
    if (batch === undefined) return undefined;
    const bytes = batch.frames.view();
    if (this.#waiting.length === 0) this.#closedBytes += batch.sizeBytes;
    this.#inFlight = batch;
    batch.begun = true;
    if (ping === undefined) return bytes.subarray(PING_FRAME_BYTES);
    this.#ping.clear();
    this.#ping.open(FrameType.Ping);
    this.#ping.payload.f64(ping.monotonicMs).f64(ping.wallMs);
    bytes.set(this.#ping.view());
    return bytes;
  }

  /** The batch in flight was taken by the network. */
  written(): void {
    const batch = this.#inFlight;
    assert(batch !== null, "nothing was in flight");
    this.#inFlight = null;
    this.#closedBytes -= batch.sizeBytes;
    const isSmall = batch.frames.length <= 2 * SEGMENT_BYTES;
    if (isSmall && this.#spare.length < SPARE_SEGMENTS_MAX) this.#spare.push(batch.frames);
  }
}
