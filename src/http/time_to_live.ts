// Times to live as requests give them: seconds, fractions allowed, kept in whole milliseconds.

import { utf8TextOrUndefined } from "../base/bytes.ts";
import { TTL_MS_MAX } from "../base/limits.ts";
import { RequestError } from "./problem.ts";

export const TTL_SECONDS_MIN = 0.001;
export const TTL_SECONDS_MAX = TTL_MS_MAX / 1000;

/** Milliseconds of a number of seconds; undefined if out of bounds. */
function ttlMsOfSeconds(seconds: number): number | undefined {
  return seconds >= TTL_SECONDS_MIN && seconds <= TTL_SECONDS_MAX
    ? Math.round(seconds * 1000)
    : undefined;
}

const BOUNDS = `it takes seconds from ${TTL_SECONDS_MIN} to ${TTL_SECONDS_MAX}, fractions allowed`;

/** Milliseconds of `?ttl=SECONDS`; undefined if absent. Throws RequestError. */
export function ttlMsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ttlMs = /^\d{1,12}(?:\.\d{1,9})?$/.test(text) ? ttlMsOfSeconds(Number(text)) : undefined;
  if (ttlMs === undefined) throw new RequestError("invalid-parameter", `ttl=${text}: ${BOUNDS}`);
  return ttlMs;
}

/** Milliseconds of a body `{"ttl":SECONDS}`; undefined for `{"ttl":null}`. Throws RequestError. */
export function ttlMsOfBody(body: Uint8Array): number | undefined {
  const text = utf8TextOrUndefined(body);
  let document: unknown;
  try {
    document = text === undefined ? undefined : JSON.parse(text);
  } catch {
    document = undefined;
  }
  if (document === undefined) throw new RequestError("invalid-json", "The body is not JSON");
  const members = typeof document === "object" && document !== null ? Object.entries(document) : [];
  if (members.length !== 1 || members[0][0] !== "ttl") {
    throw new RequestError("invalid-body", 'It takes {"ttl":SECONDS}, or {"ttl":null} for none');
  }
  const seconds = members[0][1];
  if (seconds === null) return undefined;
  const ttlMs = typeof seconds === "number" ? ttlMsOfSeconds(seconds) : undefined;
  if (ttlMs === undefined) throw new RequestError("invalid-body", `ttl: ${BOUNDS}`);
  return ttlMs;
}
