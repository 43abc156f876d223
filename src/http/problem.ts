// Every error of the API as application/problem+json (RFC 9457) with `code`, `retryable` and `outcome`.
// Owns the table of codes: status, title and whether trying again can help stand nowhere else.

import type { Failure, ProblemCode } from "../node/service.ts";
import type { Log } from "../platform/ports.ts";

export const PROBLEM_TYPE = "application/problem+json";

/** Codes of requests that were refused for what they are, beside the node's own. */
export type RequestProblemCode =
  | "invalid-key"
  | "key-too-long"
  | "invalid-parameter"
  | "invalid-condition"
  | "invalid-header"
  | "invalid-json"
  | "invalid-body"
  | "invalid-cursor"
  | "value-too-large"
  | "body-timeout"
  | "body-incomplete"
  | "unsupported-media-type"
  | "not-found"
  | "no-such-route"
  | "method-not-allowed"
  | "condition-failed"
  | "cross-partition"
  | "range-too-large"
  | "watch-too-slow"
  | "unauthorized"
  | "forbidden"
  | "rate-limited"
  | "misdirected"
  | "idempotency-stale"
  | "idempotency-key-reused";

export type AnyProblemCode = ProblemCode | RequestProblemCode;

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
  /** Seconds for Retry-After. */
  readonly retryAfter?: number;
}

export const PROBLEMS: Readonly<Record<AnyProblemCode, ProblemKind>> = {
  "invalid-key": { status: 400, title: "Invalid key", retryable: false },
  "key-too-long": { status: 414, title: "Key too long", retryable: false },
  "invalid-parameter": { status: 400, title: "Invalid query parameter", retryable: false },
  "invalid-condition": { status: 400, title: "Invalid condition", retryable: false },
  "invalid-header": { status: 400, title: "Invalid header", retryable: false },
  "invalid-json": { status: 400, title: "Invalid JSON", retryable: false },
  "invalid-body": { status: 400, title: "Invalid request body", retryable: false },
  "invalid-cursor": { status: 400, title: "Invalid cursor", retryable: false },
  "value-too-large": { status: 413, title: "Value too large", retryable: false },
  "body-incomplete": { status: 400, title: "Request body broke off", retryable: true },
  "body-timeout": { status: 408, title: "Request body timed out", retryable: true },
  "unsupported-media-type": { status: 415, title: "Unsupported media type", retryable: false },
  "unauthorized": { status: 401, title: "Token needed", retryable: false },
  "forbidden": { status: 403, title: "Not allowed", retryable: false },
  "rate-limited": { status: 429, title: "Too many requests", retryable: true, retryAfter: 1 },
  "misdirected": { status: 421, title: "Not a name of this node", retryable: false },
  "not-found": { status: 404, title: "No such key", retryable: false },
  "no-such-route": { status: 404, title: "No such route", retryable: false },
  "method-not-allowed": { status: 405, title: "Method not allowed", retryable: false },
  "condition-failed": { status: 412, title: "Condition failed", retryable: false },
  "cross-partition": { status: 409, title: "Keys of several partitions", retryable: false },
  "range-too-large": { status: 409, title: "Range too large", retryable: false },
  "idempotency-stale": { status: 409, title: "Idempotency sequence is stale", retryable: false },
  "idempotency-key-reused": {
    status: 422,
    title: "Idempotency key reused for another request",
    retryable: false,
  },
  "idempotency-table-full": {
    status: 429,
    title: "Too many outcomes to remember",
    retryable: true,
    retryAfter: 1,
  },
  "unknown-partition": { status: 404, title: "No such partition", retryable: false },
  "history-gone": { status: 410, title: "History gone", retryable: false },
  "watch-too-slow": { status: 503, title: "Watcher too slow", retryable: true, retryAfter: 1 },
  "unknown-member": { status: 404, title: "No such member", retryable: false },
  "conflict": { status: 409, title: "Conflict", retryable: false },
  "not-leader": { status: 421, title: "Another node leads this partition", retryable: true },
  "no-leader": { status: 503, title: "No leader", retryable: true, retryAfter: 1 },
  "overloaded": { status: 503, title: "Overloaded", retryable: true, retryAfter: 1 },
  "disk-full": { status: 503, title: "Disk full", retryable: true, retryAfter: 10 },
  "stopping": { status: 503, title: "Node is stopping", retryable: true, retryAfter: 1 },
  "unavailable": { status: 503, title: "Not applied", retryable: true, retryAfter: 1 },
  "timeout": { status: 504, title: "Outcome unknown", retryable: true },
  "internal": { status: 500, title: "Internal error", retryable: false },
};

/** Members of a problem document beyond the standard ones. */
export interface ProblemExtras {
  readonly outcome?: "none" | "unknown";
  readonly headers?: Readonly<Record<string, string>>;
  readonly members?: Readonly<Record<string, unknown>>;
}

/** A problem as a document, for an answer or for a part of one. */
export function problemDocument(
  code: AnyProblemCode,
  detail: string,
  extras: ProblemExtras = {},
): Record<string, unknown> {
  const { status, title, retryable } = PROBLEMS[code];
  return {
    type: `urn:pontoon:problem:${code}`,
    title,
    status,
    detail,
    code,
    retryable,
    outcome: extras.outcome ?? "none",
    ...extras.members,
  };
}

/** A problem response. */
export function problem(
  code: AnyProblemCode,
  detail: string,
  extras: ProblemExtras = {},
): Response {
  const { status, retryAfter } = PROBLEMS[code];
  const headers: Record<string, string> = { "content-type": PROBLEM_TYPE, ...extras.headers };
  if (retryAfter !== undefined) headers["retry-after"] = String(retryAfter);
  // What is left of the body is not worth reading, so the connection can't be used again.
  if (code === "body-timeout") headers.connection = "close";
  return new Response(JSON.stringify(problemDocument(code, detail, extras)), { status, headers });
}

/** A node's failure as a document within an answer. */
export function failureProblem({ code, detail, outcome }: Failure): Record<string, unknown> {
  return problemDocument(code, detail, { outcome });
}

/**
 * A node's failure as a response. `target` is the path and query of the request, where a client that asked
 * for a redirect goes on at the leader.
 */
export function failureResponse(failure: Failure, target: string, redirect: boolean): Response {
  const { code, detail, outcome, leaderHttp, epoch } = failure;
  const members: Record<string, unknown> = {};
  if (leaderHttp !== undefined) members.leader = `http://${leaderHttp}`;
  if (epoch !== undefined) members.epoch = epoch;
  if (code === "not-leader" && redirect && leaderHttp !== undefined) {
    return new Response(null, {
      status: 307,
      headers: { location: `http://${leaderHttp}${target}` },
    });
  }
  return problem(code, detail, { outcome, members });
}

/** Thrown by parsers of requests; {@linkcode errorResponse} turns it into its response. */
export class RequestError extends Error {
  override name = "RequestError";
  readonly code: RequestProblemCode;
  readonly headers: Readonly<Record<string, string>> | undefined;
  constructor(
    code: RequestProblemCode,
    detail: string,
    headers?: Readonly<Record<string, string>>,
  ) {
    super(detail);
    this.code = code;
    this.headers = headers;
  }
}

/**
 * The response to anything thrown while a request was handled: a refusal, or a fault of ours, which is
 * logged and leaves the outcome of a write unknown.
 */
export function errorResponse(error: unknown, method: string, log: Log): Response {
  if (error instanceof RequestError) {
    return problem(error.code, error.message, { headers: error.headers });
  }
  const words = error instanceof Error ? error.stack ?? error.message : String(error);
  log.log("error", "request failed", { method, error: words });
  const reads = method === "GET" || method === "HEAD";
  return problem("internal", "The node failed to handle the request; its log says more", {
    outcome: reads ? "none" : "unknown",
  });
}

/** The same answer without its body, as HEAD wants it: the length is what GET would have. */
export async function withoutBody(response: Response): Promise<Response> {
  const { status, headers, body } = response;
  if (body !== null) headers.set("content-length", String((await response.bytes()).length));
  return new Response(null, { status, headers });
}
