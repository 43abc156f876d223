// Losses of what was not synced: power cuts, and syncs that fail and take their node with them (RULES 6: the node ends
// itself, and what the sync was to cover may be gone).

import { pick } from "../random.ts";
import type { Arena, Machines, Nemesis, PowerCutLoss, Strike, SystemNode } from "../types.ts";
import { rest, until } from "../wait.ts";
import { type Choice, choose, namesOf } from "./targets.ts";

const CHOICES: readonly Choice[] = ["one", "minority", "majority", "all", "leader"];
/** A disk that is slow before the cut has something to lose. */
const SLOW_SYNC_MS = 60;
const SLOW_FOR_MS = 150;
const EXIT_TIMEOUT_MS = 5000;

function lost(losses: readonly PowerCutLoss[]): { bit: boolean; detail: string } {
  const sum = (name: keyof PowerCutLoss) => losses.reduce((total, one) => total + one[name], 0);
  const [writes, bytes, entries] = [sum("writes"), sum("bytes"), sum("directoryEntries")];
  return {
    bit: writes + entries > 0,
    detail: `${writes} writes were not synced, ${bytes} bytes and ${entries} names are gone`,
  };
}

/** Cuts the power of nodes whose machines are set right with it. */
async function cut(
  { system, random }: Arena,
  machines: Machines,
  targets: readonly SystemNode[],
  detail: string,
): Promise<Strike> {
  // At the same instant, as far as can be: none of them may outlive another's loss by much.
  const cuts = targets.map((node) => machines.cutPower(node, random));
  const losses = await Promise.all(cuts);
  for (const node of targets) {
    await machines.steer(node, { syncDelayMs: undefined, syncFails: undefined });
  }
  return {
    targets: namesOf(targets),
    detail,
    verify: () => Promise.resolve(lost(losses)),
    async heal() {
      for (const node of targets) await system.restart(node);
    },
  };
}

const POWER_CUT: Nemesis = {
  name: "power-cut",
  summary: "Nodes lose power, and with it what they had not synced: data, renames, names",
  needs: ["processes", "disks"],
  layer: "nodes",
  pace: { quietMs: [800, 2000], faultMs: [200, 1500] },
  async strike(arena) {
    const { machines } = arena.system;
    if (machines === undefined) return undefined;
    const choice = pick(arena.random, CHOICES);
    const targets = await choose(arena, choice);
    for (const node of targets) await machines.steer(node, { syncDelayMs: SLOW_SYNC_MS });
    await rest(SLOW_FOR_MS, arena.stopped);
    return await cut(arena, machines, targets, choice);
  },
};

const FAILING_SYNC: Nemesis = {
  name: "failing-sync",
  summary: "Syncs fail: the node has to end itself, and loses what they were to cover",
  needs: ["processes", "disks"],
  layer: "nodes",
  pace: { quietMs: [800, 2000], faultMs: [200, 1500] },
  async strike(arena) {
    const { machines } = arena.system;
    if (machines === undefined) return undefined;
    const choice = pick(arena.random, CHOICES);
    const targets = await choose(arena, choice);
    const { ends } = arena.system;
    const before = ends.length;
    for (const node of targets) await machines.steer(node, { syncFails: true });
    const ended = () =>
      targets.filter(({ name }) => ends.slice(before).some(({ node }) => node === name));
    // One that has nothing to sync lives on, until its log's mark is due.
    await until("each ends itself", EXIT_TIMEOUT_MS, () => {
      return arena.stopped() || ended().length === targets.length;
    }).catch(() => {});
    const count = ended().length;
    const made = await cut(arena, machines, targets, choice);
    return {
      ...made,
      verify: () =>
        Promise.resolve({
          bit: count > 0,
          detail: `${count} of ${targets.length} ended themselves`,
        }),
    };
  },
};

export const POWER_NEMESES: readonly Nemesis[] = [POWER_CUT, FAILING_SYNC];
