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
//   answer: u32 length of a JSON text, the text, then raw value bytes if the JSON says so

import { bytesFromLatin1, concatBytes, latin1FromBytes, utf8Bytes } from "../base/bytes.ts";
import { BytesReader, BytesWriter, CodecError } from "../base/codec.ts";
import type { PartitionId, ReplicaId } from "../base/ids.ts";
import type { RecordView, TxnOperationResult } from "../store/types.ts";
import type { Failure, ReadAnswer, WriteAnswer } from "./service.ts";

export const enum RequestKind {
  Write = 1,
  Read = 2,
  Meta = 3,
  SnapshotWanted = 4,
  Suspect = 5,
  Page = 6,
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

/** Any request, its kind read. Throws CodecError. */
export function openRequest(body: Uint8Array): { kind: RequestKind; reader: BytesReader } {
  const reader = new BytesReader(body);
  const kind = reader.u8();
  if (kind < RequestKind.Write || kind > RequestKind.Page) {
    throw new CodecError(`peer request of unknown kind ${kind}`);
  }
  return { kind, reader };
}

/** Values travel beside the JSON, so that no byte of them is escaped. */
function withoutValue(record: RecordView, blobs: string[]): unknown {
  blobs.push(record.value);
  return { ...record, value: undefined, valueLength: record.value.length };
}

function packed(header: unknown, blobs: readonly string[]): Uint8Array<ArrayBuffer> {
  const text = utf8Bytes(JSON.stringify(header));
  const writer = new BytesWriter(text.length + 64).u32(text.length).raw(text);
  return blobs.length === 0
    ? writer.take()
    : concatBytes([writer.take(), ...blobs.map((blob) => bytesFromLatin1(blob))]);
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
  const blobs: string[] = [];
  const results = answer.applied.result.results.map((one) =>
    one.kind === "get" && one.record !== undefined
      ? { ...one, record: withoutValue(one.record, blobs) }
      : one
  );
  const result = { ...answer.applied.result, results };
  return packed({ ...answer, applied: { ...answer.applied, result } }, blobs);
}

export function encodeReadAnswer(answer: ReadAnswer | Failure): Uint8Array<ArrayBuffer> {
  if (!answer.ok || answer.record === undefined) return packed(answer, []);
  const blobs: string[] = [];
  return packed({ ...answer, record: withoutValue(answer.record, blobs) }, blobs);
}

/** Any plain JSON answer. */
export function encodePlainAnswer(answer: unknown): Uint8Array<ArrayBuffer> {
  return packed(answer, []);
}

type PackedRecord = Omit<RecordView, "value"> & { valueLength: number };

function restoreRecord(packedRecord: PackedRecord, reader: BytesReader): RecordView {
  const { key, contentType, revision, createRevision, expiresAtMs, valueLength } = packedRecord;
  const value = latin1FromBytes(reader.raw(valueLength));
  return { key, value, contentType, revision, createRevision, expiresAtMs };
}

/** An answer's JSON, and its raw part. Throws CodecError. */
// deno-lint-ignore no-explicit-any
export function openAnswer(bytes: Uint8Array): { header: any; reader: BytesReader } {
  const reader = new BytesReader(bytes);
  const text = new TextDecoder().decode(reader.raw(reader.u32()));
  try {
    return { header: JSON.parse(text), reader };
  } catch (cause) {
    throw new CodecError("Cannot read a peer's answer: not JSON", { cause });
  }
}

export function decodeWriteAnswer(bytes: Uint8Array): WriteAnswer | Failure {
  const { header, reader } = openAnswer(bytes);
  const result = header.applied?.result;
  if (result?.kind === "txn") {
    result.results = result.results.map((one: TxnOperationResult & { record?: PackedRecord }) =>
      one.record === undefined ? one : { ...one, record: restoreRecord(one.record, reader) }
    );
  }
  return header;
}

export function decodeReadAnswer(bytes: Uint8Array): ReadAnswer | Failure {
  const { header, reader } = openAnswer(bytes);
  if (header.ok && header.record !== undefined) {
    header.record = restoreRecord(header.record, reader);
  }
  return header;
}

export function decodePlainAnswer<T>(bytes: Uint8Array): T {
  return openAnswer(bytes).header;
}
