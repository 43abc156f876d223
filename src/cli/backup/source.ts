// The cluster that a backup reads: its map, copies of its partitions and their changes, asked of the nodes
// that hold them. Followers go first, so that leaders have their time for clients.

import {
  type Block,
  BlockReader,
  type Changes,
  decodeChanges,
  decodeEnd,
} from "../../backup/mod.ts";
import { BlockType, type Content, ContentSum } from "../../backup/mod.ts";
import { bytesFromLatin1 } from "../../base/bytes.ts";
import type { ClusterView } from "../../client/mod.ts";
import type { WatchPosition } from "../../store/history.ts";
import type { Context } from "../context.ts";
import { EXIT, Exit } from "../exit.ts";
import { base64Url } from "../format.ts";
import { askAll, type Endpoint, endpointsOf } from "../nodes.ts";

/** A node that sends nothing for so long is given up. */
const SILENCE_MS_MAX = 60_000;
/** What a node may take to freeze a partition or to read its history. */
const ANSWER_MS_MAX = 15_000;

/** What was asked for is not kept any more; asking again does not help. */
export class GoneError extends Error {
  override readonly name = "GoneError";
}

/** The cluster's map, as far as a backup needs it. */
export interface SourceMap {
  readonly clusterId: string;
  readonly version: string;
  readonly partitions: ClusterView["routing"];
  /** Keys in all partitions, about; undefined if some node did not say. */
  readonly keys: number | undefined;
}

/** Goes on with a copy behind a key, one character per byte. */
export interface Continuation {
  readonly url: string;
  readonly copy: string;
  readonly after: string | undefined;
}

export interface CopyRequest {
  readonly want: "records" | "hash";
  readonly from?: Continuation;
}

interface ViewWithKeys extends ClusterView {
  readonly partitions: readonly (ClusterView["partitions"][number] & { keys?: number })[];
}

export class BackupSource {
  readonly #context: Context;
  #endpoints: readonly Endpoint[] = [];
  /** nodeId -> URL */
  #urls = new Map<string, string>();
  #routing: ClusterView["routing"] = [];
  /** Turns so that partitions begin with different replicas. */
  #turn = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Asks for the map (again). Throws Exit. */
  async map(): Promise<SourceMap> {
    const endpoints = this.#endpoints = await endpointsOf(this.#context);
    const answers = await askAll<ViewWithKeys>(this.#context, endpoints, "/cluster");
    const views = answers.flatMap(({ body }) => body === undefined ? [] : [body]);
    const newest = views.toSorted((a, b) => b.epoch - a.epoch)[0];
    if (newest === undefined || newest.routing.length === 0) {
      const [first] = answers;
      throw new Exit(
        EXIT.unavailable,
        `No node told the cluster's map: ${first?.error ?? "empty"}`,
      );
    }
    this.#routing = newest.routing;
    this.#urls = new Map();
    answers.forEach(({ body, endpoint }) => body && this.#urls.set(body.nodeId, endpoint.url));
    return {
      clusterId: newest.clusterId,
      version: newest.version,
      partitions: newest.routing,
      keys: keysOf(views, newest.routing),
    };
  }

  /** Where a partition's replicas are, followers first. */
  #replicasOf(partition: number): string[] {
    const route = this.#routing.find((one) => one.partition === partition);
    const { replicas = [], leader } = route ?? {};
    const turned = replicas.map((_, i) => replicas[(i + this.#turn) % replicas.length]);
    this.#turn++;
    const ordered = [...turned.filter((node) => node !== leader), ...leader ? [leader] : []];
    const urls = ordered.flatMap((node) => this.#urls.get(node) ?? []);
    return urls.length > 0 ? urls : this.#endpoints.map(({ url }) => url);
  }

  /** Who sends: the first node that will. Throws GoneError, Exit, or what the last attempt threw. */
  async #open(partition: number, target: string, urls: readonly string[], silence: AbortSignal) {
    let last: unknown;
    for (const url of urls) {
      try {
        return { url, response: await this.#request(url + target, silence) };
      } catch (error) {
        if (error instanceof GoneError || this.#context.interrupted.aborted) throw error;
        if (error instanceof Exit && error.code !== EXIT.unavailable) throw error;
        last = error;
      }
    }
    throw last ?? new Exit(EXIT.unavailable, `No node holds partition ${partition}`);
  }

  async #request(url: string, silence: AbortSignal): Promise<Response> {
    const { token, interrupted } = this.#context;
    const response = await fetch(url, {
      signal: AbortSignal.any([interrupted, silence]),
      headers: {
        "pontoon-timeout-ms": String(ANSWER_MS_MAX),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    });
    if (response.ok) return response;
    const text = await response.text();
    let detail = text.slice(0, 200);
    try {
      detail = JSON.parse(text).detail ?? detail;
    } catch {
      // Not one of ours: its own words are all there is.
    }
    const message = `${new URL(url).host} answers ${response.status}: ${detail}`;
    if (response.status === 410) throw new GoneError(message);
    const passes = response.status >= 500 || response.status === 421 || response.status === 429;
    throw new Exit(passes ? EXIT.unavailable : EXIT.error, message);
  }

  /**
   * A partition's copy, block by block, with the URL of the node that makes it. Throws GoneError if it can't
   * be gone on with; anything else may pass.
   */
  async *copy(
    partition: number,
    { want, from }: CopyRequest,
  ): AsyncGenerator<{ readonly block: Block; readonly url: string }, void> {
    const query = new URLSearchParams({ want });
    if (from !== undefined) {
      query.set("copy", from.copy);
      if (from.after !== undefined) query.set("after64", base64Url(bytesFromLatin1(from.after)));
    }
    const target = `/cluster/partitions/${partition}/copy?${query}`;
    using silence = new Silence(SILENCE_MS_MAX);
    const urls = from === undefined ? this.#replicasOf(partition) : [from.url];
    const { url, response } = await this.#open(partition, target, urls, silence.signal);
    const reader = new BlockReader();
    let ended = false;
    for await (const chunk of response.body ?? []) {
      silence.broken();
      reader.push(chunk);
      for (let block = reader.next(); block !== undefined; block = reader.next()) {
        ended = block.type === BlockType.End;
        yield { block, url };
      }
    }
    if (!ended) throw new TypeError(`The copy of partition ${partition} broke off`);
  }

  /** What changed in a partition behind a position. Throws GoneError if some of it is not kept. */
  async changes(partition: number, { revision, subIndex }: WatchPosition): Promise<Changes> {
    const target = `/cluster/partitions/${partition}/changes?after=${revision}.${subIndex}`;
    using silence = new Silence(SILENCE_MS_MAX);
    const urls = this.#replicasOf(partition);
    const { response } = await this.#open(partition, target, urls, silence.signal);
    const reader = new BlockReader();
    reader.push(await response.bytes());
    const block = reader.next();
    if (block?.type !== BlockType.Changes) throw new TypeError("The changes came incomplete");
    return decodeChanges(block.payload);
  }

  /** What the whole cluster holds now, each partition at its own moment. Call `map` before. */
  async content(): Promise<Content> {
    const total = new ContentSum();
    for (const { partition } of this.#routing) {
      for await (const { block } of this.copy(partition, { want: "hash" })) {
        if (block.type === BlockType.End) total.addContent(decodeEnd(block.payload).content);
      }
    }
    return total.content();
  }
}

function keysOf(views: readonly ViewWithKeys[], routing: ClusterView["routing"]) {
  const byPartition = new Map<number, number>();
  for (const { partition, keys } of views.flatMap(({ partitions }) => partitions)) {
    if (keys !== undefined) byPartition.set(partition, keys);
  }
  if (routing.some(({ partition }) => !byPartition.has(partition))) return undefined;
  return routing.reduce((sum, { partition }) => sum + byPartition.get(partition)!, 0);
}

/** Ends what nobody has broken for too long. */
class Silence implements Disposable {
  readonly #controller = new AbortController();
  readonly #limitMs: number;
  #timer: ReturnType<typeof setTimeout>;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
    this.#timer = this.#start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  #start(): ReturnType<typeof setTimeout> {
    return setTimeout(
      () =>
        this.#controller.abort(
          new DOMException(`No answer within ${this.#limitMs} ms`, "TimeoutError"),
        ),
      this.#limitMs,
    );
  }

  broken(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
