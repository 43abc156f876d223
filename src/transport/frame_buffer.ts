// A growing buffer of frames on their way out. Encoders write straight into it; one frame at most is
// open at its end. Reused once it was written to the peer.

import { assert } from "../base/assert.ts";
import { FRAME_HEADER_BYTES, FrameType, writeFrameHeader } from "./frame.ts";

const INITIAL_BYTES = 16 * 1024;

/** Frames, back to back, from `start` to `length`. */
export class FrameBuffer {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  view: DataView = new DataView(this.bytes.buffer);
  /** End of what was written. */
  length = 0;
  #openAt = -1;
  #openType = 0;

  /** Type of the open frame, or 0. */
  get openType(): number {
    return this.#openAt < 0 ? 0 : this.#openType;
  }

  /** Payload bytes of the open frame so far. */
  get openBytes(): number {
    return this.#openAt < 0 ? 0 : this.length - this.#openAt - FRAME_HEADER_BYTES;
  }

  /** Makes room for `count` bytes at the end and returns their offset; `bytes`, `view` may change. */
  reserve(count: number): number {
    const offset = this.length;
    const needed = offset + count;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, offset));
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    this.length = needed;
    return offset;
  }

  /** Opens a frame, closing the one before. Returns its offset. */
  open(type: number): number {
    this.close();
    this.#openAt = this.reserve(FRAME_HEADER_BYTES);
    this.#openType = type;
    return this.#openAt;
  }

  /** Completes the open frame, if there is one. */
  close(): void {
    if (this.#openAt < 0) return;
    const lengthBytes = this.length - this.#openAt - FRAME_HEADER_BYTES;
    writeFrameHeader(this.bytes, this.view, this.#openAt, this.#openType, lengthBytes);
    this.#openAt = -1;
  }

  /** Appends a whole frame. Returns its offset. */
  append(type: number, payload: Uint8Array): number {
    const offset = this.open(type);
    this.raw(payload);
    this.close();
    return offset;
  }

  /** Turns the frame at `offset` into one that its reader skips. */
  withdraw(offset: number): void {
    assert(offset !== this.#openAt, "an open frame can't be withdrawn");
    const lengthBytes = this.view.getUint32(offset);
    writeFrameHeader(this.bytes, this.view, offset, FrameType.Void, lengthBytes);
  }

  u8(value: number): void {
    this.bytes[this.reserve(1)] = value;
  }

  u16(value: number): void {
    const offset = this.reserve(2);
    this.view.setUint16(offset, value);
  }

  u32(value: number): void {
    const offset = this.reserve(4);
    this.view.setUint32(offset, value);
  }

  f64(value: number): void {
    const offset = this.reserve(8);
    this.view.setFloat64(offset, value);
  }

  raw(value: Uint8Array): void {
    const offset = this.reserve(value.length);
    this.bytes.set(value, offset);
  }

  /** Forgets everything; keeps the memory. */
  clear(): void {
    this.length = 0;
    this.#openAt = -1;
  }
}
