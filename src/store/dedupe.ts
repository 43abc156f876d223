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
import { compareKeys, newTree, newTreeSet, type Tree, type TreeSet } from "./tree.ts";
import type { CommandResult, Idempotency, PartitionTimeMs } from "./types.ts";

/** What is remembered of one write. Never changed once stored. */
export interface Outcome {
  readonly fingerprint: string;
  readonly index: LogIndex;
  readonly result: CommandResult;
}

/** The outcome of a write with a bare key. */
export interface KeyOutcome extends Outcome {
  readonly key: string;
  /** Partition time from which it counts as forgotten. */
  readonly endMs: PartitionTimeMs;
}

/** A write's place in its session. */
interface Place {
  readonly sessionId: string;
  readonly sequence: number;
}

/** The outcome of a write within a session. */
export interface SessionOutcome extends Outcome, Place {}

/** One client session in this partition. Never changed once stored. */
export interface Session {
  readonly id: string;
  readonly acknowledgedThrough: number;
  readonly lastUsedMs: PartitionTimeMs;
}

/** When to look at a bare key or a session again. A session's may be due early: it is then renewed. */
export interface Purge {
  readonly timeMs: PartitionTimeMs;
  readonly kind: "key" | "session";
  readonly id: string;
}

/** What a write finds when it comes: an outcome to replay, a refusal, or nothing (run it). */
export type Lookup =
  | { readonly kind: "new" }
  | { readonly kind: "replay"; readonly outcome: Outcome }
  | { readonly kind: "idempotency-stale" | "idempotency-key-reused" | "idempotency-table-full" };

/** What an outcome counts beside its key and results. */
const OUTCOME_OVERHEAD_BYTES = 160;
/** What a transaction's outcome counts for each of its operations. */
const OPERATION_RESULT_BYTES = 48;
/** Purges done per entry at most, so that no entry pays for a burst long ago. */
const PURGES_PER_ENTRY_MAX = 64;
/** Further purges before a write is refused because the table is full: about 1 ms. */
const PURGES_WHEN_FULL_MAX = 1024;

function sizeOf(id: string, outcome: Outcome): number {
  const results = outcome.result.kind === "txn" ? outcome.result.results.length : 0;
  return OUTCOME_OVERHEAD_BYTES + id.length + results * OPERATION_RESULT_BYTES;
}

/** By session, then sequence; lookups pass a bare place. */
function comparePlaces(a: Place, b: Place): number {
  if (a.sessionId === b.sessionId) return a.sequence - b.sequence; // the common case
  return compareKeys(a.sessionId, b.sessionId);
}

function comparePurges(a: Purge, b: Purge): number {
  return a.timeMs - b.timeMs || compareKeys(a.kind, b.kind) || compareKeys(a.id, b.id);
}

function isEnded(session: Session, timeMs: PartitionTimeMs): boolean {
  return session.lastUsedMs + IDEMPOTENCY_RETENTION_MS <= timeMs;
}

/** The table of one partition. */
export class Dedupe {
  #keys: Tree<KeyOutcome> = newTree();
  #sessions: Tree<Session> = newTree();
  #places: TreeSet<SessionOutcome> = newTreeSet(comparePlaces as never);
  /** *Invariant:* at least one for every bare key and every session. */
  #purges: TreeSet<Purge> = newTreeSet(comparePurges);
  #sizeBytes = 0;

  clone(): Dedupe {
    const copy = new Dedupe();
    copy.#keys = this.#keys.clone();
    copy.#sessions = this.#sessions.clone();
    copy.#places = this.#places.clone();
    copy.#purges = this.#purges.clone();
    copy.#sizeBytes = this.#sizeBytes;
    return copy;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  get outcomeCount(): number {
    return this.#keys.size + this.#places.size;
  }

  get purgeCount(): number {
    return this.#purges.size;
  }

  /** What the outcomes count against the limit. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Forgets what is past its retention, a bounded number per call. */
  purge(timeMs: PartitionTimeMs, limit = PURGES_PER_ENTRY_MAX): void {
    for (let i = 0; i < limit; i++) {
      const first = this.#purges.minKey();
      if (first === undefined || first.timeMs > timeMs) return;
      this.#purges.delete(first);
      if (first.kind === "key") {
        const outcome = this.#keys.get(first.id);
        if (outcome !== undefined && outcome.endMs <= timeMs) this.#forgetKey(outcome);
        continue;
      }
      const session = this.#sessions.get(first.id);
      if (session === undefined) continue;
      if (isEnded(session, timeMs)) {
        this.#forgetThrough(session, Number.MAX_SAFE_INTEGER);
        this.#sessions.delete(session.id);
      } else {
        const endMs = session.lastUsedMs + IDEMPOTENCY_RETENTION_MS;
        this.#purges.set({ timeMs: endMs, kind: "session", id: session.id }, undefined);
      }
    }
  }

  /** Looks a write up, and moves its session's mark. Call once per write, before it runs. */
  begin(idempotency: Idempotency, timeMs: PartitionTimeMs): Lookup {
    let outcome: Outcome | undefined;
    if (idempotency.kind === "key") {
      const found = this.#keys.get(idempotency.key);
      // Past its retention it counts as forgotten, whether or not its purge has come.
      if (found !== undefined && found.endMs <= timeMs) this.#forgetKey(found);
      else outcome = found;
    } else {
      const refusal = this.#beginInSession(idempotency, timeMs);
      if (refusal !== undefined) return refusal;
      outcome = this.#places.getPairOrNextHigher(idempotency as Place as SessionOutcome)?.[0];
      if (outcome !== undefined && comparePlaces(outcome as SessionOutcome, idempotency) !== 0) {
        outcome = undefined;
      }
    }
    if (outcome !== undefined) {
      return outcome.fingerprint === fingerprintText(idempotency.fingerprint)
        ? { kind: "replay", outcome }
        : { kind: "idempotency-key-reused" };
    }
    if (this.#isFull()) this.purge(timeMs, PURGES_WHEN_FULL_MAX);
    return this.#isFull() ? { kind: "idempotency-table-full" } : { kind: "new" };
  }

  #isFull(): boolean {
    return this.outcomeCount >= IDEMPOTENCY_OUTCOMES_MAX ||
      this.#sizeBytes >= IDEMPOTENCY_BYTES_MAX;
  }

  /** Opens or renews the session; returns why the write can't go on, if so. */
  #beginInSession(
    idempotency: Extract<Idempotency, { kind: "session" }>,
    timeMs: PartitionTimeMs,
  ): Lookup | undefined {
    const { sessionId, sequence } = idempotency;
    let session = this.#sessions.get(sessionId);
    if (session !== undefined && isEnded(session, timeMs)) {
      // Forgotten, though its purge has not come: it begins anew under the same purge.
      this.#forgetThrough(session, Number.MAX_SAFE_INTEGER);
      session = { id: session.id, acknowledgedThrough: 0, lastUsedMs: timeMs };
    } else if (session === undefined) {
      if (this.#sessions.size >= IDEMPOTENCY_SESSIONS_MAX) {
        this.purge(timeMs, PURGES_WHEN_FULL_MAX);
        if (this.#sessions.size >= IDEMPOTENCY_SESSIONS_MAX) {
          return { kind: "idempotency-table-full" };
        }
      }
      const endMs = timeMs + IDEMPOTENCY_RETENTION_MS;
      this.#purges.set({ timeMs: endMs, kind: "session", id: sessionId }, undefined);
      session = { id: sessionId, acknowledgedThrough: 0, lastUsedMs: timeMs };
    }
    const before = session.acknowledgedThrough;
    const acknowledgedThrough = Math.max(before, idempotency.acknowledgedThrough);
    if (acknowledgedThrough > before) this.#forgetThrough(session, acknowledgedThrough);
    this.#sessions.set(session.id, { id: session.id, acknowledgedThrough, lastUsedMs: timeMs });
    return sequence <= acknowledgedThrough ? { kind: "idempotency-stale" } : undefined;
  }

  /** Remembers the outcome of a write that `begin` called new. */
  remember(
    idempotency: Idempotency,
    index: LogIndex,
    result: CommandResult,
    timeMs: PartitionTimeMs,
  ): void {
    const fingerprint = fingerprintText(idempotency.fingerprint);
    const kept = withoutValues(result);
    if (idempotency.kind === "key") {
      const { key } = idempotency;
      const endMs = timeMs + IDEMPOTENCY_RETENTION_MS;
      this.restorePurge({ timeMs: endMs, kind: "key", id: key });
      this.restoreKey({ key, endMs, fingerprint, index, result: kept });
    } else {
      const { sessionId, sequence } = idempotency;
      this.restorePlace({ sessionId, sequence, fingerprint, index, result: kept });
    }
  }

  /** Forgets a session's outcomes at or below `sequence`. */
  #forgetThrough(session: Session, sequence: number): void {
    const last: Place = { sessionId: session.id, sequence };
    let place: Place = { sessionId: session.id, sequence: 0 };
    for (;;) {
      const found = this.#places.getPairOrNextHigher(place as SessionOutcome)?.[0];
      if (found === undefined || comparePlaces(found, last) > 0) return;
      this.#places.delete(found);
      this.#sizeBytes -= sizeOf(found.sessionId, found);
      place = found;
    }
  }

  #forgetKey(outcome: KeyOutcome): void {
    this.#keys.delete(outcome.key);
    this.#sizeBytes -= sizeOf(outcome.key, outcome);
  }

  // The parts, each in order, for images.

  keys(): Iterable<KeyOutcome> {
    return this.#keys.values();
  }

  sessions(): Iterable<Session> {
    return this.#sessions.values();
  }

  places(): Iterable<SessionOutcome> {
    return this.#places.keys();
  }

  purges(): Iterable<Purge> {
    return this.#purges.keys();
  }

  /** Puts back one item of an image. */
  restoreKey(outcome: KeyOutcome): void {
    this.#keys.set(outcome.key, outcome);
    this.#sizeBytes += sizeOf(outcome.key, outcome);
  }

  restoreSession(session: Session): void {
    this.#sessions.set(session.id, session);
  }

  restorePlace(outcome: SessionOutcome): void {
    // The session's own string, so that each is held once.
    const sessionId = this.#sessions.get(outcome.sessionId)?.id ?? outcome.sessionId;
    this.#places.set({ ...outcome, sessionId }, undefined);
    this.#sizeBytes += sizeOf(sessionId, outcome);
  }

  restorePurge(purge: Purge): void {
    this.#purges.set(purge, undefined);
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
