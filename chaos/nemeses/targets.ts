// Whom a fault hits.

import { pick, shuffled } from "../random.ts";
import type { Arena, SystemNode } from "../types.ts";

/** How many, and which. */
export type Choice = "one" | "minority" | "majority" | "all" | "leader";

/** The most nodes that a cluster of `count` can lose. */
export function minorityOf(count: number): number {
  return Math.max(1, Math.floor((count - 1) / 2));
}

/** Nodes of the cluster, as `choice` says; the leader may be nobody just now, then it is anyone. */
export async function choose({ system, random }: Arena, choice: Choice): Promise<SystemNode[]> {
  const { nodes } = system;
  const minority = minorityOf(nodes.length);
  if (choice === "all") return [...nodes];
  if (choice === "leader") return [await system.leader() ?? pick(random, nodes)];
  const count = { one: 1, minority, majority: Math.floor(nodes.length / 2) + 1 }[choice];
  return shuffled(random, nodes).slice(0, count);
}

export function namesOf(nodes: readonly SystemNode[]): string[] {
  return nodes.map(({ name }) => name);
}
