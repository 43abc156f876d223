// What one seed means: the options of its run and the faults, drawn once and before anything runs, as
// plain JSON, so that a schedule can be stored, replayed and made smaller without touching the rest.

import { SeededRandom } from "./random.ts";

/** Drawn from typed ranges for each seed (swarm testing). */
export interface SimOptions {
  readonly nodes: number;
  readonly partitions: number;
  readonly clients: number;
  readonly keys: number;
  /** Operations of all clients together in a simulated second, at most. */
  readonly operationsPerSecond: number;
  readonly networkDelayMsMean: number;
  readonly syncDelayMsMean: number;
  /** Chance that a write carries an idempotency key and is therefore sent again when in doubt. */
  readonly idempotentChance: number;
  /** Length of the phase with faults. */
  readonly safetyMs: number;
}

/** One fault. Nodes are counted from 0; whatever has a duration ends by itself. */
export type Fault =
  & { readonly atMs: number }
  & (
    | { readonly kind: "crash"; readonly node: number; readonly downMs: number }
    | {
      readonly kind: "power-cut";
      readonly node: number;
      readonly downMs: number;
      /** Peers see no reset. */
      readonly silent: boolean;
    }
    | { readonly kind: "crash-all"; readonly power: boolean; readonly downMs: number }
    | { readonly kind: "pause"; readonly node: number; readonly durationMs: number }
    | { readonly kind: "partition"; readonly left: readonly number[]; readonly durationMs: number }
    | {
      readonly kind: "one-way";
      readonly from: number;
      readonly to: number;
      readonly durationMs: number;
    }
    | {
      readonly kind: "clog";
      readonly from: number;
      readonly to: number;
      readonly durationMs: number;
    }
    | { readonly kind: "reset"; readonly from: number; readonly to: number }
    | { readonly kind: "wall-jump"; readonly node: number; readonly offsetMs: number }
    | { readonly kind: "clock-rate"; readonly node: number; readonly rate: number }
    | {
      readonly kind: "slow-sync";
      readonly node: number;
      readonly delayMs: number;
      readonly durationMs: number;
    }
    | { readonly kind: "sync-failure"; readonly node: number; readonly downMs: number }
    | { readonly kind: "snapshot"; readonly node: number }
    | { readonly kind: "transfer"; readonly to: number }
    | { readonly kind: "stop"; readonly node: number; readonly downMs: number }
    /** The data directory is lost; at most once a run. */
    | { readonly kind: "wipe"; readonly node: number; readonly downMs: number }
  );

/** What is drawn again and again. */
export type FaultKind = Exclude<Fault["kind"], "wipe">;

export const FAULT_KINDS: readonly FaultKind[] = [
  "crash",
  "power-cut",
  "crash-all",
  "pause",
  "partition",
  "one-way",
  "clog",
  "reset",
  "wall-jump",
  "clock-rate",
  "slow-sync",
  "sync-failure",
  "snapshot",
  "transfer",
  "stop",
];

/** A whole run. */
export interface SimSchedule {
  readonly seed: number;
  readonly options: SimOptions;
  readonly faults: readonly Fault[];
}

/** The schedule of `seed`; `nodes` overrides what it draws. */
export function drawSchedule(seed: number, nodes?: number): SimSchedule {
  const random = new SeededRandom(seed).stream("schedule");
  const options: SimOptions = {
    nodes: nodes ?? random.pick([3, 3, 3, 5]),
    partitions: random.pick([1, 1, 2, 3]),
    clients: 2 + random.int(6),
    keys: 1 + random.int(6),
    operationsPerSecond: random.pick([20, 50, 100]),
    networkDelayMsMean: random.pick([0.2, 1, 5, 20]),
    syncDelayMsMean: random.pick([0.1, 1, 5, 20]),
    idempotentChance: random.pick([0, 0.5, 1]),
    safetyMs: 5000 + random.int(4000),
  };
  // Partition time bears one wrong wall clock among a partition's three replicas, not two.
  const skewed = random.int(options.nodes);
  const kinds = FAULT_KINDS.filter(() => random.chance(0.5));
  if (kinds.length === 0) kinds.push("crash");
  const everyMs = random.pick([150, 400, 1000]);
  const faults: Fault[] = [];
  let atMs = random.between(0, everyMs);
  while (atMs < options.safetyMs) {
    faults.push(drawFault(random, random.pick(kinds), Math.round(atMs), options.nodes, skewed));
    atMs += random.between(0, 2 * everyMs);
  }
  if (random.chance(0.15)) {
    const node = random.int(options.nodes);
    const wipedMs = random.int(options.safetyMs);
    faults.push({ atMs: wipedMs, kind: "wipe", node, downMs: 10 + random.int(500) });
  }
  return { seed, options, faults };
}

function drawFault(
  random: SeededRandom,
  kind: FaultKind,
  atMs: number,
  nodes: number,
  skewed: number,
): Fault {
  const node = random.int(nodes);
  const other = (node + 1 + random.int(nodes - 1)) % nodes;
  const durationMs = Math.round(random.between(20, 200) * random.pick([1, 4, 15]));
  switch (kind) {
    case "crash":
    case "stop":
    case "sync-failure":
      return { atMs, kind, node, downMs: durationMs };
    case "power-cut":
      return { atMs, kind, node, downMs: durationMs, silent: random.chance(0.5) };
    case "crash-all":
      return { atMs, kind, power: random.chance(0.7), downMs: durationMs };
    case "pause":
      return { atMs, kind, node, durationMs };
    case "partition": {
      const left = Array.from({ length: nodes }, (_, i) => i).filter(() => random.chance(0.5));
      return { atMs, kind, left: left.length % nodes === 0 ? [node] : left, durationMs };
    }
    case "one-way":
    case "clog":
      return { atMs, kind, from: node, to: other, durationMs };
    case "reset":
      return { atMs, kind, from: node, to: other };
    case "wall-jump": {
      const scaleMs = random.pick([500, 60_000, 86_400_000]);
      return { atMs, kind, node: skewed, offsetMs: Math.round(random.between(-scaleMs, scaleMs)) };
    }
    case "clock-rate":
      return { atMs, kind, node, rate: random.pick([0.9, 0.99, 1, 1.01, 1.1]) };
    case "slow-sync":
      return { atMs, kind, node, delayMs: Math.round(random.between(20, 500)), durationMs };
    case "snapshot":
      return { atMs, kind, node };
    case "transfer":
      return { atMs, kind, to: node };
  }
}
