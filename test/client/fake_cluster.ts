// A cluster for the SDK without sockets or processes: the real HTTP layer over the real state machine, behind
// a `fetch` with several addresses. Requests can be refused, lost on their way there or on their way back.

import { connect, type ConnectOptions, type Kv } from "../../src/client/mod.ts";
import type { ClusterDocument } from "../../src/client/routing.ts";
import { PARTITION } from "../http/fake_node.ts";
import { Api } from "../http/harness.ts";

/** What befalls a request. `before`: it never arrives. `after`: it is carried out, its answer is lost. */
export type Fate = "before" | "after" | Response | undefined;

/** A request as a node saw it. */
export interface Seen {
  readonly node: number;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Headers;
}

const JSON_HEADERS = { "content-type": "application/json" };
const PROBLEM_HEADERS = { "content-type": "application/problem+json" };

/** A problem document as an answer. */
export function problemAnswer(
  status: number,
  code: string,
  members: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Response {
  const retryable = [408, 421, 429, 503, 504].includes(status);
  const document = { status, code, detail: code, retryable, outcome: "none", ...members };
  return new Response(JSON.stringify(document), {
    status,
    headers: { ...PROBLEM_HEADERS, ...headers },
  });
}

export class FakeCluster {
  /** Nodes "http://n1:1", "http://n2:1" … */
  readonly urls: readonly string[];
  readonly api = new Api();
  /** Which node leads every partition, from 0. */
  leader = 0;
  epoch = 1;
  readonly down = new Set<number>();
  /** Requests for data, in order; asking for the map is not one. */
  readonly seen: Seen[] = [];
  mapRequests = 0;
  /** Decides what befalls a request that has arrived at a node that is up. */
  fate: (seen: Seen) => Fate | Promise<Fate> = () => undefined;
  /** Requests being carried out. */
  inside = 0;
  insideMax = 0;

  constructor(nodes = 3) {
    this.urls = Array.from({ length: nodes }, (_, i) => `http://n${i + 1}:1`);
  }

  connect(options: ConnectOptions = {}, urls: readonly string[] = this.urls): Promise<Kv> {
    return connect(urls, { timeoutMs: 2000, fetch: this.fetch, ...options });
  }

  /** What `GET /cluster` says. */
  map(): ClusterDocument {
    const members = this.urls.map((url, i) => ({
      nodeId: `id${i + 1}`,
      name: `n${i + 1}`,
      http: new URL(url).host,
    }));
    const replicas = members.map(({ nodeId }) => nodeId);
    const leader = this.down.has(this.leader) ? undefined : `id${this.leader + 1}`;
    return {
      clusterId: "c",
      epoch: this.epoch,
      members,
      routing: [{ partition: PARTITION, slots: [[0, 16384]], replicas, leader }],
    };
  }

  /** Stands in for the runtime's. */
  readonly fetch = async (input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
    const url = String(input);
    const start = url.indexOf("/", "http://".length);
    const node = this.urls.indexOf(url.slice(0, start));
    const seen: Seen = {
      node,
      method: init.method ?? "GET",
      target: url.slice(start),
      headers: new Headers(init.headers),
    };
    init.signal?.throwIfAborted();
    if (node < 0 || this.down.has(node)) throw new TypeError("connection refused");
    if (seen.target === "/cluster") {
      this.mapRequests++;
      return new Response(JSON.stringify(this.map()), { headers: JSON_HEADERS });
    }
    this.seen.push(seen);
    this.insideMax = Math.max(this.insideMax, ++this.inside);
    try {
      return await orAborted(this.#answer(seen, url, init), init.signal);
    } finally {
      this.inside--;
    }
  };

  async #answer(seen: Seen, url: string, init: RequestInit): Promise<Response> {
    const fate = await this.fate(seen);
    if (fate === "before") throw new TypeError("connection reset");
    if (fate instanceof Response) return fate;
    const { epoch } = this;
    if (seen.headers.get("pontoon-forward") === "never" && seen.node !== this.leader) {
      return problemAnswer(421, "not-leader", { leader: this.urls[this.leader], epoch });
    }
    const { signal: _, ...rest } = init;
    const answer = await this.api.app.fetch(new Request(url, rest));
    if (fate === "after") throw new TypeError("connection reset");
    return answer;
  }
}

/** What a socket would do: the answer of a request that is given up never comes. */
function orAborted(answer: Promise<Response>, signal?: AbortSignal | null): Promise<Response> {
  if (!signal) return answer;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Resolves when it is opened: holds requests back for as long as a test wants. */
export class Gate {
  readonly #promise: Promise<void>;
  open!: () => void;

  constructor() {
    this.#promise = new Promise((resolve) => this.open = resolve);
  }

  /** As a fate: nothing befalls the request, once the gate is open. */
  async pass(): Promise<Fate> {
    await this.#promise;
    return undefined;
  }
}
