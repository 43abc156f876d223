// Lists: GET /keys page by page, each page a call with retries of its own, the next one on its way while
// the caller looks at this one. Never holds more than two pages.

import type { Caller } from "./caller.ts";
import { boundParameter, latin1OfBound } from "./key.ts";
import { entryOf, type RecordDocument, textEntriesOf } from "./records.ts";
import type { Routing } from "./routing.ts";
import type { Entry, KvList, ListOptions, ListPage, ListSelector, ReadOptions } from "./types.ts";
import { hashTag } from "../base/slot.ts";

const PAGE_SIZE_DEFAULT = 2000;
const PAGE_SIZE_MAX = 10_000;

interface PageDocument {
  /** All of it. */
  readonly text: string;
  readonly keys: readonly RecordDocument[];
  readonly cursor: string | null;
  readonly watchCursor: string;
  /** By partition: the log index at which the page first read it. */
  readonly applied: Readonly<Record<string, number>>;
}

/** Parameters of which keys. Throws TypeError. */
export function selectorParameters(selector: ListSelector): [name: string, value: string][] {
  const parameters: [string, string][] = [];
  for (const name of ["prefix", "start", "end"] as const) {
    const bound = selector[name];
    if (bound !== undefined) parameters.push(boundParameter(name, latin1OfBound(bound)));
  }
  return parameters;
}

/** Parameters of how fresh. */
export function consistencyParameters(options: ReadOptions): [name: string, value: string][] {
  const { consistency, maxStalenessMs } = options;
  if (consistency !== "stale") return [];
  const parameters: [string, string][] = [["consistency", "stale"]];
  if (maxStalenessMs !== undefined) {
    parameters.push(["maxStaleness", String(Math.floor(maxStalenessMs))]);
  }
  return parameters;
}

/** The only partition that can hold such keys, if there is one. */
export function partitionOfPrefix(
  routing: Routing,
  prefix: string | undefined,
): number | undefined {
  if (prefix === undefined || hashTag(prefix) === undefined) return undefined;
  return routing.partitionOf(prefix);
}

/** A list, fetched page by page; see the interface. */
export class PagedList<T> implements KvList<T> {
  readonly #caller: Caller;
  readonly #options: ListOptions;
  readonly #parameters: readonly [string, string][];
  readonly #partition: number | undefined;
  readonly #pageSize: number;
  #watchCursor: string | undefined;

  constructor(caller: Caller, routing: Routing, selector: ListSelector, options: ListOptions) {
    this.#caller = caller;
    this.#options = options;
    const { reverse, keysOnly, limit, pageSize = PAGE_SIZE_DEFAULT } = options;
    if (!(Number.isInteger(pageSize) && pageSize >= 1 && pageSize <= PAGE_SIZE_MAX)) {
      throw new RangeError(`pageSize takes 1 to ${PAGE_SIZE_MAX}: got ${pageSize}`);
    }
    if (limit !== undefined && !(limit >= 0)) {
      throw new RangeError(`limit takes a number from 0: got ${limit}`);
    }
    this.#pageSize = pageSize;
    const parameters = [...selectorParameters(selector), ...consistencyParameters(options)];
    if (reverse) parameters.push(["reverse", "true"]);
    if (keysOnly) parameters.push(["keysOnly", "true"]);
    this.#parameters = parameters;
    const { prefix } = selector;
    this.#partition = partitionOfPrefix(
      routing,
      prefix === undefined ? undefined : latin1OfBound(prefix),
    );
  }

  get watchCursor(): string | undefined {
    return this.#watchCursor;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Entry<T>> {
    return new EntryIterator(this.pages());
  }

  async *pages(): AsyncGenerator<ListPage<T>, void, void> {
    const stop = new AbortController();
    const signal = this.#options.signal === undefined
      ? stop.signal
      : AbortSignal.any([stop.signal, this.#options.signal]);
    let left = this.#options.limit ?? Infinity;
    let next = left > 0 ? this.#page(this.#options.cursor, left, signal) : undefined;
    try {
      while (next !== undefined) {
        const { text, keys, cursor, watchCursor, applied } = await next;
        for (const [partition, index] of Object.entries(applied)) {
          this.#caller.noteApplied(Number(partition), index);
        }
        this.#watchCursor ??= watchCursor;
        left -= keys.length;
        next = cursor === null || left <= 0 ? undefined : this.#page(cursor, left, signal);
        // It is looked at when the caller comes back; until then a failure is nobody's.
        next?.catch(() => {});
        const entries = this.#options.json === "text"
          ? textEntriesOf(text) as Entry<T>[]
          : keys.map((record) => entryOf<T>(record));
        if (entries.length > 0 || cursor === null) yield { entries, cursor };
      }
    } finally {
      stop.abort();
    }
  }

  /** How many entries there are, without them. */
  async count(): Promise<number> {
    const { count } = JSON.parse(await this.#fetch([["countOnly", "true"]], this.#options.signal));
    return count as number;
  }

  async #page(
    cursor: string | undefined,
    left: number,
    signal: AbortSignal,
  ): Promise<PageDocument> {
    const parameters: [string, string][] = [
      ["limit", String(Math.min(this.#pageSize, left))],
    ];
    if (cursor !== undefined) parameters.push(["cursor", cursor]);
    const text = await this.#fetch(parameters, signal);
    return { ...JSON.parse(text), text };
  }

  async #fetch(parameters: [string, string][], signal: AbortSignal | undefined): Promise<string> {
    const query = [...this.#parameters, ...parameters]
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    const answer = await this.#caller.call({
      method: "GET",
      route: "/keys",
      target: `/keys?${query.join("&")}`,
      partition: this.#partition,
      forward: true,
      kind: this.#options.consistency === "stale" ? "stale" : "read",
    }, { timeoutMs: this.#options.timeoutMs, signal });
    return answer.text;
  }
}

/**
 * The entries of pages, one by one. By hand, because entries that are there already then cost one turn of the
 * microtask queue instead of a generator's three: twice the rate.
 */
class EntryIterator<T> implements AsyncIterableIterator<Entry<T>> {
  readonly #pages: AsyncGenerator<ListPage<T>, void, void>;
  #entries: readonly Entry<T>[] = [];
  #next = 0;

  constructor(pages: AsyncGenerator<ListPage<T>, void, void>) {
    this.#pages = pages;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Entry<T>, void>> {
    if (this.#next < this.#entries.length) {
      return Promise.resolve({ done: false, value: this.#entries[this.#next++] });
    }
    return this.#nextPage();
  }

  async return(): Promise<IteratorResult<Entry<T>, void>> {
    this.#entries = [];
    await this.#pages.return();
    return { done: true, value: undefined };
  }

  async #nextPage(): Promise<IteratorResult<Entry<T>, void>> {
    for (;;) {
      const { done, value: page } = await this.#pages.next();
      if (done) return { done: true, value: undefined };
      this.#entries = page.entries;
      this.#next = 0;
      if (page.entries.length > 0) return await this.next();
    }
  }
}
