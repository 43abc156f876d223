/// <reference lib="dom" />
// One page of keys behind a prefix, kept current by a watch. Holds at most a page; what lies outside of it is
// left to the next scan.

import { callJson, errorText, events } from "./client.ts";
import { keyOrder, type KeyRecord, sameKey } from "./values.ts";

export const PAGE_KEYS = 50;
const RETRY_MS = 1_500;
/** How long a row shows that it has just changed. */
export const FRESH_MS = 1_500;

interface KeysAnswer {
  readonly keys: readonly KeyRecord[];
  readonly cursor: string | null;
  readonly watchCursor: string;
}

/** A record as it was told, and when: its time to live runs from then. */
export interface ListedKey extends KeyRecord {
  readonly seenMs: number;
  /** Local time of the last change that was seen to happen. */
  readonly changedMs?: number;
}

export interface KeyChange {
  readonly kind: "put" | "delete" | "expire";
  readonly record: KeyRecord;
}

export class KeyList {
  keys: readonly ListedKey[] = [];
  prefix = "";
  error = "";
  loading = false;
  /** Whether changes are followed. */
  watching = false;
  /** Cursors of the pages before this one; the first has none. */
  #before: (string | undefined)[] = [];
  #cursor: string | undefined;
  #next: string | null = null;
  #run: AbortController | undefined;
  readonly #onChange: () => void;
  readonly #onEvent: (change: KeyChange) => void;

  constructor(onChange: () => void, onEvent: (change: KeyChange) => void) {
    this.#onChange = onChange;
    this.#onEvent = onEvent;
  }

  get page(): number {
    return this.#before.length + 1;
  }

  get hasNext(): boolean {
    return this.#next !== null;
  }

  /** The first page behind a prefix. */
  open(prefix: string): Promise<void> {
    this.prefix = prefix;
    this.#before = [];
    return this.#load(undefined);
  }

  next(): Promise<void> {
    if (this.#next === null) return Promise.resolve();
    this.#before.push(this.#cursor);
    return this.#load(this.#next);
  }

  previous(): Promise<void> {
    if (this.#before.length === 0) return Promise.resolve();
    return this.#load(this.#before.pop());
  }

  reload(): Promise<void> {
    return this.#load(this.#cursor);
  }

  close(): void {
    this.#run?.abort();
  }

  async #load(cursor: string | undefined): Promise<void> {
    this.#run?.abort();
    const run = this.#run = new AbortController();
    this.loading = true;
    this.watching = false;
    this.#onChange();
    const query = new URLSearchParams({
      prefix: this.prefix,
      limit: String(PAGE_KEYS),
      keysOnly: "true",
      ...(cursor === undefined ? {} : { cursor }),
    });
    try {
      const answer = await callJson<KeysAnswer>(`/keys?${query}`, { signal: run.signal });
      const seenMs = Date.now();
      this.keys = answer.keys.map((record) => ({ ...record, seenMs }));
      this.#cursor = cursor;
      this.#next = answer.cursor;
      this.error = "";
      this.#watch(answer.watchCursor, run.signal);
    } catch (error) {
      if (run.signal.aborted) return;
      this.keys = [];
      this.#next = null;
      this.error = errorText(error);
    }
    this.loading = false;
    this.#onChange();
  }

  async #watch(after: string, signal: AbortSignal): Promise<void> {
    let position = after;
    while (!signal.aborted) {
      try {
        const query = new URLSearchParams({ prefix: this.prefix, after: position });
        for await (const { event, id, data } of events(`/watch?${query}`, signal)) {
          if (event === "bye" || event === "error") break;
          position = id || position;
          if (event === "progress") {
            if (!this.watching) {
              this.watching = true;
              this.#onChange();
            }
          } else this.#take({ kind: event as KeyChange["kind"], record: JSON.parse(data) });
        }
      } catch {
        // Tried again below; a position that is too old is refused, and then only a reload helps.
      }
      if (signal.aborted) return;
      if (this.watching) {
        this.watching = false;
        this.#onChange();
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  #take(change: KeyChange): void {
    const { kind, record } = change;
    const nowMs = Date.now();
    const at = this.keys.findIndex((one) => sameKey(one, record));
    if (kind !== "put") {
      if (at >= 0) this.keys = this.keys.toSpliced(at, 1);
    } else {
      const listed: ListedKey = { ...record, seenMs: nowMs, changedMs: nowMs };
      if (at >= 0) this.keys = this.keys.with(at, listed);
      else this.#insert(listed);
    }
    this.#onEvent(change);
    this.#onChange();
  }

  #insert(listed: ListedKey): void {
    const order = keyOrder(listed);
    const at = this.keys.findIndex((one) => keyOrder(one) > order);
    // Before a later page's first key, and behind a full page's last, lie other pages.
    if (at === 0 && this.#before.length > 0) return;
    if (at >= 0) this.keys = this.keys.toSpliced(at, 0, listed);
    else if (this.#next === null) this.keys = [...this.keys, listed];
  }
}
