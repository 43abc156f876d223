// A Storage in memory: the whole log in tests, the recent window of it in a node whose write-ahead log
// holds the rest. Does no I/O; whoever owns it mirrors here what has reached the disk.

import { assert } from "../base/assert.ts";
import type { LogIndex, Term } from "../base/ids.ts";
import { limitedEnd } from "./size.ts";
import { type Storage, UNKNOWN_TERM } from "./storage.ts";
import {
  type ConfState,
  EMPTY_CONF_STATE,
  EMPTY_HARD_STATE,
  type Entry,
  type HardState,
  NO_DATA,
  NO_ENTRIES,
  type Snapshot,
} from "./types.ts";

/** What one held entry costs beside its data: the object, its array slot, the typed array's header. */
const ENTRY_OVERHEAD_BYTES = 160;

export class MemoryStorage implements Storage {
  #hardState: HardState = EMPTY_HARD_STATE;
  #snapshot: Snapshot = {
    data: NO_DATA,
    metadata: { index: 0, term: 0, confState: EMPTY_CONF_STATE },
  };
  /** Index and term of the last entry compacted away, which `#entries` follow. */
  #offset: LogIndex = 0;
  #offsetTerm: Term = 0;
  #entries: Entry[] = [];
  /** Leading slots of `#entries` whose entries were compacted away but not yet cut off. */
  #dead = 0;
  #heldBytes = 0;

  initialState(): { hardState: HardState; confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#snapshot.metadata.confState };
  }

  /** Approximate memory held by the entries. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  setHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  firstIndex(): LogIndex {
    return this.#offset + 1;
  }

  lastIndex(): LogIndex {
    return this.#offset + this.#entries.length - this.#dead;
  }

  term(index: LogIndex): Term {
    if (index === this.#offset) return this.#offsetTerm;
    if (index < this.#offset || index > this.lastIndex()) return UNKNOWN_TERM;
    return this.#entries[this.#position(index)].term;
  }

  entries(lo: LogIndex, hi: LogIndex, maxBytes: number): readonly Entry[] | null {
    if (lo <= this.#offset) return null;
    assert(hi <= this.lastIndex() + 1, `entries [${lo}, ${hi}) end behind ${this.lastIndex()}`);
    if (lo >= hi) return NO_ENTRIES;
    const start = this.#position(lo);
    return this.#entries.slice(
      start,
      limitedEnd(this.#entries, start, this.#position(hi), maxBytes),
    );
  }

  /** The last snapshot installed or noted, whoever it is for. */
  snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /**
   * Adds entries, replacing those from the first one's index on. Entries at or below the compacted
   * index are skipped. Throws if they would leave a gap.
   */
  append(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const skip = Math.max(0, this.firstIndex() - entries[0].index);
    if (skip >= entries.length) return;
    const from = entries[skip].index;
    assert(from <= this.lastIndex() + 1, `entry ${from} would leave a gap in the log`);
    this.#truncateTo(this.#position(from));
    for (let i = skip; i < entries.length; i++) {
      this.#entries.push(entries[i]);
      this.#heldBytes += heldBytes(entries[i]);
    }
  }

  /** Replaces everything by a snapshot. False, and no change, if it is older than the present one. */
  applySnapshot(snapshot: Snapshot): boolean {
    if (this.#snapshot.metadata.index >= snapshot.metadata.index) return false;
    this.#snapshot = snapshot;
    this.#offset = snapshot.metadata.index;
    this.#offsetTerm = snapshot.metadata.term;
    this.#entries = [];
    this.#dead = 0;
    this.#heldBytes = 0;
    return true;
  }

  /** Notes a newer snapshot of what the log holds. The log stays; `compact` cuts it. */
  setSnapshot(snapshot: Snapshot): void {
    assert(snapshot.metadata.index <= this.lastIndex(), "a snapshot can't cover what is not there");
    assert(snapshot.metadata.index >= this.#snapshot.metadata.index, "snapshots never run back");
    this.#snapshot = snapshot;
  }

  /**
   * Forgets the entries up to and including `index`, keeping its term. False, and no change, if they
   * are gone already.
   *
   * *Contract:* everything up to `index` was applied.
   */
  compact(index: LogIndex): boolean {
    if (index <= this.#offset) return false;
    assert(index <= this.lastIndex(), `cannot compact to ${index}: it is behind the log's end`);
    const end = this.#position(index) + 1;
    this.#offsetTerm = this.#entries[end - 1].term;
    for (let i = this.#dead; i < end; i++) {
      this.#heldBytes -= heldBytes(this.#entries[i]);
      this.#entries[i] = TOMBSTONE;
    }
    this.#dead = end;
    this.#offset = index;
    // Cutting moves what stays, so it waits until that is less than what goes: constant per entry.
    if (this.#dead * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#dead);
      this.#dead = 0;
    }
    return true;
  }

  #position(index: LogIndex): number {
    return index - this.#offset - 1 + this.#dead;
  }

  #truncateTo(length: number): void {
    for (let i = length; i < this.#entries.length; i++) {
      this.#heldBytes -= heldBytes(this.#entries[i]);
    }
    this.#entries.length = length;
  }
}

/** Stands in for a compacted entry, so that its data can be collected. */
const TOMBSTONE: Entry = Object.freeze({ term: 0, index: 0, type: 0, data: NO_DATA });

function heldBytes(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES;
}
