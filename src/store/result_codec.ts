// The binary form of a decided result, as the idempotency table's image holds it. Owns the layout;
// values never occur in it (RULES 17).
//
//   kind u8: 0 put, 1 deleted, 2 touched, 3 not-found, 4 condition-failed, 5 txn, 6 range-too-large,
//            7 expired, 8 none
//   put               created u8 | revision
//   deleted, touched, condition-failed   revision
//   txn               succeeded u8 | revision | count u8 | results
//   expired           count u32
//   a transaction's result, kind u8: 0 get | revision, 1 put | created u8 | revision,
//                            2 delete | deleted u8 | revision, 3 deleteRange | count u32

import { assert, unreachable } from "../base/assert.ts";
import { type BytesReader, type BytesWriter, CodecError } from "../base/codec.ts";
import type { CommandResult, TxnOperationResult } from "./types.ts";

const KINDS: readonly CommandResult["kind"][] = [
  "put",
  "deleted",
  "touched",
  "not-found",
  "condition-failed",
  "txn",
  "range-too-large",
  "expired",
  "none",
];
const OPERATION_KINDS: readonly TxnOperationResult["kind"][] = [
  "get",
  "put",
  "delete",
  "deleteRange",
];

/** Appends `result` to `writer`. A refusal by the idempotency table is no outcome to be kept. */
export function writeResult(writer: BytesWriter, result: CommandResult): void {
  const kind = KINDS.indexOf(result.kind);
  assert(kind >= 0, `${result.kind} is no outcome`);
  writer.u8(kind);
  switch (result.kind) {
    case "put":
      writer.u8(result.created ? 1 : 0).f64(result.revision);
      return;
    case "deleted":
    case "touched":
    case "condition-failed":
      writer.f64(result.revision);
      return;
    case "txn":
      writer.u8(result.succeeded ? 1 : 0).f64(result.revision).u8(result.results.length);
      for (const one of result.results) writeOperationResult(writer, one);
      return;
    case "expired":
      writer.u32(result.count);
      return;
  }
}

function writeOperationResult(writer: BytesWriter, result: TxnOperationResult): void {
  writer.u8(OPERATION_KINDS.indexOf(result.kind));
  switch (result.kind) {
    case "get":
      assert(result.record === undefined, "a kept outcome holds no values");
      writer.f64(result.revision);
      return;
    case "put":
      writer.u8(result.created ? 1 : 0).f64(result.revision);
      return;
    case "delete":
      writer.u8(result.deleted ? 1 : 0).f64(result.revision);
      return;
    case "deleteRange":
      writer.u32(result.deletedCount);
      return;
    default:
      unreachable(result);
  }
}

/** Reads what {@linkcode writeResult} wrote. Throws CodecError on anything else. */
export function readResult(reader: BytesReader): CommandResult {
  const kind = KINDS[reader.u8()];
  switch (kind) {
    case "put":
      return { kind, created: reader.boolean(), revision: reader.integer() };
    case "deleted":
    case "touched":
    case "condition-failed":
      return { kind, revision: reader.integer() };
    case "txn": {
      const succeeded = reader.boolean();
      const revision = reader.integer();
      const results = Array.from({ length: reader.u8() }, () => readOperationResult(reader));
      return { kind, succeeded, revision, results };
    }
    case "expired":
      return { kind, count: reader.u32() };
    case "not-found":
    case "range-too-large":
    case "none":
      return { kind };
    default:
      throw new CodecError("Cannot read result: unknown kind");
  }
}

function readOperationResult(reader: BytesReader): TxnOperationResult {
  const kind = OPERATION_KINDS[reader.u8()];
  switch (kind) {
    case "get":
      return { kind, revision: reader.integer() };
    case "put":
      return { kind, created: reader.boolean(), revision: reader.integer() };
    case "delete":
      return { kind, deleted: reader.boolean(), revision: reader.integer() };
    case "deleteRange":
      return { kind, deletedCount: reader.u32() };
    default:
      throw new CodecError("Cannot read result: unknown operation kind");
  }
}
