// Byte helpers shared by codecs and the store. Strings called "latin1" hold one byte per character
// (U+0000..U+00FF): V8 keeps them at a byte a character, and `<` on them is byte order.

import { Buffer } from "node:buffer";

const textEncoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The empty byte string. */
export const NO_BYTES: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** UTF-8 bytes of a text. */
export function utf8Bytes(text: string): Uint8Array<ArrayBuffer> {
  return textEncoder.encode(text);
}

/** The text, or undefined if `bytes` are not valid UTF-8. */
export function utf8TextOrUndefined(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Buffer's native slices, which take any Uint8Array: no Buffer is made around it first. */
const nativeSlices = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  hexSlice(this: Uint8Array, start: number, end: number): string;
};

/** `bytes[start, end)`, one character per byte. */
export function latin1FromRange(bytes: Uint8Array, start: number, end: number): string {
  return nativeSlices.latin1Slice.call(bytes, start, end);
}

/** One character per byte. */
export function latin1FromBytes(bytes: Uint8Array): string {
  return latin1FromRange(bytes, 0, bytes.length);
}

/** Below this length a loop beats a call out of JavaScript. */
const LATIN1_LOOP_LENGTH_MAX = 64;

/**
 * Writes one byte per character at `offset`; there must be room. Long ASCII text goes through the
 * UTF-8 encoder, 10 to 60 times faster than a loop, as far as its first characters promise ASCII.
 */
export function writeLatin1(into: Uint8Array, offset: number, text: string): void {
  const length = text.length;
  let seen = 0;
  const looped = length <= LATIN1_LOOP_LENGTH_MAX ? length : LATIN1_LOOP_LENGTH_MAX;
  let i = 0;
  for (; i < looped; i++) {
    const code = text.charCodeAt(i);
    seen |= code;
    into[offset + i] = code;
  }
  if (i === length) return;
  if (seen < 0x80) {
    // A character above U+007F takes two bytes, so the text does not fit where ASCII would.
    const { read } = textEncoder.encodeInto(text, into.subarray(offset, offset + length));
    if (read === length) return;
  }
  for (; i < length; i++) into[offset + i] = text.charCodeAt(i);
}

/** Inverse of {@linkcode latin1FromBytes}; characters above U+00FF are a caller's bug. */
export function bytesFromLatin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  writeLatin1(bytes, 0, text);
  return bytes;
}

/** True iff equal length and content. */
export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lower-case hex, two digits a byte. */
export function hexFromBytes(bytes: Uint8Array): string {
  return nativeSlices.hexSlice.call(bytes, 0, bytes.length);
}

/** Value of each character code below 128 as a hex digit; 255 if it is none. */
const HEX_DIGITS = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(digit) ? 255 : digit;
});

/** Inverse of {@linkcode hexFromBytes}; undefined for anything but pairs of hex digits. */
export function bytesFromHex(hex: string): Uint8Array<ArrayBuffer> | undefined {
  if (hex.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = HEX_DIGITS[hex.charCodeAt(2 * i)] ?? 255;
    const low = HEX_DIGITS[hex.charCodeAt(2 * i + 1)] ?? 255;
    if (high === 255 || low === 255) return undefined;
    bytes[i] = high << 4 | low;
  }
  return bytes;
}

/** Joins parts into one new array. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
