// What a request's headers ask for: conditions, idempotency, routing, deadlines. Malformed ones are
// errors: a condition that was misunderstood must never count as absent.

import { bytesFromHex, concatBytes, utf8Bytes } from "../base/bytes.ts";
import { IDEMPOTENCY_KEY_SIZE_BYTES_MAX } from "../base/limits.ts";
import type { ForwardMode } from "../node/service.ts";
import type { Digest } from "../platform/ports.ts";
import type { Condition, Idempotency } from "../store/types.ts";
import { FINGERPRINT_SIZE_BYTES } from "../store/mod.ts";
import { RequestError } from "./problem.ts";

const ENTITY_TAG = /^"(\d{1,16})"$/;
const TIMEOUT_MS_MAX = 60_000;

/** The condition of a write. Throws RequestError. */
export function conditionOf(headers: Headers, absentAllowed: boolean): Condition | undefined {
  const ifMatch = headers.get("if-match");
  const ifNoneMatch = headers.get("if-none-match");
  if (ifMatch === null && ifNoneMatch === null) return undefined;
  if (ifMatch !== null && ifNoneMatch !== null) {
    throw new RequestError("invalid-condition", "If-Match and If-None-Match exclude each other");
  }
  if (ifNoneMatch !== null) {
    if (ifNoneMatch.trim() === "*" && absentAllowed) return { kind: "absent" };
    const allowed = absentAllowed ? "only * is possible here" : "it is not possible here";
    throw new RequestError("invalid-condition", `If-None-Match: ${ifNoneMatch}: ${allowed}`);
  }
  const text = ifMatch!.trim();
  if (text === "*") return { kind: "present" };
  const revision = Number(ENTITY_TAG.exec(text)?.[1] ?? NaN);
  if (!Number.isSafeInteger(revision)) {
    throw new RequestError(
      "invalid-condition",
      `If-Match: ${text}: it takes * or one revision in double quotes, as ETag gives it`,
    );
  }
  return { kind: "revision", revision };
}

/** Whether an If-None-Match of a read names the revision (or anything). Throws RequestError. */
export function matchesEntityTag(header: string, revision: number): boolean {
  if (header.trim() === "*") return true;
  let matches = false;
  for (const part of header.split(",")) {
    const match = /^(?:W\/)?"([^"]*)"$/.exec(part.trim());
    if (match === null) {
      throw new RequestError("invalid-condition", `If-None-Match: ${header}: malformed`);
    }
    if (match[1] === String(revision)) matches = true;
  }
  return matches;
}

/** How the client wants to be routed. Throws RequestError. */
export function forwardModeOf(headers: Headers): ForwardMode {
  const value = headers.get("pontoon-forward");
  if (value === null) return "forward";
  if (value === "never" || value === "redirect") return value;
  throw new RequestError(
    "invalid-header",
    `Pontoon-Forward: ${value}: it takes "never" or "redirect"`,
  );
}

/** How long the client waits. Throws RequestError. */
export function timeoutMsOf(headers: Headers, defaultMs: number): number {
  const value = headers.get("pontoon-timeout-ms");
  if (value === null) return defaultMs;
  const timeoutMs = Number(value);
  if (!/^\d{1,6}$/.test(value) || timeoutMs < 1 || timeoutMs > TIMEOUT_MS_MAX) {
    throw new RequestError(
      "invalid-header",
      `Pontoon-Timeout-Ms: ${value}: it takes 1 to ${TIMEOUT_MS_MAX}`,
    );
  }
  return timeoutMs;
}

/** Time to live in milliseconds from `?ttl=SECONDS`. Throws RequestError. */
export function ttlMsOf(parameters: ReadonlyMap<string, string>): number | undefined {
  const text = parameters.get("ttl");
  if (text === undefined) return undefined;
  const ttlMs = Math.round(Number(text) * 1000);
  if (!/^\d{1,10}(\.\d{1,9})?$/.test(text) || ttlMs < 1) {
    throw new RequestError(
      "invalid-parameter",
      `ttl=${text}: it takes seconds, fractions allowed, at least 0.001`,
    );
  }
  return ttlMs;
}

const SESSION = /^([0-9a-f]{32}); *seq=(\d{1,15}); *ack=(\d{1,15})$/;

/**
 * How a retry of this write is recognised, from `Idempotency-Key: KEY` or
 * `Pontoon-Session: 32 HEX DIGITS; seq=N; ack=M`. `parts` identify the request beside its body.
 * Throws RequestError.
 */
export function idempotencyOf(
  headers: Headers,
  digest: Digest,
  parts: readonly string[],
  body: Uint8Array,
): Idempotency | undefined {
  const key = headers.get("idempotency-key");
  const session = headers.get("pontoon-session");
  if (key === null && session === null) return undefined;
  if (key !== null && session !== null) {
    throw new RequestError(
      "invalid-header",
      "Idempotency-Key and Pontoon-Session exclude each other",
    );
  }
  const fingerprint = fingerprintOf(digest, parts, body);
  if (key !== null) {
    if (!/^[\x21-\x7e]+$/.test(key) || key.length > IDEMPOTENCY_KEY_SIZE_BYTES_MAX) {
      throw new RequestError(
        "invalid-header",
        `Idempotency-Key takes 1 to ${IDEMPOTENCY_KEY_SIZE_BYTES_MAX} visible ASCII characters`,
      );
    }
    return { kind: "key", key, fingerprint };
  }
  const match = SESSION.exec(session!);
  const sequence = Number(match?.[2]);
  const acknowledgedThrough = Number(match?.[3]);
  if (match === null || sequence < 1 || bytesFromHex(match[1]) === undefined) {
    throw new RequestError(
      "invalid-header",
      "Pontoon-Session takes 32 hex digits; seq=N; ack=M, with N from 1",
    );
  }
  return { kind: "session", sessionId: match[1], sequence, acknowledgedThrough, fingerprint };
}

function fingerprintOf(
  digest: Digest,
  parts: readonly string[],
  body: Uint8Array,
): Uint8Array<ArrayBuffer> {
  // Lengths keep the parts apart; the body is hashed by itself, so that it is read once.
  const head = utf8Bytes(JSON.stringify(parts));
  return digest.sha256(concatBytes([digest.sha256(body), head])).slice(0, FINGERPRINT_SIZE_BYTES);
}
