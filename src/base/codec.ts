// A growing binary writer and a bounds-checked reader, big-endian, for formats whose layout the caller
// owns. Numbers up to 2^53 travel as f64, which holds them exactly and sorts out no sign trouble.

import { latin1FromRange, writeLatin1 } from "./bytes.ts";

/** Scratch for f64: a DataView of each buffer read would cost more than eight byte copies. */
const scratch = new Uint8Array(8);
const scratchView = new DataView(scratch.buffer);

function checkInteger(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new CodecError(`Cannot encode ${value}: it is not a whole number in 0..2^53-1`);
  }
}

/** Overwrites what {@linkcode BytesWriter.integer} wrote at `offset`. */
export function setInteger(bytes: Uint8Array, offset: number, value: number): void {
  checkInteger(value);
  scratchView.setFloat64(0, value);
  for (let i = 0; i < 8; i++) bytes[offset + i] = scratch[i];
}

/** Bytes that no writer of this format produced, or a value that the format can't carry. */
export class CodecError extends Error {
  override name = "CodecError";
}

/** Appends values to a buffer that is reused after {@linkcode BytesWriter.take}. */
export class BytesWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(initialSizeBytes = 1024) {
    this.#bytes = new Uint8Array(initialSizeBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  #reserve(count: number): number {
    const offset = this.#length;
    const needed = offset + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, offset));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = needed;
    return offset;
  }

  u8(value: number): this {
    const offset = this.#reserve(1);
    this.#bytes[offset] = value;
    return this;
  }

  u16(value: number): this {
    const offset = this.#reserve(2);
    this.#view.setUint16(offset, value);
    return this;
  }

  u32(value: number): this {
    const offset = this.#reserve(4);
    this.#view.setUint32(offset, value);
    return this;
  }

  f64(value: number): this {
    const offset = this.#reserve(8);
    this.#view.setFloat64(offset, value);
    return this;
  }

  /** A whole number in 0..2^53-1 as an f64; throws CodecError on what the reader would refuse. */
  integer(value: number): this {
    checkInteger(value);
    return this.f64(value);
  }

  /** Raw bytes without a length. */
  raw(value: Uint8Array): this {
    const offset = this.#reserve(value.length);
    this.#bytes.set(value, offset);
    return this;
  }

  /** One byte per character, without a length. */
  latin1(value: string): this {
    const offset = this.#reserve(value.length);
    writeLatin1(this.#bytes, offset, value);
    return this;
  }

  /** Overwrites four bytes that were written before. */
  setU32(offset: number, value: number): void {
    this.#view.setUint32(offset, value);
  }

  /** A view on what was written from `start` on; valid until the next write or `clear`. */
  view(start = 0): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(start, this.#length);
  }

  /** Forgets what was written after the first `length` bytes. */
  clear(length = 0): void {
    this.#length = length;
  }

  /** A copy of what was written; the writer is empty afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }

  /** Like {@linkcode BytesWriter.take}, but the copy is cut from `slab`. */
  takeInto(slab: Slab): Uint8Array<ArrayBuffer> {
    const taken = slab.allocate(this.#length);
    taken.set(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }
}

const SLAB_SIZE_BYTES = 64 * 1024;
const SLAB_CUT_SIZE_BYTES_MAX = 8 * 1024;

/**
 * Cuts small byte strings from shared blocks: an ArrayBuffer of its own costs each several times what
 * a cut does. A cut keeps its block alive, so cuts should die in about the order of their making.
 */
export class Slab {
  #block = new Uint8Array(0);
  #used = 0;

  /** `length` bytes that nobody else writes to; large ones get a buffer of their own. */
  allocate(length: number): Uint8Array<ArrayBuffer> {
    if (length > SLAB_CUT_SIZE_BYTES_MAX) return new Uint8Array(length);
    if (this.#used + length > this.#block.length) {
      this.#block = new Uint8Array(SLAB_SIZE_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used = start + length;
    return this.#block.subarray(start, this.#used);
  }
}

/** Reads values in order; every read past the end throws {@linkcode CodecError}. */
export class BytesReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  #advance(count: number): number {
    const offset = this.#offset;
    if (offset + count > this.#bytes.length) {
      throw new CodecError(
        `Cannot read ${count} bytes at ${offset}: only ${this.#bytes.length - offset} are left`,
      );
    }
    this.#offset = offset + count;
    return offset;
  }

  u8(): number {
    return this.#bytes[this.#advance(1)];
  }

  /** A byte that must be 0 or 1. */
  boolean(): boolean {
    const value = this.u8();
    if (value > 1) throw new CodecError(`Cannot read a boolean: got ${value}`);
    return value === 1;
  }

  u16(): number {
    const offset = this.#advance(2);
    return this.#bytes[offset] << 8 | this.#bytes[offset + 1];
  }

  u32(): number {
    const offset = this.#advance(4);
    const bytes = this.#bytes;
    return (bytes[offset] << 24 | bytes[offset + 1] << 16 | bytes[offset + 2] << 8 |
      bytes[offset + 3]) >>> 0;
  }

  f64(): number {
    const offset = this.#advance(8);
    for (let i = 0; i < 8; i++) scratch[i] = this.#bytes[offset + i];
    return scratchView.getFloat64(0);
  }

  /** An f64 that must be a whole number in 0..2^53-1. */
  integer(): number {
    const value = this.f64();
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new CodecError(`Cannot read a whole number: got ${value}`);
    }
    return value;
  }

  /** A view on the next `count` bytes, not a copy. */
  raw(count: number): Uint8Array {
    const offset = this.#advance(count);
    return this.#bytes.subarray(offset, offset + count);
  }

  latin1(count: number): string {
    const offset = this.#advance(count);
    return latin1FromRange(this.#bytes, offset, offset + count);
  }

  /** Like {@linkcode BytesReader.latin1}; returns `guess` itself, with nothing allocated, if equal. */
  latin1Guessed(count: number, guess: string): string {
    if (count !== guess.length) return this.latin1(count);
    const offset = this.#advance(count);
    for (let i = 0; i < count; i++) {
      if (this.#bytes[offset + i] !== guess.charCodeAt(i)) {
        return latin1FromRange(this.#bytes, offset, offset + count);
      }
    }
    return guess;
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining !== 0) throw new CodecError(`${this.remaining} bytes are left over`);
  }
}
