// Schedules with a plot: some bugs need several faults in a row, which independent draws bring together too
// seldom. A theme draws its faults around one question; where they fall is still random.

import type { Fault, Target } from "./faults.ts";
import { SeededRandom } from "./random.ts";
import type { SimOptions } from "./schedule.ts";

/** What a theme makes of the options that a seed has drawn. */
export interface Plot {
  readonly options: SimOptions;
  readonly faults: readonly Fault[];
}

type Theme = (random: SeededRandom, drawn: SimOptions) => Plot;

const LEADER: Target = { leaderOf: 1 };

/** `draw` at random moments, `everyMs` apart on average. */
function repeat(
  random: SeededRandom,
  options: SimOptions,
  everyMs: number,
  draw: (atMs: number) => readonly Fault[],
): Fault[] {
  const faults: Fault[] = [];
  for (let atMs = random.between(0, everyMs); atMs < options.safetyMs;) {
    faults.push(...draw(Math.round(atMs)));
    atMs += random.between(everyMs / 2, everyMs * 1.5);
  }
  return faults;
}

/** One partition of three replicas, all of whose clients want the same few keys. */
function contended(random: SeededRandom, drawn: SimOptions): SimOptions {
  return {
    ...drawn,
    nodes: 3,
    spares: 0,
    partitions: 1,
    clients: 8,
    keys: 1 + random.int(2),
    operationsPerSecond: 200,
    lostNode: -1,
  };
}

/** Frames of all nodes come again late, for as long as it takes. */
function lateFrames(random: SeededRandom, { nodes, safetyMs }: SimOptions): Fault[] {
  const chance = random.pick([0.2, 0.5]);
  return Array.from({ length: nodes }, (_, from): Fault => {
    return { atMs: 0, kind: "late-frames", from, chance, durationMs: safetyMs };
  });
}

/** A leader that others have given up does not know it: it is cut off or paused, again and again. */
const staleLeader: Theme = (random, drawn) => {
  const options = { ...contended(random, drawn), networkDelayMsMean: random.pick([1, 5, 20]) };
  const faults = repeat(random, options, 900, (atMs) => {
    const durationMs = 500 + random.int(900);
    if (random.chance(0.4)) return [{ atMs, kind: "pause", node: LEADER, durationMs }];
    const lost = random.pick(["sent", "received", "both"] as const);
    return [{ atMs, kind: "isolate", node: LEADER, lost, durationMs }];
  });
  return { options, faults };
};

/** Leadership goes round while links are slow, so that answers to the old leader come late. */
const slowHandover: Theme = (random, drawn) => {
  const options = contended(random, drawn);
  const faults = repeat(random, options, 300, (atMs) => {
    const from = random.int(3);
    const to = (from + 1 + random.int(2)) % 3;
    const delayMs = 60 + random.int(240);
    const durationMs = 400 + random.int(600);
    const slow: Fault = { atMs, kind: "slow-link", from, to, delayMs, durationMs };
    const handover: Fault = { atMs: atMs + random.int(150), kind: "transfer", to: random.int(3) };
    const cut: Fault = { atMs: atMs + random.int(150), kind: "reset", from: to, to: from };
    return random.chance(0.7) ? [slow, handover] : [slow, cut];
  });
  return { options, faults };
};

/** Elections among disks that are slow to sync, with messages that come again late. */
const lateElections: Theme = (random, drawn) => {
  const options = {
    ...contended(random, drawn),
    nodes: random.pick([3, 5]),
    replication: 5,
    syncDelayMsMean: random.pick([5, 20]),
  };
  const faults = repeat(random, options, 350, (atMs): Fault[] => {
    const durationMs = 100 + random.int(700);
    switch (random.int(4)) {
      case 0:
        return [{ atMs, kind: "transfer", to: random.int(options.nodes) }];
      case 1:
        return [{ atMs, kind: "isolate", node: LEADER, lost: "both", durationMs }];
      case 2: {
        const delayMs = 50 + random.int(300);
        const node: Target = random.chance(0.5) ? LEADER : random.int(options.nodes);
        return [{ atMs, kind: "slow-sync", node, delayMs, durationMs }];
      }
      default:
        return [{ atMs, kind: "crash", node: LEADER, downMs: 20 + random.int(200) }];
    }
  });
  return { options, faults: [...lateFrames(random, options), ...faults] };
};

/** Power goes again and again, also right after a start; segments are short. */
const powerCuts: Theme = (random, drawn) => {
  const options = {
    ...contended(random, drawn),
    partitions: random.pick([1, 3]),
    syncDelayMsMean: random.pick([1, 5, 20]),
    segmentSizeBytes: random.pick([24, 48]) * 1024,
    snapshotLogBytes: random.pick([8, 200]) * 1024,
  };
  const faults = repeat(random, options, 600, (atMs): Fault[] => {
    const downMs = 10 + random.int(100);
    const node = random.int(3);
    switch (random.int(4)) {
      case 0: {
        const cut = atMs + random.int(60);
        return [
          { atMs, kind: "sync-failure", node, downMs, power: true },
          { atMs: cut, kind: "power-cut", node, downMs, silent: false },
        ];
      }
      case 1: {
        const again = atMs + downMs + random.int(150);
        return [
          { atMs, kind: "power-cut", node, downMs, silent: false },
          { atMs: again, kind: "power-cut", node, downMs, silent: false },
        ];
      }
      default:
        return [{ atMs, kind: "crash-all", power: true, downMs }];
    }
  });
  return { options, faults };
};

/** Members come and go while leaders change. */
const movesUnderElections: Theme = (random, drawn) => {
  const options = {
    ...contended(random, drawn),
    nodes: 5,
    spares: 2,
    partitions: random.pick([1, 2, 3]),
    deadAfterMs: 1000,
    safetyMs: 6000,
  };
  const churn = repeat(random, options, 250, (atMs): Fault[] => {
    const node: Target = { leaderOf: random.int(options.partitions + 1) };
    const durationMs = 100 + random.int(800);
    switch (random.int(4)) {
      case 0:
        return [{ atMs, kind: "transfer", to: random.int(3) }];
      case 1:
        return [{ atMs, kind: "isolate", node, lost: random.pick(["both", "sent"]), durationMs }];
      case 2:
        return [{ atMs, kind: "isolate", node: random.int(5), lost: "both", durationMs }];
      default:
        return [{ atMs, kind: "crash", node, downMs: 20 + random.int(300) }];
    }
  });
  const moves: Fault[] = [
    { atMs: random.int(800), kind: "join", node: 3 },
    { atMs: random.int(1500), kind: "join", node: 4 },
    { atMs: 1500 + random.int(2000), kind: "remove", node: random.int(3) },
  ];
  return { options, faults: [...moves, ...churn] };
};

/** Replicas far behind, or without their state, meet leaders whose logs begin late. */
const lateSnapshots: Theme = (random, drawn) => {
  const options = {
    ...contended(random, drawn),
    keys: 6,
    snapshotLogBytes: 8 * 1024,
    logWindowBytes: random.pick([2, 8, 32]) * 1024,
    mix: { ...drawn.mix, put: 1, delete: 0.8 },
  };
  const faults = repeat(random, options, 1200, (atMs): Fault[] => {
    const behind = random.int(3);
    const others = [(behind + 1) % 3, (behind + 2) % 3];
    const durationMs = 700 + random.int(600);
    const restarts = others.flatMap((node, i): Fault[] => [
      { atMs: atMs + 300 + 150 * i, kind: "snapshot", node },
      { atMs: atMs + 400 + 150 * i, kind: "crash", node, downMs: 20 },
    ]);
    return [{ atMs, kind: "isolate", node: behind, lost: "both", durationMs }, ...restarts];
  });
  if (!random.chance(0.6)) return { options, faults };
  const node = random.int(3);
  const atMs = 1500 + random.int(2000);
  const rot: Fault = {
    atMs,
    kind: "rot",
    node,
    file: "snapshot",
    power: false,
    downMs: 50 + random.int(300),
    places: [random.float()],
  };
  // Often the only one of its age: who helps has an older one.
  const own: Fault = { atMs: atMs - 100 - random.int(400), kind: "snapshot", node };
  return { options, faults: [...faults, own, rot] };
};

/** Keys that end before they are written again, read and written while leaders and clocks change. */
const shortLives: Theme = (random, drawn) => {
  const { readers } = drawn;
  const options: SimOptions = {
    ...contended(random, drawn),
    expiringKeys: 16,
    mix: { ...drawn.mix, get: 0.2, put: 1, txn: 0, bank: 0, ttl: 3 },
    readers: { staleReaders: 0, watchers: 0, ...readers, scanners: 1 },
  };
  const faults = repeat(random, options, 600, (atMs): Fault[] => {
    const durationMs = 100 + random.int(900);
    switch (random.int(5)) {
      case 0:
        return [{ atMs, kind: "transfer", to: random.int(3) }];
      case 1:
        return [{ atMs, kind: "pause", node: LEADER, durationMs }];
      case 2:
        return [{ atMs, kind: "crash", node: LEADER, downMs: 20 + random.int(300) }];
      case 3:
        return [{ atMs, kind: "clock-rate", node: random.int(3), rate: random.pick([0.9, 1.1]) }];
      default:
        return [{ atMs, kind: "snapshot", node: random.int(3) }];
    }
  });
  const offsetMs = random.pick([-86_400_000, -500, 500, 86_400_000]);
  const jump: Fault = { atMs: random.int(3000), kind: "wall-jump", node: random.int(3), offsetMs };
  return { options, faults: [...faults, jump] };
};

/** Groups that nobody asks fall asleep, and their leaders fall silent, for a while or for good. */
const sleepingGroups: Theme = (random, drawn) => {
  const options: SimOptions = {
    ...contended(random, drawn),
    partitions: 8,
    clients: 2,
    operationsPerSecond: 30,
    mix: { ...drawn.mix, txn: 0, bank: 0, ttl: 0 },
    deadAfterMs: 5000,
    safetyMs: 4000 + random.int(3000),
    lostNode: random.chance(0.5) ? random.int(3) : -1,
  };
  // Long enough apart that everything sleeps in between.
  const faults = repeat(random, options, 3000, (atMs): Fault[] => {
    const node = random.int(3);
    const durationMs = 100 + random.int(1500);
    switch (random.int(4)) {
      case 0:
        return [{ atMs, kind: "pause", node, durationMs }];
      case 1:
        return [{ atMs, kind: "power-cut", node, downMs: durationMs, silent: true }];
      case 2:
        return [{
          atMs,
          kind: "isolate",
          node,
          lost: random.pick(["sent", "received", "both"]),
          durationMs,
        }];
      default:
        return [{ atMs, kind: "reset", from: node, to: (node + 1) % 3 }];
    }
  });
  return { options, faults };
};

const THEMES = {
  "stale-leader": staleLeader,
  "slow-handover": slowHandover,
  "late-elections": lateElections,
  "power-cuts": powerCuts,
  "moves-under-elections": movesUnderElections,
  "late-snapshots": lateSnapshots,
  "short-lives": shortLives,
} as const satisfies Readonly<Record<string, Theme>>;

/** Drawn for among the seeds that have none of those above, so that what these mean stays as it was. */
const LATER_THEMES = {
  "sleeping-groups": sleepingGroups,
} as const satisfies Readonly<Record<string, Theme>>;

export type ThemeName = keyof typeof THEMES | keyof typeof LATER_THEMES;

const THEME_NAMES = Object.keys(THEMES) as (keyof typeof THEMES)[];
const LATER_THEME_NAMES = Object.keys(LATER_THEMES) as (keyof typeof LATER_THEMES)[];
/** Of all seeds, how many have a theme. */
const THEME_CHANCE = 0.4;
/** Of the others, how many have each of the later ones. */
const LATER_THEME_CHANCE = 0.08;

/** The plot of a seed, if it has one. */
export function drawPlot(
  seed: number,
  drawn: SimOptions,
): Plot & { readonly theme: ThemeName } | undefined {
  const random = new SeededRandom(seed).stream("theme");
  if (random.chance(THEME_CHANCE)) {
    const theme = random.pick(THEME_NAMES);
    return { theme, ...THEMES[theme](random, drawn) };
  }
  for (const theme of LATER_THEME_NAMES) {
    const own = new SeededRandom(seed).stream(`later theme ${theme}`);
    if (own.chance(LATER_THEME_CHANCE)) return { theme, ...LATER_THEMES[theme](own, drawn) };
  }
  return undefined;
}
