// The versioned ordered map of a partition: live records by key, and due times in order. Keeps the two
// in step; knows nothing of commands, logs or time beyond the comparison it is asked for.

import type { Revision } from "../base/ids.ts";
import { newTree, type Tree } from "./tree.ts";
import type { Key, PartitionTimeMs, RecordView } from "./types.ts";

/** How one value is kept. Never changed once stored: images share it with the live map. */
export type StoredRecord = RecordView;

const timeBytes = new Uint8Array(8);
const timeView = new DataView(timeBytes.buffer);

/** A string that sorts by time, then by `id`. Positive doubles sort like their big-endian bytes. */
export function timeOrdered(timeMs: number, id: string): string {
  timeView.setFloat64(0, timeMs);
  return String.fromCharCode(...timeBytes) + id;
}

/** The time in a {@linkcode timeOrdered} string. */
export function timeOf(ordered: string): number {
  for (let i = 0; i < 8; i++) timeBytes[i] = ordered.charCodeAt(i);
  return timeView.getFloat64(0);
}

/** The id in a {@linkcode timeOrdered} string. */
export function idOf(ordered: string): string {
  return ordered.slice(8);
}

/** Live and expired-but-unreaped records. */
export class Records {
  #byKey: Tree<StoredRecord>;
  /** timeOrdered(expiresAtMs, key) of every record that expires. */
  #due: Tree<true>;

  constructor(byKey: Tree<StoredRecord> = newTree(), due: Tree<true> = newTree()) {
    this.#byKey = byKey;
    this.#due = due;
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
    if (previous?.expiresAtMs !== undefined) {
      this.#due.delete(timeOrdered(previous.expiresAtMs, record.key));
    }
    if (record.expiresAtMs !== undefined) {
      this.#due.set(timeOrdered(record.expiresAtMs, record.key), true);
    }
    this.#byKey.set(record.key, record);
  }

  delete(record: StoredRecord): void {
    if (record.expiresAtMs !== undefined) {
      this.#due.delete(timeOrdered(record.expiresAtMs, record.key));
    }
    this.#byKey.delete(record.key);
  }

  /** When the next record expires, reaped or not; undefined if none does. */
  nextDueMs(): PartitionTimeMs | undefined {
    const first = this.#due.minKey();
    return first === undefined ? undefined : timeOf(first);
  }

  /** The record that expired first, if it did so at or before `timeMs`. */
  firstDue(timeMs: PartitionTimeMs): StoredRecord | undefined {
    const first = this.#due.minKey();
    if (first === undefined || timeOf(first) > timeMs) return undefined;
    return this.#byKey.get(idOf(first));
  }

  /** Records in [start, end) in byte order (or its reverse), expired ones included. `end` undefined
   * means no bound. The map must not change while the iterator is in use: clone first. */
  *range(start: Key, end: Key | undefined, reverse = false): Generator<StoredRecord> {
    if (!reverse) {
      for (const [key, record] of this.#byKey.entries(start)) {
        if (end !== undefined && key >= end) return;
        yield record;
      }
      return;
    }
    for (const [key, record] of this.#byKey.entriesReversed(end, undefined, end !== undefined)) {
      if (key < start) return;
      yield record;
    }
  }
}

/** A record as apply makes it; one shape, so that all share a hidden class. */
export function newRecord(
  key: Key,
  value: string,
  contentType: string,
  revision: Revision,
  createRevision: Revision,
  expiresAtMs: PartitionTimeMs | undefined,
): StoredRecord {
  return { key, value, contentType, revision, createRevision, expiresAtMs };
}
