// What the bench and its proxy process say to each other: one JSON document a line, requests on the proxy's standard
// input, answers on its standard output, in the order of the requests. The end of standard input ends the proxy.

import type { LinkCounters, LinkEffect } from "../types.ts";

/** A link as the proxy is told of it. */
export interface ProxiedLink {
  readonly from: string;
  readonly to: string;
  /** HOST:PORT to listen on. */
  readonly listen: string;
  /** HOST:PORT to dial for each connection. */
  readonly target: string;
  /** The stream from dialler to acceptor is made of Pontoon's frames. */
  readonly framed: boolean;
  /** Set where links share `listen`: the header line of HTTP by which their diallers are told apart. */
  readonly dialler?: { readonly header: string; readonly value: string };
}

/** The proxy's first line, once every link listens. */
export interface ProxyReady {
  readonly ready: true;
}

export type ProxyRequest =
  | {
    readonly do: "set";
    /** Places in the list of links. */
    readonly links: readonly number[];
    readonly effect: LinkEffect | undefined;
  }
  | { readonly do: "count"; readonly links: readonly number[] };

export type ProxyAnswer =
  | { readonly ok: true; readonly counters?: LinkCounters }
  | { readonly ok: false; readonly reason: string };

export type MutableCounters = { -readonly [Name in keyof LinkCounters]: LinkCounters[Name] };

export function noCounters(): MutableCounters {
  return {
    forwardedBytes: 0,
    swallowedBytes: 0,
    heldBytes: 0,
    delayedBytes: 0,
    resets: 0,
    repeatedFrames: 0,
    lateFrames: 0,
    refusedConnections: 0,
  };
}

/** Adds `more` to `sum`. */
export function addCounters(sum: MutableCounters, more: LinkCounters): void {
  for (const name of Object.keys(sum) as (keyof LinkCounters)[]) sum[name] += more[name];
}
