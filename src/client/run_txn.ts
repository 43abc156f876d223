// Runs POST /txn, at the partition of its first key. The cluster checks the rest: that all keys are of one
// partition, above all.

import type { Caller } from "./caller.ts";
import { PontoonError } from "./error.ts";
import { latin1OfMembers } from "./key.ts";
import { entryOf, type RecordDocument } from "./records.ts";
import type { Routing } from "./routing.ts";
import { randomId } from "./session.ts";
import type { TxnDocument, TxnOperationResult, TxnResult } from "./txn.ts";
import type { CallOptions } from "./types.ts";

interface TxnAnswer {
  readonly succeeded: boolean;
  readonly revision: number;
  readonly results: readonly (TxnOperationResult & { record?: RecordDocument | null })[];
}

/** A key of the transaction, one character per byte; undefined if it names none. */
function firstKey(document: TxnDocument): string | undefined {
  const { if: compares = [], then = [], else: otherwise = [] } = document;
  for (const part of [...compares, ...then, ...otherwise]) {
    if ("key" in part || "key64" in part) return latin1OfMembers(part);
    if ("start" in part) return latin1OfMembers({ key: part.start });
    if ("start64" in part) return latin1OfMembers({ key64: part.start64 });
  }
  return undefined;
}

function changesSomething({ then = [], else: otherwise = [] }: TxnDocument): boolean {
  return [...then, ...otherwise].some(({ op }) => op !== "get");
}

/** Runs a transaction. Throws PontoonError, `cross-partition` among others. */
export async function runTxn(
  caller: Caller,
  routing: Routing,
  document: TxnDocument,
  options?: CallOptions,
): Promise<TxnResult> {
  const key = firstKey(document);
  const partition = key === undefined ? undefined : routing.partitionOf(key);
  const headers: Record<string, string> = { "content-type": "application/json" };
  // A read has nothing that a second attempt could do twice, and wants values, not a replay.
  let kind: "read" | "session" | "keyed" = "read";
  if (changesSomething(document)) {
    kind = partition === undefined ? "keyed" : "session";
    if (kind === "keyed") headers["idempotency-key"] = randomId();
  }
  const answer = await caller.call({
    method: "POST",
    route: "/txn",
    target: "/txn",
    headers,
    body: JSON.stringify(document),
    partition,
    kind,
  }, options);
  if (answer.status !== 200) {
    throw new PontoonError(`POST /txn answered ${answer.status}`, {
      code: "unexpected-answer",
      outcome: kind === "read" ? "none" : "unknown",
      retryable: false,
      status: answer.status,
    });
  }
  const { succeeded, revision, results } = JSON.parse(answer.text) as TxnAnswer;
  return { succeeded, revision, results: results.map(resultOf) };
}

function resultOf(
  { record, ...result }: TxnOperationResult & { record?: RecordDocument | null },
): TxnOperationResult {
  if (result.op !== "get" || record === undefined) return result;
  return { ...result, entry: record === null ? null : entryOf(record) };
}
