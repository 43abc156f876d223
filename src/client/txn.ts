// The document of POST /txn and its results, as types only.

import type { KeyMembers } from "./key.ts";
import type { Entry } from "./types.ts";
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
