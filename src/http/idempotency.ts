// How a retry of a write is recognised: by `Idempotency-Key`, or by the session header of the SDK, and a
// fingerprint of the request, so that a key used for two requests is noticed (RULES 16, 17).

import { concatBytes, utf8Bytes } from "../base/bytes.ts";
import { IDEMPOTENCY_KEY_SIZE_BYTES_MAX } from "../base/limits.ts";
import type { Digest } from "../platform/ports.ts";
import { FINGERPRINT_SIZE_BYTES, type Idempotency } from "../store/mod.ts";
import { RequestError } from "./problem.ts";
import type { RequestHeaders } from "./request_headers.ts";

/** `Pontoon-Session: 32 HEX DIGITS;seq=N;ack=M`. */
const SESSION = /^([0-9a-f]{32}) *; *seq=([1-9]\d{0,14}) *; *ack=(0|[1-9]\d{0,14})$/;
const KEY = /^[\x21-\x7e]+$/;

/** What a request asks for, beside its body; two requests are the same if all of it is. */
export interface RequestIdentity {
  readonly method: string;
  /** The pattern of the route, not the path: the key stands in `key`. */
  readonly route: string;
  readonly key: string;
  /** Query parameters other than the key, and conditions; undefined where absent. */
  readonly details: readonly (string | number | null | undefined)[];
  readonly contentType: string;
}

/** The headers that say which write it is. */
export type PlaceHeaders = Pick<RequestHeaders, "idempotencyKey" | "session">;

/**
 * The headers of each operation of a batch, which is remembered by itself (RULES 17): under KEY/i, or at
 * the i-th sequence from the session header's on. Throws RequestError.
 */
export function placesOf(
  { idempotencyKey, session }: PlaceHeaders,
): (index: number) => PlaceHeaders {
  if (session === null) {
    return (index) => ({
      idempotencyKey: idempotencyKey === null ? null : `${idempotencyKey}/${index}`,
      session,
    });
  }
  const [, id, sequence, acknowledged] = matchSession(session, idempotencyKey);
  return (index) => ({
    idempotencyKey,
    session: `${id};seq=${Number(sequence) + index};ack=${acknowledged}`,
  });
}

/** Whether a write carries an idempotency of any kind, well-formed or not. */
export function asksForIdempotency({ idempotencyKey, session }: RequestHeaders): boolean {
  return idempotencyKey !== null || session !== null;
}

/**
 * The idempotency of a write; undefined if its headers give none, and then nothing is hashed.
 * Throws RequestError.
 */
export function idempotencyOf(
  headers: PlaceHeaders,
  digest: Digest,
  identity: RequestIdentity,
  body: Uint8Array,
): Idempotency | undefined {
  const { idempotencyKey, session } = headers;
  if (session === null) {
    if (idempotencyKey === null) return undefined;
    return {
      kind: "key",
      key: checkedKey(idempotencyKey),
      fingerprint: fingerprintOf(digest, identity, body),
    };
  }
  const [, sessionId, sequence, acknowledged] = matchSession(session, idempotencyKey);
  return {
    kind: "session",
    sessionId,
    sequence: Number(sequence),
    acknowledgedThrough: Number(acknowledged),
    fingerprint: fingerprintOf(digest, identity, body),
  };
}

function matchSession(session: string, idempotencyKey: string | null): RegExpExecArray {
  if (idempotencyKey !== null) {
    throw new RequestError(
      "invalid-header",
      "Idempotency-Key and Pontoon-Session exclude each other",
    );
  }
  const match = SESSION.exec(session);
  if (match !== null) return match;
  throw new RequestError(
    "invalid-header",
    `Pontoon-Session: ${session}: it takes 32 lower-case hex digits;seq=N;ack=M, N from 1, M from 0`,
  );
}

function checkedKey(key: string): string {
  if (key.length > IDEMPOTENCY_KEY_SIZE_BYTES_MAX || !KEY.test(key)) {
    throw new RequestError(
      "invalid-header",
      `Idempotency-Key takes 1 to ${IDEMPOTENCY_KEY_SIZE_BYTES_MAX} visible ASCII characters`,
    );
  }
  return key;
}

/** JSON keeps the parts apart; the body is hashed by itself, so that it is not copied. */
function fingerprintOf(
  digest: Digest,
  identity: RequestIdentity,
  body: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const { method, route, key, details, contentType } = identity;
  const head = utf8Bytes(JSON.stringify([method, route, key, contentType, ...details]));
  return digest.sha256(concatBytes([digest.sha256(body), head])).slice(0, FINGERPRINT_SIZE_BYTES);
}
