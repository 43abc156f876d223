// Partitions: which directed links between nodes are cut, as pure functions of the nodes' names; and the nemesis that
// cuts them. The shapes are those that Jepsen has made customary.

import { pick, shuffled } from "../random.ts";
import type { Arena, Link, LinkCounters, LinkEffect, Nemesis, Random, Strike } from "../types.ts";
import { minorityOf } from "./targets.ts";

/** A partition: what is cut, and what it looks like. */
export interface Cut {
  readonly links: readonly Link[];
  readonly detail: string;
}

/** What a shape may depend on. */
export interface Shaped {
  readonly names: readonly string[];
  readonly leader: string;
  readonly random: Random;
}

/** Every link between a node of `left` and one of `right`, both ways. */
export function between(left: readonly string[], right: readonly string[]): Link[] {
  return left.flatMap((from) => right.flatMap((to) => [{ from, to }, { from: to, to: from }]));
}

function apart(left: readonly string[], right: readonly string[]): Cut {
  return { links: between(left, right), detail: `${left.join(" ")} | ${right.join(" ")}` };
}

function isolate(name: string, { names }: Shaped): Cut {
  return apart([name], names.filter((other) => other !== name));
}

/** The shapes, by name. With two nodes some of them are the same. */
export const SHAPES: Readonly<Record<string, (shaped: Shaped) => Cut>> = {
  /** As even as it gets: one side has a majority. */
  halves({ names, random }) {
    const mixed = shuffled(random, names);
    const half = minorityOf(names.length);
    return apart(mixed.slice(0, half), mixed.slice(half));
  },
  /** Each node by itself on one side or the other; both sides have somebody. */
  random({ names, random }) {
    const mixed = shuffled(random, names);
    const sides = mixed.map((_, i) => i === 0 || (i > 1 && random() < 0.5));
    return apart(mixed.filter((_, i) => sides[i]), mixed.filter((_, i) => !sides[i]));
  },
  one: (shaped) => isolate(pick(shaped.random, shaped.names), shaped),
  leader: (shaped) => isolate(shaped.leader, shaped),
  /** Nobody hears anybody. */
  shattered: ({ names }) => ({
    links: between(names, names).filter(({ from, to }) => from !== to),
    detail: names.join(" | "),
  }),
  /** Everyone sees a majority, and no two of five see the same one: each its next neighbours on a ring. */
  ring({ names, random }) {
    const ring = shuffled(random, names);
    // With so many neighbours on each side, and itself, it has a majority.
    const reach = Math.ceil(Math.floor(names.length / 2) / 2);
    const sees = (a: number, b: number) => {
      const distance = Math.abs(a - b);
      return Math.min(distance, ring.length - distance) <= reach;
    };
    const links = ring.flatMap((from, a) =>
      ring.filter((to, b) => from !== to && !sees(a, b)).map((to) => ({ from, to }))
    );
    return { links, detail: `ring ${ring.join(" ")}` };
  },
  /** Two sides that only one node sees both of. */
  bridge({ names, random }) {
    const [middle, ...others] = shuffled(random, names);
    const half = Math.floor(others.length / 2);
    const [left, right] = [others.slice(0, half), others.slice(half)];
    const { links } = apart(left, right);
    return { links, detail: `${left.join(" ")} - ${middle} - ${right.join(" ")}` };
  },
  /** A node that hears and is not heard, or is heard and hears nothing. */
  "one-way"({ names, random, leader }) {
    const name = random() < 0.5 ? leader : pick(random, names);
    const mute = random() < 0.5;
    const others = names.filter((other) => other !== name);
    const links = others.map((other) =>
      mute ? { from: name, to: other } : { from: other, to: name }
    );
    return { links, detail: `${name} ${mute ? "is not heard" : "hears nothing"}` };
  },
};

/** What a link may have done to what it was given, in words. */
const COUNTED = {
  swallowedBytes: "bytes swallowed",
  heldBytes: "bytes held back",
  delayedBytes: "bytes delayed",
  resets: "connections reset",
  repeatedFrames: "frames sent twice",
  lateFrames: "frames sent late",
  refusedConnections: "connections refused",
} as const satisfies Partial<Record<keyof LinkCounters, string>>;

/** Sets an effect on links and takes it back. */
export async function strikeLinks(
  { system }: Arena,
  links: readonly Link[],
  effect: LinkEffect,
  detail: string,
): Promise<Strike | undefined> {
  const controls = system.links;
  if (controls === undefined || links.length === 0) return undefined;
  const before = await controls.counters(links);
  await controls.set(links, effect);
  return {
    targets: [...new Set(links.map(({ from, to }) => `${from}>${to}`))],
    detail,
    async verify() {
      const now = await controls.counters(links);
      const names = Object.keys(COUNTED) as (keyof typeof COUNTED)[];
      const grown = names.map((name) => [name, now[name] - before[name]] as const)
        .filter(([, count]) => count > 0);
      return {
        bit: grown.length > 0,
        detail: grown.map(([name, count]) => `${count} ${COUNTED[name]}`).join(", "),
      };
    },
    heal: () => controls.set(links, undefined),
  };
}

async function strikeShape(arena: Arena, shape: string): Promise<Strike | undefined> {
  const { system, random } = arena;
  const names = system.nodes.map(({ name }) => name);
  const leader = (await system.leader())?.name ?? pick(random, names);
  const { links, detail } = SHAPES[shape]!({ names, leader, random });
  return await strikeLinks(arena, links, { kind: "blackhole" }, `${shape}: ${detail}`);
}

const PARTITION: Nemesis = {
  name: "partition",
  summary: "Silently cuts links between nodes: halves, random, one node, the leader, a ring of " +
    "majorities, a bridge, one way only",
  needs: ["links"],
  layer: "links",
  pace: { quietMs: [800, 2000], faultMs: [1200, 4000] },
  strike(arena) {
    // Of three nodes no ring is broken.
    const shapes = Object.keys(SHAPES).filter((shape) =>
      shape !== "ring" || arena.system.nodes.length > 3
    );
    return strikeShape(arena, pick(arena.random, shapes));
  },
};

export const PARTITION_SINGLES: readonly Nemesis[] = Object.keys(SHAPES).map((shape) => ({
  ...PARTITION,
  name: `partition-${shape}`,
  summary: `Silently cuts links between nodes, always: ${shape}`,
  strike: (arena) => strikeShape(arena, shape),
}));

export const PARTITION_NEMESES: readonly Nemesis[] = [PARTITION];
