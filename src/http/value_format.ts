// How values look on the way in (content types) and out (JSON). A value's bytes are never changed: JSON
// values go out as they came, text as a string, everything else as base64.

import { bytesFromLatin1, utf8TextOrUndefined } from "../base/bytes.ts";
import { CONTENT_TYPE_SIZE_BYTES_MAX } from "../base/limits.ts";
import type { RecordView } from "../store/types.ts";
import { RequestError } from "./problem.ts";
import { encodeBase64Url } from "./request_key.ts";

export const TEXT_TYPE = "text/plain; charset=utf-8";
export const BYTES_TYPE = "application/octet-stream";
/** What curl sends when it was told nothing: counts as unspecified. */
const CURL_DEFAULT_TYPE = "application/x-www-form-urlencoded";

// deno-lint-ignore no-control-regex
const NON_ASCII = /[^\x00-\x7f]/;

function isJson(contentType: string): boolean {
  return /^application\/(?:json|[\w.+-]+\+json)\s*(?:;|$)/i.test(contentType);
}

function isText(contentType: string): boolean {
  return /^text\//i.test(contentType);
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] > 0x7f) return false;
  return true;
}

/** The content type a value is stored with. Throws RequestError for JSON that is none. */
export function storedContentType(header: string | null, value: Uint8Array): string {
  if (header === null || header === "" || header.toLowerCase() === CURL_DEFAULT_TYPE) {
    const text = isAscii(value) || utf8TextOrUndefined(value) !== undefined;
    return text ? TEXT_TYPE : BYTES_TYPE;
  }
  if (header.length > CONTENT_TYPE_SIZE_BYTES_MAX || !/^[\x20-\x7e]+$/.test(header)) {
    throw new RequestError(
      "invalid-header",
      `Content-Type takes at most ${CONTENT_TYPE_SIZE_BYTES_MAX} ASCII characters`,
    );
  }
  if (isJson(header)) {
    const text = utf8TextOrUndefined(value);
    try {
      if (text === undefined) throw new Error("it is not valid UTF-8");
      JSON.parse(text);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new RequestError("invalid-json", `The body is not JSON: ${reason}`);
    }
  }
  return header;
}

/** A latin1 string of bytes as text; undefined if they are not UTF-8. */
function textOf(latin1: string): string | undefined {
  return NON_ASCII.test(latin1) ? utf8TextOrUndefined(bytesFromLatin1(latin1)) : latin1;
}

/** `"key":…` or, for keys that are not UTF-8, `"key64":…`. */
export function keyMember(key: string): string {
  const text = textOf(key);
  return text === undefined
    ? `"key64":${JSON.stringify(encodeBase64Url(key))}`
    : `"key":${JSON.stringify(text)}`;
}

/** `"value":…`, with `"encoding":"base64"` where the bytes are neither JSON nor text. */
export function valueMembers(value: string, contentType: string): string {
  if (isJson(contentType) || isText(contentType)) {
    const text = textOf(value);
    if (text !== undefined) {
      return isJson(contentType) ? `"value":${text}` : `"value":${JSON.stringify(text)}`;
    }
  }
  return `"value":${JSON.stringify(btoa(value))},"encoding":"base64"`;
}

/** A record as a JSON document. `timeMs` is the partition time it was read at. */
export function recordJson(record: RecordView, timeMs: number): string {
  const ttl = record.expiresAtMs === undefined
    ? ""
    : `,"ttlMs":${Math.max(0, record.expiresAtMs - timeMs)}`;
  return `{${keyMember(record.key)},${valueMembers(record.value, record.contentType)}` +
    `,"revision":${record.revision},"createRevision":${record.createRevision}` +
    `,"contentType":${JSON.stringify(record.contentType)}${ttl}}`;
}
