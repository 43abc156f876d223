// Where the nodes of one run live: addresses, directories, and the addresses by which they and the clients reach each
// other, through the links. Decides nothing about what a node is.

import type { ProxiedLink } from "../links/messages.ts";
import type { Link } from "../types.ts";

/** One node's places. */
export interface Place {
  readonly name: string;
  /** Where its HTTP API listens. */
  readonly http: string;
  /** Where other nodes are told to reach it. */
  readonly peer: string;
  /** Where it listens for other nodes; differs where a link stands before it that all of them share. */
  readonly peerListen: string;
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

/** What kind of links a system has between its nodes. */
export interface LinkShape {
  /** They carry Pontoon's frames. */
  readonly framed?: boolean;
  /** They lead to the nodes' HTTP API. */
  readonly peersByHttp?: boolean;
  /** All of them reach a node by one address; by this its diallers are told apart. */
  readonly dialler?: { readonly header: string; readonly valueOf: (peer: string) => string };
}

/** Places on loopback, for a proxy in every link or for none. */
export function loopbackLayout(
  names: readonly string[],
  dir: string,
  shape: LinkShape & { readonly proxied: boolean },
): Layout {
  const wanted = shape.proxied ? allLinks(names) : [];
  const ports = freePorts(3 * names.length + wanted.length);
  const address = (place: number) => `127.0.0.1:${ports[place]}`;
  const httpOf = (name: string) => address(3 * names.indexOf(name));
  const peerListenOf = (name: string) =>
    shape.peersByHttp ? httpOf(name) : address(3 * names.indexOf(name) + 1);
  const isShared = shape.proxied && shape.dialler !== undefined;
  const peerOf = (name: string) =>
    isShared ? address(3 * names.indexOf(name) + 2) : peerListenOf(name);
  const proxied = wanted.map(({ from, to }, i): ProxiedLink => {
    const own = address(3 * names.length + i);
    if (from === CLIENT) return { from, to, listen: own, target: httpOf(to), framed: false };
    const target = peerListenOf(to);
    if (!isShared) return { from, to, listen: own, target, framed: shape.framed ?? false };
    const { header, valueOf } = shape.dialler!;
    const dialler = { header, value: valueOf(peerOf(from)) };
    return { from, to, listen: peerOf(to), target, framed: false, dialler };
  });
  const dialAddress = (from: string, to: string) =>
    proxied.find((link) => link.from === from && link.to === to)?.listen ??
      (from === CLIENT ? httpOf(to) : peerOf(to));
  const places = names.map((name) => ({
    name,
    http: httpOf(name),
    peer: peerOf(name),
    peerListen: peerListenOf(name),
    clientHttp: dialAddress(CLIENT, name),
    dataDir: `${dir}/${name}`,
    logFile: `${dir}/${name}.log`,
  }));
  return { places, links: proxied, dialAddress };
}

const HTTP_PORT = 7001;
const PEER_PORT = 8001;

/** Places of which each has an address of its own. */
export function networkLayout(
  names: readonly string[],
  dir: string,
  network: LinkShape & { readonly addresses: ReadonlyMap<string, string> },
): Layout {
  const places = names.map((name) => {
    const address = network.addresses.get(name)!;
    const http = `${address}:${HTTP_PORT}`;
    const peer = network.peersByHttp ? http : `${address}:${PEER_PORT}`;
    return {
      name,
      http,
      peer,
      peerListen: peer,
      clientHttp: http,
      dataDir: `${dir}/${name}`,
      logFile: `${dir}/${name}.log`,
    };
  });
  const dialAddress = (from: string, to: string) => {
    const place = places.find(({ name }) => name === to)!;
    return from === CLIENT ? place.http : place.peer;
  };
  return { places, links: [], dialAddress };
}
