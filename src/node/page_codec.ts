// Pages of scans between nodes: what a node asks a partition's leader for, and the records that come back.
// Owns the layout of both; numbers are big-endian, records travel as bytes, so that none is escaped.
//
//   request: kind u8 = 6 | partition u32 | flags u8 (1 reverse, 2 keys, 4 count, 8 has an end) | limit u32
//            | size u32 | start: u16 length, bytes | end: u16 length, bytes
//   answer:  the JSON header of forward.ts with `recordCount` and `contentTypes`, then for each record
//            key: u16 length, bytes | content type u16 (its place in the list) | revision f64
//            | create revision f64 | expiry f64 (0: none) | value (store/value.ts)

import { BytesReader, BytesWriter, CodecError } from "../base/codec.ts";
import type { PartitionId } from "../base/ids.ts";
import { type PageQuery, readStoredValue, writeStoredValue } from "../store/mod.ts";
import type { RecordView } from "../store/types.ts";
import { openAnswer, packedWith, RequestKind } from "./forward.ts";
import type { Failure, PageAnswer } from "./service.ts";

const REVERSE = 1;
const KEYS = 2;
const COUNT = 4;
const HAS_END = 8;

export function encodePageRequest(
  partition: PartitionId,
  query: PageQuery,
): Uint8Array<ArrayBuffer> {
  const { start, end, reverse, want, limit, sizeBytesMax } = query;
  const flags = (reverse ? REVERSE : 0) | (want === "keys" ? KEYS : want === "count" ? COUNT : 0) |
    (end === undefined ? 0 : HAS_END);
  const writer = new BytesWriter(start.length + (end?.length ?? 0) + 32);
  writer.u8(RequestKind.Page).u32(partition).u8(flags).u32(limit).u32(sizeBytesMax);
  writer.u16(start.length).latin1(start);
  return writer.u16(end?.length ?? 0).latin1(end ?? "").take();
}

/** What follows kind and partition. Throws CodecError. */
export function readPageRequest(reader: BytesReader): PageQuery {
  const flags = reader.u8();
  if (flags > 15) throw new CodecError(`page request with unknown flags ${flags}`);
  const limit = reader.u32();
  const sizeBytesMax = reader.u32();
  const start = reader.latin1(reader.u16());
  const end = reader.latin1(reader.u16());
  reader.end();
  return {
    start,
    end: flags & HAS_END ? end : undefined,
    reverse: (flags & REVERSE) !== 0,
    want: flags & COUNT ? "count" : flags & KEYS ? "keys" : "records",
    limit,
    sizeBytesMax,
  };
}

export function encodePageAnswer(answer: PageAnswer | Failure): Uint8Array<ArrayBuffer> {
  if (!answer.ok) return packedWith(answer, (writer) => writer);
  const { records } = answer;
  const places = new Map<string, number>();
  for (const { contentType } of records) {
    if (!places.has(contentType)) places.set(contentType, places.size);
  }
  const header = {
    ...answer,
    records: undefined,
    recordCount: records.length,
    contentTypes: [...places.keys()],
  };
  return packedWith(header, (writer) => {
    for (const record of records) writeRecord(writer, record, places.get(record.contentType)!);
    return writer;
  });
}

function writeRecord(writer: BytesWriter, record: RecordView, typePlace: number): void {
  const { key, value, revision, createRevision, expiresAtMs } = record;
  writer.u16(key.length).latin1(key).u16(typePlace);
  writer.f64(revision).f64(createRevision).f64(expiresAtMs ?? 0);
  writeStoredValue(writer, value);
}

/** Throws CodecError. */
export function decodePageAnswer(bytes: Uint8Array): PageAnswer | Failure {
  const { header, reader } = openAnswer(bytes);
  if (!header.ok) return header;
  const { recordCount, contentTypes, ...answer } = header;
  if (!Array.isArray(contentTypes)) throw new CodecError("a page has no content types");
  const records: RecordView[] = [];
  for (let i = 0; i < recordCount; i++) records.push(readRecord(reader, contentTypes));
  reader.end();
  return { ...answer, records };
}

function readRecord(reader: BytesReader, contentTypes: readonly string[]): RecordView {
  const key = reader.latin1(reader.u16());
  const contentType = contentTypes[reader.u16()];
  if (contentType === undefined) throw new CodecError("a page's record has no content type");
  const revision = reader.integer();
  const createRevision = reader.integer();
  const expiresAtMs = reader.integer() || undefined;
  const value = readStoredValue(reader);
  return { key, value, contentType, revision, createRevision, expiresAtMs };
}
