// Keeps the client's map fresh: asks for it at the start, whenever an answer hints that it is old, and now
// and then while the client is in use. Never more than one request for it at a time.

import type { Alarms } from "./alarms.ts";
import type { NodePool, PooledNode } from "./node_pool.ts";
import { firstAnswer } from "./race.ts";
import type { ClusterDocument, Routing } from "./routing.ts";
import type { Hooks } from "./types.ts";
import { errorOf } from "./verdict.ts";

/** A node that has not answered for so long is not waited for alone. */
const STAGGER_MS = 200;
const ASK_TIMEOUT_MS = 2000;
/** Hints within so long after a refresh lead to the next one, not to one each. */
const REFRESH_INTERVAL_MS_MIN = 100;
/** A map older than this is refreshed by the next call. */
const REFRESH_AFTER_MS = 5_000;

export class MapKeeper {
  readonly #pool: NodePool;
  readonly #routing: Routing;
  readonly #alarms: Alarms;
  readonly #fetch: typeof fetch;
  readonly #hooks: Hooks;
  #underWay: Promise<void> | undefined;
  #askedMs = -Infinity;
  #closed = false;

  constructor(
    pool: NodePool,
    routing: Routing,
    alarms: Alarms,
    fetcher: typeof fetch,
    hooks: Hooks,
  ) {
    this.#pool = pool;
    this.#routing = routing;
    this.#alarms = alarms;
    this.#fetch = fetcher;
    this.#hooks = hooks;
  }

  /** Resolves when a map has come; rejects if no node gave one. Joins a request that is under way. */
  refresh(signal?: AbortSignal): Promise<void> {
    this.#askedMs = performance.now();
    return this.#underWay ??= this.#refresh(signal).finally(() => this.#underWay = undefined);
  }

  /** A hint that the map may be old: `epoch` is newer, or a node does not answer. Never throws. */
  hint(epoch = Infinity): void {
    if (this.#closed || epoch <= this.#routing.epoch || this.#underWay !== undefined) return;
    if (performance.now() - this.#askedMs < REFRESH_INTERVAL_MS_MIN) return;
    this.refresh().catch((error) => this.#hooks.log?.("debug", "no map", { error: String(error) }));
  }

  /** Called with every call: keeps a map that nothing hints at from growing old. */
  touch(nowMs: number): void {
    if (nowMs - this.#askedMs > REFRESH_AFTER_MS) this.hint();
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#underWay?.catch(() => {});
  }

  async #refresh(signal?: AbortSignal): Promise<void> {
    const nodes = this.#pool.candidates(performance.now());
    const document = await firstAnswer(
      nodes,
      STAGGER_MS,
      this.#alarms,
      (node, stop) => this.#ask(node, stop),
      signal,
    );
    if (!this.#routing.adopt(document)) return;
    const { epoch, members } = this.#routing;
    this.#hooks.onMap?.({ epoch, members });
    this.#hooks.log?.("info", "new map", { epoch, members: members.length });
  }

  async #ask(node: PooledNode, signal: AbortSignal): Promise<ClusterDocument> {
    const controller = new AbortController();
    const stop = () => controller.abort();
    signal.addEventListener("abort", stop, { once: true });
    const startedMs = performance.now();
    const alarm = this.#alarms.set(startedMs + ASK_TIMEOUT_MS, stop);
    try {
      const response = await this.#fetch(`${node.url}/cluster`, { signal: controller.signal });
      const text = await response.text();
      if (!response.ok) {
        throw errorOf({ status: response.status, headers: response.headers, text }, false);
      }
      const document = JSON.parse(text) as ClusterDocument;
      if (!Array.isArray(document.members) || !Array.isArray(document.routing)) {
        throw new TypeError(`${node.url}/cluster gave no map: is it a Pontoon node?`);
      }
      if (document.routing.length === 0) throw new TypeError(`${node.url} knows no map yet`);
      node.answered(performance.now() - startedMs);
      return document;
    } catch (error) {
      if (!signal.aborted) node.failed(performance.now());
      throw error;
    } finally {
      this.#alarms.cancel(alarm);
      signal.removeEventListener("abort", stop);
    }
  }
}
