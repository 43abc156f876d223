// Links that are bad without being cut: slow, narrow, flaky, stalled, repeating frames; and bad links between clients
// and nodes.

import { between, pick } from "../random.ts";
import { CLIENT } from "../systems/places.ts";
import type { Arena, Link, LinkEffect, Nemesis, Random } from "../types.ts";
import { strikeLinks } from "./partitions.ts";
import { choose } from "./targets.ts";

/** Every link between members. */
function peerLinks({ system }: Arena): Link[] {
  const names = system.nodes.map(({ name }) => name);
  return names.flatMap((from) => names.filter((to) => to !== from).map((to) => ({ from, to })));
}

/** All links between nodes, or those of one node, or a random part of them. */
async function someLinks(arena: Arena): Promise<Link[]> {
  const all = peerLinks(arena);
  const dice = arena.random();
  if (dice < 0.34) return all;
  if (dice < 0.67) {
    const [node] = await choose(arena, arena.random() < 0.5 ? "leader" : "one");
    return all.filter(({ from, to }) => from === node!.name || to === node!.name);
  }
  const some = all.filter(() => arena.random() < 0.5);
  return some.length > 0 ? some : all;
}

function slowness(random: Random): LinkEffect & { kind: "slow" } {
  const delayMs = Math.round(between(random, [5, 250]));
  const jitterMs = Math.round(delayMs * random());
  const narrow = random() < 0.3;
  return { kind: "slow", delayMs, jitterMs, ...(narrow && { bytesPerSecond: 50_000 }) };
}

const SLOW: Nemesis = {
  name: "slow",
  summary: "Delays, with jitter, and narrow bandwidth between nodes",
  needs: ["slow-links"],
  layer: "links",
  pace: { quietMs: [500, 1500], faultMs: [1500, 4000] },
  async strike(arena) {
    const effect = slowness(arena.random);
    const narrow = effect.bytesPerSecond === undefined ? "" : `, ${effect.bytesPerSecond} B/s`;
    const detail = `${effect.delayMs} ms + up to ${effect.jitterMs} ms${narrow}`;
    return await strikeLinks(arena, await someLinks(arena), effect, detail);
  },
};

const FLAKY: Nemesis = {
  name: "flaky",
  summary: "Connections between nodes are reset, again and again",
  needs: ["slow-links"],
  layer: "links",
  pace: { quietMs: [500, 1500], faultMs: [1500, 4000] },
  async strike(arena) {
    const meanMs = Math.round(between(arena.random, [50, 600]));
    const effect: LinkEffect = arena.random() < 0.2 ? { kind: "reset" } : { kind: "flaky", meanMs };
    const detail = effect.kind === "reset" ? "nothing connects" : `a reset each ${meanMs} ms or so`;
    return await strikeLinks(arena, await someLinks(arena), effect, detail);
  },
};

const STALL: Nemesis = {
  name: "stall",
  summary: "Everything on some links is held back and flushed at once, late and in order",
  needs: ["slow-links"],
  layer: "links",
  // Shorter than the silence after which nodes give a link up, and longer.
  pace: { quietMs: [500, 1500], faultMs: [300, 2500] },
  strike: async (arena) =>
    await strikeLinks(arena, await someLinks(arena), { kind: "hold" }, "held back"),
};

const LOSS: Nemesis = {
  name: "loss",
  summary: "Links lose a part of their packets, and TCP has to make up for it",
  needs: ["packet-loss"],
  layer: "links",
  pace: { quietMs: [500, 1500], faultMs: [1500, 4000] },
  async strike(arena) {
    const chance = pick(arena.random, [0.02, 0.1, 0.4]);
    const detail = `${100 * chance} % of packets`;
    return await strikeLinks(arena, await someLinks(arena), { kind: "loss", chance }, detail);
  },
};

const REPEAT: Nemesis = {
  name: "repeat",
  summary: "Raft frames arrive twice, and once more, late, on other connections",
  needs: ["frames"],
  layer: "links",
  pace: { quietMs: [300, 1000], faultMs: [2000, 5000] },
  strike: (arena) =>
    strikeLinks(
      arena,
      peerLinks(arena),
      { kind: "repeat", twice: 0.2, late: 0.2, renewMs: 1000 },
      "a fifth of all Raft frames",
    ),
};

const CLIENT_EFFECTS: readonly { readonly effect: LinkEffect; readonly detail: string }[] = [
  { effect: { kind: "blackhole", direction: "backward" }, detail: "answers are lost" },
  { effect: { kind: "blackhole" }, detail: "nothing arrives" },
  { effect: { kind: "flaky", meanMs: 200 }, detail: "connections are reset" },
  { effect: { kind: "hold" }, detail: "everything is held back" },
  { effect: { kind: "slow", delayMs: 100, jitterMs: 200 }, detail: "everything is late" },
];

const CLIENTS: Nemesis = {
  name: "clients",
  summary: "Bad links between clients and nodes: answers lost, resets, stalls, delays",
  needs: ["slow-links"],
  layer: "links",
  pace: { quietMs: [500, 1500], faultMs: [1000, 3000] },
  async strike(arena) {
    const targets = await choose(arena, pick(arena.random, ["one", "leader", "all"]));
    const links = targets.map(({ name }) => ({ from: CLIENT, to: name }));
    const { effect, detail } = pick(arena.random, CLIENT_EFFECTS);
    return await strikeLinks(arena, links, effect, detail);
  },
};

export const LINK_NEMESES: readonly Nemesis[] = [SLOW, FLAKY, STALL, LOSS, REPEAT, CLIENTS];
