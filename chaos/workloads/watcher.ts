// One watcher: follows a prefix from node to node, breaks off now and then and resumes where it was, and keeps what each
// connection was told, partition by partition.

import type { Json, WatchedEvent, WatchPosition } from "../../checker/mod.ts";
import { pick } from "../random.ts";
import type { Random, SystemNode } from "../types.ts";
import { rest } from "../wait.ts";
import { eventsOf, type StreamEvent } from "./event_stream.ts";

/** What a watcher was told about one partition, up to a mark of progress or the end of a connection. */
export interface PartitionSession {
  /** Number of the connection. */
  readonly connection: number;
  /** Where a watch without a cursor began. */
  after?: WatchPosition;
  readonly events: WatchedEvent[];
  through?: number;
}

export interface WatcherOptions {
  readonly prefix: string;
  readonly nodes: () => readonly SystemNode[];
  readonly random: Random;
  /** Told of everything, for the record. */
  readonly tell: (fields: Record<string, Json>) => void;
}

const CONNECTION_MS = [500, 5000] as const;
const PAUSE_MS = 100;

export class Watcher {
  /** By partition, in the order of time. */
  readonly sessions = new Map<string, PartitionSession[]>();
  readonly #options: WatcherOptions;
  #lastId: string | undefined;
  #connections = 0;
  /** The history was gone: what came in between can't be known, and a new series begins. */
  #gone = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** Connections that the system accepted. */
  get connections(): number {
    return this.#connections;
  }

  /** True if the system gave up on its place. */
  get gone(): boolean {
    return this.#gone;
  }

  async watch(stopped: () => boolean): Promise<void> {
    const { random, nodes } = this.#options;
    while (!stopped() && !this.#gone) {
      const [low, high] = CONNECTION_MS;
      await this.#connect(pick(random, nodes()), low + random() * (high - low), stopped);
      await rest(PAUSE_MS, stopped);
    }
  }

  /** Goes on until everything up to `revisions`, by partition, has been told of. Rejects after `timeoutMs`. */
  async catchUp(revisions: ReadonlyMap<string, number>, timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    const done = () => [...revisions].every(([id, revision]) => this.#reached(id) >= revision);
    for (let i = 0; !done() && !this.#gone; i++) {
      if (performance.now() > deadlineMs) {
        throw new Error(`a watcher was not told of everything within ${timeoutMs / 1000} s`);
      }
      const nodes = this.#options.nodes();
      await this.#connect(nodes[i % nodes.length]!, deadlineMs - performance.now(), done);
      await rest(PAUSE_MS, done);
    }
  }

  #reached(partition: string): number {
    const sessions = this.sessions.get(partition) ?? [];
    // A mark stays below a revision that may have further events, though one of them was told before.
    return Math.max(
      0,
      ...sessions.map(({ events, through }) => {
        return Math.max(events.at(-1)?.revision ?? 0, through ?? 0);
      }),
    );
  }

  async #connect(node: SystemNode, durationMs: number, enough: () => boolean): Promise<void> {
    const abort = new AbortController();
    const endMs = performance.now() + durationMs;
    const timer = setInterval(() => {
      if (enough() || performance.now() > endMs) abort.abort();
    }, 50);
    try {
      const response = await fetch(
        `http://${node.http}/watch?prefix=${encodeURIComponent(this.#options.prefix)}`,
        {
          headers: this.#lastId === undefined ? {} : { "Last-Event-ID": this.#lastId },
          signal: abort.signal,
        },
      );
      if (response.status !== 200) {
        if (response.status === 410) this.#gone = true;
        response.body?.cancel().catch(() => {});
        return;
      }
      this.#connections++;
      for await (const event of eventsOf(response.body!, abort.signal)) {
        if (!this.#take(event, node)) return;
      }
    } catch {
      // A connection that breaks is resumed; what was told until then counts.
    } finally {
      clearInterval(timer);
      abort.abort();
    }
  }

  /** False if the stream is over. */
  #take({ event, data, id }: StreamEvent, node: SystemNode): boolean {
    const isFirst = this.#lastId === undefined;
    if (id !== undefined) this.#lastId = id;
    const fields = JSON.parse(data) as Record<string, Json>;
    this.#options.tell({ node: node.name, event, ...fields });
    if (event === "error" && fields.code === "history-gone") this.#gone = true;
    if (event === "progress") {
      for (const [partition, index] of Object.entries(fields.applied as Record<string, number>)) {
        const session = this.#session(partition);
        // The first progress of a watch without a cursor says where it begins.
        if (isFirst) session.after = { revision: index, subIndex: Infinity };
        else session.through = index;
      }
      return true;
    }
    if (event !== "put" && event !== "delete" && event !== "expire") return false;
    const partition = String(fields.partition);
    let session = this.#session(partition);
    // What follows a mark of progress must be behind it, which the check sees between two sessions.
    if (session.through !== undefined) session = this.#begin(partition);
    session.events.push({
      kind: event,
      key: fields.key as string,
      revision: fields.revision as number,
      ...(event === "put" ? { value: fields.value! } : {}),
    });
    return true;
  }

  #session(partition: string): PartitionSession {
    const last = this.sessions.get(partition)?.at(-1);
    return last?.connection === this.#connections ? last : this.#begin(partition);
  }

  #begin(partition: string): PartitionSession {
    const session: PartitionSession = { connection: this.#connections, events: [] };
    const same = this.sessions.get(partition);
    if (same === undefined) this.sessions.set(partition, [session]);
    else same.push(session);
    return session;
  }
}
