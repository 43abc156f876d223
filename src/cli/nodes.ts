// Asks the nodes themselves, one by one, past the SDK, which asks whoever serves best: for commands that are
// about each node.

import type { ClusterView } from "../client/mod.ts";
import type { Context } from "./context.ts";

/** A node and how it is called. */
export interface Endpoint {
  readonly url: string;
  /** The address itself if nobody knows the name. */
  readonly name: string;
}

/** What one node answered. */
export interface NodeAnswer<T> {
  readonly endpoint: Endpoint;
  /** Present iff it answered in JSON, 200 or 503. */
  readonly body?: T;
  readonly status: number;
  readonly error?: string;
  readonly durationMs: number;
}

function urlOf(address: string, scheme = "http:"): string {
  return (/^https?:\/\//.test(address) ? address : `${scheme}//${address}`).replace(/\/+$/, "");
}

/** How nodes are asked; a {@linkcode Context} is one. */
export interface Asking {
  readonly timeoutMs: number;
  readonly token: string | undefined;
}

/** GET of `path` at one node. Never throws. */
export async function ask<T>(
  { token, timeoutMs }: Asking,
  endpoint: Endpoint,
  path: string,
): Promise<NodeAnswer<T>> {
  const startedMs = performance.now();
  const took = () => performance.now() - startedMs;
  try {
    const response = await fetch(`${endpoint.url}${path}`, {
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        "pontoon-timeout-ms": String(Math.max(1, Math.floor(Math.min(timeoutMs, 60_000)))),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    });
    const { status } = response;
    const text = await response.text();
    if (status === 200 || status === 503 && path.startsWith("/health")) {
      return { endpoint, body: JSON.parse(text) as T, status, durationMs: took() };
    }
    return { endpoint, status, error: `it answers ${status}`, durationMs: took() };
  } catch (error) {
    const words = error instanceof Error && error.name === "TimeoutError"
      ? "no answer in time"
      : "it does not answer";
    return { endpoint, status: 0, error: words, durationMs: took() };
  }
}

/** The same of all of `endpoints` at once, in their order. */
export function askAll<T>(
  asking: Asking,
  endpoints: readonly Endpoint[],
  path: string,
): Promise<NodeAnswer<T>[]> {
  return Promise.all(endpoints.map((endpoint) => ask<T>(asking, endpoint, path)));
}

/** The nodes of --endpoints, and all members that the newest of their maps names. */
export async function endpointsOf(context: Context): Promise<Endpoint[]> {
  const given = context.endpoints.map((address) => ({ url: urlOf(address), name: address }));
  const asking = { token: context.token, timeoutMs: Math.min(context.timeoutMs, 2000) };
  const answers = await askAll<ClusterView>(asking, given, "/cluster");
  const views = answers.flatMap(({ body }) => body === undefined ? [] : [body]);
  const newest = views.reduce<ClusterView | undefined>(
    (best, view) => best === undefined || view.epoch > best.epoch ? view : best,
    undefined,
  );
  const scheme = new URL(given[0].url).protocol;
  const members = (newest?.members ?? []).map(({ http, name }) => ({
    url: urlOf(http, scheme),
    name,
  }));
  const known = new Set(members.map(({ url }) => url));
  return [...members, ...given.filter(({ url }) => !known.has(url))];
}
