// Which key a request names, from its raw URL. Decodes strictly: every key has one spelling per escape
// rule, and what is no valid escape is an error, never another key.

import { latin1FromBytes, utf8TextOrUndefined } from "../base/bytes.ts";
import { KEY_SIZE_BYTES_MAX } from "../base/limits.ts";
import { decodeBase64Url } from "./base64url.ts";
import { RequestError } from "./problem.ts";

/** Characters that stand for themselves in a path segment (RFC 3986 §3.3). */
const PLAIN_SEGMENT = /^[A-Za-z0-9\-._~!$&'()*+,;=:@]+$/;
const PERCENT = 0x25;

/** Path and query of a request's URL as it came, without decoding. `query` has no "?". */
export function splitUrl(url: string): { path: string; query: string } {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  if (start < 0) return { path: "/", query: "" };
  const mark = url.indexOf("?", start);
  return mark < 0
    ? { path: url.slice(start), query: "" }
    : { path: url.slice(start, mark), query: url.slice(mark + 1) };
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 65 && code <= 70) return code - 55;
  if (code >= 97 && code <= 102) return code - 87;
  return -1;
}

/** Percent-decodes to bytes; undefined if an escape is malformed or a character is not ASCII. */
export function percentDecode(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return undefined;
    if (code !== PERCENT) {
      bytes[length++] = code;
      continue;
    }
    const high = hexDigit(text.charCodeAt(i + 1));
    const low = hexDigit(text.charCodeAt(i + 2));
    if (high < 0 || low < 0) return undefined;
    bytes[length++] = high * 16 + low;
    i += 2;
  }
  return bytes.subarray(0, length);
}

/** Neither empty nor too long. Throws RequestError. */
export function checkedLength(key: string): string {
  if (key.length === 0) throw new RequestError("invalid-key", "The key is empty");
  if (key.length > KEY_SIZE_BYTES_MAX) {
    throw new RequestError(
      "key-too-long",
      `The key has ${key.length} bytes; ${KEY_SIZE_BYTES_MAX} are allowed`,
    );
  }
  return key;
}

/** The key (one character per byte) in `/key/SEGMENT`. Throws RequestError. */
export function keyFromSegment(segment: string): string {
  const key = PLAIN_SEGMENT.test(segment) ? segment : decodedSegment(segment);
  if (key === "." || key === "..") {
    // Escaped or not: clients and proxies take such segments out of a path (RFC 3986 §6.2.2).
    throw new RequestError(
      "invalid-key",
      `The key "${key}" can't stand in a path; use /key?key64=BASE64URL`,
    );
  }
  return checkedLength(key);
}

function decodedSegment(segment: string): string {
  if (segment.includes("/")) {
    throw new RequestError("invalid-key", "A slash within a key must be written as %2F");
  }
  // What can't decode to a key that is short enough is refused before it is decoded.
  if (segment.length > KEY_SIZE_BYTES_MAX * 3) {
    throw new RequestError("key-too-long", `A key has ${KEY_SIZE_BYTES_MAX} bytes at most`);
  }
  const bytes = percentDecode(segment);
  if (bytes === undefined) {
    throw new RequestError(
      "invalid-key",
      "The key has an invalid percent escape, or a character that must be escaped",
    );
  }
  if (utf8TextOrUndefined(bytes) === undefined) {
    throw new RequestError(
      "invalid-key",
      "The key is not valid UTF-8; use /key?key64=BASE64URL for arbitrary bytes",
    );
  }
  return latin1FromBytes(bytes);
}

/** The key in `key64=…`: base64url without padding. Throws RequestError. */
export function keyFromBase64Url(text: string): string {
  const key = decodeBase64Url(text);
  if (key === undefined) {
    throw new RequestError("invalid-key", "key64 is not base64url without padding");
  }
  return checkedLength(key);
}

/**
 * Query parameters: each at most once, and only those in `allowed`. Values are form-encoded, "+" is a
 * space. Throws RequestError.
 */
export function parseQuery(query: string, allowed: readonly string[]): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    const raw = equals < 0 ? "" : part.slice(equals + 1);
    if (!allowed.includes(name)) {
      const known = allowed.length === 0 ? "there are none here" : `known: ${allowed.join(", ")}`;
      throw new RequestError("invalid-parameter", `Unknown parameter "${name}"; ${known}`);
    }
    if (parameters.has(name)) {
      throw new RequestError("invalid-parameter", `Parameter "${name}" is given twice`);
    }
    const bytes = percentDecode(raw.replaceAll("+", "%20"));
    const value = bytes === undefined ? undefined : utf8TextOrUndefined(bytes);
    if (value === undefined) {
      throw new RequestError(
        "invalid-parameter",
        `Parameter "${name}" has an invalid percent escape or is not UTF-8`,
      );
    }
    parameters.set(name, value);
  }
  return parameters;
}
