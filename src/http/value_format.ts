// How values look on the way in (content types) and out (JSON). A value's bytes are never changed: JSON
// values go out as they came, text as a string, everything else as base64.

import { bytesFromLatin1, utf8TextOrUndefined } from "../base/bytes.ts";
import { CONTENT_TYPE_SIZE_BYTES_MAX } from "../base/limits.ts";
import { plainValue } from "../store/mod.ts";
import type { RecordView } from "../store/types.ts";
import { encodeBase64Url } from "./base64url.ts";
import { RequestError } from "./problem.ts";

export const TEXT_TYPE = "text/plain; charset=utf-8";
export const BYTES_TYPE = "application/octet-stream";
/** What curl sends when it was told nothing: counts as unspecified. */
const CURL_DEFAULT_TYPE = "application/x-www-form-urlencoded";

// deno-lint-ignore no-control-regex
const NON_ASCII = /[^\x00-\x7f]/;
/** `type/subtype`, and parameters that a header can carry (RFC 9110 §8.3.1). */
const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+ *(?:;[\x20-\x7e]*)?$/;
const JSON_MEDIA_TYPE = /^application\/(?:json|[\w!#$&^.+-]+\+json) *(?:;|$)/i;

function isText(contentType: string): boolean {
  return contentType === TEXT_TYPE || /^text\//i.test(contentType);
}

/** `application/json`, or a type built on it. */
export function isJson(contentType: string): boolean {
  return contentType === "application/json" || JSON_MEDIA_TYPE.test(contentType);
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
  if (header === BYTES_TYPE) return header;
  if (header.length > CONTENT_TYPE_SIZE_BYTES_MAX || !MEDIA_TYPE.test(header)) {
    throw new RequestError(
      "invalid-header",
      `Content-Type takes type/subtype, with parameters ${CONTENT_TYPE_SIZE_BYTES_MAX} characters at most`,
    );
  }
  if (isJson(header)) checkJson(value);
  return header;
}

function checkJson(value: Uint8Array): void {
  const text = utf8TextOrUndefined(value);
  if (text === undefined) {
    throw new RequestError("invalid-json", "The body is not JSON: it is not valid UTF-8");
  }
  try {
    JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RequestError("invalid-json", `The body is not JSON: ${reason}`);
  }
}

/** A latin1 string of bytes as text; undefined if they are not UTF-8. */
function textOf(latin1: string): string | undefined {
  return NON_ASCII.test(latin1) ? utf8TextOrUndefined(bytesFromLatin1(latin1)) : latin1;
}

/** A key for people to read, in error messages. */
export function keyText(key: string): string {
  const text = textOf(key);
  return text === undefined ? `base64url ${encodeBase64Url(key)}` : JSON.stringify(text);
}

/** `"key":…` or, for keys that are not UTF-8, `"key64":…`. */
export function keyMember(key: string): string {
  const text = textOf(key);
  return text === undefined ? `"key64":"${encodeBase64Url(key)}"` : `"key":${JSON.stringify(text)}`;
}

/** `"value":…`, with `"encoding":"base64"` where the bytes are neither JSON nor text. */
export function valueMembers(value: string, contentType: string): string {
  const json = isJson(contentType);
  if (json || isText(contentType)) {
    const text = textOf(value);
    if (text !== undefined) return `"value":${json ? text : JSON.stringify(text)}`;
  }
  return `"value":"${btoa(value)}","encoding":"base64"`;
}

const TEXT_TYPE_JSON = JSON.stringify(TEXT_TYPE);

/**
 * A record as a JSON document. `timeMs` is the partition time it was read at; without it the answer does not
 * say how long the record has to live.
 */
export function recordJson(record: RecordView, timeMs?: number): string {
  const { key, value, contentType } = record;
  return `{${keyMember(key)},${valueMembers(plainValue(value), contentType)}${
    metadataMembers(record, timeMs)
  }}`;
}

/** A record without its value. */
export function keyRecordJson(record: RecordView, timeMs: number): string {
  return `{${keyMember(record.key)}${metadataMembers(record, timeMs)}}`;
}

function metadataMembers(record: RecordView, timeMs: number | undefined): string {
  const { contentType, revision, createRevision, expiresAtMs } = record;
  const ttl = expiresAtMs === undefined || timeMs === undefined
    ? ""
    : `,"ttlMs":${Math.max(0, expiresAtMs - timeMs)}`;
  const type = contentType === TEXT_TYPE ? TEXT_TYPE_JSON : JSON.stringify(contentType);
  return `,"revision":${revision},"createRevision":${createRevision},"contentType":${type}${ttl}`;
}

/**
 * A document in one line. Only JSON values that were put over several lines have breaks in them, and there
 * they stand between tokens, where a space means the same.
 */
export function oneLine(json: string): string {
  return /[\n\r]/.test(json) ? json.replace(/[\n\r]/g, " ") : json;
}

/** A value as a body: a string where that is the same bytes, which is cheaper. */
export function valueBody(value: string): string | Uint8Array<ArrayBuffer> {
  return NON_ASCII.test(value) ? bytesFromLatin1(value) : value;
}
