// Blocks: what the copy of a partition travels in and what a backup file is made of. Owns their framing and
// checksums. Must never hand out a payload whose checksum does not hold.
//
//   Numbers are big-endian. A stream, or a file, is a sequence of blocks numbered from 0:
//   offset size
//        0    4  "PNTB"
//        4    1  type, see BlockType
//        5    1  flags, 0 in this version
//        6    4  partition, 0 if the block is about none
//       10    4  run: which attempt to copy the partition this belongs to
//       14    4  sequence number
//       18    4  payload length, at most 16 MiB
//       22    4  CRC-32 of bytes 0..22 and the payload
//       26       payload

import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { bytesEqual } from "../base/bytes.ts";
import { CodecError } from "../base/codec.ts";

export const BlockType = {
  /** JSON, see {@linkcode FileHeader}; the first block of a file, and only of a file. */
  Header: 1,
  /** JSON, see {@linkcode CopyBegin}. */
  Begin: 2,
  /** Records in key order. */
  Records: 3,
  /** JSON, see {@linkcode CopyEnd}. */
  End: 4,
  /** Changes of a partition behind the last ones, or behind its copy. */
  Changes: 5,
  /** JSON, see {@linkcode ChangesGone}: no later change of the partition will come. */
  ChangesGone: 6,
  /** JSON, see {@linkcode FileTrailer}; the last block of a whole file. */
  Trailer: 7,
} as const;

export type BlockType = typeof BlockType[keyof typeof BlockType];

export const BLOCK_HEADER_SIZE_BYTES = 26;
/** One value of the largest size, and what else a block may hold. */
export const BLOCK_PAYLOAD_SIZE_BYTES_MAX = 16 * 1024 * 1024;

const MAGIC = Uint8Array.of(0x50, 0x4e, 0x54, 0x42);
const CHECKSUM_OFFSET = 22;

export interface Block {
  readonly type: BlockType;
  readonly partition: number;
  readonly run: number;
  readonly sequence: number;
  readonly payload: Uint8Array<ArrayBuffer>;
}

function isBlockType(type: number): type is BlockType {
  return type >= BlockType.Header && type <= BlockType.Trailer;
}

function checksumOf(header: Uint8Array, payload: Uint8Array): number {
  return crc32(payload, crc32(header.subarray(0, CHECKSUM_OFFSET)));
}

/** The block's bytes, header and payload. */
export function encodeBlock(block: Block): Uint8Array<ArrayBuffer> {
  const { type, partition, run, sequence, payload } = block;
  assert(payload.length <= BLOCK_PAYLOAD_SIZE_BYTES_MAX, "a block's payload is bounded");
  const bytes = new Uint8Array(BLOCK_HEADER_SIZE_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  bytes[4] = type;
  view.setUint32(6, partition);
  view.setUint32(10, run);
  view.setUint32(14, sequence);
  view.setUint32(18, payload.length);
  bytes.set(payload, BLOCK_HEADER_SIZE_BYTES);
  view.setUint32(CHECKSUM_OFFSET, checksumOf(bytes, payload));
  return bytes;
}

/**
 * Cuts a stream of bytes into blocks. Each must carry the next number, so that a block that is lost, moved
 * or doubled is noticed as well as one that is damaged.
 */
export class BlockReader {
  #parts: Uint8Array<ArrayBuffer>[] = [];
  #buffered = 0;
  #sequence: number;
  #offset: number;

  /** @param sequence number of the first block @param offset where it begins, for messages */
  constructor(sequence = 0, offset = 0) {
    this.#sequence = sequence;
    this.#offset = offset;
  }

  /** Where the next block begins: everything before it was read and is whole. */
  get offset(): number {
    return this.#offset;
  }

  /** The number that the next block must carry. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Bytes behind `offset` that make no whole block yet. */
  get pendingBytes(): number {
    return this.#buffered;
  }

  /** Takes more bytes; they are the reader's. */
  push(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length === 0) return;
    this.#parts.push(bytes);
    this.#buffered += bytes.length;
  }

  /** The next whole block; undefined until more bytes come. Throws CodecError, and again ever after. */
  next(): Block | undefined {
    if (this.#buffered < BLOCK_HEADER_SIZE_BYTES) return undefined;
    const header = this.#joined(BLOCK_HEADER_SIZE_BYTES).subarray(0, BLOCK_HEADER_SIZE_BYTES);
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
    if (!bytesEqual(header.subarray(0, MAGIC.length), MAGIC)) {
      throw this.#damage("it does not begin as a block does");
    }
    const length = view.getUint32(18);
    if (length > BLOCK_PAYLOAD_SIZE_BYTES_MAX) throw this.#damage(`it claims ${length} bytes`);
    const sizeBytes = BLOCK_HEADER_SIZE_BYTES + length;
    if (this.#buffered < sizeBytes) return undefined;
    const bytes = this.#joined(sizeBytes);
    const payload = bytes.slice(BLOCK_HEADER_SIZE_BYTES, sizeBytes);
    if (checksumOf(header, payload) !== view.getUint32(CHECKSUM_OFFSET)) {
      throw this.#damage("its checksum does not hold");
    }
    const [type, flags] = [header[4], header[5]];
    const sequence = view.getUint32(14);
    if (sequence !== this.#sequence) throw this.#damage(`it says that it is number ${sequence}`);
    if (!isBlockType(type) || flags !== 0) {
      throw this.#damage(`a newer program wrote it: type ${type}, flags ${flags}`);
    }
    const [partition, run] = [view.getUint32(6), view.getUint32(10)];
    this.#parts[0] = bytes.subarray(sizeBytes);
    this.#buffered -= sizeBytes;
    this.#offset += sizeBytes;
    this.#sequence++;
    return { type, partition, run, sequence, payload };
  }

  /** The first part, with at least `count` bytes in it. */
  #joined(count: number): Uint8Array<ArrayBuffer> {
    const [first] = this.#parts;
    if (first.length >= count) return first;
    const joined = new Uint8Array(this.#buffered);
    let offset = 0;
    for (const part of this.#parts) {
      joined.set(part, offset);
      offset += part.length;
    }
    this.#parts = [joined];
    return joined;
  }

  #damage(what: string): CodecError {
    return new CodecError(`block ${this.#sequence} at byte ${this.#offset}: ${what}`);
  }
}
