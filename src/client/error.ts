// The one error that the SDK throws for what goes wrong in operation. A misuse of the API is a TypeError
// or RangeError instead, and a failed condition is no error at all: it is data.

/**
 * Whether a call had an effect.
 *
 * - `none`: it had none, and never will have.
 * - `unknown`: it may have had one, or may yet. Reads are always `none`.
 */
export type Outcome = "none" | "unknown";

/** Codes that the SDK itself gives, beside those of the cluster's problem documents. */
export type ClientErrorCode =
  /** The time of the call ran out. */
  | "deadline"
  /** The caller's signal aborted the call. */
  | "aborted"
  /** The client was closed. */
  | "closed"
  /** No answer came, or one that broke off. */
  | "connection"
  /** An answer came that is none of this API's. */
  | "unexpected-answer"
  /** As many watches are open as the client may have. */
  | "too-many-watches";

/** What a {@linkcode PontoonError} says beside its message. */
export interface PontoonErrorInit {
  readonly code: string;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  /** HTTP status of the answer that decided, 0 if none did. */
  readonly status?: number;
  /** Members of the problem document, if there was one. */
  readonly problem?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** A call that did not end as asked. `code` names why, `outcome` what became of it. */
export class PontoonError extends Error {
  override readonly name = "PontoonError";
  readonly code: string;
  readonly outcome: Outcome;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  readonly status: number;
  readonly problem: Readonly<Record<string, unknown>> | undefined;

  constructor(message: string, init: PontoonErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.outcome = init.outcome;
    this.retryable = init.retryable;
    this.status = init.status ?? 0;
    this.problem = init.problem;
  }
}
