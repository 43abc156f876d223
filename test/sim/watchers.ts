// Clients that watch a prefix: from node to node, breaking off now and then, resuming where they were. What
// each connection told is kept by partition, for the checker's judge of watch streams.

import type { WatchedEvent, WatchPosition } from "../../checker/mod.ts";
import { EventParser, type StreamEvent } from "../../chaos/workloads/event_stream.ts";
import { type EventStream, HttpClient } from "./http_client.ts";
import { PLAIN_PREFIX, type ReaderHost } from "./readers.ts";
import type { SeededRandom } from "./random.ts";

const CONNECTION_MS = [100, 1500] as const;
const PAUSE_MS = 50;
/** Of the places where a connection could break in the middle of what was sent together. */
const TEAR_CHANCE = 0.2;

/** What a watcher was told of one partition, up to a mark of progress or the end of a connection. */
export interface ToldSession {
  readonly connection: number;
  /** Where a watch without a cursor began. */
  after?: WatchPosition;
  readonly events: WatchedEvent[];
  through?: number;
}

export class Watcher {
  readonly prefix: string;
  /** By partition, in the order of time. */
  readonly sessions = new Map<number, ToldSession[]>();
  /** By partition, what was told of its newest revision. */
  readonly #places = new Map<number, { readonly revision: number; readonly told: string[] }>();
  readonly #name: string;
  readonly #host: ReaderHost;
  readonly #random: SeededRandom;
  readonly #http: HttpClient;
  #lastId: string | undefined;
  #connections = 0;
  #isOver = false;
  #stream: EventStream | undefined;
  #stopped = false;

  constructor(host: ReaderHost, name: string, prefix: string) {
    this.#host = host;
    this.#name = name;
    this.prefix = prefix;
    this.#random = host.random.stream(`watchers/${name}`);
    this.#http = new HttpClient(host.scheduler, this.#random);
  }

  /** Whether it has come to its end. */
  get isOver(): boolean {
    return this.#isOver;
  }

  stop(): void {
    this.#stopped = true;
    this.#stream?.close();
  }

  /** How far it was told everything about a partition. */
  reached(partition: number): number {
    const sessions = this.sessions.get(partition) ?? [];
    // A mark stays below a revision that may have further events, though one of them was told before.
    return Math.max(
      0,
      ...sessions.map(({ after, events, through }) => {
        const seen = events.at(-1)?.revision ?? 0;
        return Math.max(seen, through ?? 0, after?.revision ?? 0);
      }),
    );
  }

  async watch(): Promise<void> {
    while (!this.#stopped) {
      await this.#connect();
      if (!this.#stopped) await this.#http.pause(this.#random.between(0, 2 * PAUSE_MS));
    }
    this.#isOver = true;
  }

  async #connect(): Promise<void> {
    const { nodes, scheduler, trace } = this.#host;
    const node = this.#random.pick(nodes.filter(({ retired }) => !retired));
    const path = `/watch?prefix=${encodeURIComponent(this.prefix)}`;
    const resumed = this.#lastId;
    const stream = await this.#http.open(node, {
      method: "GET",
      path,
      headers: resumed === undefined ? {} : { "last-event-id": resumed },
    });
    trace.note(scheduler.nowMs, this.#name, `${path} ${node.name} -> ${stream?.status ?? "none"}`);
    if (stream === undefined) return;
    if (stream.status !== 200) {
      stream.close();
      // The history is kept for far longer than a run, and the cursor is the cluster's own.
      if (stream.status < 500) {
        this.#host.onViolation(`a watch behind ${resumed} was refused with ${stream.status}`);
      }
      return;
    }
    this.#connections++;
    this.#stream = stream;
    const parser = new EventParser();
    const decoder = new TextDecoder();
    const [low, high] = CONNECTION_MS;
    const timer = scheduler.schedule(this.#random.between(low, high), () => stream.close());
    for (let bytes = await stream.next(); bytes !== undefined; bytes = await stream.next()) {
      for (const event of parser.push(decoder.decode(bytes, { stream: true }))) {
        trace.note(scheduler.nowMs, this.#name, `${node.name} ${event.event} ${event.data}`);
        this.#take(event);
      }
      // What a connection delivers before it breaks may end anywhere in what was sent together.
      if (stream.isMidway && this.#random.chance(TEAR_CHANCE)) stream.close();
    }
    timer.cancel();
    this.#stream = undefined;
  }

  #take({ event, data, id }: StreamEvent): void {
    const isFirst = this.#lastId === undefined;
    if (id !== undefined) this.#lastId = id;
    const fields = JSON.parse(data);
    if (event === "error" && fields.code === "history-gone") {
      this.#host.onViolation("a watch was told that its history is gone");
    }
    if (event === "progress") {
      for (const [partition, index] of Object.entries<number>(fields.applied)) {
        const session = this.#session(Number(partition));
        // The first mark of a watch without a cursor says where it begins.
        if (isFirst) session.after = { revision: index, subIndex: Infinity };
        else session.through = index;
      }
    }
    if (event !== "put" && event !== "delete" && event !== "expire") return;
    const { partition, key, revision, value } = fields;
    let session = this.#session(partition);
    // What follows a mark of progress must be behind it, which the check sees between two sessions.
    if (session.through !== undefined) session = this.#begin(partition);
    session.events.push({
      kind: event,
      key,
      revision,
      subIndex: this.#subIndexOf(partition, revision, `${event} ${key}`),
      ...(event === "put" ? { value } : {}),
    });
  }

  /** Events of one revision have no number of their own: a new one is behind those told before. */
  #subIndexOf(partition: number, revision: number, what: string): number {
    const places = this.#places.get(partition);
    if (places === undefined || places.revision !== revision) {
      this.#places.set(partition, { revision, told: [what] });
      return 0;
    }
    const known = places.told.indexOf(what);
    return known >= 0 ? known : places.told.push(what) - 1;
  }

  #session(partition: number): ToldSession {
    const last = this.sessions.get(partition)?.at(-1);
    return last?.connection === this.#connections ? last : this.#begin(partition);
  }

  #begin(partition: number): ToldSession {
    const session: ToldSession = { connection: this.#connections, events: [] };
    const same = this.sessions.get(partition);
    if (same === undefined) this.sessions.set(partition, [session]);
    else same.push(session);
    return session;
  }
}

/** The watchers of a run: of the plain keys, and of those that expire. */
export function newWatchers(host: ReaderHost): Watcher[] {
  const { readers, mix } = host.options;
  return Array.from({ length: readers?.watchers ?? 0 }, (_, i) => {
    const prefix = mix.ttl > 0 && i % 2 === 1 ? "x" : PLAIN_PREFIX;
    return new Watcher(host, `w${i}`, prefix);
  });
}
