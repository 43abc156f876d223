// What the SDK's calls take and give. Types only.

import type { PontoonError } from "./error.ts";
import type { Key } from "./key.ts";

/**
 * Comparable within a key's partition only: the log index at which the key last changed. 0: there is no
 * such key.
 */
export type Revision = number;

/** A key and what it holds. */
export interface Entry<T = unknown> {
  /** A string if the key is UTF-8, else its bytes. */
  readonly key: Key;
  readonly value: T;
  readonly revision: Revision;
  readonly createRevision: Revision;
  readonly contentType: string;
  /** Time left to live in milliseconds when it was read; absent if the key does not expire. */
  readonly ttlMs?: number;
}

/** A key that does not exist. */
export interface AbsentEntry {
  readonly key: Key;
  readonly value: null;
  readonly revision: 0;
}

/** What `get` gives: `revision` 0 says that there is no such key. Either fits `check` as it is. */
export type EntryMaybe<T = unknown> = Entry<T> | AbsentEntry;

/** How fresh a read must be. */
export interface ReadOptions extends CallOptions {
  /**
   * `linearizable` (default): everything acknowledged before the call is seen. `stale`: the nearest
   * replica answers; a `get` never with less than calls of this client have shown or written (events
   * of a watch count for nothing here).
   */
  readonly consistency?: "linearizable" | "stale";
  /** `text`: JSON values come as the text they were put as, to the byte, instead of parsed [`parsed`]. */
  readonly json?: "parsed" | "text";
  /** With `stale`: how old the answer may be, in milliseconds. Unbounded without it. */
  readonly maxStalenessMs?: number;
}

/** Options of every call. */
export interface CallOptions {
  /** Time of the whole call, retries included, instead of the client's. Milliseconds. */
  readonly timeoutMs?: number;
  /** Gives the call up. The outcome of a write is then what it was known to be. */
  readonly signal?: AbortSignal;
}

export interface SetOptions extends CallOptions {
  /** The key expires after so many milliseconds. Without it, it does not, even if it did before. */
  readonly ttlMs?: number;
  /** Only if the key is at this revision; 0: only if there is no such key. */
  readonly ifRevision?: Revision;
  /** Instead of what the value's type gives. */
  readonly contentType?: string;
}

export interface DeleteOptions extends CallOptions {
  /** Only if the key is at this revision. */
  readonly ifRevision?: Revision;
}

/** The condition did not hold; nothing was done. `revision` is the key's, 0 if it is absent. */
export interface Conflict {
  readonly ok: false;
  readonly revision: Revision;
}

export interface SetResult {
  readonly ok: true;
  readonly revision: Revision;
  /** The key did not exist before. */
  readonly created: boolean;
}

export interface DeleteResult {
  readonly ok: true;
  /** Whether there was such a key. */
  readonly deleted: boolean;
  /** Of the removal; 0 if there was nothing to remove. */
  readonly revision: Revision;
}

export interface TouchResult {
  readonly ok: true;
  /** Whether there is such a key. */
  readonly found: boolean;
  readonly revision: Revision;
}

/** Which keys: those with a prefix, or from `start` up to, without, `end`; or all of that together. */
export interface ListSelector {
  readonly prefix?: Key;
  readonly start?: Key;
  readonly end?: Key;
}

export interface ListOptions extends ReadOptions {
  /** At most so many entries. */
  readonly limit?: number;
  /** From the last key to the first. */
  readonly reverse?: boolean;
  /** Keys and revisions without values: `value` is undefined. */
  readonly keysOnly?: boolean;
  /** Goes on where another list ended: its `cursor`. The selector must be the same. */
  readonly cursor?: string;
  /** Entries asked for at a time, 1 to 10000. */
  readonly pageSize?: number;
}

/** Exactly one of the two. An empty prefix is every key. */
export type WatchSelector = { readonly prefix: Key } | { readonly key: Key };

export interface WatchOptions {
  /** Goes on behind this cursor: of an earlier event, or `watchCursor` of a list. */
  readonly after?: string;
  readonly signal?: AbortSignal;
  /** Gives `progress` events too. */
  readonly progress?: boolean;
}

/** What happened to a key. `cursor` resumes a watch behind this event. */
export type WatchEvent<T = unknown> =
  | {
    readonly type: "put";
    readonly partition: number;
    readonly key: Key;
    readonly value: T;
    readonly revision: Revision;
    readonly createRevision: Revision;
    readonly contentType: string;
    readonly ttlMs?: number;
    readonly cursor: string;
  }
  | {
    readonly type: "delete" | "expire";
    readonly partition: number;
    readonly key: Key;
    readonly revision: Revision;
    readonly cursor: string;
  }
  /** Everything up to here has been given. */
  | { readonly type: "progress"; readonly cursor: string };

/** One operation of a batch. */
export type BatchOperation =
  | { readonly op: "get"; readonly key: Key }
  | (
    & { readonly op: "put"; readonly key: Key; readonly value: unknown }
    & Omit<
      SetOptions,
      keyof CallOptions
    >
  )
  | { readonly op: "delete"; readonly key: Key; readonly ifRevision?: Revision };

/** The result of one operation of a batch, each by itself. */
export type BatchResult<T = unknown> =
  | { readonly op: "get"; readonly entry: EntryMaybe<T> }
  | { readonly op: "put"; readonly result: SetResult | Conflict }
  | { readonly op: "delete"; readonly result: DeleteResult | Conflict }
  | { readonly op: "error"; readonly error: PontoonError };

/** A member of the cluster. */
export interface Member {
  readonly nodeId: string;
  readonly name: string;
  /** Its HTTP API, `http://host:port`. */
  readonly url: string;
}

/** One attempt at one node, for metrics. */
export interface AttemptEvent {
  readonly method: string;
  /** Without the key: `/key`, `/txn` … */
  readonly route: string;
  readonly url: string;
  readonly partition: number | undefined;
  /** From 1. */
  readonly attempt: number;
  readonly durationMs: number;
  /** HTTP status, 0 if no answer came. */
  readonly status: number;
  /** Problem code, or what became of the connection; absent after success. */
  readonly code?: string;
}

/** One call, all its attempts together. */
export interface CallEvent {
  readonly method: string;
  readonly route: string;
  readonly attempts: number;
  readonly durationMs: number;
  /** Absent after success. */
  readonly error?: PontoonError;
}

/** Called as things happen. They must not throw, and should be quick. */
export interface Hooks {
  onAttempt?(event: AttemptEvent): void;
  onCall?(event: CallEvent): void;
  /** The client goes by a newer map of the cluster. */
  onMap?(map: { readonly epoch: number; readonly members: readonly Member[] }): void;
  log?(level: "debug" | "info" | "warn", message: string, details: Record<string, unknown>): void;
}

export interface ConnectOptions {
  /** Time of a call, retries included: 1 to 240000 milliseconds [10000]. */
  readonly timeoutMs?: number;
  /** Time of one attempt at one node, after which another is tried [2500]. */
  readonly attemptTimeoutMs?: number;
  /** Requests on the way at once; further calls wait their turn [256]. */
  readonly maxInFlight?: number;
  /** Watches open at once, a connection each [64]. */
  readonly maxWatches?: number;
  /** Stale reads are sent to a second replica if the first takes longer than this. Off by default. */
  readonly hedgeAfterMs?: number;
  /** For a cluster that asks for one; a function is asked anew for every request. */
  readonly token?: string | (() => string);
  readonly hooks?: Hooks;
  /** Instead of the runtime's. */
  readonly fetch?: typeof fetch;
}

/** One page of a list. */
export interface ListPage<T = unknown> {
  readonly entries: readonly Entry<T>[];
  /** Where the next page begins; null after the last. */
  readonly cursor: string | null;
}

/**
 * Entries in key order over all partitions. Each page is linearizable for each partition; the whole list is
 * no snapshot: a key that changes meanwhile may show either state.
 *
 * Iterate over it once, by entry or by page.
 */
export interface KvList<T = unknown> extends AsyncIterable<Entry<T>> {
  /**
   * Where the history of each partition stood when the list first looked at it; a watch `after` it misses
   * nothing that the list does not show. Undefined before the first page.
   */
  readonly watchCursor: string | undefined;
  /** The same, page by page. */
  pages(): AsyncGenerator<ListPage<T>, void, void>;
}

/**
 * A watch: every event once, in order per partition. It connects at once, and goes on behind the last event
 * whatever happens to the connection. Iterate over it once; it ends when it is closed or its signal is
 * aborted, and throws PontoonError `history-gone` if it can't go on without a gap: list, and watch `after`
 * that.
 */
export interface KvWatch<T = unknown>
  extends AsyncIterableIterator<WatchEvent<T>>, AsyncDisposable {
  /** Resolves once the watch is in place: everything that happens from then on is given. */
  readonly ready: Promise<void>;
  /** Where a later watch goes on behind what this one has given. */
  readonly cursor: string | undefined;
  /** Ends the watch, and resolves when it has ended. */
  return(): Promise<IteratorResult<WatchEvent<T>, void>>;
  /** Ends the watch. */
  close(): void;
}
