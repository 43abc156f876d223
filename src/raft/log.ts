// One replica's log: stable storage with the unstable end laid over it, and the three marks
// committed, applying, applied. Never writes storage and never decides what to commit.
// Source: Raft §5.3; the applying mark and its byte budget as in etcd-raft.

import { assert } from "../base/assert.ts";
import type { LogIndex, ReplicaId, Term } from "../base/ids.ts";
import { entriesSizeBytes, limitedEnd } from "./size.ts";
import { type Storage, UNKNOWN_TERM } from "./storage.ts";
import { type Entry, NO_ENTRIES, type Snapshot } from "./types.ts";
import { Unstable } from "./unstable.ts";

/** A place in a log: what an entry is known by. */
export interface EntryId {
  readonly index: LogIndex;
  readonly term: Term;
}

export class RaftLog {
  readonly #storage: Storage;
  readonly unstable: Unstable;
  /** Highest index known to be durable on a quorum. *Invariant:* never runs back. */
  committed: LogIndex;
  /** Highest index handed out to be applied. *Invariant:* applied <= applying <= committed. */
  #applying: LogIndex;
  /** Highest index whose application was confirmed. */
  #applied: LogIndex;
  /** Bound on the encoded size of what was handed out to be applied and is not yet confirmed. */
  readonly #maxApplyingBytes: number;
  #applyingBytes = 0;
  #applyingPaused = false;

  /** Starts with everything up to the storage's snapshot committed and applied. */
  constructor(storage: Storage, maxApplyingBytes: number) {
    assert(maxApplyingBytes > 0, "the budget for entries being applied must be positive");
    this.#storage = storage;
    this.#maxApplyingBytes = maxApplyingBytes;
    const covered = storage.firstIndex() - 1;
    this.unstable = new Unstable(storage.lastIndex() + 1);
    this.committed = covered;
    this.#applying = covered;
    this.#applied = covered;
  }

  get applied(): LogIndex {
    return this.#applied;
  }

  get applying(): LogIndex {
    return this.#applying;
  }

  firstIndex(): LogIndex {
    const snapshot = this.unstable.snapshot;
    return snapshot === null ? this.#storage.firstIndex() : snapshot.metadata.index + 1;
  }

  lastIndex(): LogIndex {
    // An index of 0 means that the unstable end is empty; it never holds entry 0.
    return this.unstable.lastIndex() || this.#storage.lastIndex();
  }

  lastTerm(): Term {
    const term = this.term(this.lastIndex());
    assert(term !== UNKNOWN_TERM, "the last entry's term must be known");
    return term;
  }

  /** Term at `index`, or UNKNOWN_TERM where it was compacted away or is not there yet. */
  term(index: LogIndex): Term {
    const term = this.unstable.term(index);
    if (term !== UNKNOWN_TERM) return term;
    if (index + 1 < this.firstIndex() || index > this.lastIndex()) return UNKNOWN_TERM;
    return this.#storage.term(index);
  }

  matchTerm(index: LogIndex, term: Term): boolean {
    return this.term(index) === term && term !== UNKNOWN_TERM;
  }

  /** Whether a log that ends in (index, term) has all that ours has (Raft §5.4.1). */
  isUpToDate(index: LogIndex, term: Term): boolean {
    const lastTerm = this.lastTerm();
    return term > lastTerm || (term === lastTerm && index >= this.lastIndex());
  }

  /**
   * Takes a leader's entries behind (prevIndex, prevTerm) and its commit index (Raft §5.3).
   * Returns the last index that now matches the leader's log, or -1 if the logs do not meet there.
   */
  maybeAppend(
    prevIndex: LogIndex,
    prevTerm: Term,
    entries: readonly Entry[],
    leaderCommit: LogIndex,
  ): LogIndex {
    if (!this.matchTerm(prevIndex, prevTerm)) return -1;
    const lastNew = prevIndex + entries.length;
    const conflict = this.#findConflict(entries);
    if (conflict >= 0) {
      const from = entries[conflict].index;
      assert(from === prevIndex + 1 + conflict, `entry ${from} is out of place in its message`);
      assert(from > this.committed, `entry ${from} conflicts with the committed ${this.committed}`);
      this.append(conflict === 0 ? entries : entries.slice(conflict));
    }
    this.commitTo(Math.min(leaderCommit, lastNew));
    return lastNew;
  }

  /** Position of the first entry that differs from ours or that we lack; -1 if there is none. */
  #findConflict(entries: readonly Entry[]): number {
    if (entries.length > 0 && entries[0].index === this.lastIndex() + 1) return 0;
    for (let i = 0; i < entries.length; i++) {
      if (!this.matchTerm(entries[i].index, entries[i].term)) return i;
    }
    return -1;
  }

  /** Appends entries, replacing uncommitted ones from the first one's index on. */
  append(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const after = entries[0].index - 1;
    assert(after >= this.committed, `cannot replace entry ${after + 1}: ${this.committed} is done`);
    this.unstable.truncateAndAppend(entries);
  }

  /**
   * Best guess at where this log ends to match another one of which a single (index, term) is known:
   * the highest index up to `index` whose term is at most `term`, or unknown here (then with term 0).
   */
  findConflictByTerm(index: LogIndex, term: Term): EntryId {
    for (let at = index; at > 0; at--) {
      const ours = this.term(at);
      if (ours === UNKNOWN_TERM) return { index: at, term: 0 };
      if (ours <= term) return { index: at, term: ours };
    }
    return { index: 0, term: 0 };
  }

  commitTo(index: LogIndex): void {
    if (index <= this.committed) return;
    const last = this.lastIndex();
    assert(
      index <= last,
      `cannot commit ${index}: the log ends at ${last}. Was it corrupted, truncated or lost?`,
    );
    this.committed = index;
  }

  /** Commits up to `index` if its entry is of `term` (Raft §5.4.2); whether that changed anything. */
  maybeCommit(index: LogIndex, term: Term): boolean {
    if (index <= this.committed || term === 0 || this.term(index) !== term) return false;
    this.commitTo(index);
    return true;
  }

  /** Confirms that everything up to `index` was applied, freeing `sizeBytes` of the budget. */
  appliedTo(index: LogIndex, sizeBytes: number): void {
    assert(
      this.#applied <= index && index <= this.committed,
      `cannot have applied ${index}: not in [${this.#applied}, ${this.committed}]`,
    );
    this.#applied = index;
    this.#applying = Math.max(this.#applying, index);
    this.#applyingBytes = Math.max(0, this.#applyingBytes - sizeBytes);
    this.#applyingPaused = this.#applyingBytes >= this.#maxApplyingBytes;
  }

  /** Notes that everything up to `index` was handed out to be applied. */
  acceptApplying(index: LogIndex, sizeBytes: number, allowUnstable: boolean): void {
    assert(index <= this.committed, `cannot apply ${index}: only ${this.committed} is committed`);
    this.#applying = index;
    this.#applyingBytes += sizeBytes;
    // Pause when the budget is spent, or when it cut short what was handed out.
    this.#applyingPaused = this.#applyingBytes >= this.#maxApplyingBytes ||
      index < this.#maxAppliable(allowUnstable);
  }

  #maxAppliable(allowUnstable: boolean): LogIndex {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);
  }

  /** Whether there is anything to apply. A pending snapshot goes first. */
  hasNextCommitted(allowUnstable: boolean): boolean {
    return !this.#applyingPaused && this.unstable.snapshot === null &&
      this.#applying < this.#maxAppliable(allowUnstable);
  }

  /** What to apply next, within the budget. Entries not yet durable here only if allowed. */
  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return NO_ENTRIES;
    const budget = this.#maxApplyingBytes - this.#applyingBytes;
    const entries = this.slice(this.#applying + 1, this.#maxAppliable(allowUnstable) + 1, budget);
    assert(entries !== null, "entries that are not applied yet must not be compacted");
    return entries;
  }

  /** A snapshot for replica `to`, or null if none can be had just now. */
  snapshot(to: ReplicaId): Snapshot | null {
    return this.unstable.snapshot ?? this.#storage.snapshot(to);
  }

  /** Replaces the whole log by a snapshot. */
  restore(snapshot: Snapshot): void {
    this.committed = snapshot.metadata.index;
    this.unstable.restore(snapshot);
  }

  /** Entries from `lo` on, cut to `maxBytes` but to no less than one; null if compacted away. */
  entriesFrom(lo: LogIndex, maxBytes: number): readonly Entry[] | null {
    const last = this.lastIndex();
    return lo > last ? NO_ENTRIES : this.slice(lo, last + 1, maxBytes);
  }

  /** Entries `[lo, hi)`, cut to `maxBytes` but to no less than one; null if compacted away. */
  slice(lo: LogIndex, hi: LogIndex, maxBytes: number): readonly Entry[] | null {
    if (lo < this.firstIndex()) return null;
    assert(lo <= hi && hi <= this.lastIndex() + 1, `log slice [${lo}, ${hi}) is out of range`);
    if (lo === hi) return NO_ENTRIES;
    const offset = this.unstable.offset;
    if (lo >= offset) {
      const entries = this.unstable.slice(lo, hi);
      const end = limitedEnd(entries, 0, entries.length, maxBytes);
      return end === entries.length ? entries : entries.slice(0, end);
    }
    const cut = Math.min(hi, offset);
    const stable = this.#storage.entries(lo, cut, maxBytes);
    if (stable === null || hi <= offset || stable.length < cut - lo) return stable;
    const rest = maxBytes === Infinity ? Infinity : maxBytes - entriesSizeBytes(stable);
    if (rest <= 0) return stable;
    const unstable = this.unstable.slice(offset, hi);
    const end = limitedEnd(unstable, 0, unstable.length, rest);
    // `limitedEnd` never goes below one entry; here that one may be left out.
    if (end === 1 && entriesSizeBytes(unstable.slice(0, 1)) > rest) return stable;
    return stable.concat(end === unstable.length ? unstable : unstable.slice(0, end));
  }

  /** Calls `visit` for each entry in `[lo, hi)`, a page at a time, until it returns true. */
  some(lo: LogIndex, hi: LogIndex, visit: (entry: Entry) => boolean): boolean {
    while (lo < hi) {
      const page = this.slice(lo, hi, this.#maxApplyingBytes);
      assert(page !== null && page.length > 0, `cannot scan compacted entries from ${lo}`);
      if (page.some(visit)) return true;
      lo += page.length;
    }
    return false;
  }
}
