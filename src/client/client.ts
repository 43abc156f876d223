// The client: what callers hold. Puts requests together and takes answers apart; who is asked, how often and
// for how long is the caller's business (caller.ts).

import type { Admin } from "./admin.ts";
import { HttpAdmin } from "./http_admin.ts";
import { Alarms } from "./alarms.ts";
import { AtomicOperation } from "./atomic.ts";
import { runBatch } from "./batch.ts";
import { Caller, checkedTimeoutMs, closedError } from "./caller.ts";
import { PontoonError } from "./error.ts";
import { type Key, keyTarget, latin1OfKey } from "./key.ts";
import { Limiter } from "./limiter.ts";
import { consistencyParameters, PagedList } from "./list.ts";
import { MapKeeper } from "./map_keeper.ts";
import { NodePool } from "./node_pool.ts";
import {
  conditionHeaders,
  deleteResultOf,
  entryOf,
  setResultOf,
  textEntryOf,
  touchResultOf,
  ttlSeconds,
} from "./records.ts";
import { Routing } from "./routing.ts";
import { randomId, Session } from "./session.ts";
import { runTxn } from "./run_txn.ts";
import type { TxnDocument, TxnResult } from "./txn.ts";
import type {
  BatchOperation,
  BatchResult,
  CallOptions,
  Conflict,
  ConnectOptions,
  DeleteOptions,
  DeleteResult,
  EntryMaybe,
  KvList,
  KvWatch,
  ListOptions,
  ListSelector,
  Member,
  ReadOptions,
  SetOptions,
  SetResult,
  TouchResult,
  WatchOptions,
  WatchSelector,
} from "./types.ts";
import { encodeValue } from "./value.ts";
import { ResumingWatch } from "./watch.ts";

const TIMEOUT_MS_DEFAULT = 10_000;
const ATTEMPT_TIMEOUT_MS_DEFAULT = 2500;
const IN_FLIGHT_DEFAULT = 256;
const WATCHES_DEFAULT = 64;

/**
 * A client of a cluster. Safe to share: make one for a program, not one for a task.
 *
 * Every call ends within its deadline, in a decided answer or a {@linkcode PontoonError} whose `outcome`
 * says whether it may have had an effect. A write is retried until it is decided, and takes effect once.
 */
export class Kv implements AsyncDisposable {
  readonly #alarms = new Alarms();
  readonly #pool: NodePool;
  readonly #routing: Routing;
  readonly #keeper: MapKeeper;
  readonly #caller: Caller;
  readonly #options: ConnectOptions;
  readonly #timeoutMs: number;
  readonly #fetch: typeof fetch;
  readonly #watches = new Set<{ close(): void }>();
  #closing: Promise<void> | undefined;

  private constructor(seeds: readonly string[], options: ConnectOptions) {
    const { timeoutMs = TIMEOUT_MS_DEFAULT, hooks = {}, maxInFlight = IN_FLIGHT_DEFAULT } = options;
    const { attemptTimeoutMs = ATTEMPT_TIMEOUT_MS_DEFAULT, hedgeAfterMs } = options;
    for (const [name, value] of Object.entries({ maxInFlight, attemptTimeoutMs })) {
      if (!(value >= 1)) throw new RangeError(`${name} takes a number from 1: got ${value}`);
    }
    this.#options = options;
    this.#timeoutMs = checkedTimeoutMs(timeoutMs);
    // Called as a plain function: browsers refuse `fetch` as a method of anything but the window.
    const fetcher = options.fetch ?? fetch;
    this.#fetch = withToken((input, init) => fetcher(input, init), options.token);
    this.#pool = new NodePool(seeds);
    this.#routing = new Routing(this.#pool);
    const alarms = this.#alarms;
    const [pool, routing] = [this.#pool, this.#routing];
    this.#keeper = new MapKeeper(pool, routing, alarms, this.#fetch, hooks);
    this.#caller = new Caller({
      alarms,
      fetch: this.#fetch,
      hooks,
      keeper: this.#keeper,
      limiter: new Limiter(maxInFlight, alarms),
      pool,
      routing,
      session: new Session(randomId(), alarms),
    }, { timeoutMs: this.#timeoutMs, attemptTimeoutMs, hedgeAfterMs });
  }

  /** See {@linkcode connect}. */
  static async connect(
    urls: string | readonly string[],
    options: ConnectOptions = {},
  ): Promise<Kv> {
    const kv = new Kv(typeof urls === "string" ? [urls] : urls, options);
    const deadlineMs = performance.now() + kv.#timeoutMs;
    for (;;) {
      try {
        await kv.#keeper.refresh();
        return kv;
      } catch (cause) {
        // Asking again does not help where the cluster refuses to talk.
        if (cause instanceof PontoonError && !cause.retryable) throw cause;
        // A cluster that starts beside its client has no map for a moment.
        if (performance.now() + 100 < deadlineMs) {
          await kv.#alarms.sleep(100);
          continue;
        }
        throw new PontoonError(
          `Cannot connect: no node of ${urls} told the cluster's map: ${cause}`,
          { code: "connection", outcome: "none", retryable: true, cause },
        );
      }
    }
  }

  /** The members of the cluster, as far as this client knows. */
  get members(): readonly Member[] {
    return this.#routing.members;
  }

  /** The partition that a key belongs to: what one transaction or revision spans. */
  partitionOf(key: Key): number {
    return this.#routing.partitionOf(latin1OfKey(key));
  }

  /** The key's value; `revision` 0 and `value` null if there is no such key. */
  async get<T = unknown>(key: Key, options: ReadOptions = {}): Promise<EntryMaybe<T>> {
    const latin1 = latin1OfKey(key);
    let target = keyTarget(latin1);
    const stale = options.consistency === "stale";
    if (stale) {
      const query = consistencyParameters(options).map(([name, value]) => `${name}=${value}`);
      target += `${target.includes("?") ? "&" : "?"}${query.join("&")}`;
    }
    const answer = await this.#caller.call({
      method: "GET",
      route: "/key",
      target,
      partition: this.#routing.partitionOf(latin1),
      kind: stale ? "stale" : "read",
    }, options);
    if (answer.status === 404) return { key, value: null, revision: 0 };
    if (options.json === "text") return textEntryOf(answer.text, key) as EntryMaybe<T>;
    return entryOf<T>(JSON.parse(answer.text), key);
  }

  /** Several keys at once, in their order; each is read by itself. */
  async getMany<T = unknown>(
    keys: readonly Key[],
    options: ReadOptions = {},
  ): Promise<EntryMaybe<T>[]> {
    if (options.consistency === "stale" || options.json === "text") {
      return await Promise.all(keys.map((key) => this.get<T>(key, options)));
    }
    const results = await this.batch<T>(keys.map((key) => ({ op: "get", key })), options);
    return results.map((result) => {
      if (result.op === "get") return result.entry;
      throw (result as Extract<typeof result, { op: "error" }>).error;
    });
  }

  /**
   * Sets a key: strings, bytes, or what JSON can carry. With `ifRevision`, a conflict is a result, not an
   * error. Without `ttlMs` the key does not expire, even if it did before.
   */
  async set(key: Key, value: unknown, options: SetOptions = {}): Promise<SetResult | Conflict> {
    const latin1 = latin1OfKey(key);
    const { body, contentType } = encodeValue(value, options.contentType);
    let target = keyTarget(latin1);
    if (options.ttlMs !== undefined) {
      target += `${target.includes("?") ? "&" : "?"}ttl=${ttlSeconds(options.ttlMs)}`;
    }
    const answer = await this.#caller.call({
      method: "PUT",
      route: "/key",
      target,
      headers: { "content-type": contentType, ...conditionHeaders(options) },
      body,
      partition: this.#routing.partitionOf(latin1),
      kind: "session",
    }, options);
    return setResultOf(answer.status, JSON.parse(answer.text));
  }

  /** Removes a key. With `ifRevision`, a conflict is a result, not an error. */
  async delete(key: Key, options: DeleteOptions = {}): Promise<DeleteResult | Conflict> {
    const latin1 = latin1OfKey(key);
    const answer = await this.#caller.call({
      method: "DELETE",
      route: "/key",
      target: keyTarget(latin1),
      headers: conditionHeaders(options, 1),
      partition: this.#routing.partitionOf(latin1),
      kind: "session",
    }, options);
    return deleteResultOf(answer.status, JSON.parse(answer.text));
  }

  /** Lets a key live for `ttlMs` from now, or for ever if that is null; its value is untouched. */
  async touch(
    key: Key,
    ttlMs: number | null,
    options: DeleteOptions = {},
  ): Promise<TouchResult | Conflict> {
    const latin1 = latin1OfKey(key);
    const answer = await this.#caller.call({
      method: "POST",
      route: "/key/ttl",
      target: keyTarget(latin1, "/ttl"),
      headers: { "content-type": "application/json", ...conditionHeaders(options, 1) },
      body: JSON.stringify({ ttl: ttlMs === null ? null : ttlSeconds(ttlMs) }),
      partition: this.#routing.partitionOf(latin1),
      kind: "session",
    }, options);
    return touchResultOf(answer.status, JSON.parse(answer.text));
  }

  /** Begins an atomic change of keys of one partition. */
  atomic(): AtomicOperation {
    return new AtomicOperation((document, options) => this.txn(document, options));
  }

  /** Runs a transaction in the form of `POST /txn`. */
  txn(document: TxnDocument, options?: CallOptions): Promise<TxnResult> {
    return runTxn(this.#caller, this.#routing, document, options);
  }

  /** Many independent operations in few requests; each has its own result, and none undoes another. */
  batch<T = unknown>(
    operations: readonly BatchOperation[],
    options: CallOptions = {},
  ): Promise<BatchResult<T>[]> {
    return runBatch<T>(
      {
        caller: this.#caller,
        routing: this.#routing,
        timeoutMs: this.#timeoutMs,
        sleep: (durationMs, signal) => this.#alarms.sleep(durationMs, signal),
      },
      operations,
      options,
    );
  }

  /** Entries in key order: `for await (const { key, value } of kv.list({ prefix: "user/" }))`. */
  list<T = unknown>(selector: ListSelector = {}, options: ListOptions = {}): KvList<T> {
    return new PagedList<T>(this.#caller, this.#routing, selector, options);
  }

  /** How many keys there are. */
  async count(selector: ListSelector = {}, options: ReadOptions = {}): Promise<number> {
    return await new PagedList(this.#caller, this.#routing, selector, options).count();
  }

  /** What happens to keys from now on, or behind `after`; see {@linkcode KvWatch}. */
  watch<T = unknown>(selector: WatchSelector, options: WatchOptions = {}): KvWatch<T> {
    if (this.#closing !== undefined) throw closedError();
    const { maxWatches = WATCHES_DEFAULT, hooks = {} } = this.#options;
    if (this.#watches.size >= maxWatches) {
      throw new PontoonError(`${maxWatches} watches are open: raise maxWatches or close some`, {
        code: "too-many-watches",
        outcome: "none",
        retryable: false,
      });
    }
    const entry = { close: () => watch.close() };
    this.#watches.add(entry);
    const watch: ResumingWatch<T> = new ResumingWatch<T>(
      {
        alarms: this.#alarms,
        fetch: this.#fetch,
        hooks,
        keeper: this.#keeper,
        pool: this.#pool,
        routing: this.#routing,
      },
      selector,
      options,
      () => this.#watches.delete(entry),
    );
    return watch;
  }

  /** Asks the cluster to change its members or who holds what; see {@linkcode Admin}. */
  get admin(): Admin {
    return new HttpAdmin(this.#caller);
  }

  /** Refuses new calls, ends the watches, and resolves when the calls under way have ended. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    for (const watch of this.#watches) watch.close();
    await this.#caller.close();
    await this.#keeper.close();
    this.#alarms.rest();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** `fetcher` with the token in every request; the SDK gives headers as records only. */
function withToken(fetcher: typeof fetch, token: ConnectOptions["token"]): typeof fetch {
  if (token === undefined) return fetcher;
  return (input, init) => {
    const authorization = `Bearer ${typeof token === "function" ? token() : token}`;
    return fetcher(input, {
      ...init,
      headers: { ...init?.headers as Record<string, string>, authorization },
    });
  };
}

/**
 * Connects to a cluster: asks any of `urls` for the map, and finds the others by it.
 *
 * @param urls one node's address or several: `http://HOST:PORT`
 * @throws PontoonError `connection` if none of them tells a map within the time
 * @example
 * ```ts ignore
 * await using kv = await connect(["http://127.0.0.1:7001"], { timeoutMs: 5000 });
 * await kv.set("greeting", "hello");
 * const { value, revision } = await kv.get<string>("greeting");
 * const result = await kv.set("greeting", "hi", { ifRevision: revision });
 * if (!result.ok) console.log(`somebody was faster: revision ${result.revision}`);
 * ```
 */
export function connect(
  urls: string | readonly string[],
  options?: ConnectOptions,
): Promise<Kv> {
  return Kv.connect(urls, options);
}
