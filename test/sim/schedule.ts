// What one seed means: the options of its run and the faults, drawn once and before anything runs, as
// plain JSON, so that a schedule can be stored, replayed and made smaller without touching the rest.

import {
  drawFault,
  drawLosingFault,
  drawOperatorFault,
  type Fault,
  LOSING_KINDS,
  REPEATED_KINDS,
} from "./faults.ts";
import { SeededRandom } from "./random.ts";
import { drawPlot, type ThemeName } from "./themes.ts";

/** How often each kind of operation is drawn, relative to the others. */
export interface WorkloadMix {
  readonly get: number;
  readonly put: number;
  readonly putIfAbsent: number;
  readonly cas: number;
  readonly delete: number;
  /** Transactions and single operations on keys of one partition. */
  readonly txn: number;
  /** Puts with a time to live, and reads of such keys. */
  readonly ttl: number;
  /** Transfers between accounts, and looks at them; absent: none. */
  readonly bank?: number;
}

/** Clients that only look, beside those of the mix. */
export interface ReaderCounts {
  /** Scans in pages, one after the other. */
  readonly scanners: number;
  /** Reads from any replica, within the session of a client that writes. */
  readonly staleReaders: number;
  readonly watchers: number;
}

/** Drawn from typed ranges for each seed (swarm testing). */
export interface SimOptions {
  readonly nodes: number;
  /** Of these, nodes that are not among the first ones and may join later. */
  readonly spares: number;
  readonly partitions: number;
  readonly clients: number;
  readonly keys: number;
  /** Operations of all clients together in a simulated second, at most. */
  readonly operationsPerSecond: number;
  /** Operations of all clients together, at most; absent: no bound. */
  readonly operationsMax?: number;
  readonly mix: WorkloadMix;
  /** Keys that are put with a time to live; absent: 2. */
  readonly expiringKeys?: number;
  /** Chance that a write to one of them sets its time to live anew instead; absent: 0. */
  readonly touchChance?: number;
  /** Absent: none. */
  readonly readers?: ReaderCounts;
  readonly networkDelayMsMean: number;
  /** Chance that bytes of one write arrive in pieces. */
  readonly splitChance: number;
  readonly syncDelayMsMean: number;
  /** Chance that a write carries an idempotency key, or belongs to a session: it is sent again in doubt. */
  readonly keyedChance: number;
  /** Of these, how many belong to a session. */
  readonly sessionChance: number;
  readonly snapshotLogBytes: number;
  readonly deadAfterMs: number;
  /** Length of the phase with faults. */
  readonly safetyMs: number;
  /** Replicas of each partition; absent: 3. */
  readonly replication?: number;
  /** Of the log; absent: small enough that a run of seconds sees some of them full. */
  readonly segmentSizeBytes?: number;
  /** Of each group's log, in memory; absent: the product's own, which no run of seconds fills. */
  readonly logWindowBytes?: number;
  /** A node that stays down while the others heal; -1: everything heals at once. */
  readonly lostNode: number;
}

/** A whole run. */
export interface SimSchedule {
  readonly seed: number;
  /** The plot that its faults were drawn for. */
  readonly theme?: ThemeName;
  readonly options: SimOptions;
  readonly faults: readonly Fault[];
}

/** What may be fixed instead of drawing it. */
export type Overrides = Partial<SimOptions>;

/** What the command line may fix, each by the flag of its name. */
export interface FixedFlags {
  readonly nodes?: number;
  readonly partitions?: number;
  /** Operations of all kinds a simulated second. */
  readonly rate?: number;
}

/** Enough that waiting for answers does not slow a fixed rate down. */
const RATE_CLIENTS = 16;
/** Who only looks asks beside the clients: the rate is that of all operations. */
const NO_READERS: ReaderCounts = { scanners: 0, staleReaders: 0, watchers: 0 };

export function overridesOf({ nodes, partitions, rate }: FixedFlags): Overrides {
  return {
    ...(nodes === undefined ? {} : { nodes }),
    ...(partitions === undefined ? {} : { partitions }),
    ...(rate === undefined
      ? {}
      : { operationsPerSecond: rate, clients: RATE_CLIENTS, readers: NO_READERS }),
  };
}

/** The schedule of `seed`. */
export function drawSchedule(seed: number, overrides: Overrides = {}): SimSchedule {
  const random = new SeededRandom(seed).stream("schedule");
  const further = new SeededRandom(seed).stream("further-clients");
  const drawn = drawOptions(random, overrides);
  const bank = further.chance(0.25) ? further.float() : 0;
  const window = new SeededRandom(seed).stream("log-window");
  const touches = new SeededRandom(seed).stream("touches");
  const options: SimOptions = {
    ...drawn,
    mix: { ...drawn.mix, bank },
    readers: drawReaders(further),
    // Small, so that whoever misses a moment needs a snapshot, and replicas forget what they have applied.
    ...(window.chance(0.3) ? { logWindowBytes: window.pick([2, 8, 32]) * 1024 } : {}),
    ...(drawn.mix.ttl > 0 && touches.chance(0.5) ? { touchChance: touches.pick([0.1, 0.3]) } : {}),
    ...overrides,
  };
  if (Object.keys(overrides).length === 0) {
    const plot = drawPlot(seed, options);
    if (plot !== undefined) return { seed, ...plot, faults: inOrder(plot.faults) };
  }
  const { nodes, spares, safetyMs } = options;
  const first = nodes - spares;
  const scene = { nodes: first, partitions: options.partitions, skewed: random.int(first) };
  const share = random.pick([0.15, 0.3, 0.5]);
  const kinds = REPEATED_KINDS.filter(() => random.chance(share));
  if (kinds.length === 0) kinds.push("crash");
  const everyMs = random.pick([150, 400, 1000]);
  const faults: Fault[] = [];
  for (let atMs = random.between(0, everyMs); atMs < safetyMs;) {
    faults.push(drawFault(random, random.pick(kinds), Math.round(atMs), scene));
    atMs += random.between(0, 2 * everyMs);
  }
  const whenMs = () => random.int(Math.ceil(safetyMs * 0.8));
  const joins = spares > 0 && random.chance(0.7);
  if (joins) faults.push({ atMs: whenMs(), kind: "join", node: first });
  // Of three copies one may go for good: by one fault, or with the node that stays down.
  if (options.lostNode < 0 && random.chance(0.4)) {
    const kind = random.pick(
      LOSING_KINDS.filter((kind) => kind !== "remove" || first > 3 || joins),
    );
    faults.push(drawLosingFault(random, kind, whenMs(), random.int(first)));
  }
  const operator = new SeededRandom(seed).stream("operator");
  if (first > 3 && operator.chance(0.5)) {
    const moveEveryMs = operator.pick([300, 1000]);
    for (let atMs = operator.between(0, moveEveryMs); atMs < safetyMs;) {
      faults.push(drawOperatorFault(operator, "move", Math.round(atMs), scene));
      atMs += operator.between(0, 2 * moveEveryMs);
    }
    // With more than one node drained there would be fewer than three copies to lose one of.
    if (operator.chance(0.5)) {
      const atMs = operator.int(Math.ceil(safetyMs * 0.8));
      faults.push(drawOperatorFault(operator, "drain", atMs, scene));
    }
  }
  return { seed, options, faults: inOrder(faults) };
}

function inOrder(faults: readonly Fault[]): Fault[] {
  return faults.toSorted((a, b) => a.atMs - b.atMs);
}

function drawOptions(random: SeededRandom, overrides: Overrides): SimOptions {
  const spares = random.chance(0.2) ? 1 : 0;
  const nodes = overrides.nodes ?? random.pick([3, 3, 3, 4, 5]) + spares;
  const weight = (most: number) => random.chance(0.7) ? random.float() * most : 0;
  const drawn: SimOptions = {
    nodes,
    spares: nodes - spares >= 3 ? spares : 0,
    partitions: random.pick([1, 1, 1, 2, 3, 8]),
    clients: 2 + random.int(8),
    keys: 1 + random.int(6),
    operationsPerSecond: random.pick([30, 60, 120]),
    mix: {
      get: 0.2 + random.float(),
      put: 0.2 + random.float(),
      putIfAbsent: weight(0.4),
      cas: weight(0.6),
      delete: weight(0.4),
      txn: random.chance(0.3) ? random.float() : 0,
      ttl: random.chance(0.3) ? random.float() : 0,
    },
    networkDelayMsMean: random.pick([0.2, 1, 5, 20]),
    splitChance: random.pick([0, 0.05, 0.25]),
    syncDelayMsMean: random.pick([0.1, 1, 5, 20]),
    keyedChance: random.pick([0, 0.5, 1]),
    sessionChance: random.pick([0, 0.5, 1]),
    snapshotLogBytes: random.pick([16, 48, 200]) * 1024,
    deadAfterMs: random.pick([1000, 2000, 5000]),
    safetyMs: 3000 + random.int(4000),
    lostNode: random.chance(0.15) ? random.int(nodes - spares) : -1,
  };
  return { ...drawn, ...overrides };
}

function drawReaders(random: SeededRandom): ReaderCounts {
  const count = (most: number) => random.chance(0.4) ? 1 + random.int(most) : 0;
  return { scanners: count(2), staleReaders: count(3), watchers: count(3) };
}
