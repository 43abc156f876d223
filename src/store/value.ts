// Values as they are kept: plain, or as one zstd frame that the node which proposed them made (RULES 24).
// Owns both forms and their layout. A replica never compresses: equal logs keep equal bytes.
//
//   layout: codec u8: 0 plain | 1 zstd | plain length u32 | plain CRC-32 u32; then for both
//           length u32 | bytes

import { crc32, zstdDecompressSync } from "node:zlib";
import { assert } from "../base/assert.ts";
import { bytesFromLatin1, latin1FromBytes } from "../base/bytes.ts";
import { type BytesReader, type BytesWriter, CodecError } from "../base/codec.ts";
import { VALUE_SIZE_BYTES_MAX_HARD } from "../base/limits.ts";

const PLAIN = 0;
const ZSTD = 1;

/** What stands beside compressed bytes. */
interface PlainFacts {
  readonly plainLength: number;
  /** CRC-32 of the plain bytes. */
  readonly plainChecksum: number;
}

/** A compressed value in the state. */
export interface CompressedValue extends PlainFacts {
  /** One zstd frame, one character per byte. */
  readonly zstd: string;
}

/** A value in the state: plain bytes as latin1 (one character per byte), or compressed. */
export type StoredValue = string | CompressedValue;

/** A compressed value in a command. */
export interface CompressedBytes extends PlainFacts {
  /** One zstd frame. */
  readonly zstd: Uint8Array;
}

/** A value in a command. */
export type CommandValue = Uint8Array | CompressedBytes;

/** Bytes that the value takes where it is kept. */
export function storedLength(value: StoredValue): number {
  return typeof value === "string" ? value.length : value.zstd.length;
}

/** Bytes of the value as its writer knows it. */
export function plainLength(value: StoredValue): number {
  return typeof value === "string" ? value.length : value.plainLength;
}

/** Plain bytes of a command's value, however it is given. */
export function commandValueLength(value: CommandValue): number {
  return value instanceof Uint8Array ? value.length : value.plainLength;
}

export function storedValueOf(value: CommandValue): StoredValue {
  if (value instanceof Uint8Array) return latin1FromBytes(value);
  const { zstd, plainLength, plainChecksum } = value;
  return { zstd: latin1FromBytes(zstd), plainLength, plainChecksum };
}

/** The frame's bytes. */
export function compressedBytes({ zstd }: CompressedValue): Uint8Array<ArrayBuffer> {
  return bytesFromLatin1(zstd);
}

/** The plain bytes, one character each. A frame that does not hold what it should is a broken invariant. */
export function plainValue(value: StoredValue): string {
  if (typeof value === "string") return value;
  const { zstd, plainLength, plainChecksum } = value;
  // The option must be positive; an empty value is never compressed.
  const plain = zstdDecompressSync(bytesFromLatin1(zstd), { maxOutputLength: plainLength });
  assert(
    plain.length === plainLength && crc32(plain) === plainChecksum,
    "a compressed value decompresses to what was compressed",
  );
  return latin1FromBytes(plain);
}

export function writeStoredValue(writer: BytesWriter, value: StoredValue): void {
  if (typeof value === "string") writer.u8(PLAIN).u32(value.length).latin1(value);
  else {
    writer.u8(ZSTD).u32(value.plainLength).u32(value.plainChecksum);
    writer.u32(value.zstd.length).latin1(value.zstd);
  }
}

/** What a state hash covers: of a compressed value the plain facts, whatever its frame looks like. */
export function writeHashedValue(writer: BytesWriter, value: StoredValue): void {
  if (typeof value === "string") return writeStoredValue(writer, value);
  writer.u8(ZSTD).u32(value.plainLength).u32(value.plainChecksum);
}

export function writeCommandValue(writer: BytesWriter, value: CommandValue): void {
  if (value instanceof Uint8Array) writer.u8(PLAIN).u32(value.length).raw(value);
  else {
    writer.u8(ZSTD).u32(value.plainLength).u32(value.plainChecksum);
    writer.u32(value.zstd.length).raw(value.zstd);
  }
}

/** What stands before the bytes: undefined if they are plain. Throws CodecError. */
function readFacts(reader: BytesReader): PlainFacts | undefined {
  const codec = reader.u8();
  if (codec === PLAIN) return undefined;
  if (codec !== ZSTD) throw new CodecError(`Cannot read value codec ${codec}: 0 and 1 are known`);
  const facts = { plainLength: reader.u32(), plainChecksum: reader.u32() };
  if (facts.plainLength === 0 || facts.plainLength > VALUE_SIZE_BYTES_MAX_HARD) {
    throw new CodecError(`Cannot read a compressed value of ${facts.plainLength} bytes`);
  }
  return facts;
}

/** Throws CodecError. */
export function readStoredValue(reader: BytesReader): StoredValue {
  const facts = readFacts(reader);
  const bytes = reader.latin1(reader.u32());
  return facts === undefined ? bytes : { zstd: bytes, ...facts };
}

/** The bytes are a view on what is read. Throws CodecError. */
export function readCommandValue(reader: BytesReader): CommandValue {
  const facts = readFacts(reader);
  const bytes = reader.raw(reader.u32());
  return facts === undefined ? bytes : { zstd: bytes, ...facts };
}
