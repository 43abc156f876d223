// Reads the fields of one payload, big-endian. Every read is checked: a peer's bytes can end early or
// hold numbers that no node ever sends, and that costs the link (ProtocolError), nothing else.

import { latin1FromBytes } from "../base/bytes.ts";
import { ProtocolError } from "./frame.ts";

export class PayloadReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.#offset;
  }

  /** Moves over `count` bytes and returns where they begin. */
  skip(count: number): number {
    const offset = this.#offset;
    if (count > this.bytes.length - offset) {
      throw new ProtocolError(`truncated payload: ${count} bytes wanted, ${this.remaining} left`);
    }
    this.#offset = offset + count;
    return offset;
  }

  u8(): number {
    return this.bytes[this.skip(1)];
  }

  u16(): number {
    return this.#view.getUint16(this.skip(2));
  }

  u32(): number {
    return this.#view.getUint32(this.skip(4));
  }

  /** A whole number in 0..2^53-1, which travels as an f64. */
  integer(): number {
    const value = this.#view.getFloat64(this.skip(8));
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new ProtocolError(`malformed payload: ${value} is no whole number`);
    }
    return value + 0; // -0 becomes 0
  }

  /** Any finite number. */
  finite(): number {
    const value = this.#view.getFloat64(this.skip(8));
    if (!Number.isFinite(value)) throw new ProtocolError(`malformed payload: ${value} is no time`);
    return value;
  }

  /** A view on the next `count` bytes, not a copy. */
  raw(count: number): Uint8Array {
    const offset = this.skip(count);
    return this.bytes.subarray(offset, offset + count);
  }

  /** A view on everything that is left. */
  rest(): Uint8Array {
    return this.raw(this.remaining);
  }

  /** A short string of printable ASCII, its length in one byte. */
  name(): string {
    const text = latin1FromBytes(this.raw(this.u8()));
    if (!/^[\x20-\x7e]*$/.test(text)) {
      throw new ProtocolError("malformed payload: a name is not ASCII");
    }
    return text;
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining !== 0) {
      throw new ProtocolError(`malformed payload: ${this.remaining} bytes too many`);
    }
  }
}
