// The vocabulary of a data partition's state machine: commands, their results, records and queries.
// Types only. Keys are latin1 strings: one character per byte, so `<` is byte order (bytes.ts).

import type { LogIndex, Revision } from "../base/ids.ts";
import type { CommandValue, StoredValue } from "./value.ts";

/** 1..4096 bytes, one character per byte. */
export type Key = string;

/** Milliseconds of partition time (RULES 18): moves only through the log, starts at 0. */
export type PartitionTimeMs = number;

/** What a stored value is. `""` never occurs: an unspecified type is resolved before the log. */
export type ContentType = string;

/** A precondition of a single-key command. */
export type Condition =
  /** `If-Match: "N"`: the key exists and its revision is N. */
  | { readonly kind: "revision"; readonly revision: Revision }
  /** `If-Match: *`: the key exists. */
  | { readonly kind: "present" }
  /** `If-None-Match: *`: the key does not exist. */
  | { readonly kind: "absent" };

/** Sets a key. A put without `ttlMs` clears an earlier one (RULES 19). */
export interface PutCommand {
  readonly kind: "put";
  readonly key: Key;
  readonly value: CommandValue;
  readonly contentType: ContentType;
  readonly condition?: Condition;
  /** Time to live in milliseconds of partition time, from apply; > 0. */
  readonly ttlMs?: number;
}

/** Removes a key. */
export interface DeleteCommand {
  readonly kind: "delete";
  readonly key: Key;
  readonly condition?: Condition;
}

/** Changes a key's time to live without rewriting its value; undefined clears it. New revision. */
export interface TouchCommand {
  readonly kind: "touch";
  readonly key: Key;
  readonly ttlMs?: number;
  readonly condition?: Condition;
}

export type CompareOperator = "=" | "!=" | "<" | ">";

/** One `if` of a transaction. A comparison of a missing key's value is false, except `!=`; its
 * revision and create-revision count as 0. */
export type TxnCompare =
  | {
    readonly target: "revision" | "createRevision";
    readonly key: Key;
    readonly operator: CompareOperator;
    readonly revision: Revision;
  }
  | { readonly target: "exists"; readonly key: Key; readonly exists: boolean }
  | {
    readonly target: "value";
    readonly key: Key;
    readonly operator: CompareOperator;
    /** Compared as bytes, in byte order. */
    readonly value: Uint8Array;
  };

/** One operation of a transaction's branch. Later ones see the effects of earlier ones. */
export type TxnOperation =
  | { readonly kind: "get"; readonly key: Key }
  | {
    readonly kind: "put";
    readonly key: Key;
    readonly value: CommandValue;
    readonly contentType: ContentType;
    readonly ttlMs?: number;
  }
  | { readonly kind: "delete"; readonly key: Key }
  /** Removes every key in [start, end). Admission holds both bounds to one hash tag (RULES 23). */
  | { readonly kind: "deleteRange"; readonly start: Key; readonly end: Key };

/** Compare, then one of two branches, atomically; all changes share one revision. */
export interface TxnCommand {
  readonly kind: "txn";
  readonly compares: readonly TxnCompare[];
  readonly then: readonly TxnOperation[];
  readonly else: readonly TxnOperation[];
}

/** Removes up to `limit` keys whose expiry is due, oldest first. Proposed by the leader only. */
export interface ExpireCommand {
  readonly kind: "expire";
  readonly limit: number;
}

/** Does nothing but move partition time (the envelope carries it). Proposed by the leader only. */
export interface TimeCommand {
  readonly kind: "time";
}

export type Command =
  | PutCommand
  | DeleteCommand
  | TouchCommand
  | TxnCommand
  | ExpireCommand
  | TimeCommand;

/** How a retried write is recognised (RULES 16, 17). `fingerprint` is 16 bytes over the request. */
export type Idempotency =
  | { readonly kind: "key"; readonly key: string; readonly fingerprint: Uint8Array }
  | {
    readonly kind: "session";
    /** 16 bytes as 32 hex digits, drawn by the client. */
    readonly sessionId: string;
    /** 1, 2, 3 … within the session. */
    readonly sequence: number;
    /** Outcomes at or below it may be forgotten (for this partition). */
    readonly acknowledgedThrough: number;
    readonly fingerprint: Uint8Array;
  };

/** What one Raft entry of a data partition holds. */
export interface Envelope {
  /** The leader's partition time; apply takes max(state's, this). */
  readonly timeMs: PartitionTimeMs;
  readonly idempotency?: Idempotency;
  readonly command: Command;
}

/** A live key as a reader sees it. */
export interface RecordView {
  readonly key: Key;
  readonly value: StoredValue;
  readonly contentType: ContentType;
  readonly revision: Revision;
  readonly createRevision: Revision;
  /** Partition time at which the key expires, or undefined. */
  readonly expiresAtMs: PartitionTimeMs | undefined;
}

/** One operation's result in a transaction, in order. */
export type TxnOperationResult =
  /** `record` is absent for a missing key, and on a replay (revisions only, RULES 17). */
  | { readonly kind: "get"; readonly revision: Revision; readonly record?: RecordView }
  | { readonly kind: "put"; readonly created: boolean; readonly revision: Revision }
  | { readonly kind: "delete"; readonly deleted: boolean; readonly revision: Revision }
  | { readonly kind: "deleteRange"; readonly deletedCount: number };

/** Decided outcomes. `revision` of a failed condition is the current one, 0 when the key is absent. */
export type CommandResult =
  | { readonly kind: "put"; readonly created: boolean; readonly revision: Revision }
  | { readonly kind: "deleted"; readonly revision: Revision }
  | { readonly kind: "touched"; readonly revision: Revision }
  | { readonly kind: "not-found" }
  | { readonly kind: "condition-failed"; readonly revision: Revision }
  | {
    readonly kind: "txn";
    readonly succeeded: boolean;
    readonly revision: Revision;
    readonly results: readonly TxnOperationResult[];
  }
  /** A range touched more than TXN_RANGE_KEYS_MAX keys; nothing was done. */
  | { readonly kind: "range-too-large" }
  | { readonly kind: "expired"; readonly count: number }
  | { readonly kind: "none" }
  /** RULES 16, 17; nothing was done. */
  | { readonly kind: "idempotency-stale" }
  | { readonly kind: "idempotency-key-reused" }
  | { readonly kind: "idempotency-table-full" };

/** What apply returns for one entry. */
export interface Applied {
  readonly result: CommandResult;
  /** The index that RULES 20 reports: this entry's, or on a replay the first one's. */
  readonly appliedIndex: LogIndex;
  /** The outcome was taken from the idempotency table, nothing was done. */
  readonly replayed: boolean;
}

/** A change as watchers see it, at position (revision, subIndex). */
export interface WatchEvent {
  readonly revision: Revision;
  /** 0, 1, 2 … within one revision. */
  readonly subIndex: number;
  readonly kind: "put" | "delete" | "expire";
  readonly key: Key;
  /** Present for `put`, with what follows; the last is absent for a key that never expires. */
  readonly value?: StoredValue;
  readonly contentType?: ContentType;
  readonly createRevision?: Revision;
  readonly expiresAtMs?: PartitionTimeMs;
}

/** Which changes a watcher wants. */
export type WatchFilter =
  | { readonly kind: "prefix"; readonly prefix: string }
  | { readonly kind: "key"; readonly key: Key };
