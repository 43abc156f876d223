// Frames on their way out, back to back in one reused buffer. Encoders write straight into it; one frame
// at most is open at its end.

import { assert } from "../base/assert.ts";
import { BytesWriter } from "../base/codec.ts";
import { FRAME_HEADER_BYTES, FrameType, writeFrameHeader } from "./frame.ts";

const INITIAL_BYTES = 16 * 1024;
const NO_HEADER = new Uint8Array(FRAME_HEADER_BYTES);

export class FrameWriter {
  /** Takes the payload of the open frame. */
  readonly payload: BytesWriter;
  #openAt = -1;
  #openType = 0;

  constructor(initialBytes = INITIAL_BYTES) {
    this.payload = new BytesWriter(initialBytes);
  }

  /** Bytes written, headers included. */
  get length(): number {
    return this.payload.length;
  }

  /** Type of the open frame, or 0. */
  get openType(): number {
    return this.#openAt < 0 ? 0 : this.#openType;
  }

  /** Payload bytes of the open frame so far. */
  get openBytes(): number {
    return this.#openAt < 0 ? 0 : this.length - this.#openAt - FRAME_HEADER_BYTES;
  }

  /** Opens a frame, completing the one before. Returns its offset. */
  open(type: number): number {
    this.complete();
    this.#openAt = this.length;
    this.#openType = type;
    this.payload.raw(NO_HEADER);
    return this.#openAt;
  }

  /** Completes the open frame, if there is one. */
  complete(): void {
    if (this.#openAt < 0) return;
    writeFrameHeader(this.payload.view(this.#openAt), this.#openType, this.openBytes);
    this.#openAt = -1;
  }

  /** Appends a whole frame. Returns its offset. */
  append(type: number, payload: Uint8Array): number {
    const offset = this.open(type);
    this.payload.raw(payload);
    this.complete();
    return offset;
  }

  /** Turns the complete frame at `offset`, of `lengthBytes`, into one that its reader skips. */
  withdraw(offset: number, lengthBytes: number): void {
    assert(offset !== this.#openAt, "an open frame can't be withdrawn");
    writeFrameHeader(this.payload.view(offset), FrameType.Void, lengthBytes);
  }

  /** A view on all frames; valid until the next write or `clear`. */
  view(): Uint8Array<ArrayBuffer> {
    this.complete();
    return this.payload.view();
  }

  /** Forgets everything; keeps the memory. */
  clear(): void {
    this.payload.clear();
    this.#openAt = -1;
  }
}

/** One frame by itself, for handshakes and control calls. */
export function singleFrame(type: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const writer = new FrameWriter(FRAME_HEADER_BYTES + payload.length);
  writer.append(type, payload);
  return writer.view();
}
