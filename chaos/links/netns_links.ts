// Links as rules of nftables on the bridge between network namespaces: packets are dropped, all or some, one way or both.
// What TCP makes of that is the kernel's business, as in a real network. Delays need what this has not: a proxy.

import { CLIENT } from "../systems/places.ts";
import type { Link, LinkCounters, LinkEffect, Links } from "../types.ts";
import { noCounters } from "./messages.ts";
import { type Network, removeNetwork, run } from "./netns.ts";

interface NftCounter {
  readonly counter?: { readonly name: string; readonly bytes: number; readonly packets: number };
}

/** Every path a packet takes over the bridge: between ports, to the bench, from the bench. */
const HOOKS = ["forward", "input", "output"] as const;

export class NetnsLinks implements Links {
  readonly net = "netns";
  readonly all: readonly Link[];
  readonly #network: Network;
  readonly #effects: (LinkEffect | undefined)[];

  private constructor(network: Network, all: readonly Link[]) {
    this.#network = network;
    this.all = all;
    this.#effects = all.map(() => undefined);
  }

  /** Puts an empty table on the network's bridge. */
  static async start(network: Network, all: readonly Link[]): Promise<NetnsLinks> {
    const links = new NetnsLinks(network, all);
    const counters = all.map((_, place) => `counter l${place} { }`);
    const chains = HOOKS.map((hook) =>
      `chain ${hook} { type filter hook ${hook} priority 0; policy accept; }`
    );
    await links.#nft(`table bridge ${links.#table} {\n${[...counters, ...chains].join("\n")}\n}\n`);
    return links;
  }

  async set(links: readonly Link[], effect: LinkEffect | undefined): Promise<void> {
    if (effect !== undefined && effect.kind !== "blackhole" && effect.kind !== "loss") {
      throw new Error(`Cannot make links of network namespaces ${effect.kind}: that takes a proxy`);
    }
    for (const link of links) this.#effects[this.#placeOf(link)] = effect;
    const rules = this.all.flatMap((link, place) => this.#rulesOf(link, place));
    const table = this.#table;
    // One transaction: no packet sees half of it.
    await this.#nft(
      HOOKS.flatMap((hook) => [
        `flush chain bridge ${table} ${hook}`,
        ...rules.map((rule) => `add rule bridge ${table} ${hook} ${rule}`),
      ]).join("\n") + "\n",
    );
  }

  async heal(): Promise<void> {
    await this.set(this.all, undefined);
  }

  async counters(links: readonly Link[]): Promise<LinkCounters> {
    const places = new Set(links.map((link) => `l${this.#placeOf(link)}`));
    const said = await run("nft", ["--json", "list", "counters", "table", "bridge", this.#table]);
    const counters: { nftables: NftCounter[] } = JSON.parse(said);
    const bytes = counters.nftables.flatMap(({ counter }) =>
      counter !== undefined && places.has(counter.name) ? [counter.bytes] : []
    );
    return { ...noCounters(), swallowedBytes: bytes.reduce((sum, one) => sum + one, 0) };
  }

  async close(): Promise<void> {
    await removeNetwork();
  }

  get #table(): string {
    return `${this.#network.tag}t`;
  }

  #placeOf({ from, to }: Link): number {
    const place = this.all.findIndex((link) => link.from === from && link.to === to);
    if (place < 0) throw new Error(`Cannot find the link ${from} to ${to}`);
    return place;
  }

  #addressOf(name: string): string {
    return name === CLIENT ? this.#network.hostAddress : this.#network.addresses.get(name)!;
  }

  #rulesOf({ from, to }: Link, place: number): string[] {
    const effect = this.#effects[place];
    if (effect === undefined) return [];
    const direction = effect.kind === "blackhole" ? effect.direction ?? "both" : "both";
    const ways: [string, string][] = [];
    if (direction !== "backward") ways.push([from, to]);
    // What a node says to another has a link of its own; what it says to clients has not.
    if (direction === "backward" || (direction === "both" && from === CLIENT)) {
      ways.push([to, from]);
    }
    const chance = effect.kind === "loss"
      ? `numgen random mod 1000 < ${Math.round(effect.chance * 1000)} `
      : "";
    return ways.map(([source, target]) =>
      `ip saddr ${this.#addressOf(source)} ip daddr ${this.#addressOf(target)} ` +
      `${chance}counter name l${place} drop`
    );
  }

  async #nft(script: string): Promise<void> {
    await run("nft", ["-f", "-"], script);
  }
}
