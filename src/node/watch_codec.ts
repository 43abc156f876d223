// Reads of a partition's watch history between nodes. Owns the layout of both directions.
//
//   request: kind u8 = 7 | partition u32 | position: revision f64, sub-index u32 | wait u32, ms
//            | filter u8 (0 prefix, 1 key) | its text: u16 length, bytes
//   answer:  the JSON header of forward.ts with `eventCount`, then for each event revision f64
//            | sub-index u32 | kind u8 (0 put, 1 delete, 2 expire) | key: u16 length, bytes | for put: create
//            revision f64 | expiry f64 (0: none) | content type: u8 length, bytes | value
//            (store/value.ts)

import { BytesReader, BytesWriter, CodecError } from "../base/codec.ts";
import type { PartitionId } from "../base/ids.ts";
import { readStoredValue, writeStoredValue } from "../store/mod.ts";
import type { WatchEvent } from "../store/types.ts";
import { openAnswer, packedWith, RequestKind } from "./forward.ts";
import type { EventsAnswer, Failure } from "./service.ts";
import type { EventQuery } from "./watch_hub.ts";

const KINDS = ["put", "delete", "expire"] as const;

export interface EventsRequest extends EventQuery {
  /** How long to wait for the first event, 0: not at all. */
  readonly waitMs: number;
}

export function encodeEventsRequest(
  partition: PartitionId,
  { position, filter, waitMs }: EventsRequest,
): Uint8Array<ArrayBuffer> {
  const text = filter.kind === "key" ? filter.key : filter.prefix;
  return new BytesWriter(text.length + 40).u8(RequestKind.Events).u32(partition)
    .f64(position.revision).u32(position.subIndex).u32(waitMs)
    .u8(filter.kind === "key" ? 1 : 0).u16(text.length).latin1(text).take();
}

/** What follows kind and partition. Throws CodecError. */
export function readEventsRequest(reader: BytesReader): EventsRequest {
  const position = { revision: reader.integer(), subIndex: reader.u32() };
  const waitMs = reader.u32();
  const byKey = reader.boolean();
  const text = reader.latin1(reader.u16());
  reader.end();
  return {
    position,
    waitMs,
    filter: byKey ? { kind: "key", key: text } : { kind: "prefix", prefix: text },
  };
}

export function encodeEventsAnswer(answer: EventsAnswer | Failure): Uint8Array<ArrayBuffer> {
  if (!answer.ok) return packedWith(answer, (writer) => writer);
  const { events } = answer;
  return packedWith({ ...answer, events: undefined, eventCount: events.length }, (writer) => {
    for (const event of events) writeEvent(writer, event);
    return writer;
  });
}

function writeEvent(writer: BytesWriter, event: WatchEvent): void {
  const { revision, subIndex, kind, key } = event;
  writer.f64(revision).u32(subIndex).u8(KINDS.indexOf(kind)).u16(key.length).latin1(key);
  if (kind !== "put") return;
  const { value = "", contentType = "", createRevision = 0, expiresAtMs } = event;
  writer.f64(createRevision).f64(expiresAtMs ?? 0);
  writer.u8(contentType.length).latin1(contentType);
  writeStoredValue(writer, value);
}

/** Throws CodecError. */
export function decodeEventsAnswer(bytes: Uint8Array): EventsAnswer | Failure {
  const { header, reader } = openAnswer(bytes);
  if (!header.ok) return header;
  const { eventCount, ...answer } = header;
  const events: WatchEvent[] = [];
  for (let i = 0; i < eventCount; i++) events.push(readEvent(reader));
  reader.end();
  return { ...answer, events };
}

function readEvent(reader: BytesReader): WatchEvent {
  const revision = reader.integer();
  const subIndex = reader.u32();
  const kind = KINDS[reader.u8()];
  if (kind === undefined) throw new CodecError("an event of unknown kind");
  const key = reader.latin1(reader.u16());
  if (kind !== "put") return { revision, subIndex, kind, key };
  const createRevision = reader.integer();
  const expiresAtMs = reader.integer() || undefined;
  const contentType = reader.latin1(reader.u8());
  const value = readStoredValue(reader);
  return { revision, subIndex, kind, key, value, contentType, createRevision, expiresAtMs };
}
