// What a call is: the request, which is fixed, and how far it has come. Types, and what can be told from them.

import type { PooledNode } from "./node_pool.ts";
import type { Ticket } from "./session.ts";
import type { Answer, Verdict } from "./verdict.ts";

/** What is asked, of whichever node. */
export interface CallRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Without the key, for metrics. */
  readonly route: string;
  /** Path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Of the key; undefined: any node serves it as well as any other. */
  readonly partition: number | undefined;
  /** Whether the node may hand it on, though we take it for the leader: parts of it may lie elsewhere. */
  readonly forward?: boolean;
  /**
   * `read`: by the leader. `stale`: by the nearest replica. `session`: a write under the session.
   * `keyed`: a write that brings its own idempotency key. `once`: one that has none; it is not sent again
   * once it may have had an effect.
   */
  readonly kind: "read" | "stale" | "session" | "keyed" | "once";
  /** Its place in the session, if its owner keeps that for further calls: it stays open. */
  readonly ticket?: Ticket;
  /** What an answer means, where it is more than its status and code say. */
  readonly judge?: (answer: Answer) => Verdict;
}

/** A call under way. */
export interface Call {
  readonly request: CallRequest;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  /** The clock as last read: reading it costs more than all else between two attempts. */
  nowMs: number;
  /** Shared and empty until a node fails. */
  tried: ReadonlySet<PooledNode>;
  ticket: Ticket | undefined;
  attempts: number;
  /** Some attempt may have had an effect. */
  unknown: boolean;
  hops: number;
  faults: number;
  timeouts: number;
  lastError: unknown;
}

/** Whether it may have an effect. */
export function isWrite({ kind }: CallRequest): boolean {
  return kind === "session" || kind === "keyed" || kind === "once";
}
