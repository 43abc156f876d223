// What nodes ask of each other, as bytes of a peer request: the client operations that are forwarded to a
// partition's leader, and the housekeeping between replicas. Owns the layout of both directions.
//
//   request: kind u8, then by kind
//     1 write     partition u32 | envelope (store/envelope.ts), time not yet set
//     2 read      partition u32 | key
//     3 meta      an encoded meta command, for the meta group's leader
//     4 wanted    partition u32 | replicaId f64: please send me a snapshot
//     5 suspect   partition u32 | replicaId f64: this replica of mine is damaged
//     6 page      page_codec.ts
//     7 transfer  partition u32 | nodeId: hand your leadership over to that node's replica
//     8 leads     nothing: which data partitions do you lead?
//     9 events    watch_codec.ts
//   answer: u32 length of a JSON text, the text, then the values of its records (store/value.ts), in order

import { utf8Bytes } from "../base/bytes.ts";
import { BytesReader, BytesWriter, CodecError } from "../base/codec.ts";
import type { NodeId, PartitionId, ReplicaId } from "../base/ids.ts";
import { readStoredValue, type StoredValue, writeStoredValue } from "../store/mod.ts";
import type { RecordView, TxnOperationResult } from "../store/types.ts";
import type { Failure, ReadAnswer, WriteAnswer } from "./service.ts";

export const enum RequestKind {
  Write = 1,
  Read = 2,
  Meta = 3,
  SnapshotWanted = 4,
  Suspect = 5,
  Page = 6,
  Transfer = 7,
  Leads = 8,
  Events = 9,
  Report = 10,
}

export function encodeWriteRequest(
  partition: PartitionId,
  envelope: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return new BytesWriter(envelope.length + 8).u8(RequestKind.Write).u32(partition).raw(envelope)
    .take();
}

export function encodeReadRequest(partition: PartitionId, key: string): Uint8Array<ArrayBuffer> {
  return new BytesWriter(key.length + 8).u8(RequestKind.Read).u32(partition).latin1(key).take();
}

export function encodeMetaRequest(command: Uint8Array): Uint8Array<ArrayBuffer> {
  return new BytesWriter(command.length + 8).u8(RequestKind.Meta).raw(command).take();
}

/** `SnapshotWanted` and `Suspect`. */
export function encodeReplicaRequest(
  kind: RequestKind,
  partition: PartitionId,
  replicaId: ReplicaId,
): Uint8Array<ArrayBuffer> {
  return new BytesWriter(16).u8(kind).u32(partition).f64(replicaId).take();
}

export function encodeTransferRequest(
  partition: PartitionId,
  to: NodeId,
): Uint8Array<ArrayBuffer> {
  return new BytesWriter(96).u8(RequestKind.Transfer).u32(partition).latin1(to).take();
}

export function encodeLeadsRequest(): Uint8Array<ArrayBuffer> {
  return new BytesWriter(1).u8(RequestKind.Leads).take();
}

/** Asks for a node's report, with what happened behind a position in the journal of its life `boots`. */
export function encodeReportRequest(boots: number, change: number): Uint8Array<ArrayBuffer> {
  return new BytesWriter(24).u8(RequestKind.Report).f64(boots).f64(change).take();
}

/** Any request, its kind read. Throws CodecError. */
export function openRequest(body: Uint8Array): { kind: RequestKind; reader: BytesReader } {
  const reader = new BytesReader(body);
  const kind = reader.u8();
  if (kind < RequestKind.Write || kind > RequestKind.Report) {
    throw new CodecError(`peer request of unknown kind ${kind}`);
  }
  return { kind, reader };
}

/** Values travel beside the JSON, so that no byte of them is escaped. */
function withoutValue(record: RecordView, values: StoredValue[]): unknown {
  values.push(record.value);
  return { ...record, value: undefined };
}

function packed(header: unknown, values: readonly StoredValue[]): Uint8Array<ArrayBuffer> {
  return packedWith(header, (writer) => {
    for (const value of values) writeStoredValue(writer, value);
    return writer;
  });
}

/** An answer whose raw part `write` appends. */
export function packedWith(
  header: unknown,
  write: (writer: BytesWriter) => BytesWriter,
): Uint8Array<ArrayBuffer> {
  const text = utf8Bytes(JSON.stringify(header));
  return write(new BytesWriter(text.length + 1024).u32(text.length).raw(text)).take();
}

export function encodeWriteAnswer(answer: WriteAnswer | Failure): Uint8Array<ArrayBuffer> {
  if (!answer.ok || answer.applied.result.kind !== "txn") return packed(answer, []);
  const values: StoredValue[] = [];
  const results = answer.applied.result.results.map((one) =>
    one.kind === "get" && one.record !== undefined
      ? { ...one, record: withoutValue(one.record, values) }
      : one
  );
  const result = { ...answer.applied.result, results };
  return packed({ ...answer, applied: { ...answer.applied, result } }, values);
}

export function encodeReadAnswer(answer: ReadAnswer | Failure): Uint8Array<ArrayBuffer> {
  if (!answer.ok || answer.record === undefined) return packed(answer, []);
  const values: StoredValue[] = [];
  return packed({ ...answer, record: withoutValue(answer.record, values) }, values);
}

/** Any plain JSON answer. */
export function encodePlainAnswer(answer: unknown): Uint8Array<ArrayBuffer> {
  return packed(answer, []);
}

type PackedRecord = Omit<RecordView, "value">;

function restoreRecord(packedRecord: PackedRecord, reader: BytesReader): RecordView {
  if (packedRecord === null) throw new CodecError("Cannot read a peer's answer: no record");
  const { key, contentType, revision, createRevision, expiresAtMs } = packedRecord;
  const value = readStoredValue(reader);
  return { key, value, contentType, revision, createRevision, expiresAtMs };
}

/** An answer's JSON, and its raw part. Throws CodecError. */
// deno-lint-ignore no-explicit-any
export function openAnswer(bytes: Uint8Array): { header: any; reader: BytesReader } {
  const reader = new BytesReader(bytes);
  const text = new TextDecoder().decode(reader.raw(reader.u32()));
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    throw new CodecError("Cannot read a peer's answer: not JSON", { cause });
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw new CodecError("Cannot read a peer's answer: no JSON object");
  }
  return { header, reader };
}

/** What `decode` makes of a peer's answer; undefined if it throws CodecError. */
export function readable<T>(decode: (bytes: Uint8Array) => T, bytes: Uint8Array): T | undefined {
  try {
    return decode(bytes);
  } catch (cause) {
    if (cause instanceof CodecError) return undefined;
    throw cause;
  }
}

/** Throws CodecError. */
function asObjects<T>(value: unknown): T[] {
  if (Array.isArray(value) && value.every((one) => typeof one === "object" && one !== null)) {
    return value;
  }
  throw new CodecError("Cannot read a peer's answer: no list of objects");
}

/** Throws CodecError. */
export function decodeWriteAnswer(bytes: Uint8Array): WriteAnswer | Failure {
  const { header, reader } = openAnswer(bytes);
  const result = header.applied?.result;
  if (result?.kind === "txn") {
    const results = asObjects<TxnOperationResult & { record?: PackedRecord }>(result.results);
    result.results = results.map((one) =>
      one.record === undefined ? one : { ...one, record: restoreRecord(one.record, reader) }
    );
  }
  return header;
}

/** Throws CodecError. */
export function decodeReadAnswer(bytes: Uint8Array): ReadAnswer | Failure {
  const { header, reader } = openAnswer(bytes);
  if (header.ok && header.record !== undefined) {
    header.record = restoreRecord(header.record, reader);
  }
  return header;
}

/** Throws CodecError. */
export function decodePlainAnswer<T>(bytes: Uint8Array): T {
  return openAnswer(bytes).header;
}
