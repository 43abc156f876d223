// The binary form of a data partition's log entry (Envelope). Owns the layout; never interprets it.
//
// All numbers big-endian; revisions, times and sequences are whole numbers in an f64.
//
//   offset size  field
//   0      1     format version, 1
//   1      1     command kind: 1 put, 2 delete, 3 touch, 4 txn, 5 expire, 6 time
//   2      1     idempotency: 0 none, 1 key, 2 session
//   3      1     reserved, 0
//   4      8     partition time of the leader, ms; written last, in place, when the leader proposes
//   12     …     idempotency  key: fingerprint 16 | length u8 | key
//                             session: fingerprint 16 | session id 16 | sequence | acknowledged through
//   …      …     body
//
//   put    condition | ttl f64 (0: none) | key | content type | value
//   delete condition | key            touch  condition | ttl f64 (0: none) | key
//   txn    counts of compares, then, else: 3 x u8 | compares | operations | operations
//   expire limit u32                  time   nothing
//   key: u16 length, bytes; content type: u8 length, bytes
//   value: value.ts; a compare's is plain
//   condition: u8 0 none, 1 revision + f64, 2 present, 3 absent

import { assert, unreachable } from "../base/assert.ts";
import { bytesFromHex, hexFromBytes, latin1FromBytes } from "../base/bytes.ts";
import { BytesReader, BytesWriter, CodecError, setInteger, Slab } from "../base/codec.ts";
import {
  CONTENT_TYPE_SIZE_BYTES_MAX,
  IDEMPOTENCY_KEY_SIZE_BYTES_MAX,
  KEY_SIZE_BYTES_MAX,
  TXN_OPERATIONS_MAX,
} from "../base/limits.ts";
import type {
  Command,
  CompareOperator,
  Condition,
  Envelope,
  Idempotency,
  TxnCompare,
  TxnOperation,
} from "./types.ts";
import { type CommandValue, readCommandValue, writeCommandValue } from "./value.ts";

const VERSION = 1;
const TIME_OFFSET = 4;
/** Bytes of a request fingerprint. */
export const FINGERPRINT_SIZE_BYTES = 16;

const KINDS: readonly (Command["kind"] | undefined)[] = [
  undefined,
  "put",
  "delete",
  "touch",
  "txn",
  "expire",
  "time",
];
const OPERATORS: readonly CompareOperator[] = ["=", "!=", "<", ">"];

const writer = new BytesWriter(4096);
const slab = new Slab();

/**
 * Encodes an envelope. The caller owns the result, but not all of its ArrayBuffer. Throws CodecError
 * where a field is beyond the limits that admission holds it to.
 */
export function encodeEnvelope(envelope: Envelope): Uint8Array<ArrayBuffer> {
  const { command, idempotency } = envelope;
  writer.clear();
  writer.u8(VERSION).u8(KINDS.indexOf(command.kind));
  writer.u8(idempotency === undefined ? 0 : idempotency.kind === "key" ? 1 : 2).u8(0);
  writer.integer(envelope.timeMs);
  if (idempotency !== undefined) writeIdempotency(idempotency);
  writeCommand(command);
  return writer.takeInto(slab);
}

/** Sets the partition time of an encoded envelope in place. */
export function stampEnvelope(encoded: Uint8Array, timeMs: number): void {
  setInteger(encoded, TIME_OFFSET, timeMs);
}

function checkLength(what: string, length: number, max: number): void {
  if (length > max) throw new CodecError(`Cannot encode ${what} of ${length}: at most ${max}`);
}

function writeIdempotency(idempotency: Idempotency): void {
  assert(
    idempotency.fingerprint.length === FINGERPRINT_SIZE_BYTES,
    "a fingerprint has 16 bytes",
  );
  writer.raw(idempotency.fingerprint);
  if (idempotency.kind === "key") {
    checkLength("idempotency key", idempotency.key.length, IDEMPOTENCY_KEY_SIZE_BYTES_MAX);
    writer.u8(idempotency.key.length).latin1(idempotency.key);
  } else {
    const id = bytesFromHex(idempotency.sessionId);
    assert(id !== undefined && id.length === 16, "a session id has 32 hex digits");
    writer.raw(id).integer(idempotency.sequence).integer(idempotency.acknowledgedThrough);
  }
}

function writeCommand(command: Command): void {
  switch (command.kind) {
    case "put":
      writeCondition(command.condition);
      writeTtl(command.ttlMs);
      writeKey(command.key);
      writeTypedValue(command.contentType, command.value);
      return;
    case "delete":
      writeCondition(command.condition);
      return writeKey(command.key);
    case "touch":
      writeCondition(command.condition);
      writeTtl(command.ttlMs);
      return writeKey(command.key);
    case "txn":
      checkLength("compares", command.compares.length, TXN_OPERATIONS_MAX);
      checkLength("then", command.then.length, TXN_OPERATIONS_MAX);
      checkLength("else", command.else.length, TXN_OPERATIONS_MAX);
      writer.u8(command.compares.length).u8(command.then.length).u8(command.else.length);
      command.compares.forEach(writeCompare);
      command.then.forEach(writeOperation);
      return command.else.forEach(writeOperation);
    case "expire":
      writer.u32(command.limit);
      return;
    case "time":
      return;
    default:
      unreachable(command);
  }
}

function writeTtl(ttlMs: number | undefined): void {
  if (ttlMs === 0) throw new CodecError("Cannot encode a time to live of 0");
  writer.integer(ttlMs ?? 0);
}

function writeCondition(condition: Condition | undefined): void {
  if (condition === undefined) writer.u8(0);
  else if (condition.kind === "revision") writer.u8(1).integer(condition.revision);
  else writer.u8(condition.kind === "present" ? 2 : 3);
}

function writeKey(key: string): void {
  checkLength("key", key.length, KEY_SIZE_BYTES_MAX);
  writer.u16(key.length).latin1(key);
}

function writeTypedValue(contentType: string, value: CommandValue): void {
  checkLength("content type", contentType.length, CONTENT_TYPE_SIZE_BYTES_MAX);
  writer.u8(contentType.length).latin1(contentType);
  writeCommandValue(writer, value);
}

function writeCompare(compare: TxnCompare): void {
  switch (compare.target) {
    case "exists":
      writer.u8(2).u8(compare.exists ? 1 : 0);
      return writeKey(compare.key);
    case "value":
      writer.u8(3).u8(OPERATORS.indexOf(compare.operator));
      writeKey(compare.key);
      return writeCommandValue(writer, compare.value);
    default:
      writer.u8(compare.target === "revision" ? 0 : 1).u8(OPERATORS.indexOf(compare.operator));
      writeKey(compare.key);
      writer.integer(compare.revision);
  }
}

function writeOperation(operation: TxnOperation): void {
  switch (operation.kind) {
    case "get":
      writer.u8(0);
      return writeKey(operation.key);
    case "put":
      writer.u8(1);
      writeTtl(operation.ttlMs);
      writeKey(operation.key);
      return writeTypedValue(operation.contentType, operation.value);
    case "delete":
      writer.u8(2);
      return writeKey(operation.key);
    case "deleteRange":
      writer.u8(3);
      writeKey(operation.start);
      return writeKey(operation.end);
    default:
      unreachable(operation);
  }
}

/** Decodes an envelope. Byte fields are views on `encoded`. Throws CodecError on anything else. */
export function decodeEnvelope(encoded: Uint8Array): Envelope {
  const reader = new BytesReader(encoded);
  const version = reader.u8();
  if (version !== VERSION) throw new CodecError(`Cannot read entry format ${version}: 1 is known`);
  const kind = KINDS[reader.u8()];
  const idempotencyKind = reader.u8();
  if (reader.u8() !== 0) throw new CodecError("Cannot read entry: its reserved byte is set");
  const timeMs = reader.integer();
  const idempotency = readIdempotency(reader, idempotencyKind);
  const command = readCommand(reader, kind);
  reader.end();
  return idempotency === undefined ? { timeMs, command } : { timeMs, idempotency, command };
}

function readIdempotency(reader: BytesReader, kind: number): Idempotency | undefined {
  if (kind === 0) return undefined;
  const fingerprint = reader.raw(FINGERPRINT_SIZE_BYTES);
  if (kind === 1) return { kind: "key", fingerprint, key: reader.latin1(reader.u8()) };
  if (kind !== 2) throw new CodecError(`Cannot read idempotency kind ${kind}`);
  return {
    kind: "session",
    fingerprint,
    sessionId: hexFromBytes(reader.raw(16)),
    sequence: reader.integer(),
    acknowledgedThrough: reader.integer(),
  };
}

function readCommand(reader: BytesReader, kind: Command["kind"] | undefined): Command {
  switch (kind) {
    case "put": {
      const condition = readCondition(reader);
      const ttlMs = readTtl(reader);
      const key = readKey(reader);
      const contentType = readContentType(reader);
      const value = readCommandValue(reader);
      return { kind, key, value, contentType, condition, ttlMs };
    }
    case "delete": {
      const condition = readCondition(reader);
      return { kind, key: readKey(reader), condition };
    }
    case "touch": {
      const condition = readCondition(reader);
      const ttlMs = readTtl(reader);
      return { kind, key: readKey(reader), condition, ttlMs };
    }
    case "txn": {
      const counts = [reader.u8(), reader.u8(), reader.u8()];
      return {
        kind,
        compares: Array.from({ length: counts[0] }, () => readCompare(reader)),
        then: Array.from({ length: counts[1] }, () => readOperation(reader)),
        else: Array.from({ length: counts[2] }, () => readOperation(reader)),
      };
    }
    case "expire":
      return { kind, limit: reader.u32() };
    case "time":
      return { kind };
    default:
      throw new CodecError("Cannot read command: unknown kind");
  }
}

function readTtl(reader: BytesReader): number | undefined {
  const ttlMs = reader.integer();
  return ttlMs === 0 ? undefined : ttlMs;
}

function readKey(reader: BytesReader): string {
  return reader.latin1(reader.u16());
}

/** Content types repeat from entry to entry. */
let lastContentType = "";

function readContentType(reader: BytesReader): string {
  return lastContentType = reader.latin1Guessed(reader.u8(), lastContentType);
}

function readPlainValue(reader: BytesReader): Uint8Array {
  const value = readCommandValue(reader);
  if (value instanceof Uint8Array) return value;
  throw new CodecError("Cannot read compare: its value is compressed");
}

function readCondition(reader: BytesReader): Condition | undefined {
  const kind = reader.u8();
  switch (kind) {
    case 0:
      return undefined;
    case 1:
      return { kind: "revision", revision: reader.integer() };
    case 2:
      return { kind: "present" };
    case 3:
      return { kind: "absent" };
    default:
      throw new CodecError(`Cannot read condition kind ${kind}`);
  }
}

function readOperator(reader: BytesReader): CompareOperator {
  const operator = OPERATORS[reader.u8()];
  if (operator === undefined) throw new CodecError("Cannot read compare: unknown operator");
  return operator;
}

function readCompare(reader: BytesReader): TxnCompare {
  const target = reader.u8();
  if (target === 2) {
    const exists = reader.boolean();
    return { target: "exists", key: readKey(reader), exists };
  }
  const operator = readOperator(reader);
  const key = readKey(reader);
  if (target === 3) return { target: "value", key, operator, value: readPlainValue(reader) };
  if (target > 1) throw new CodecError(`Cannot read compare target ${target}`);
  const name = target === 0 ? "revision" : "createRevision";
  return { target: name, key, operator, revision: reader.integer() };
}

function readOperation(reader: BytesReader): TxnOperation {
  const kind = reader.u8();
  switch (kind) {
    case 0:
      return { kind: "get", key: readKey(reader) };
    case 1: {
      const ttlMs = readTtl(reader);
      const key = readKey(reader);
      const contentType = readContentType(reader);
      return { kind: "put", key, contentType, value: readCommandValue(reader), ttlMs };
    }
    case 2:
      return { kind: "delete", key: readKey(reader) };
    case 3: {
      const start = readKey(reader);
      return { kind: "deleteRange", start, end: readKey(reader) };
    }
    default:
      throw new CodecError(`Cannot read operation kind ${kind}`);
  }
}

/** The fingerprint as a string that compares by value. */
export function fingerprintText(fingerprint: Uint8Array): string {
  return latin1FromBytes(fingerprint);
}
