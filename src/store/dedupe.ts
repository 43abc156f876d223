// Outcomes of idempotent writes (RULES 16, 17): sessions with their acknowledged-through mark, and bare
// keys kept for five minutes of partition time. Bounded; a live outcome is never forgotten to make room.
// Source: Raft dissertation §6.3.

import type { LogIndex } from "../base/ids.ts";
import {
  IDEMPOTENCY_BYTES_MAX,
  IDEMPOTENCY_OUTCOMES_MAX,
  IDEMPOTENCY_RETENTION_MS,
  IDEMPOTENCY_SESSIONS_MAX,
} from "../base/limits.ts";
import { fingerprintText } from "./envelope.ts";
import { idOf, timeOf, timeOrdered } from "./records.ts";
import { newTree, type Tree } from "./tree.ts";
import type { CommandResult, Idempotency, PartitionTimeMs } from "./types.ts";

/** What is remembered of one write. Never changed once stored. */
export interface Outcome {
  readonly fingerprint: string;
  readonly index: LogIndex;
  readonly result: CommandResult;
}

/** One client session in this partition. Never changed once stored. */
export interface Session {
  readonly acknowledgedThrough: number;
  readonly lastUsedMs: PartitionTimeMs;
}

/** What a write finds when it comes: an outcome to replay, a refusal, or nothing (run it). */
export type Lookup =
  | { readonly kind: "new" }
  | { readonly kind: "replay"; readonly outcome: Outcome }
  | { readonly kind: "idempotency-stale" | "idempotency-key-reused" | "idempotency-table-full" };

/** What an outcome counts beside its strings. */
const OUTCOME_OVERHEAD_BYTES = 160;
/** Expired items removed per entry at most, so that no entry pays for a burst long ago. */
const PURGES_PER_ENTRY_MAX = 64;

const KEY_PREFIX = "k";
const SESSION_PREFIX = "s";

function sequenceText(sequence: number): string {
  return timeOrdered(sequence, ""); // eight bytes that sort like the number
}

function sizeOf(id: string, outcome: Outcome): number {
  const results = outcome.result.kind === "txn" ? outcome.result.results.length * 48 : 0;
  return OUTCOME_OVERHEAD_BYTES + id.length + results;
}

/** The table of one partition. */
export class Dedupe {
  #sessions: Tree<Session>;
  /** "k" + key, or "s" + session id + sequence. */
  #outcomes: Tree<Outcome>;
  /** When to look at an item again: "k" + key, or "s" + session id. */
  #purges: Tree<true>;
  #bytes: number;

  constructor(
    sessions: Tree<Session> = newTree(),
    outcomes: Tree<Outcome> = newTree(),
    purges: Tree<true> = newTree(),
    bytes = 0,
  ) {
    this.#sessions = sessions;
    this.#outcomes = outcomes;
    this.#purges = purges;
    this.#bytes = bytes;
  }

  clone(): Dedupe {
    return new Dedupe(
      this.#sessions.clone(),
      this.#outcomes.clone(),
      this.#purges.clone(),
      this.#bytes,
    );
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  get outcomeCount(): number {
    return this.#outcomes.size;
  }

  /** Forgets what is past its retention, a bounded number per call. */
  purge(timeMs: PartitionTimeMs): void {
    for (let i = 0; i < PURGES_PER_ENTRY_MAX; i++) {
      const first = this.#purges.minKey();
      if (first === undefined || timeOf(first) > timeMs) return;
      this.#purges.delete(first);
      const id = idOf(first);
      if (id.startsWith(KEY_PREFIX)) {
        this.#forget(id);
        continue;
      }
      const sessionId = id.slice(1);
      const session = this.#sessions.get(sessionId);
      if (session === undefined) continue;
      const endMs = session.lastUsedMs + IDEMPOTENCY_RETENTION_MS;
      if (endMs > timeMs) this.#purges.set(timeOrdered(endMs, id), true);
      else {
        this.#forgetThrough(sessionId, Number.MAX_SAFE_INTEGER);
        this.#sessions.delete(sessionId);
      }
    }
  }

  /** Looks a write up, and moves its session's mark. Call once per write, before it runs. */
  begin(idempotency: Idempotency, timeMs: PartitionTimeMs): Lookup {
    const id = idempotency.kind === "key"
      ? KEY_PREFIX + idempotency.key
      : this.#beginInSession(idempotency, timeMs);
    if (typeof id !== "string") return id;
    const outcome = this.#outcomes.get(id);
    if (outcome === undefined) {
      const full = this.#outcomes.size >= IDEMPOTENCY_OUTCOMES_MAX ||
        this.#bytes >= IDEMPOTENCY_BYTES_MAX;
      return full ? { kind: "idempotency-table-full" } : { kind: "new" };
    }
    return outcome.fingerprint === fingerprintText(idempotency.fingerprint)
      ? { kind: "replay", outcome }
      : { kind: "idempotency-key-reused" };
  }

  #beginInSession(
    idempotency: Extract<Idempotency, { kind: "session" }>,
    timeMs: PartitionTimeMs,
  ): string | Lookup {
    const { sessionId, sequence } = idempotency;
    const session = this.#sessions.get(sessionId);
    if (session === undefined) {
      if (this.#sessions.size >= IDEMPOTENCY_SESSIONS_MAX) {
        return { kind: "idempotency-table-full" };
      }
      const endMs = timeMs + IDEMPOTENCY_RETENTION_MS;
      this.#purges.set(timeOrdered(endMs, SESSION_PREFIX + sessionId), true);
    }
    const before = session?.acknowledgedThrough ?? 0;
    const acknowledgedThrough = Math.max(before, idempotency.acknowledgedThrough);
    this.#sessions.set(sessionId, { acknowledgedThrough, lastUsedMs: timeMs });
    if (acknowledgedThrough > before) this.#forgetThrough(sessionId, acknowledgedThrough);
    if (sequence <= acknowledgedThrough) return { kind: "idempotency-stale" };
    return SESSION_PREFIX + sessionId + sequenceText(sequence);
  }

  /** Remembers the outcome of a write that `begin` called new. */
  remember(
    idempotency: Idempotency,
    index: LogIndex,
    result: CommandResult,
    timeMs: PartitionTimeMs,
  ): void {
    const fingerprint = fingerprintText(idempotency.fingerprint);
    let id: string;
    if (idempotency.kind === "key") {
      id = KEY_PREFIX + idempotency.key;
      this.#purges.set(timeOrdered(timeMs + IDEMPOTENCY_RETENTION_MS, id), true);
    } else id = SESSION_PREFIX + idempotency.sessionId + sequenceText(idempotency.sequence);
    const outcome = { fingerprint, index, result: withoutValues(result) };
    this.#outcomes.set(id, outcome);
    this.#bytes += sizeOf(id, outcome);
  }

  #forgetThrough(sessionId: string, sequence: number): void {
    const first = SESSION_PREFIX + sessionId;
    const last = first + sequenceText(sequence);
    const gone: string[] = [];
    for (const id of this.#outcomes.keys(first)) {
      if (id > last) break;
      gone.push(id);
    }
    for (const id of gone) this.#forget(id);
  }

  #forget(id: string): void {
    const outcome = this.#outcomes.get(id);
    if (outcome === undefined) return;
    this.#bytes -= sizeOf(id, outcome);
    this.#outcomes.delete(id);
  }

  // The three parts in order, for images.

  sessions(): Iterable<[string, Session]> {
    return this.#sessions.entries();
  }

  outcomes(): Iterable<[string, Outcome]> {
    return this.#outcomes.entries();
  }

  purges(): Iterable<string> {
    return this.#purges.keys();
  }

  /** Puts back one item of an image. */
  restoreSession(id: string, session: Session): void {
    this.#sessions.set(id, session);
  }

  restoreOutcome(id: string, outcome: Outcome): void {
    this.#outcomes.set(id, outcome);
    this.#bytes += sizeOf(id, outcome);
  }

  restorePurge(ordered: string): void {
    this.#purges.set(ordered, true);
  }
}

/** A replayed transaction returns revisions, not values (RULES 17). */
function withoutValues(result: CommandResult): CommandResult {
  if (result.kind !== "txn") return result;
  return {
    ...result,
    results: result.results.map((one) =>
      one.kind === "get" ? { kind: "get", revision: one.revision } : one
    ),
  };
}
