// Answers of the cluster as what callers get: records, and the results of writes.

import { type Key, keyOfMembers } from "./key.ts";
import type {
  Conflict,
  DeleteResult,
  Entry,
  EntryMaybe,
  Revision,
  SetOptions,
  SetResult,
  TouchResult,
} from "./types.ts";
import { elementSlices, memberSlices, memberText } from "./json_slices.ts";
import { decodeValue, isJsonType } from "./value.ts";

/** A record as GET /key, GET /keys, POST /txn and POST /batch show it. */
export interface RecordDocument {
  readonly key?: string;
  readonly key64?: string;
  readonly value?: unknown;
  readonly encoding?: string;
  readonly revision: number;
  readonly createRevision: number;
  readonly contentType: string;
  readonly ttlMs?: number;
}

/** `key` as the caller spelled it, if there is a caller who did. */
export function entryOf<T>(record: RecordDocument, key: Key = keyOfMembers(record)): Entry<T> {
  const { revision, createRevision, contentType, ttlMs } = record;
  const value = decodeValue(record) as T;
  return ttlMs === undefined
    ? { key, value, revision, createRevision, contentType }
    : { key, value, revision, createRevision, contentType, ttlMs };
}

/** Whether there is such a key. */
export function isPresent<T>(entry: EntryMaybe<T>): entry is Entry<T> {
  return entry.revision > 0;
}

/** The same as {@linkcode entryOf} from the text of the record, its value as text if it is JSON. */
export function textEntryOf(text: string, key?: Key): Entry<unknown> {
  const record = JSON.parse(text) as RecordDocument;
  const { contentType, encoding } = record;
  const value = encoding === undefined && isJsonType(contentType) && "value" in record
    ? memberText(text, "value")
    : record.value;
  return entryOf({ ...record, value }, key);
}

/** The records of a page of GET /keys from its text. */
export function textEntriesOf(text: string): Entry<unknown>[] {
  const keys = memberSlices(text).get("keys");
  if (keys === undefined) return [];
  return elementSlices(text, keys.start).map(({ start, end }) =>
    textEntryOf(text.slice(start, end))
  );
}

interface WrittenDocument {
  readonly revision?: number;
  readonly created?: boolean;
}

/** The result of a put, by its status: 200, 201 or 412. */
export function setResultOf(status: number, document: WrittenDocument): SetResult | Conflict {
  const { revision = 0 } = document;
  if (status === 412) return { ok: false, revision };
  return { ok: true, revision, created: status === 201 };
}

/** The result of a delete, by its status: 200, 404 or 412. */
export function deleteResultOf(status: number, document: WrittenDocument): DeleteResult | Conflict {
  const { revision = 0 } = document;
  if (status === 412) return { ok: false, revision };
  return { ok: true, deleted: status !== 404, revision: status === 404 ? 0 : revision };
}

/** The result of setting a time to live, by its status: 200, 404 or 412. */
export function touchResultOf(status: number, document: WrittenDocument): TouchResult | Conflict {
  const { revision = 0 } = document;
  if (status === 412) return { ok: false, revision };
  return { ok: true, found: status !== 404, revision: status === 404 ? 0 : revision };
}

/** Seconds, as the cluster takes them. Throws RangeError. */
export function ttlSeconds(ttlMs: number): number {
  const wholeMs = Math.round(ttlMs);
  if (wholeMs >= 1 && wholeMs <= 3_162_240_000_000) return wholeMs / 1000;
  throw new RangeError(`ttlMs takes 1 ms to 100 years: got ${ttlMs}`);
}

/** Throws RangeError for what is no revision. */
export function checkedRevision(revision: Revision, min: number): Revision {
  if (Number.isSafeInteger(revision) && revision >= min) return revision;
  throw new RangeError(`A revision is a whole number from ${min}: got ${revision}`);
}

/** The condition of a write as a header; none without `ifRevision`. Throws RangeError. */
export function conditionHeaders(
  { ifRevision }: Pick<SetOptions, "ifRevision">,
  min = 0,
): Record<string, string> {
  if (ifRevision === undefined) return {};
  const revision = checkedRevision(ifRevision, min);
  return revision === 0 ? { "if-none-match": "*" } : { "if-match": `"${revision}"` };
}
