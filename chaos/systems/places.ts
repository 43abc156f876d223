// Where the nodes of one run live: addresses, directories, and the addresses by which they and the clients reach each
// other, through the links. Decides nothing about what a node is.

import type { ProxiedLink } from "../links/messages.ts";
import type { Link } from "../types.ts";

/** One node's places. */
export interface Place {
  readonly name: string;
  /** Where its HTTP API listens. */
  readonly http: string;
  /** Where it listens for other nodes. */
  readonly peer: string;
  /** Where clients reach its HTTP API. */
  readonly clientHttp: string;
  readonly dataDir: string;
  readonly logFile: string;
}

/** The places of a run, and the links between them. */
export interface Layout {
  readonly places: readonly Place[];
  /** Empty without a proxy. */
  readonly links: readonly ProxiedLink[];
  /** Where `from` has to dial to reach `to`. */
  dialAddress(from: string, to: string): string;
}

/** Stands for all clients as one end of a link. */
export const CLIENT = "client";

/** Ports that were free a moment ago, on loopback. */
export function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map((listener) => (listener.addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** Every directed link between nodes, and from the clients to each. */
export function allLinks(names: readonly string[]): Link[] {
  return [CLIENT, ...names].flatMap((from) =>
    names.filter((to) => to !== from).map((to) => ({ from, to }))
  );
}

/**
 * Places on loopback, for a proxy in every link or for none.
 *
 * `framed`: the links between nodes carry Pontoon's frames. `peersByHttp`: nodes reach each other by their HTTP API.
 */
export function loopbackLayout(
  names: readonly string[],
  dir: string,
  links: { readonly proxied: boolean; readonly framed: boolean; readonly peersByHttp?: boolean },
): Layout {
  const wanted = links.proxied ? allLinks(names) : [];
  const ports = freePorts(2 * names.length + wanted.length);
  const address = (place: number) => `127.0.0.1:${ports[place]}`;
  const httpOf = (name: string) => address(2 * names.indexOf(name));
  const peerOf = (name: string) =>
    links.peersByHttp ? httpOf(name) : address(2 * names.indexOf(name) + 1);
  const proxied = wanted.map(({ from, to }, i) => ({
    from,
    to,
    listen: address(2 * names.length + i),
    target: from === CLIENT ? httpOf(to) : peerOf(to),
    framed: links.framed && from !== CLIENT,
  }));
  const dialAddress = (from: string, to: string) =>
    proxied.find((link) => link.from === from && link.to === to)?.listen ??
      (from === CLIENT ? httpOf(to) : peerOf(to));
  const places = names.map((name) => ({
    name,
    http: httpOf(name),
    peer: peerOf(name),
    clientHttp: dialAddress(CLIENT, name),
    dataDir: `${dir}/${name}`,
    logFile: `${dir}/${name}.log`,
  }));
  return { places, links: proxied, dialAddress };
}
