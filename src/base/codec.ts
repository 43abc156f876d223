// A growing binary writer and a bounds-checked reader, big-endian, for formats whose layout the caller
// owns. Numbers up to 2^53 travel as f64, which holds them exactly and sorts out no sign trouble.

import { Buffer } from "node:buffer";

/** Bytes that no writer of this format produced. */
export class CodecError extends Error {
  override name = "CodecError";
}

/** Appends values to a buffer that is reused after {@linkcode BytesWriter.take}. */
export class BytesWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #buffer: Buffer;
  #length = 0;

  constructor(initialSizeBytes = 1024) {
    this.#bytes = new Uint8Array(initialSizeBytes);
    this.#view = new DataView(this.#bytes.buffer);
    this.#buffer = Buffer.from(this.#bytes.buffer);
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
      this.#buffer = Buffer.from(grown.buffer);
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

  /** Raw bytes without a length. */
  raw(value: Uint8Array): this {
    const offset = this.#reserve(value.length);
    this.#bytes.set(value, offset);
    return this;
  }

  /** One byte per character, without a length. */
  latin1(value: string): this {
    const offset = this.#reserve(value.length);
    if (value.length < 24) {
      for (let i = 0; i < value.length; i++) this.#bytes[offset + i] = value.charCodeAt(i);
    } else this.#buffer.write(value, offset, value.length, "latin1");
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
}

/** Reads values in order; every read past the end throws {@linkcode CodecError}. */
export class BytesReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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

  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  f64(): number {
    return this.#view.getFloat64(this.#advance(8));
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
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + offset, count)
      .toString("latin1");
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining !== 0) throw new CodecError(`${this.remaining} bytes are left over`);
  }
}
