// Frames on a peer connection: the unit that is checked and that a proxy may delay, drop or double.
//
//   offset size  field (big-endian)
//   0      4     payload length, at most PEER_FRAME_SIZE_BYTES_MAX
//   4      4     CRC-32 of type and payload
//   8      1     type
//   9      …     payload
//
// A frame that is too long, of unknown type or with a wrong checksum ends the connection.

import { crc32 } from "node:zlib";
import type { BytesWriter } from "../base/codec.ts";
import { CodecError } from "../base/codec.ts";

/** What a frame carries. Numbers are part of the protocol. */
export const enum FrameType {
  Hello = 1,
  Welcome = 2,
  Proof = 3,
  Accept = 4,
  Ping = 5,
  Pong = 6,
  Raft = 7,
  Request = 8,
  Response = 9,
  Control = 10,
  ControlResponse = 11,
  Datagram = 12,
}

const FRAME_TYPE_MAX = FrameType.Datagram;
export const FRAME_HEADER_BYTES = 9;

/** Starts a frame; returns the mark to end it with. */
export function beginFrame(writer: BytesWriter, type: FrameType): number {
  const mark = writer.length;
  writer.u32(0).u32(0).u8(type);
  return mark;
}

/** Ends the frame begun at `mark`: fills in length and checksum. */
export function endFrame(writer: BytesWriter, mark: number): void {
  writer.setU32(mark, writer.length - mark - FRAME_HEADER_BYTES);
  writer.setU32(mark + 4, crc32(writer.view(mark + 8)));
}

/** A whole frame; `payload` is a view, valid until the next {@linkcode FrameBuffer.space}. */
export interface Frame {
  readonly type: FrameType;
  readonly payload: Uint8Array;
}

const INITIAL_BYTES = 64 * 1024;

/** Collects received bytes and cuts them into frames. */
export class FrameBuffer {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #start = 0;
  #end = 0;
  readonly #payloadBytesMax: number;

  constructor(payloadBytesMax: number) {
    this.#payloadBytesMax = payloadBytesMax;
  }

  /** Where to read the next bytes into. Views given out before become invalid. */
  space(): Uint8Array<ArrayBuffer> {
    if (this.#start > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const needed = this.#end >= 4
      ? Math.min(this.#view.getUint32(0), this.#payloadBytesMax) + FRAME_HEADER_BYTES
      : 0;
    const size = Math.max(needed, INITIAL_BYTES);
    if (size > this.#bytes.length || (size < this.#bytes.length && this.#end <= size)) {
      // Grows for a long frame and shrinks back behind it.
      const resized = new Uint8Array(size);
      resized.set(this.#bytes.subarray(0, this.#end));
      this.#bytes = resized;
      this.#view = new DataView(resized.buffer);
    }
    return this.#bytes.subarray(this.#end);
  }

  /** `count` bytes were read into the last {@linkcode space}. */
  filled(count: number): void {
    this.#end += count;
  }

  /** The next whole frame, or undefined. Throws CodecError on bytes that are no frame. */
  next(): Frame | undefined {
    const available = this.#end - this.#start;
    if (available < 4) return undefined;
    const length = this.#view.getUint32(this.#start);
    if (length > this.#payloadBytesMax) {
      throw new CodecError(`frame of ${length} bytes: at most ${this.#payloadBytesMax} allowed`);
    }
    if (available < FRAME_HEADER_BYTES + length) return undefined;
    const end = this.#start + FRAME_HEADER_BYTES + length;
    const checksum = this.#view.getUint32(this.#start + 4);
    if (crc32(this.#bytes.subarray(this.#start + 8, end)) !== checksum) {
      throw new CodecError("frame with a wrong checksum");
    }
    const type = this.#bytes[this.#start + 8];
    if (type < 1 || type > FRAME_TYPE_MAX) throw new CodecError(`frame of unknown type ${type}`);
    const payload = this.#bytes.subarray(this.#start + FRAME_HEADER_BYTES, end);
    this.#start = end;
    return { type, payload };
  }
}
