// Byte layout of a snapshot file: header, frames, footer. Encoding and decoding only. Integers are
// little-endian; every byte is under some checksum.
//
// Header:
//
// | offset | bytes | field                                                              |
// | ------ | ----- | ------------------------------------------------------------------ |
// | 0      | 8     | magic "PONTSNAP"                                                   |
// | 8      | 4, 4  | format version; crc32 of bytes 0..12 (same place in every version) |
// | 16     | 4     | group                                                              |
// | 20     | 4     | length n of the configuration, at most 1 MiB                       |
// | 24     | 8, 8  | index, term                                                        |
// | 40     | n     | configuration                                                      |
// | 40+n   | 4     | crc32 of everything before; the seed of all other checksums        |
//
// Frame, number k counting from 0; a chunk of the state longer than a frame spans several:
//
// | offset | bytes | field                                                              |
// | ------ | ----- | ------------------------------------------------------------------ |
// | 0      | 4     | length, at most 256 KiB; bit 31: the chunk goes on in the next one |
// | 4      | 4     | crc32 of u64 k, the u32 before, and the data, seeded               |
// | 8      |       | data                                                               |
//
// Footer:
//
// | offset | bytes | field                                                              |
// | ------ | ----- | ------------------------------------------------------------------ |
// | 0      | 4     | 0x7fffffff                                                         |
// | 4      | 4     | crc32 of bytes 8..32, seeded                                       |
// | 8      | 8, 8  | number of frames; bytes of data in them                            |
// | 24     | 4, 4  | crc32 over all frames' checksums in order; zero                    |

import { crc32 } from "node:zlib";
import { NO_BYTES } from "../base/bytes.ts";
import { SNAPSHOT_CHUNK_BYTES } from "../base/limits.ts";
import type { SnapshotMetadata } from "./types.ts";

export const SNAPSHOT_FORMAT_VERSION = 1;
export const HEADER_FIXED_BYTES = 40;
export const FRAME_HEADER_BYTES = 8;
export const FOOTER_BYTES = 32;
/** A frame with its header fits what one peer frame carries of a snapshot. */
export const FRAME_DATA_BYTES_MAX = SNAPSHOT_CHUNK_BYTES - FRAME_HEADER_BYTES;
export const CONF_STATE_BYTES_MAX = 1024 * 1024;
const MAGIC = [0x50, 0x4f, 0x4e, 0x54, 0x53, 0x4e, 0x41, 0x50];
const CONTINUES = 0x80000000;
const FOOTER_MARK = 0x7fffffff;
const TWO_32 = 2 ** 32;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, (value / TWO_32) >>> 0, true);
}

function getU64(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * TWO_32;
}

export interface Header {
  readonly metadata: SnapshotMetadata;
  readonly sizeBytes: number;
  readonly seed: number;
}

export type HeaderReading =
  | { readonly kind: "ok"; readonly header: Header }
  /** That many bytes from the start are needed to decide. */
  | { readonly kind: "short"; readonly neededBytes: number }
  | { readonly kind: "newer"; readonly version: number }
  | { readonly kind: "damaged" };

export function encodeHeader(metadata: SnapshotMetadata): Uint8Array<ArrayBuffer> {
  const { group, index, term, confState } = metadata;
  const bytes = new Uint8Array(HEADER_FIXED_BYTES + confState.length + 4);
  const view = viewOf(bytes);
  bytes.set(MAGIC);
  view.setUint32(8, SNAPSHOT_FORMAT_VERSION, true);
  view.setUint32(12, crc32(bytes.subarray(0, 12)), true);
  view.setUint32(16, group, true);
  view.setUint32(20, confState.length, true);
  setU64(view, 24, index);
  setU64(view, 32, term);
  bytes.set(confState, HEADER_FIXED_BYTES);
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, bytes.length - 4)), true);
  return bytes;
}

/** Reads the header that `bytes` begin with. */
export function decodeHeader(bytes: Uint8Array): HeaderReading {
  if (bytes.length < HEADER_FIXED_BYTES) return { kind: "short", neededBytes: HEADER_FIXED_BYTES };
  const view = viewOf(bytes);
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) return { kind: "damaged" };
  if (view.getUint32(12, true) !== crc32(bytes.subarray(0, 12))) return { kind: "damaged" };
  const version = view.getUint32(8, true);
  if (version > SNAPSHOT_FORMAT_VERSION) return { kind: "newer", version };
  const confStateBytes = view.getUint32(20, true);
  if (version !== SNAPSHOT_FORMAT_VERSION || confStateBytes > CONF_STATE_BYTES_MAX) {
    return { kind: "damaged" };
  }
  const end = HEADER_FIXED_BYTES + confStateBytes;
  if (bytes.length < end + 4) return { kind: "short", neededBytes: end + 4 };
  const seed = view.getUint32(end, true);
  if (seed !== crc32(bytes.subarray(0, end))) return { kind: "damaged" };
  const metadata = {
    group: view.getUint32(16, true),
    index: getU64(view, 24),
    term: getU64(view, 32),
    confState: bytes.slice(HEADER_FIXED_BYTES, end),
  };
  return { kind: "ok", header: { metadata, sizeBytes: end + 4, seed } };
}

/** What a writer or a verifier carries from frame to frame. */
export class FrameChain {
  readonly seed: number;
  frameCount = 0;
  dataBytes = 0;
  #digest = 0;
  /** u64 number and u32 length word of the frame at hand, then its checksum. */
  readonly #scratch = new Uint8Array(16);
  readonly #view = viewOf(this.#scratch);

  constructor(seed: number) {
    this.seed = seed;
  }

  /** Writes a frame's header and data at `offset` of `into`. */
  encodeFrame(into: DataView, offset: number, data: Uint8Array, continues: boolean): void {
    const word = (data.length | (continues ? CONTINUES : 0)) >>> 0;
    into.setUint32(offset, word, true);
    into.setUint32(offset + 4, this.#advance(word, data), true);
    new Uint8Array(into.buffer, into.byteOffset + offset + FRAME_HEADER_BYTES).set(data);
  }

  /** Takes the frame at hand into account if its checksum holds. */
  accept(frame: FrameAt, data: Uint8Array): boolean {
    const before = { count: this.frameCount, bytes: this.dataBytes, digest: this.#digest };
    if (this.#advance(frame.word, data) === frame.checksum) return true;
    this.frameCount = before.count;
    this.dataBytes = before.bytes;
    this.#digest = before.digest;
    return false;
  }

  #advance(word: number, data: Uint8Array): number {
    setU64(this.#view, 0, this.frameCount);
    this.#view.setUint32(8, word, true);
    const checksum = crc32(data, crc32(this.#scratch.subarray(0, 12), this.seed));
    this.#view.setUint32(12, checksum, true);
    this.#digest = crc32(this.#scratch.subarray(12, 16), this.#digest);
    this.frameCount++;
    this.dataBytes += data.length;
    return checksum;
  }

  encodeFooter(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(FOOTER_BYTES);
    const view = viewOf(bytes);
    view.setUint32(0, FOOTER_MARK, true);
    setU64(view, 8, this.frameCount);
    setU64(view, 16, this.dataBytes);
    view.setUint32(24, this.#digest, true);
    view.setUint32(4, crc32(bytes.subarray(8), this.seed), true);
    return bytes;
  }

  /** True when `footer` closes exactly the frames seen so far. */
  closedBy(footer: Uint8Array): boolean {
    return this.encodeFooter().every((byte, i) => footer[i] === byte);
  }
}

export interface FrameAt {
  readonly word: number;
  readonly checksum: number;
  readonly dataBytes: number;
  readonly continues: boolean;
}

/** The frame header at `offset`, "footer", or undefined for a length that no writer writes. */
export function frameAt(bytes: Uint8Array, offset: number): FrameAt | "footer" | undefined {
  const view = viewOf(bytes);
  const word = view.getUint32(offset, true);
  if (word === FOOTER_MARK) return "footer";
  const dataBytes = word & ~CONTINUES;
  if (dataBytes > FRAME_DATA_BYTES_MAX) return undefined;
  const checksum = view.getUint32(offset + 4, true);
  return { word, checksum, dataBytes, continues: (word & CONTINUES) !== 0 };
}

/** Whether 32 bytes are some footer of a file with this seed. */
export function isFooter(bytes: Uint8Array, seed: number): boolean {
  if (bytes.length !== FOOTER_BYTES) return false;
  const view = viewOf(bytes);
  return view.getUint32(0, true) === FOOTER_MARK &&
    view.getUint32(4, true) === crc32(bytes.subarray(8), seed);
}

/** Splits a chunk into what frames carry; an empty chunk is one empty frame. */
export function* frameParts(chunk: Uint8Array): Generator<{ data: Uint8Array; last: boolean }> {
  if (chunk.length === 0) yield { data: NO_BYTES, last: true };
  for (let at = 0; at < chunk.length; at += FRAME_DATA_BYTES_MAX) {
    const end = Math.min(chunk.length, at + FRAME_DATA_BYTES_MAX);
    yield { data: chunk.subarray(at, end), last: end === chunk.length };
  }
}
