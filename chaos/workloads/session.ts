// Sends the requests of one call and says what their answers prove. 503, 429 and 421 did not happen; 504, 500 on a
// write and any network error are unknown, and stay so unless a later attempt under the same idempotency key is
// decided (RULES 14). Source: src/PROTOCOL.md, Problems.

import type { Json } from "../../checker/mod.ts";
import type { SystemNode } from "../types.ts";

/** One HTTP request, node not yet chosen. */
export interface Request {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** With query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** It changes nothing: without an answer it simply did not say anything. */
  readonly reads: boolean;
  /** Statuses that decide it. */
  readonly decided: readonly number[];
}

/** What one request, or several under one idempotency key, came to. */
export type Answer =
  | {
    readonly kind: "decided";
    readonly status: number;
    readonly body: Readonly<Record<string, Json>>;
    readonly applied?: number;
    readonly partition?: string;
  }
  | { readonly kind: "refused" | "unknown"; readonly error: string };

/** An answer that the API does not have. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}

/**
 * A connection for each request. On a pooled one that turns out to be reset, Deno's fetch sends the request again by
 * itself, writes too: a put was seen to take effect twice.
 */
const CLIENT = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });

const REFUSED: readonly number[] = [421, 429, 503];
const PAUSE_MS = 40;
const PAUSE_MS_MAX = 640;

export interface SessionOptions {
  /** Which node the n-th request goes to. */
  readonly pick: (attempt: number) => SystemNode;
  /** What the system is told to take at most. */
  readonly serverTimeoutMs: number;
  /** After it the client gives up. */
  readonly clientTimeoutMs: number;
  /** Unique for the call. */
  readonly id: string;
  /** No further attempt once it holds. */
  readonly stopped: () => boolean;
}

/** The requests of one call. */
export class Session {
  readonly #options: SessionOptions;
  #attempts = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Unique for the call; fit for an idempotency key. */
  get id(): string {
    return this.#options.id;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** Sends it once. */
  async attempt(request: Request): Promise<Answer> {
    const { pick, serverTimeoutMs, clientTimeoutMs } = this.#options;
    const node = pick(this.#attempts++);
    const undecided = request.reads ? "refused" : "unknown";
    let response: Response;
    let body: Record<string, Json>;
    try {
      response = await fetch(`http://${node.http}${request.path}`, {
        method: request.method,
        headers: { "Pontoon-Timeout-Ms": String(serverTimeoutMs), ...request.headers },
        ...(request.body === undefined ? {} : { body: request.body }),
        signal: AbortSignal.timeout(clientTimeoutMs),
        client: CLIENT,
      });
      body = await response.json();
    } catch (cause) {
      return { kind: undecided, error: networkError(cause) };
    }
    const { status } = response;
    if (request.decided.includes(status)) {
      const applied = response.headers.get("Pontoon-Applied");
      const partition = response.headers.get("Pontoon-Partition");
      return {
        kind: "decided",
        status,
        body,
        ...(applied === null ? {} : { applied: Number(applied) }),
        ...(partition === null ? {} : { partition }),
      };
    }
    const error = typeof body.code === "string" ? `${status} ${body.code}` : String(status);
    if (REFUSED.includes(status)) return { kind: "refused", error };
    if (status >= 500) return { kind: undecided, error };
    throw new ProtocolError(
      `${request.method} ${request.path} was answered ${error}, which the API does not have for it`,
    );
  }

  /**
   * Sends it until it is decided, at most `attemptsMax` times, a write under the idempotency key `key`.
   *
   * @returns unknown if any attempt was and none was decided
   */
  async persist(request: Request, key: string, attemptsMax: number): Promise<Answer> {
    const keyed = request.reads
      ? request
      : { ...request, headers: { ...request.headers, "Idempotency-Key": key } };
    let worst: Answer | undefined;
    for (let i = 0, pauseMs = PAUSE_MS;; i++, pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
      const answer = await this.attempt(keyed);
      if (answer.kind === "decided") return answer;
      if (worst?.kind !== "unknown") worst = answer;
      if (i + 1 >= attemptsMax || this.#options.stopped()) return worst;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

function networkError(cause: unknown): string {
  if (cause instanceof DOMException && cause.name === "TimeoutError") return "no answer in time";
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/refused/i.test(text)) return "connection refused";
  if (/reset/i.test(text)) return "connection reset";
  if (/closed|broken pipe|incomplete/i.test(text)) return "connection closed";
  return text.slice(0, 120);
}
