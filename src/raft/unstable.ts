// The end of the log that stable storage does not have for certain: entries and a snapshot to be
// written, or being written. Never reads storage; log.ts lays the two over each other.

import { assert } from "../base/assert.ts";
import type { LogIndex, Term } from "../base/ids.ts";
import { UNKNOWN_TERM } from "./storage.ts";
import { type Entry, NO_ENTRIES, type Snapshot } from "./types.ts";

/**
 * Entries from `offset` on. `offset` may lie below the end of stable storage: then the next write
 * replaces what storage holds from there.
 */
export class Unstable {
  #entries: Entry[] = [];
  #offset: LogIndex;
  /** Exclusive end of what was handed out for writing. *Invariant:* offset <= this <= end. */
  #inProgressEnd: LogIndex;
  #snapshot: Snapshot | null = null;
  #snapshotInProgress = false;

  constructor(offset: LogIndex) {
    this.#offset = offset;
    this.#inProgressEnd = offset;
  }

  /** Index of the first unstable entry, whether there is one or not. */
  get offset(): LogIndex {
    return this.#offset;
  }

  get inProgressEnd(): LogIndex {
    return this.#inProgressEnd;
  }

  /** Number of entries held, those being written included. */
  get length(): number {
    return this.#entries.length;
  }

  /** The snapshot that awaits its installation, being written or not. */
  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /** Last index held here (entries or snapshot), or 0. */
  lastIndex(): LogIndex {
    if (this.#entries.length > 0) return this.#offset + this.#entries.length - 1;
    return this.#snapshot === null ? 0 : this.#snapshot.metadata.index;
  }

  /** Term at `index`, or UNKNOWN_TERM if it is not held here. */
  term(index: LogIndex): Term {
    if (index >= this.#offset) {
      const position = index - this.#offset;
      return position < this.#entries.length ? this.#entries[position].term : UNKNOWN_TERM;
    }
    if (this.#snapshot !== null && this.#snapshot.metadata.index === index) {
      return this.#snapshot.metadata.term;
    }
    return UNKNOWN_TERM;
  }

  hasNextEntries(): boolean {
    return this.#offset + this.#entries.length > this.#inProgressEnd;
  }

  /** Entries not yet handed out for writing. */
  nextEntries(): readonly Entry[] {
    return this.hasNextEntries()
      ? this.#entries.slice(this.#inProgressEnd - this.#offset)
      : NO_ENTRIES;
  }

  /** The snapshot, unless it was handed out for writing. */
  nextSnapshot(): Snapshot | null {
    return this.#snapshotInProgress ? null : this.#snapshot;
  }

  /** Marks everything held as handed out for writing. */
  acceptInProgress(): void {
    this.#inProgressEnd = Math.max(this.#inProgressEnd, this.#offset + this.#entries.length);
    if (this.#snapshot !== null) this.#snapshotInProgress = true;
  }

  /**
   * Drops the entries up to `index`, which storage now has. Ignored unless the entry there still has
   * this term: it may have been replaced while it was being written.
   *
   * *Contract:* the caller knows that no write in flight can replace these entries in storage.
   */
  stableTo(index: LogIndex, term: Term): void {
    if (index < this.#offset || this.term(index) !== term) return;
    const count = index + 1 - this.#offset;
    this.#entries = count === this.#entries.length ? [] : this.#entries.slice(count);
    this.#offset = index + 1;
    this.#inProgressEnd = Math.max(this.#inProgressEnd, this.#offset);
  }

  /** Drops the snapshot if it is the one at `index`, which storage now has. */
  stableSnapshotTo(index: LogIndex): void {
    if (this.#snapshot === null || this.#snapshot.metadata.index !== index) return;
    this.#snapshot = null;
    this.#snapshotInProgress = false;
  }

  /** Replaces everything by a snapshot. */
  restore(snapshot: Snapshot): void {
    this.#offset = snapshot.metadata.index + 1;
    this.#inProgressEnd = this.#offset;
    this.#entries = [];
    this.#snapshot = snapshot;
    this.#snapshotInProgress = false;
  }

  /** Appends entries, replacing whatever is held from the first one's index on. */
  truncateAndAppend(entries: readonly Entry[]): void {
    const from = entries[0].index;
    const end = this.#offset + this.#entries.length;
    assert(from <= end, `entries from ${from} would leave a gap behind ${end - 1}`);
    if (from < this.#offset) {
      this.#entries = [];
      this.#offset = from;
      this.#inProgressEnd = from;
    } else if (from < end) {
      this.#entries.length = from - this.#offset;
      this.#inProgressEnd = Math.min(this.#inProgressEnd, from);
    }
    for (let i = 0; i < entries.length; i++) this.#entries.push(entries[i]);
  }

  /** Appends one entry at the end. */
  append(entry: Entry): void {
    assert(entry.index === this.#offset + this.#entries.length, "an appended entry must be next");
    this.#entries.push(entry);
  }

  /** Entries `[lo, hi)`, which must all be held. */
  slice(lo: LogIndex, hi: LogIndex): readonly Entry[] {
    const end = this.#offset + this.#entries.length;
    assert(
      this.#offset <= lo && lo <= hi && hi <= end,
      `unstable [${lo}, ${hi}) is outside [${this.#offset}, ${end})`,
    );
    return this.#entries.slice(lo - this.#offset, hi - this.#offset);
  }
}
