// POST /txn: its document as types, and which partition a transaction belongs to. The cluster checks the
// rest: that all keys are of one partition, above all.

import type { Caller } from "./caller.ts";
import { PontoonError } from "./error.ts";
import { type KeyMembers, latin1OfMembers } from "./key.ts";
import { entryOf, type RecordDocument } from "./records.ts";
import type { Routing } from "./routing.ts";
import { randomId } from "./session.ts";
import type { CallOptions, Entry } from "./types.ts";
import type { ValueMembers } from "./value.ts";

/** What must hold. `op` is "=" if absent. */
export type Compare =
  & KeyMembers
  & { readonly op?: "=" | "!=" | "<" | ">" }
  & (
    | { readonly revision: number }
    | { readonly createRevision: number }
    | { readonly exists: boolean }
    | { readonly value: string; readonly encoding?: "base64" }
    | { readonly json: unknown }
  );

/** What is done. `ttl` is in seconds. */
export type TxnOperation =
  | (KeyMembers & { readonly op: "get" })
  | (
    & KeyMembers
    & { readonly op: "put"; readonly ttl?: number; readonly contentType?: string }
    & (Omit<ValueMembers, "contentType"> | { readonly json: unknown })
  )
  | (KeyMembers & { readonly op: "delete" })
  | {
    readonly op: "deleteRange";
    readonly start?: string;
    readonly start64?: string;
    readonly end?: string;
    readonly end64?: string;
  };

/** If every comparison holds, `then` is done, else `else`; at most 128 of each. */
export interface TxnDocument {
  readonly if?: readonly Compare[];
  readonly then?: readonly TxnOperation[];
  readonly else?: readonly TxnOperation[];
}

/** Results of the branch that was done, in order. */
export type TxnOperationResult =
  /** `entry` is null if there is no such key, and absent if the answer is that of an earlier attempt. */
  | { readonly op: "get"; readonly revision: number; readonly entry?: Entry | null }
  | { readonly op: "put"; readonly created: boolean; readonly revision: number }
  | { readonly op: "delete"; readonly deleted: boolean; readonly revision: number }
  | { readonly op: "deleteRange"; readonly deletedCount: number };

export interface TxnResult {
  /** Whether `then` was done. */
  readonly succeeded: boolean;
  /** Of all changes. */
  readonly revision: number;
  readonly results: readonly TxnOperationResult[];
}

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
