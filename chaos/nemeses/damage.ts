// Files of a stopped minority that are damaged before it starts again. It counts if the node says that it has lost
// something; it ends when the others have replaced it, and not before: a second loss would be more than a minority.

import { shuffled } from "../random.ts";
import type { Arena, Nemesis, Strike, SystemNode } from "../types.ts";
import { until } from "../wait.ts";
import { DAMAGES } from "./pontoon_files.ts";
import { choose, namesOf } from "./targets.ts";

const SETTLE_TIMEOUT_MS = 60_000;
const TERMINATE_TIMEOUT_MS = 15_000;
const NOTICE_TIMEOUT_MS = 15_000;
/** What a node logs that found damage. */
const NOTICED = /damaged|lost acknowledged data/;

function logLength(node: SystemNode): number {
  return Deno.statSync(node.logFile).size;
}

function logSince(node: SystemNode, length: number): string {
  return new TextDecoder().decode(Deno.readFileSync(node.logFile).subarray(length));
}

/** Does the first of the damages, in random order, that there is something for. */
function damage(node: SystemNode, only: string | undefined, arena: Arena): string | undefined {
  const ways = only === undefined ? shuffled(arena.random, Object.keys(DAMAGES)) : [only];
  for (const way of ways) {
    const done = DAMAGES[way]!(node.dataDir, arena.random);
    if (done !== undefined) return `${node.name}: ${done}`;
  }
  return undefined;
}

async function strike(arena: Arena, only?: string): Promise<Strike | undefined> {
  const { system } = arena;
  const { membership } = system;
  if (membership === undefined) return undefined;
  await membership.settled(SETTLE_TIMEOUT_MS);
  const targets = await choose(arena, "minority");
  const logs = new Map(targets.map((node) => [node, logLength(node)]));
  // A clean stop moves the durable mark to the log's end: all of it is promised.
  for (const node of targets) await system.terminate(node, TERMINATE_TIMEOUT_MS);
  const done = targets.map((node) => damage(node, only, arena));
  for (const node of targets) await system.restart(node);
  const details = done.filter((detail) => detail !== undefined);
  if (details.length === 0) return undefined;
  return {
    targets: namesOf(targets),
    detail: details.join(", "),
    async verify() {
      const noticed = () =>
        targets.filter((node, i) =>
          done[i] !== undefined && NOTICED.test(logSince(node, logs.get(node)!))
        );
      // A snapshot that the log does not need is missed by nobody: the node serves without a word.
      await until("the damage is noticed", NOTICE_TIMEOUT_MS, async () => {
        if (noticed().length === details.length) return true;
        const said = await Promise.all(targets.map((node) => system.status(node)));
        return said.every((status) => status !== undefined && status.length > 0);
      }).catch(() => {});
      const count = noticed().length;
      return { bit: count === details.length, detail: `${count} of ${details.length} noticed` };
    },
    heal: () => membership.settled(SETTLE_TIMEOUT_MS),
  };
}

const DAMAGE: Nemesis = {
  name: "damage",
  summary: "Files of a stopped minority are cut, flipped or deleted, before the durable mark",
  needs: ["processes", "graceful-stop", "files", "membership"],
  layer: "nodes",
  pace: { quietMs: [1000, 2000], faultMs: [0, 500] },
  strike: (arena) => strike(arena),
};

export const DAMAGE_SINGLES: readonly Nemesis[] = Object.keys(DAMAGES).map((way) => ({
  ...DAMAGE,
  name: `damage-${way}`,
  summary: `Files of a stopped minority are damaged, always: ${way}`,
  strike: (arena) => strike(arena, way),
}));

export const DAMAGE_NEMESES: readonly Nemesis[] = [DAMAGE];
