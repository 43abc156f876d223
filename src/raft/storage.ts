// What the core asks of stable storage. Reading only: the application writes, as each Ready says.

import type { LogIndex, ReplicaId, Term } from "../base/ids.ts";
import type { ConfState, Entry, HardState, Snapshot } from "./types.ts";

/** What `Storage.term` returns for an index whose term it does not know. */
export const UNKNOWN_TERM: Term = -1;

/**
 * The durable part of a replica's log.
 *
 * *Contract:* `firstIndex() - 1` is the last index covered by the storage's snapshot (0 at the
 * start); `term(firstIndex() - 1)` is known. What a Ready's entries or snapshot order is visible
 * here before the core hears that they are durable, and never changes otherwise, except that
 * `firstIndex()` may grow by compaction up to the applied index.
 */
export interface Storage {
  /** As it was when the replica last stopped. Read once. */
  initialState(): { hardState: HardState; confState: ConfState };
  /**
   * Entries `[lo, hi)`, cut so that their encoded size stays within `maxBytes` but never below one
   * entry. null if `lo < firstIndex()`. `hi` is at most `lastIndex() + 1`. The result must not change
   * later.
   */
  entries(lo: LogIndex, hi: LogIndex, maxBytes: number): readonly Entry[] | null;
  /** Term at `index`, or {@linkcode UNKNOWN_TERM} outside `[firstIndex() - 1, lastIndex()]`. */
  term(index: LogIndex): Term;
  lastIndex(): LogIndex;
  firstIndex(): LogIndex;
  /**
   * A snapshot to send to replica `to`, or null if none can be had just now: it will be asked for
   * again with the next heartbeat. Its index is at least `firstIndex() - 1`, and `to` is part of its
   * configuration (a replica refuses one that it is not in).
   */
  snapshot(to: ReplicaId): Snapshot | null;
}
