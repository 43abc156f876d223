// What an answer means for the call: decided, or where and when to try again, or refused for good. Pure.
// Source: PROTOCOL.md, Problems; RULES 13 and 14.

import { PontoonError } from "./error.ts";

/** An answer, its body read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** What to do with an answer. */
export type Verdict =
  | { readonly kind: "decided" }
  /** Never mind asking again. */
  | { readonly kind: "refused"; readonly error: PontoonError }
  /** Ask `leader`. */
  | {
    readonly kind: "elsewhere";
    readonly leader: string;
    readonly epoch: number;
    readonly error: PontoonError;
  }
  | {
    readonly kind: "retry";
    /**
     * `same`: this node will do, after `waitMs`. `other`: it does not lead, or not for long. `faulty`:
     * its handling failed, which may well repeat.
     */
    readonly where: "same" | "other" | "faulty";
    /** At least so long. */
    readonly waitMs: number;
    readonly error: PontoonError;
  };

const DECIDED: Verdict = { kind: "decided" };

/** Codes after which another node may well do better. */
const ELSEWHERE_CODES: ReadonlySet<string> = new Set([
  "no-leader",
  "not-leader",
  "stopping",
  "unavailable",
  "timeout",
]);

/** The problem document of an answer; what is none counts as one without members. */
function problemOf(answer: Answer): Record<string, unknown> {
  try {
    const document = JSON.parse(answer.text);
    if (typeof document === "object" && document !== null) return document;
  } catch {
    // A proxy's page, say.
  }
  return {};
}

/** An answer that is an error as one to throw. */
export function errorOf(answer: Answer, write: boolean): PontoonError {
  const problem = problemOf(answer);
  const { status } = answer;
  const code = typeof problem.code === "string" ? problem.code : "unexpected-answer";
  const detail = typeof problem.detail === "string" ? problem.detail : answer.text.slice(0, 200);
  // What no node of Pontoon said proves nothing about a write.
  const silent = code === "unexpected-answer" || code === "idempotency-stale";
  const unknown = write && (silent || problem.outcome === "unknown");
  return new PontoonError(`${code} (${status}): ${detail}`, {
    code,
    outcome: unknown ? "unknown" : "none",
    retryable: problem.retryable === true || silent && status >= 500,
    status,
    problem,
  });
}

/** Whether 404 is about the key, not about the route. */
function isAbsence(answer: Answer): boolean {
  return answer.status === 404 && problemOf(answer).code === "not-found";
}

/** @param write whether the request could have had an effect */
export function verdictOf(answer: Answer, write: boolean): Verdict {
  const { status } = answer;
  if (status >= 200 && status < 300) return DECIDED;
  if (status === 412 || isAbsence(answer)) return DECIDED;
  const error = errorOf(answer, write);
  const { code, problem } = error;
  if (status === 421 && typeof problem?.leader === "string") {
    const epoch = typeof problem.epoch === "number" ? problem.epoch : 0;
    return { kind: "elsewhere", leader: problem.leader, epoch, error };
  }
  if (ELSEWHERE_CODES.has(code)) return { kind: "retry", where: "other", waitMs: 0, error };
  if (status === 429 || status === 503) {
    const seconds = Number(answer.headers.get("retry-after") ?? 0);
    const waitMs = seconds > 0 ? seconds * 1000 : 0;
    return { kind: "retry", where: "same", waitMs, error };
  }
  if (code === "body-timeout" || code === "body-incomplete") {
    return { kind: "retry", where: "same", waitMs: 0, error };
  }
  if (status >= 500) return { kind: "retry", where: "faulty", waitMs: 0, error };
  return { kind: "refused", error };
}
