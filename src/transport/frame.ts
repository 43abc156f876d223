// The frame: what a byte stream between two nodes is cut into. Owns header layout, checks and the
// reader; knows no payload. A frame that fails a check is an error of the whole link, never skipped.
//
//   offset size
//        0    4  payload length, big-endian
//        4    1  type
//        5    1  flags, 0 in this version
//        6    2  header check over the six bytes before it, see headerCheck()
//        8    4  CRC-32 of the payload
//       12       payload

import { crc32 } from "node:zlib";
import { NO_BYTES } from "../base/bytes.ts";
import { CodecError } from "../base/codec.ts";
import { LARGE_PAYLOAD_BYTES } from "./parameters.ts";

export const FRAME_HEADER_BYTES = 12;

/** What a payload is. The numbers are protocol; gaps leave room within each kind. */
export const FrameType = {
  Hello: 1,
  Welcome: 2,
  Proof: 3,
  Ready: 4,
  Refuse: 5,
  Ping: 16,
  Pong: 17,
  Raft: 32,
  Request: 33,
  Response: 34,
  /** Opaque bytes that may get lost: snapshot transfer, gossip. */
  Datagram: 35,
  Call: 48,
  CallReply: 49,
  /** A frame withdrawn before a byte of it was sent; its payload means nothing. */
  Void: 63,
} as const;

/**
 * Check of length, type and flags, so that a damaged length is noticed at once and not after waiting
 * for bytes that never come. Every change of a single bit changes it.
 */
export function headerCheck(lengthBytes: number, type: number, flags: number): number {
  return (Math.imul(lengthBytes ^ (type << 24) ^ (flags << 16) ^ 0x504e_544e, 0x9e37_79b1) >>> 16);
}

/** Writes the header of the frame at the start of `frame`, whose payload of `lengthBytes` is there. */
export function writeFrameHeader(frame: Uint8Array, type: number, lengthBytes: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, FRAME_HEADER_BYTES);
  const payload = frame.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + lengthBytes);
  view.setUint32(0, lengthBytes);
  view.setUint16(4, type << 8);
  view.setUint16(6, headerCheck(lengthBytes, type, 0));
  view.setUint32(8, crc32(payload));
}

export interface Frame {
  readonly type: number;
  /** Valid until the reader is next asked for room, unless `owned`. */
  readonly payload: Uint8Array;
  /** True if the payload has a buffer of its own, which nobody will overwrite. */
  readonly owned: boolean;
}

interface LargeFrame {
  readonly type: number;
  readonly checksum: number;
  readonly payload: Uint8Array;
  filledBytes: number;
}

/**
 * Cuts a byte stream into frames.
 *
 * *Contract:* read into `room()`, tell `filled()`, then take frames with `next()` until it returns
 * undefined; in this order, over and over. After a CodecError the stream is beyond repair.
 */
export class FrameReader {
  readonly #buffer: Uint8Array;
  readonly #view: DataView;
  #start = 0;
  #end = 0;
  #large: LargeFrame | null = null;
  /** Longer payloads are an error. Raised once the peer has proved who it is. */
  payloadBytesMax: number;

  constructor(bufferBytes: number, payloadBytesMax: number) {
    this.#buffer = new Uint8Array(bufferBytes);
    this.#view = new DataView(this.#buffer.buffer);
    this.payloadBytesMax = payloadBytesMax;
  }

  /** Where the next bytes of the stream go; never empty. */
  room(): Uint8Array {
    if (this.#large !== null) return this.#large.payload.subarray(this.#large.filledBytes);
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    return this.#buffer.subarray(this.#end);
  }

  /** The stream's next `count` bytes stand at the start of the last `room()`. */
  filled(count: number): void {
    if (this.#large !== null) this.#large.filledBytes += count;
    else this.#end += count;
  }

  /** The next whole frame; undefined when more bytes are needed. Throws CodecError. */
  next(): Frame | undefined {
    if (this.#large === null) {
      const frame = this.#nextSmall();
      if (frame !== undefined || this.#large === null) return frame;
    }
    return this.#takeLarge(this.#large);
  }

  #nextSmall(): Frame | undefined {
    const start = this.#start;
    const available = this.#end - start;
    if (available < FRAME_HEADER_BYTES) return undefined;
    const lengthBytes = this.#view.getUint32(start);
    const type = this.#buffer[start + 4];
    const flags = this.#buffer[start + 5];
    if (this.#view.getUint16(start + 6) !== headerCheck(lengthBytes, type, flags)) {
      throw new CodecError("damaged frame header: its check does not match");
    }
    if (flags !== 0) throw new CodecError(`unknown frame flags ${flags}`);
    if (lengthBytes > this.payloadBytesMax) {
      throw new CodecError(
        `oversized frame: ${lengthBytes} bytes of type ${type}, at most ${this.payloadBytesMax}`,
      );
    }
    const checksum = this.#view.getUint32(start + 8);
    const payloadStart = start + FRAME_HEADER_BYTES;
    if (lengthBytes > Math.min(LARGE_PAYLOAD_BYTES, this.#buffer.length - FRAME_HEADER_BYTES)) {
      const payload = new Uint8Array(lengthBytes);
      const filledBytes = Math.min(lengthBytes, this.#end - payloadStart);
      payload.set(this.#buffer.subarray(payloadStart, payloadStart + filledBytes));
      this.#start = payloadStart + filledBytes;
      this.#large = { type, checksum, payload, filledBytes };
      return undefined;
    }
    if (available < FRAME_HEADER_BYTES + lengthBytes) return undefined;
    const payloadEnd = payloadStart + lengthBytes;
    this.#start = payloadEnd;
    const payload = lengthBytes === 0 ? NO_BYTES : this.#buffer.subarray(payloadStart, payloadEnd);
    verify(payload, checksum, type);
    return { type, payload, owned: false };
  }

  #takeLarge(large: LargeFrame): Frame | undefined {
    if (large.filledBytes < large.payload.length) return undefined;
    this.#large = null;
    verify(large.payload, large.checksum, large.type);
    return { type: large.type, payload: large.payload, owned: true };
  }
}

function verify(payload: Uint8Array, checksum: number, type: number): void {
  if (crc32(payload) !== checksum) {
    throw new CodecError(
      `damaged frame: checksum of ${payload.length} bytes of type ${type} does not match`,
    );
  }
}
