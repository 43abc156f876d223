// The versioned ordered map of a partition: records by key, and those that expire by due time. Keeps the
// two in step; knows nothing of commands, logs or time beyond the comparison it is asked for.

import type { Revision } from "../base/ids.ts";
import {
  compareKeys,
  newTree,
  newTreeSet,
  type Tree,
  treeOfSorted,
  type TreeSet,
  treeSetOfSorted,
} from "./tree.ts";
import type { Key, PartitionTimeMs, RecordView } from "./types.ts";
import type { StoredValue } from "./value.ts";

/** How one value is kept. Never changed once stored: images and history share it with the live map. */
export type StoredRecord = RecordView;

/** By expiry, then key. Every record in the set has an expiry; the set holds no strings of its own. */
function compareDue(a: StoredRecord, b: StoredRecord): number {
  return a.expiresAtMs! - b.expiresAtMs! || compareKeys(a.key, b.key);
}

/** Live and expired-but-unreaped records. */
export class Records {
  readonly #byKey: Tree<StoredRecord>;
  /** *Invariant:* exactly the records of `#byKey` that have an expiry. */
  readonly #due: TreeSet<StoredRecord>;

  constructor(
    byKey: Tree<StoredRecord> = newTree(),
    due: TreeSet<StoredRecord> = newTreeSet(compareDue),
  ) {
    this.#byKey = byKey;
    this.#due = due;
  }

  /** Builds the map from records whose keys ascend strictly. */
  static fromSorted(records: StoredRecord[]): Records {
    const byKey = treeOfSorted(records.map((record) => record.key), records);
    const due = records.filter((record) => record.expiresAtMs !== undefined).sort(compareDue);
    return new Records(byKey, treeSetOfSorted(due, compareDue));
  }

  /** A copy that later changes of either side do not touch. Costs microseconds. */
  clone(): Records {
    return new Records(this.#byKey.clone(), this.#due.clone());
  }

  /** Records held, expired ones that are not reaped yet included. */
  get size(): number {
    return this.#byKey.size;
  }

  get(key: Key): StoredRecord | undefined {
    return this.#byKey.get(key);
  }

  /** Inserts or replaces; `previous` is what `get(record.key)` returned. */
  set(record: StoredRecord, previous: StoredRecord | undefined): void {
    if (previous?.expiresAtMs !== undefined) this.#due.delete(previous);
    if (record.expiresAtMs !== undefined) this.#due.set(record, undefined);
    this.#byKey.set(record.key, record);
  }

  delete(record: StoredRecord): void {
    if (record.expiresAtMs !== undefined) this.#due.delete(record);
    this.#byKey.delete(record.key);
  }

  /** When the next record expires, reaped or not; undefined if none does. */
  nextDueMs(): PartitionTimeMs | undefined {
    return this.#due.minKey()?.expiresAtMs;
  }

  /** The record that expired first, if it did so at or before `timeMs`. */
  firstDue(timeMs: PartitionTimeMs): StoredRecord | undefined {
    const first = this.#due.minKey();
    return first !== undefined && first.expiresAtMs! <= timeMs ? first : undefined;
  }

  /** Records in [start, end) in byte order (or its reverse), expired ones included. `end` undefined
   * means no bound. The map must not change while the iterator is in use: clone first. */
  *range(start: Key, end: Key | undefined, reverse = false): Generator<StoredRecord> {
    const pair: [Key, StoredRecord] = [start, undefined as never]; // reused for every step
    if (!reverse) {
      for (const [key, record] of this.#byKey.entries(start, pair)) {
        if (end !== undefined && key >= end) return;
        yield record;
      }
      return;
    }
    for (const [key, record] of this.#byKey.entriesReversed(end, pair, end !== undefined)) {
      if (key < start) return;
      yield record;
    }
  }
}

/** A record as apply makes it; one shape, so that all share a hidden class. */
export function newRecord(
  key: Key,
  value: StoredValue,
  contentType: string,
  revision: Revision,
  createRevision: Revision,
  expiresAtMs: PartitionTimeMs | undefined,
): StoredRecord {
  return { key, value, contentType, revision, createRevision, expiresAtMs };
}
