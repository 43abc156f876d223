// A transaction's document as the command it stands for, and the checks that a schema can't express:
// names, sizes, and that all keys are of one partition (RULES 23). Throws RequestError.

import { TXN_DECOMPRESSED_BYTES_MAX, TXN_SIZE_BYTES_MAX } from "../base/limits.ts";
import { hashTag } from "../base/slot.ts";
import { keysOfTransaction } from "../store/command_keys.ts";
import { commandValueLength } from "../store/mod.ts";
import type { NodeService } from "../node/service.ts";
import type { Key, TxnCommand, TxnCompare, TxnOperation } from "../store/types.ts";
import { keyOf, storedValueOf, valueOf } from "./json_members.ts";
import { RequestError } from "./problem.ts";
import type { CompareDocument, OperationDocument, TxnDocument } from "./txn_schema.ts";
import { keyText } from "./value_format.ts";

function compareOf(document: CompareDocument): TxnCompare {
  const key = keyOf(document.key, document.key64, "key");
  if ("exists" in document) return { target: "exists", key, exists: document.exists };
  const operator = document.op ?? "=";
  if ("revision" in document) {
    return { target: "revision", key, operator, revision: document.revision };
  }
  if ("createRevision" in document) {
    return { target: "createRevision", key, operator, revision: document.createRevision };
  }
  return { target: "value", key, operator, value: valueOf(document) };
}

function operationOf(document: OperationDocument, valueSizeBytesMax: number): TxnOperation {
  switch (document.op) {
    case "get":
      return { kind: "get", key: keyOf(document.key, document.key64, "key") };
    case "delete":
      return { kind: "delete", key: keyOf(document.key, document.key64, "key") };
    case "deleteRange": {
      const start = keyOf(document.start, document.start64, "start");
      return { kind: "deleteRange", start, end: keyOf(document.end, document.end64, "end") };
    }
    case "put": {
      const key = keyOf(document.key, document.key64, "key");
      const { value, contentType } = storedValueOf(document, key, valueSizeBytesMax);
      const ttlMs = document.ttl === undefined ? undefined : Math.round(document.ttl * 1000);
      return { kind: "put", key, value, contentType, ttlMs };
    }
  }
}

function plainSizeBytes(command: TxnCommand): number {
  let sizeBytes = 0;
  for (const key of keysOfTransaction(command)) sizeBytes += key.length;
  for (const part of [...command.compares, ...command.then, ...command.else]) {
    if ("value" in part) sizeBytes += commandValueLength(part.value);
  }
  return sizeBytes;
}

/**
 * What applying may have to decompress, at most (RULES 24): a comparison for equality as much as it
 * compares with, since a value of another length differs anyway; one by order the longest value.
 */
function decompressedSizeBytes(command: TxnCommand, valueSizeBytesMax: number): number {
  let sizeBytes = 0;
  for (const compare of command.compares) {
    if (compare.target !== "value") continue;
    const byOrder = compare.operator === "<" || compare.operator === ">";
    sizeBytes += byOrder ? valueSizeBytesMax : compare.value.length;
  }
  return sizeBytes;
}

/** All keys are of one partition, and every range lies within one hash tag. */
function checkPartition(command: TxnCommand, service: NodeService): void {
  const remedy = "give keys that belong together the same {tag}, as in {order7}:total";
  const [first, ...others] = keysOfTransaction(command);
  if (first === undefined) {
    throw new RequestError(
      "invalid-body",
      "A transaction needs at least one condition or operation",
    );
  }
  const partition = service.partitionOf(first);
  const stray = others.find((key) => service.partitionOf(key) !== partition);
  if (stray !== undefined) {
    throw new RequestError(
      "cross-partition",
      `The keys ${keyText(first)} and ${keyText(stray)} are of different partitions: ${remedy}`,
    );
  }
  for (const operation of [...command.then, ...command.else]) {
    if (operation.kind !== "deleteRange") continue;
    const { start, end } = operation;
    const tag = hashTag(start);
    if (tag === undefined || tag !== hashTag(end) || !sharesTagPrefix(start, end)) {
      throw new RequestError(
        "cross-partition",
        `The range from ${keyText(start)} to ${keyText(end)} may span partitions: both bounds ` +
          `must begin alike up to the end of the same {tag}`,
      );
    }
  }
}

/** Whether every key between the bounds has their tag: they are equal up to its closing brace. */
function sharesTagPrefix(start: Key, end: Key): boolean {
  const close = start.indexOf("}", start.indexOf("{")) + 1;
  return start.slice(0, close) === end.slice(0, close);
}

/** The command of a document. Throws RequestError. */
export function txnCommandOf(document: TxnDocument, service: NodeService): TxnCommand {
  const toOperation = (one: OperationDocument) => operationOf(one, service.valueSizeBytesMax);
  const command: TxnCommand = {
    kind: "txn",
    compares: document.if.map(compareOf),
    then: document.then.map(toOperation),
    else: document.else.map(toOperation),
  };
  if (plainSizeBytes(command) > TXN_SIZE_BYTES_MAX) {
    throw new RequestError(
      "value-too-large",
      `Keys and values of a transaction may have ${TXN_SIZE_BYTES_MAX} bytes at most`,
    );
  }
  if (decompressedSizeBytes(command, service.valueSizeBytesMax) > TXN_DECOMPRESSED_BYTES_MAX) {
    throw new RequestError(
      "value-too-large",
      "The transaction compares too many values by < or >: together the values of these keys may " +
        `have ${TXN_DECOMPRESSED_BYTES_MAX} bytes at most`,
    );
  }
  checkPartition(command, service);
  return command;
}
