// Values as callers have them and as the cluster keeps them: bytes with a content type. What was set as a
// string, as bytes or as JSON comes back as such, because the content type remembers it.

import { base64OfBytes, bytesOfBase64 } from "./base64.ts";

/** What JSON can carry. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

/**
 * Anything a key can hold. A string is kept as `text/plain`, a Uint8Array as `application/octet-stream`,
 * everything else as `application/json`.
 */
export type Value = string | Uint8Array | Json | object;

export const TEXT_TYPE = "text/plain; charset=utf-8";
export const BYTES_TYPE = "application/octet-stream";
export const JSON_TYPE = "application/json";

/** `application/json`, or a type built on it. */
export function isJsonType(contentType: string): boolean {
  return contentType === JSON_TYPE ||
    /^application\/(?:json|[^;]+\+json) *(?:;|$)/i.test(contentType);
}

/** A value on its way to the cluster. */
export interface EncodedValue {
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly contentType: string;
}

/** Throws TypeError for what can't be kept as it is. `contentType` overrides that of strings and bytes. */
export function encodeValue(value: unknown, contentType?: string): EncodedValue {
  if (typeof value === "string") {
    if (!value.isWellFormed()) {
      throw new TypeError("Cannot keep a string with half a surrogate pair: it has no UTF-8");
    }
    return { body: value, contentType: contentType ?? TEXT_TYPE };
  }
  if (value instanceof Uint8Array) {
    return { body: value as Uint8Array<ArrayBuffer>, contentType: contentType ?? BYTES_TYPE };
  }
  const json = JSON.stringify(value);
  if (json === undefined) {
    throw new TypeError(`Cannot keep a value that JSON can't carry: got ${typeof value}`);
  }
  if (contentType !== undefined && !isJsonType(contentType)) {
    throw new TypeError(`Cannot keep an object as ${contentType}: give a string or bytes`);
  }
  return { body: json, contentType: contentType ?? JSON_TYPE };
}

/** A value in a document of POST /txn or POST /batch. */
export interface ValueMembers {
  readonly value: string;
  readonly encoding?: "base64";
  readonly contentType: string;
}

/** A value as a document's members. */
export function valueMembers({ body, contentType }: EncodedValue): ValueMembers {
  return typeof body === "string"
    ? { value: body, contentType }
    : { value: base64OfBytes(body), encoding: "base64", contentType };
}

/** The value of a record: JSON and text as they stand there, other bytes from base64. */
export function decodeValue(record: { value?: unknown; encoding?: string }): unknown {
  const { value, encoding } = record;
  return encoding === "base64" ? bytesOfBase64(value as string) : value;
}
