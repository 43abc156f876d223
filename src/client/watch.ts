// Watches: GET /watch as an iterator that goes on behind the last event, at any node, whatever happens to
// the connection. Gives every event once, in order per partition; reads no faster than its caller.

import type { Alarms } from "./alarms.ts";
import { PontoonError } from "./error.ts";
import { boundParameter, keyOfMembers, latin1OfBound, latin1OfKey } from "./key.ts";
import type { MapKeeper } from "./map_keeper.ts";
import type { NodePool, PooledNode } from "./node_pool.ts";
import { entryOf, type RecordDocument } from "./records.ts";
import type { Routing } from "./routing.ts";
import { EventParser, type ServerEvent } from "./sse.ts";
import type { Hooks, KvWatch, WatchEvent, WatchOptions, WatchSelector } from "./types.ts";
import { errorOf } from "./verdict.ts";

/** Nodes send something every 20 s; after so long without, the connection counts as lost. */
export const SILENCE_MS_MAX = 45_000;
const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 2000;

export interface WatchParts {
  readonly alarms: Alarms;
  readonly fetch: typeof fetch;
  readonly hooks: Hooks;
  readonly keeper: MapKeeper;
  readonly pool: NodePool;
  readonly routing: Routing;
}

/** The stream ended in a way that another one can make up for. */
class StreamEnd extends Error {
  override readonly name = "StreamEnd";
}

/** A watch over one connection after the other; see the interface. */
export class ResumingWatch<T> implements KvWatch<T> {
  readonly ready: Promise<void>;
  readonly #parts: WatchParts;
  readonly #query: string;
  readonly #partition: number | undefined;
  readonly #progress: boolean;
  readonly #stop = new AbortController();
  readonly #events: AsyncGenerator<WatchEvent<T>, void, void>;
  readonly #onEnd: () => void;
  /** The first event, asked for before the caller does. */
  #first: Promise<IteratorResult<WatchEvent<T>, void>> | undefined;
  #cursor: string | undefined;

  /** @param onEnd called once, when the watch is over */
  constructor(
    parts: WatchParts,
    selector: WatchSelector,
    options: WatchOptions,
    onEnd: () => void,
  ) {
    this.#parts = parts;
    this.#cursor = options.after;
    this.#progress = options.progress ?? false;
    this.#onEnd = onEnd;
    if ("key" in selector) {
      const latin1 = latin1OfKey(selector.key);
      this.#query = queryOf(boundParameter("key", latin1));
      this.#partition = parts.routing.partitionOf(latin1);
    } else this.#query = queryOf(boundParameter("prefix", latin1OfBound(selector.prefix)));
    const { signal } = options;
    if (signal?.aborted) this.#stop.abort();
    signal?.addEventListener("abort", () => this.#stop.abort(), { signal: this.#stop.signal });
    this.#events = this.#run();
    this.#first = this.#events.next();
    this.ready = this.#first.then(() => {});
    // Whoever iterates gets the same failure.
    this.ready.catch(() => {});
  }

  get cursor(): string | undefined {
    return this.#cursor;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<WatchEvent<T>, void>> {
    for (;;) {
      const coming = this.#first ?? this.#events.next();
      this.#first = undefined;
      const result = await coming;
      if (result.done || this.#progress || result.value.type !== "progress") return result;
    }
  }

  async return(): Promise<IteratorResult<WatchEvent<T>, void>> {
    this.#stop.abort();
    await this.#first?.catch(() => {});
    return await this.#events.return();
  }

  close(): void {
    this.#stop.abort();
    // Someone waiting in `next` is told by the abort; if nobody is, this is what ends it.
    this.#events.return().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async *#run(): AsyncGenerator<WatchEvent<T>, void, void> {
    const { alarms, hooks, pool, routing, keeper } = this.#parts;
    const { signal } = this.#stop;
    const tried = new Set<PooledNode>();
    let failures = 0;
    try {
      while (!signal.aborted) {
        const replicas = this.#partition === undefined ? [] : routing.replicasOf(this.#partition);
        const node = pool.nearest(replicas, performance.now(), tried);
        try {
          for await (const events of this.#stream(node)) {
            failures = 0;
            tried.clear();
            for (const event of events) {
              this.#cursor = event.cursor;
              yield event;
              if (signal.aborted) return;
            }
          }
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof PontoonError && !error.retryable) throw error;
          if (!(error instanceof StreamEnd)) node.failed(performance.now());
          hooks.log?.("info", "watch reconnects", { url: node.url, error: String(error) });
          tried.add(node);
          keeper.hint();
          const ceilingMs = Math.min(
            BACKOFF_MS_MAX,
            BACKOFF_MS_MIN * 2 ** Math.min(failures++, 10),
          );
          await alarms.sleep(ceilingMs * (0.5 + Math.random() / 2), signal).catch(() => {});
        }
      }
    } finally {
      this.#stop.abort();
      this.#onEnd();
    }
  }

  /** The events of one connection, as they arrive. Throws when it ends: it never ends well. */
  async *#stream(node: PooledNode): AsyncGenerator<WatchEvent<T>[], never, void> {
    const { fetch, alarms } = this.#parts;
    const connection = new AbortController();
    const abort = () => connection.abort();
    this.#stop.signal.addEventListener("abort", abort, { once: true });
    let alarm = alarms.set(performance.now() + SILENCE_MS_MAX, abort);
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (this.#cursor !== undefined) headers["last-event-id"] = this.#cursor;
      const url = `${node.url}/watch?${this.#query}`;
      const response = await fetch(url, { headers, signal: connection.signal });
      if (response.status !== 200) {
        const { status } = response;
        throw errorOf({ status, headers: response.headers, text: await response.text() }, false);
      }
      const parser = new EventParser();
      const decoder = new TextDecoder();
      const reader = response.body!.getReader();
      for (;;) {
        alarms.cancel(alarm);
        alarm = alarms.set(performance.now() + SILENCE_MS_MAX, abort);
        const { done, value } = await reader.read();
        // The caller takes its time; the node is not to blame for it.
        alarms.cancel(alarm);
        if (done) throw new StreamEnd(`${node.url} ended the stream`);
        const events: WatchEvent<T>[] = [];
        let end: Error | undefined;
        for (const event of parser.push(decoder.decode(value, { stream: true }))) {
          if (event.event === "bye" || event.event === "error") {
            end = endOf(event);
            break;
          }
          const given = eventOf<T>(event);
          if (given !== undefined) events.push(given);
        }
        if (events.length > 0) yield events;
        if (end !== undefined) throw end;
      }
    } finally {
      alarms.cancel(alarm);
      this.#stop.signal.removeEventListener("abort", abort);
      connection.abort();
    }
  }
}

function queryOf([name, value]: [string, string]): string {
  return `${name}=${encodeURIComponent(value)}`;
}

/** Why the node ended the stream. */
function endOf({ event, data }: ServerEvent): Error {
  const document = JSON.parse(data) as Record<string, unknown>;
  const { code, reason, detail, status } = document;
  if (event === "bye") return new StreamEnd(`the node says bye: ${reason}`);
  return new PontoonError(`${code}: ${detail}`, {
    code: String(code),
    outcome: "none",
    retryable: document.retryable === true,
    status: typeof status === "number" ? status : 0,
    problem: document,
  });
}

interface EventDocument extends RecordDocument {
  readonly partition: number;
}

/** An event as callers get it; undefined for a kind that this client does not know. */
function eventOf<T>({ event, id: cursor, data }: ServerEvent): WatchEvent<T> | undefined {
  if (cursor === undefined) return undefined;
  switch (event) {
    case "put": {
      const document = JSON.parse(data) as EventDocument;
      const { partition } = document;
      return { type: "put", partition, ...entryOf<T>(document), cursor };
    }
    case "delete":
    case "expire": {
      const document = JSON.parse(data) as EventDocument;
      const { partition, revision } = document;
      return { type: event, partition, key: keyOfMembers(document), revision, cursor };
    }
    case "progress":
      return { type: "progress", cursor };
    default:
      return undefined;
  }
}
