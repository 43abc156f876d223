// What records and changes look like in blocks. Owns the layouts; a value is as in store/value.ts, so that
// one kept compressed travels and rests compressed.
//
//   record  key: u16 length, bytes | revision f64 | create revision f64 | expiry f64, partition time (0: none)
//           | content type: u8 length, bytes | value
//   changes from: revision f64, sub-index u32 | to: revision f64, sub-index u32 | partition time f64, ms
//           | wall clock f64, ms (0: not known) | then for each change behind `from` up to `to`
//           revision f64 | sub-index u32 | kind u8 (0 put, 1 delete, 2 expire)
//           | for a put: the record, its revision again in it; else key: u16 length, bytes

import { BytesReader, type BytesWriter, CodecError } from "../base/codec.ts";
import { KEY_SIZE_BYTES_MAX } from "../base/limits.ts";
import type { WatchPosition } from "../store/history.ts";
import type { RecordView, WatchEvent } from "../store/types.ts";
import { readStoredValue, writeStoredValue } from "../store/value.ts";

const KINDS = ["put", "delete", "expire"] as const;

export function writeRecord(writer: BytesWriter, record: RecordView): void {
  const { key, revision, createRevision, expiresAtMs, contentType, value } = record;
  writer.u16(key.length).latin1(key).f64(revision).f64(createRevision).f64(expiresAtMs ?? 0);
  writer.u8(contentType.length).latin1(contentType);
  writeStoredValue(writer, value);
}

function readKey(reader: BytesReader): string {
  const length = reader.u16();
  if (length === 0 || length > KEY_SIZE_BYTES_MAX) {
    throw new CodecError(`Cannot read a key of ${length} bytes`);
  }
  return reader.latin1(length);
}

function readRecord(reader: BytesReader): RecordView {
  const key = readKey(reader);
  const revision = reader.integer();
  const createRevision = reader.integer();
  const expiresAtMs = reader.integer() || undefined;
  const contentType = reader.latin1(reader.u8());
  const value = readStoredValue(reader);
  return { key, value, contentType, revision, createRevision, expiresAtMs };
}

/** All records of a block. Throws CodecError. */
export function decodeRecords(payload: Uint8Array): RecordView[] {
  const reader = new BytesReader(payload);
  const records: RecordView[] = [];
  while (reader.remaining > 0) records.push(readRecord(reader));
  return records;
}

/** The changes of a partition between two positions. */
export interface Changes {
  /** Everything up to it came before. */
  readonly from: WatchPosition;
  /** Everything up to it is in `events`. */
  readonly to: WatchPosition;
  /** Partition time when they were read. */
  readonly timeMs: number;
  /** When they had been read, by the clock of who read them; 0: not known. */
  readonly wallMs: number;
  readonly events: readonly WatchEvent[];
}

function writePosition(writer: BytesWriter, { revision, subIndex }: WatchPosition): void {
  writer.f64(revision).u32(subIndex);
}

function readPosition(reader: BytesReader): WatchPosition {
  return { revision: reader.integer(), subIndex: reader.u32() };
}

export function writeChanges(writer: BytesWriter, changes: Changes): void {
  writePosition(writer, changes.from);
  writePosition(writer, changes.to);
  writer.f64(changes.timeMs).f64(changes.wallMs);
  for (const event of changes.events) writeEvent(writer, event);
}

function writeEvent(writer: BytesWriter, event: WatchEvent): void {
  const { revision, subIndex, kind, key } = event;
  writer.f64(revision).u32(subIndex).u8(KINDS.indexOf(kind));
  if (kind !== "put") {
    writer.u16(key.length).latin1(key);
    return;
  }
  const { value = "", contentType = "", createRevision = 0, expiresAtMs } = event;
  writeRecord(writer, { key, value, contentType, revision, createRevision, expiresAtMs });
}

/** Throws CodecError. */
export function decodeChanges(payload: Uint8Array): Changes {
  const reader = new BytesReader(payload);
  const from = readPosition(reader);
  const to = readPosition(reader);
  const timeMs = reader.integer();
  const wallMs = reader.integer();
  const events: WatchEvent[] = [];
  while (reader.remaining > 0) events.push(readEvent(reader));
  return { from, to, timeMs, wallMs, events };
}

function readEvent(reader: BytesReader): WatchEvent {
  const revision = reader.integer();
  const subIndex = reader.u32();
  const kind = KINDS[reader.u8()];
  if (kind === undefined) throw new CodecError("a change of unknown kind");
  if (kind !== "put") return { revision, subIndex, kind, key: readKey(reader) };
  const record = readRecord(reader);
  if (record.revision !== revision) throw new CodecError("a change and its record disagree");
  return { ...record, subIndex, kind };
}
