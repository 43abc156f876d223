// What a request's headers ask for: conditions, routing, deadlines, the form of the answer. Malformed
// ones are errors: a condition that was misunderstood must never count as absent. RFC 9110.

import { REQUEST_TIMEOUT_MS_MAX } from "../base/limits.ts";
import type { ForwardMode } from "../node/service.ts";
import type { Condition } from "../store/types.ts";
import { RequestError } from "./problem.ts";
import { isJson } from "./value_format.ts";

/**
 * The headers that the API looks at, null where absent; repeated ones are joined by ", ".
 *
 * Each is looked up when it is asked for. Walking through all of them sorts and copies: no faster for the nine
 * that a put wants (0.5 us), slower for the five of a get, and 1 KB more garbage a request.
 */
export class RequestHeaders {
  readonly #headers: Headers;

  constructor(headers: Headers) {
    this.#headers = headers;
    // `has` fetches them all into a list. Without one each `get` is a call out of JavaScript; and they could
    // not be read any more once the client has gone.
    headers.has("accept");
  }

  get accept(): string | null {
    return this.#headers.get("accept");
  }

  get acceptEncoding(): string | null {
    return this.#headers.get("accept-encoding");
  }

  get contentEncoding(): string | null {
    return this.#headers.get("content-encoding");
  }

  get contentLength(): string | null {
    return this.#headers.get("content-length");
  }

  get contentType(): string | null {
    return this.#headers.get("content-type");
  }

  get idempotencyKey(): string | null {
    return this.#headers.get("idempotency-key");
  }

  get ifMatch(): string | null {
    return this.#headers.get("if-match");
  }

  get ifNoneMatch(): string | null {
    return this.#headers.get("if-none-match");
  }

  get forward(): string | null {
    return this.#headers.get("pontoon-forward");
  }

  get minApplied(): string | null {
    return this.#headers.get("pontoon-min-applied");
  }

  get session(): string | null {
    return this.#headers.get("pontoon-session");
  }

  get timeoutMs(): string | null {
    return this.#headers.get("pontoon-timeout-ms");
  }
}

const ENTITY_TAG = /^"(0|[1-9]\d{0,15})"$/;

/** One revision or `*`; weak tags and lists can't hold a write to one revision. Throws RequestError. */
function ifMatchCondition(header: string): Condition {
  const text = header.trim();
  if (text === "*") return { kind: "present" };
  const match = ENTITY_TAG.exec(text);
  const revision = match === null ? NaN : Number(match[1]);
  if (Number.isSafeInteger(revision)) return { kind: "revision", revision };
  let reason = "it takes * or one revision in double quotes, as ETag gives it";
  if (text.startsWith("W/")) reason = "a weak entity tag never matches; send the ETag as it came";
  else if (/^"[^"]*"\s*,/.test(text)) reason = "a list is not supported; send one revision";
  throw new RequestError("invalid-condition", `If-Match: ${header}: ${reason}`);
}

/** The condition of a write. `absentAllowed`: it may ask that the key does not exist. Throws RequestError. */
export function writeCondition(
  headers: RequestHeaders,
  absentAllowed: boolean,
): Condition | undefined {
  const { ifMatch, ifNoneMatch } = headers;
  if (ifNoneMatch === null) return ifMatch === null ? undefined : ifMatchCondition(ifMatch);
  if (ifMatch !== null) {
    throw new RequestError("invalid-condition", "If-Match and If-None-Match exclude each other");
  }
  if (!absentAllowed) {
    throw new RequestError("invalid-condition", "If-None-Match is possible with GET and PUT only");
  }
  if (ifNoneMatch.trim() === "*") return { kind: "absent" };
  throw new RequestError(
    "invalid-condition",
    `If-None-Match: ${ifNoneMatch}: a write takes * only`,
  );
}

/**
 * What the conditions of a read make of a record's revision (0: there is none): `send` it, say that it
 * is `unmodified` (304), or that the condition `failed` (412). Throws RequestError.
 */
export function readCondition(
  headers: RequestHeaders,
  revision: number,
): "send" | "unmodified" | "failed" {
  const { ifMatch, ifNoneMatch } = headers;
  // Malformed is refused, whatever else fails.
  const matches = ifNoneMatch !== null && matchesEntityTag(ifNoneMatch, revision);
  if (ifMatch !== null) {
    const condition = ifMatchCondition(ifMatch);
    const holds = condition.kind === "revision" ? condition.revision === revision : revision !== 0;
    if (!holds) return "failed";
  }
  return matches && revision !== 0 ? "unmodified" : "send";
}

/** Weak comparison with `*` or a list, as If-None-Match of a read wants it. Throws RequestError. */
function matchesEntityTag(header: string, revision: number): boolean {
  if (header.trim() === "*") return true;
  const tag = `"${revision}"`;
  let matches = false;
  for (const part of header.split(",")) {
    const text = part.trim();
    if (!/^(?:W\/)?"[\x21\x23-\x7e]*"$/.test(text)) {
      throw new RequestError(
        "invalid-condition",
        `If-None-Match: ${header}: it takes * or entity tags in double quotes`,
      );
    }
    if (text === tag || text === `W/${tag}`) matches = true;
  }
  return matches;
}

/** How the client wants to be routed. Throws RequestError. */
export function forwardMode(header: string | null): ForwardMode {
  if (header === null) return "forward";
  if (header === "never" || header === "redirect") return header;
  throw new RequestError(
    "invalid-header",
    `Pontoon-Forward: ${header}: it takes "never" or "redirect"`,
  );
}

/** How long the client waits, in milliseconds. Throws RequestError. */
export function timeoutMsOf(header: string | null, defaultMs: number): number {
  if (header === null) return defaultMs;
  const timeoutMs = /^\d{1,6}$/.test(header) ? Number(header) : 0;
  if (timeoutMs < 1 || timeoutMs > REQUEST_TIMEOUT_MS_MAX) {
    throw new RequestError(
      "invalid-header",
      `Pontoon-Timeout-Ms: ${header}: it takes 1 to ${REQUEST_TIMEOUT_MS_MAX}`,
    );
  }
  return timeoutMs;
}

/** Refuses a coded body: values are stored as they come. Throws RequestError. */
export function requireUncoded(headers: RequestHeaders): void {
  const { contentEncoding } = headers;
  if (contentEncoding === null || contentEncoding === "identity") return;
  throw new RequestError(
    "unsupported-media-type",
    `Content-Encoding: ${contentEncoding}: bodies are taken as they come, uncoded`,
  );
}

/**
 * Refuses a body that does not say it is JSON. That keeps pages of other origins out: a browser asks before
 * it sends such a request, and is never allowed to. Throws RequestError.
 */
export function requireJson(headers: RequestHeaders): void {
  if (headers.contentType === null || !isJson(headers.contentType)) {
    throw new RequestError("unsupported-media-type", "The body must be application/json");
  }
  requireUncoded(headers);
}

/**
 * Whether an Accept header prefers the bare bytes (`application/octet-stream`) to JSON, which is the
 * default where both are as good (RFC 9110 §12.5.1). What can't be read counts as no wish.
 */
export function prefersBytes(accept: string | null): boolean {
  if (accept === null || accept === "*/*" || !/octet-stream/i.test(accept)) return false;
  let bytes = -1;
  let json = -1;
  let any = -1;
  let anyApplication = -1;
  for (const part of accept.toLowerCase().split(",")) {
    const [range, ...parameters] = part.split(";").map((text) => text.trim());
    const weight = parameters.find((text) => text.startsWith("q="));
    const quality = weight === undefined ? 1 : Number(weight.slice(2));
    if (!(quality >= 0 && quality <= 1)) continue;
    if (range === "application/octet-stream") bytes = quality;
    else if (range === "application/json") json = quality;
    else if (range === "application/*") anyApplication = quality;
    else if (range === "*/*") any = quality;
  }
  // A range named in full goes before the wildcards.
  const other = anyApplication >= 0 ? anyApplication : any;
  if (json >= 0) return bytes > json;
  // Naming the bytes and not JSON is a wish for bytes, wildcards at the same weight notwithstanding.
  return bytes > 0 && bytes >= other;
}

/** Whether an Accept-Encoding header names zstd (RFC 8878), and not with a weight of 0. */
export function acceptsZstd(acceptEncoding: string | null): boolean {
  if (acceptEncoding === null || !/zstd/i.test(acceptEncoding)) return false;
  return acceptEncoding.toLowerCase().split(",").some((part) => {
    const [coding, ...parameters] = part.split(";").map((text) => text.trim());
    return coding === "zstd" && !parameters.some((text) => /^q=0(?:\.0*)?$/.test(text));
  });
}
