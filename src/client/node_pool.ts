// The nodes that the client knows: how quickly each answers, and which did not lately. Owns no opinion
// about who leads what; a wrong guess here costs a retry.

import type { Member } from "./types.ts";

/** Weight of the newest measurement in a node's latency. */
const LATENCY_WEIGHT = 0.1;
/** A node that failed is passed over for so long, doubling, while others answer. */
const DOWN_MS_MIN = 100;
const DOWN_MS_MAX = 2000;
/** One stale read in so many goes to another replica than the nearest, to keep measuring. */
const EXPLORE_ONE_IN = 64;

/** One node as its answers show it. */
export class PooledNode {
  /** `http://host:port`, no slash at its end. */
  readonly url: string;
  /** Moving average of what answered requests took; 0 until measured. */
  latencyMs = 0;
  #failures = 0;
  #downUntilMs = 0;

  constructor(url: string) {
    this.url = url;
  }

  isUp(nowMs: number): boolean {
    return nowMs >= this.#downUntilMs;
  }

  get downUntilMs(): number {
    return this.#downUntilMs;
  }

  answered(durationMs: number): void {
    this.#failures = 0;
    this.#downUntilMs = 0;
    this.latencyMs = this.latencyMs === 0
      ? durationMs
      : this.latencyMs + LATENCY_WEIGHT * (durationMs - this.latencyMs);
  }

  /** `waitMs`: how long it asked to be left alone. */
  failed(nowMs: number, waitMs = 0): void {
    const downMs = Math.min(DOWN_MS_MAX, DOWN_MS_MIN * 2 ** this.#failures++);
    this.#downUntilMs = nowMs + Math.max(waitMs, downMs * (0.5 + Math.random() / 2));
  }
}

/** `http://host:port` of what a caller or a node calls an address. Throws TypeError. */
export function baseUrl(address: string): string {
  let url: URL;
  try {
    url = new URL(/^https?:\/\//.test(address) ? address : `http://${address}`);
  } catch {
    throw new TypeError(`Cannot connect to "${address}": it is neither a URL nor HOST:PORT`);
  }
  if (url.username !== "" || url.search !== "" || url.hash !== "" || url.pathname !== "/") {
    throw new TypeError(`Cannot connect to "${address}": give http://HOST:PORT and nothing else`);
  }
  return url.origin;
}

export class NodePool {
  /** "http:" or "https:", of all nodes: they tell each other's addresses without. */
  readonly #scheme: string;
  readonly #nodes = new Map<string, PooledNode>();
  readonly #seeds: readonly PooledNode[];
  #members: readonly PooledNode[] = [];

  /** @param seeds addresses to begin with; kept as a last resort */
  constructor(seeds: readonly string[]) {
    if (seeds.length === 0) throw new TypeError("Cannot connect: no address is given");
    const urls = [...new Set(seeds.map(baseUrl))];
    this.#scheme = new URL(urls[0]).protocol;
    if (!urls.every((url) => url.startsWith(this.#scheme))) {
      throw new TypeError("Cannot connect by http and https to one cluster: give either");
    }
    this.#seeds = urls.map((url) => this.at(url));
  }

  /** The base URL of an address that a node named: its host and port, by the scheme of the seeds. */
  urlOf(address: string): string {
    return `${this.#scheme}//${address.replace(/^https?:\/\//, "").replace(/\/$/, "")}`;
  }

  /** The node at a base URL, known or new. */
  at(url: string): PooledNode {
    let node = this.#nodes.get(url);
    if (node === undefined) this.#nodes.set(url, node = new PooledNode(url));
    return node;
  }

  /** Forgets nodes that are neither members nor seeds. */
  setMembers(members: readonly Member[]): void {
    this.#members = members.map(({ url }) => this.at(url));
    const kept = new Set([...this.#members, ...this.#seeds]);
    for (const [url, node] of this.#nodes) if (!kept.has(node)) this.#nodes.delete(url);
  }

  /** Where to ask for the map, best first: members that answer, seeds, then those that did not lately. */
  candidates(nowMs: number): readonly PooledNode[] {
    const members = this.#members.toSorted((a, b) => a.latencyMs - b.latencyMs);
    const all = [...new Set([...members, ...this.#seeds])];
    return [...all.filter((node) => node.isUp(nowMs)), ...all.filter((node) => !node.isUp(nowMs))];
  }

  /**
   * The node of `preferred` (all members if there are none) to ask: nearest first, none of `tried` while
   * there are others, and one that failed lately only if all did.
   */
  nearest(
    preferred: readonly PooledNode[],
    nowMs: number,
    tried: ReadonlySet<PooledNode>,
    explore = false,
  ): PooledNode {
    const all = this.#members.length > 0 ? this.#members : this.#seeds;
    const fresh = (nodes: readonly PooledNode[]) =>
      nodes.filter((node) => node.isUp(nowMs) && !tried.has(node));
    let usable = fresh(preferred);
    if (usable.length === 0) usable = fresh(all);
    if (usable.length === 0) usable = all.filter((node) => node.isUp(nowMs));
    if (usable.length === 0) {
      return all.reduce((best, node) => node.downUntilMs < best.downUntilMs ? node : best);
    }
    if (explore && usable.length > 1 && Math.random() * EXPLORE_ONE_IN < 1) {
      return usable[Math.floor(Math.random() * usable.length)];
    }
    return usable.reduce((best, node) => node.latencyMs < best.latencyMs ? node : best);
  }
}
