// One page of a scan over a partition's records: a bounded, synchronous piece of work. It needs no copy of
// the map, because nothing is applied while it runs; the next page begins at a key, not at a position.

import { SCAN_EXAMINED_MAX } from "../base/limits.ts";
import type { Records, StoredRecord } from "./records.ts";
import type { Key, PartitionTimeMs, RecordView } from "./types.ts";
import { storedLength } from "./value.ts";

/** What one page is to hold: live records of [start, end), in byte order or its reverse. */
export interface PageQuery {
  readonly start: Key;
  /** Exclusive; undefined: no bound. */
  readonly end: Key | undefined;
  readonly reverse: boolean;
  /** `count`: no records at all; `keys`: records with an empty value. */
  readonly want: "records" | "keys" | "count";
  /** Live records at most; 0 reads nothing but the place in the log. */
  readonly limit: number;
  /** The page ends with the record whose key and value reach this size. */
  readonly sizeBytesMax: number;
}

export interface Page {
  readonly records: readonly RecordView[];
  /** Live records met; for `count` the only result. */
  readonly count: number;
  /** The last key looked at, if the page ended before the range did: go on behind it. */
  readonly resume: Key | undefined;
}

function keyOnly(record: StoredRecord): RecordView {
  return { ...record, value: "" };
}

/** Reads a page; `timeMs` decides what is live. Looks at SCAN_EXAMINED_MAX records at most. */
export function readPage(records: Records, timeMs: PartitionTimeMs, query: PageQuery): Page {
  const { start, end, reverse, want, limit, sizeBytesMax } = query;
  const found: RecordView[] = [];
  if (limit === 0 || (end !== undefined && end <= start)) {
    return { records: found, count: 0, resume: undefined };
  }
  let count = 0;
  let examined = 0;
  let sizeBytes = 0;
  let last: Key | undefined;
  for (const record of records.range(start, end, reverse)) {
    if (count >= limit || sizeBytes >= sizeBytesMax || examined >= SCAN_EXAMINED_MAX) {
      return { records: found, count, resume: last };
    }
    examined++;
    last = record.key;
    if (record.expiresAtMs !== undefined && record.expiresAtMs <= timeMs) continue;
    count++;
    if (want === "count") continue;
    found.push(want === "keys" ? keyOnly(record) : record);
    sizeBytes += record.key.length + (want === "keys" ? 0 : storedLength(record.value));
  }
  return { records: found, count, resume: undefined };
}

/** The query for what follows `resume`. */
export function pageAfter(query: PageQuery, resume: Key): PageQuery {
  // No key lies between a key and itself with a zero byte behind it.
  return query.reverse ? { ...query, end: resume } : { ...query, start: resume + "\0" };
}
