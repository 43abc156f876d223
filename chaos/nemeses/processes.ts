// Faults on processes: killed, stopped for a while, restarted one after the other. A kill keeps what the system's
// page cache has; a power cut (disks.ts) does not.

import { pick, shuffled } from "../random.ts";
import type { Arena, Nemesis, Strike, SystemNode } from "../types.ts";
import { rest } from "../wait.ts";
import { type Choice, choose, namesOf } from "./targets.ts";

const CHOICES: readonly Choice[] = ["one", "minority", "majority", "all", "leader"];
const TERMINATE_TIMEOUT_MS = 15_000;
const READY_TIMEOUT_MS = 30_000;
/** Between the nodes of a staggered fault. */
const STAGGER_MS = 400;

/** Brings back whoever is gone. */
async function restartAll(arena: Arena, nodes: readonly SystemNode[]): Promise<void> {
  for (const node of nodes) await arena.system.restart(node);
}

function killed(arena: Arena, choice: string, targets: readonly SystemNode[]): Strike {
  return {
    targets: namesOf(targets),
    detail: choice,
    verify: () => {
      const gone = targets.filter(({ running }) => !running);
      const bit = gone.length === targets.length;
      return Promise.resolve({ bit, detail: `${gone.length} processes are gone` });
    },
    heal: () => restartAll(arena, targets),
  };
}

function paused({ system }: Arena, choice: string, targets: readonly SystemNode[]): Strike {
  return {
    targets: namesOf(targets),
    detail: choice,
    // The kernel has said so of each before this exists.
    verify: () => Promise.resolve({ bit: true, detail: `${targets.length} processes are stopped` }),
    heal: () => {
      for (const node of targets) system.resume(node);
      return Promise.resolve();
    },
  };
}

async function kill(arena: Arena, choice: Choice): Promise<Strike> {
  const targets = await choose(arena, choice);
  await Promise.all(targets.map((node) => arena.system.kill(node)));
  return killed(arena, choice, targets);
}

async function pause(arena: Arena, choice: Choice): Promise<Strike> {
  const targets = await choose(arena, choice);
  await Promise.all(targets.map((node) => arena.system.pause(node)));
  return paused(arena, choice, targets);
}

const KILL: Nemesis = {
  name: "kill",
  summary: "SIGKILL to one node, a minority, a majority, all, or the leader",
  needs: ["processes"],
  layer: "nodes",
  pace: { quietMs: [800, 2000], faultMs: [500, 2500] },
  strike: (arena) => kill(arena, pick(arena.random, CHOICES)),
};

const PAUSE: Nemesis = {
  name: "pause",
  summary: "SIGSTOP to one node, a minority, a majority, all, or the leader",
  needs: ["processes"],
  layer: "nodes",
  pace: { quietMs: [800, 2000], faultMs: [500, 3000] },
  strike: (arena) => pause(arena, pick(arena.random, CHOICES)),
};

/** One choice only, for a run that is to show one thing. */
export const PROCESS_SINGLES: readonly Nemesis[] = CHOICES.flatMap((choice) => [
  {
    ...KILL,
    name: `kill-${choice}`,
    summary: `SIGKILL, always: ${choice}`,
    strike: (arena: Arena) => kill(arena, choice),
  },
  {
    ...PAUSE,
    name: `pause-${choice}`,
    summary: `SIGSTOP, always: ${choice}`,
    strike: (arena: Arena) => pause(arena, choice),
  },
]);

const RESTART: Nemesis = {
  name: "restart",
  summary: "SIGTERM to one node after the other, each brought back before the next",
  needs: ["processes", "graceful-stop"],
  layer: "nodes",
  pace: { quietMs: [500, 1500], faultMs: [0, 0] },
  async strike(arena) {
    const { system, random } = arena;
    const targets = shuffled(random, system.nodes);
    const codes: number[] = [];
    for (const node of targets) {
      if (codes.length > 0 && arena.stopped()) break;
      codes.push(await system.terminate(node, TERMINATE_TIMEOUT_MS));
      await system.restart(node);
      await system.ready(READY_TIMEOUT_MS);
    }
    const clean = codes.filter((code) => code === 0).length;
    return {
      targets: namesOf(targets.slice(0, codes.length)),
      detail: "rolling",
      verify: () =>
        Promise.resolve({
          bit: clean === codes.length,
          detail: `${clean} of ${codes.length} stops were clean`,
        }),
      heal: () => restartAll(arena, targets),
    };
  },
};

const SWIZZLE: Nemesis = {
  name: "swizzle",
  summary: "Nodes stop or die one after the other and come back, one by one, in another order",
  needs: ["processes"],
  layer: "nodes",
  pace: { quietMs: [800, 2000], faultMs: [300, 1500] },
  async strike(arena) {
    const { system, random, stopped } = arena;
    const pauses = random() < 0.5;
    const count = 2 + Math.floor(random() * (system.nodes.length - 1));
    const targets = shuffled(random, system.nodes).slice(0, count);
    for (const node of targets) {
      await (pauses ? system.pause(node) : system.kill(node));
      await rest(random() * STAGGER_MS, stopped);
    }
    const made = pauses ? paused(arena, "pause", targets) : killed(arena, "kill", targets);
    return {
      ...made,
      async heal() {
        for (const node of shuffled(random, targets)) {
          if (pauses) system.resume(node);
          else await system.restart(node);
          await rest(random() * STAGGER_MS, stopped);
        }
      },
    };
  },
};

export const PROCESS_NEMESES: readonly Nemesis[] = [KILL, PAUSE, RESTART, SWIZZLE];
