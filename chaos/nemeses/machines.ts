// Faults of the machine under a node: clocks that jump and drift, disks that are full, slow, or fail their syncs.

import { between, pick } from "../random.ts";
import type {
  Arena,
  Bite,
  MachineChange,
  MachineCounters,
  MachineSettings,
  Nemesis,
  Random,
  Strike,
  SystemNode,
} from "../types.ts";
import { rest } from "../wait.ts";
import { type Choice, choose, namesOf } from "./targets.ts";

const DAY_MS = 86_400_000;
const STROBE_MS = 250;
/** How far a clock must be off before its fault counts. */
const CLOCK_ERROR_MS_MIN = 30;

/** The change that takes `settings` back. */
function undone(settings: MachineSettings): MachineChange {
  return Object.fromEntries(Object.keys(settings).map((name) => [name, undefined]));
}

/** Steers all of `targets`; the heal sets their machines right. */
async function strikeMachines(
  { system }: Arena,
  targets: readonly SystemNode[],
  settings: (node: SystemNode) => MachineSettings,
  detail: string,
  bite: (now: MachineCounters, before: MachineCounters) => string | undefined,
): Promise<Strike | undefined> {
  const { machines } = system;
  if (machines === undefined) return undefined;
  const before = await Promise.all(targets.map((node) => machines.counters(node)));
  for (const node of targets) await machines.steer(node, settings(node));
  return {
    targets: namesOf(targets),
    detail,
    async verify(): Promise<Bite> {
      const now = await Promise.all(targets.map((node) => machines.counters(node)));
      const said = now.flatMap((counters, i) => bite(counters, before[i]!) ?? []);
      return { bit: said.length > 0, detail: said.join(", ") };
    },
    async heal() {
      for (const node of targets) await machines.steer(node, undone(settings(node)));
    },
  };
}

function clockBite({ wallErrorMs }: MachineCounters): string | undefined {
  const off = Math.abs(wallErrorMs) >= CLOCK_ERROR_MS_MIN;
  return off ? `a clock ${(wallErrorMs / 1000).toFixed(2)} s off` : undefined;
}

/** A jump of some hundred milliseconds, some seconds, or a day, either way. */
function jumpMs(random: Random): number {
  const range = pick(random, [[100, 1000], [1000, 60_000], [DAY_MS, DAY_MS]] as const);
  return Math.round((random() < 0.5 ? -1 : 1) * between(random, range));
}

const CHOICES: readonly Choice[] = ["one", "minority", "majority", "leader", "all"];

const CLOCK_JUMP: Nemesis = {
  name: "clock-jump",
  summary: "Wall clocks jump, back or forth, by up to a day",
  needs: ["clocks"],
  layer: "machines",
  pace: { quietMs: [500, 1500], faultMs: [1000, 3000] },
  async strike(arena) {
    const targets = await choose(arena, pick(arena.random, CHOICES));
    const jumps = new Map(targets.map(({ name }) => [name, jumpMs(arena.random)]));
    const settings = ({ name }: SystemNode) => ({ wallOffsetMs: jumps.get(name)! });
    const detail = targets.map(({ name }) => `${name} ${jumps.get(name)} ms`).join(", ");
    return await strikeMachines(arena, targets, settings, detail, clockBite);
  },
};

const CLOCK_DRIFT: Nemesis = {
  name: "clock-drift",
  summary: "Clocks, monotonic ones too, run at half to double speed",
  needs: ["clocks"],
  layer: "machines",
  pace: { quietMs: [500, 1500], faultMs: [1500, 4000] },
  async strike(arena) {
    const targets = await choose(arena, pick(arena.random, CHOICES));
    const rates = new Map(
      targets.map(({ name }) => [name, pick(arena.random, [0.5, 0.8, 1.25, 2])]),
    );
    const settings = ({ name }: SystemNode) => ({ clockRate: rates.get(name)! });
    const detail = targets.map(({ name }) => `${name} x${rates.get(name)}`).join(", ");
    return await strikeMachines(arena, targets, settings, detail, clockBite);
  },
};

const CLOCK_STROBE: Nemesis = {
  name: "clock-strobe",
  summary: "Wall clocks jump to and fro a few times a second",
  needs: ["clocks"],
  layer: "machines",
  pace: { quietMs: [500, 1500], faultMs: [1500, 3000] },
  async strike(arena) {
    const machines = arena.system.machines;
    const targets = await choose(arena, pick(arena.random, CHOICES));
    const wallOffsetMs = jumpMs(arena.random);
    const made = await strikeMachines(
      arena,
      targets,
      () => ({ wallOffsetMs }),
      `${wallOffsetMs} ms and back`,
      clockBite,
    );
    if (made === undefined) return undefined;
    let healed = false;
    let seen: Bite = { bit: false, detail: "" };
    const strobe = (async () => {
      for (let away = true; !healed; away = !away) {
        if (away) seen = await made.verify();
        await rest(STROBE_MS, () => healed);
        for (const node of targets) {
          if (!healed) {
            await machines!.steer(node, { wallOffsetMs: away ? undefined : wallOffsetMs });
          }
        }
      }
    })();
    // The heal hears of it if a machine could not be steered.
    strobe.catch(() => {});
    return {
      ...made,
      verify: () => Promise.resolve(seen),
      async heal() {
        healed = true;
        await strobe;
        await made.heal();
      },
    };
  },
};

const FULL_DISK: Nemesis = {
  name: "full-disk",
  summary: "Not a byte of room on the disk of one node, a minority, a majority, all, or the leader",
  needs: ["disks"],
  layer: "machines",
  pace: { quietMs: [500, 1500], faultMs: [1500, 3000] },
  async strike(arena) {
    const choice = pick(arena.random, CHOICES);
    const targets = await choose(arena, choice);
    return await strikeMachines(
      arena,
      targets,
      () => ({ quotaBytes: 0 }),
      choice,
      (now, before) => {
        const times = now.noSpaceAnswers - before.noSpaceAnswers;
        return times > 0 ? `${times} times no space` : undefined;
      },
    );
  },
};

const SLOW_DISK: Nemesis = {
  name: "slow-disk",
  summary: "Every sync takes 20 to 500 ms longer",
  needs: ["disks"],
  layer: "machines",
  pace: { quietMs: [500, 1500], faultMs: [1500, 4000] },
  async strike(arena) {
    const choice = pick(arena.random, CHOICES);
    const syncDelayMs = Math.round(between(arena.random, [20, 500]));
    const targets = await choose(arena, choice);
    const detail = `${choice}, ${syncDelayMs} ms`;
    return await strikeMachines(arena, targets, () => ({ syncDelayMs }), detail, (now, before) => {
      const times = now.delayedSyncs - before.delayedSyncs;
      return times > 0 ? `${times} slow syncs` : undefined;
    });
  },
};

export const MACHINE_NEMESES: readonly Nemesis[] = [
  CLOCK_JUMP,
  CLOCK_DRIFT,
  CLOCK_STROBE,
  FULL_DISK,
  SLOW_DISK,
];
