// Keys as callers, URLs and documents have them. A key is bytes; a string stands for its UTF-8. Owns which
// spelling each place needs, so that no two keys ever share one and none is lost on the way.

import { base64UrlOfLatin1, bytesOfLatin1, latin1OfBase64Url, latin1OfBytes } from "./base64.ts";

/** 1 to 4096 bytes: a string (as UTF-8; without halves of surrogate pairs), or the bytes themselves. */
export type Key = string | Uint8Array;

/** Longest key, in bytes. */
export const KEY_SIZE_BYTES_MAX = 4096;

const ASCII = /^[\x20-\x7e]+$/;
const PLAIN_SEGMENT = /^[A-Za-z0-9\-_~!*'()]+$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** One character per byte. Throws TypeError for a string that has no UTF-8. */
export function latin1OfText(text: string): string {
  if (ASCII.test(text)) return text;
  if (!text.isWellFormed()) {
    throw new TypeError(
      "Cannot use a string with half a surrogate pair: it has no UTF-8; use bytes",
    );
  }
  return latin1OfBytes(encoder.encode(text));
}

/** A key or a bound of keys as one character per byte; bounds may be empty. Throws TypeError. */
export function latin1OfBound(key: Key): string {
  const latin1 = typeof key === "string" ? latin1OfText(key) : latin1OfBytes(checkedBytes(key));
  if (latin1.length > KEY_SIZE_BYTES_MAX) {
    throw new TypeError(
      `Cannot use a key of ${latin1.length} bytes: at most ${KEY_SIZE_BYTES_MAX} are allowed`,
    );
  }
  return latin1;
}

/** A key as one character per byte. Throws TypeError. */
export function latin1OfKey(key: Key): string {
  const latin1 = latin1OfBound(key);
  if (latin1 === "") throw new TypeError("Cannot use an empty key: a key has 1 to 4096 bytes");
  return latin1;
}

function checkedBytes(key: Uint8Array): Uint8Array {
  if (key instanceof Uint8Array) return key;
  throw new TypeError(`Cannot use a key that is neither string nor Uint8Array: got ${typeof key}`);
}

/** The text of a byte string; undefined if it is not UTF-8. */
function textOfLatin1(latin1: string): string | undefined {
  if (ASCII.test(latin1)) return latin1;
  try {
    return decoder.decode(bytesOfLatin1(latin1));
  } catch {
    return undefined;
  }
}

/** A key as callers get it: a string if it is UTF-8, else its bytes. */
export function keyOfLatin1(latin1: string): Key {
  return textOfLatin1(latin1) ?? bytesOfLatin1(latin1);
}

/** The bytes of a key. Throws TypeError. */
export function keyBytes(key: Key): Uint8Array<ArrayBuffer> {
  return bytesOfLatin1(latin1OfKey(key));
}

/** Path and query of a key's resource; `suffix` is a further segment of the path. */
export function keyTarget(latin1: string, suffix = ""): string {
  if (PLAIN_SEGMENT.test(latin1)) return `/key/${latin1}${suffix}`;
  const text = latin1 === "." || latin1 === ".." ? undefined : textOfLatin1(latin1);
  return text === undefined
    ? `/key${suffix}?key64=${base64UrlOfLatin1(latin1)}`
    : `/key/${encodeURIComponent(text)}${suffix}`;
}

/** A key in a document: exactly one of the two. */
export interface KeyMembers {
  readonly key?: string;
  readonly key64?: string;
}

/** A key as a document's members. */
export function keyMembers(latin1: string): KeyMembers {
  const text = textOfLatin1(latin1);
  return text === undefined ? { key64: base64UrlOfLatin1(latin1) } : { key: text };
}

/** The key of a document, as callers get it. */
export function keyOfMembers({ key, key64 }: KeyMembers): Key {
  return key ?? bytesOfLatin1(latin1OfBase64Url(key64 ?? ""));
}

/** The key of a document, one character per byte. */
export function latin1OfMembers({ key, key64 }: KeyMembers): string {
  return key === undefined ? latin1OfBase64Url(key64 ?? "") : latin1OfText(key);
}

/** A bound as a query parameter: `name` or `name64`. */
export function boundParameter(name: string, latin1: string): [name: string, value: string] {
  const text = textOfLatin1(latin1);
  return text === undefined ? [`${name}64`, base64UrlOfLatin1(latin1)] : [name, text];
}
