// Sizes of entries, on which every byte limit of the core rests.
// "Encoded size" is what the entry takes in etcd-raft's protocol buffer form, so that limits cut where
// that implementation cuts; it is a measure for limits only, Pontoon's own formats are elsewhere.

import type { Entry } from "./types.ts";

/** Bytes of an unsigned LEB128 number. */
function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  let bytes = 5;
  for (let rest = Math.floor(value / 0x800000000); rest >= 1; rest /= 0x80) bytes++;
  return bytes;
}

/**
 * Encoded size of one entry: tag and type (2), tag and term, tag and index, and unless the data is
 * empty its tag, length and bytes.
 */
export function entrySizeBytes(entry: Entry): number {
  const length = entry.data.length;
  const size = 4 + varintBytes(entry.term) + varintBytes(entry.index);
  return length === 0 ? size : size + 1 + varintBytes(length) + length;
}

/** Sum of the entries' encoded sizes. */
export function entriesSizeBytes(entries: readonly Entry[]): number {
  let size = 0;
  for (let i = 0; i < entries.length; i++) size += entrySizeBytes(entries[i]);
  return size;
}

/** Sum of the entries' data sizes; a leader's first entry counts 0. */
export function payloadSizeBytes(entries: readonly Entry[]): number {
  let size = 0;
  for (let i = 0; i < entries.length; i++) size += entries[i].data.length;
  return size;
}

/**
 * End (exclusive) of the longest run of `entries` from `start` whose encoded size is within
 * `maxBytes`. At least one entry is taken if there is one, whatever its size.
 */
export function limitedEnd(
  entries: readonly Entry[],
  start: number,
  end: number,
  maxBytes: number,
): number {
  if (maxBytes === Infinity || start >= end) return end;
  let size = entrySizeBytes(entries[start]);
  for (let i = start + 1; i < end; i++) {
    size += entrySizeBytes(entries[i]);
    if (size > maxBytes) return i;
  }
  return end;
}
