// Every fault that a run may meet, as plain JSON, and how its numbers are drawn. What a fault does is
// injector.ts's business. Only what the product promises to survive belongs here.

import type { SeededRandom } from "./random.ts";

/** A node by its number, or whoever leads a partition when the fault happens. */
export type Target = number | { readonly leaderOf: number };

/** Nodes are counted from 0; whatever has a duration ends by itself. */
export type Fault =
  & { readonly atMs: number }
  & (
    | { readonly kind: "crash"; readonly node: Target; readonly downMs: number }
    | {
      readonly kind: "power-cut";
      readonly node: Target;
      readonly downMs: number;
      /** Peers see no reset. */
      readonly silent: boolean;
    }
    | { readonly kind: "crash-all"; readonly power: boolean; readonly downMs: number }
    | { readonly kind: "stop"; readonly node: Target; readonly downMs: number }
    | { readonly kind: "pause"; readonly node: Target; readonly durationMs: number }
    | { readonly kind: "partition"; readonly left: readonly number[]; readonly durationMs: number }
    /** One node loses what it sends, what it receives, or both. */
    | {
      readonly kind: "isolate";
      readonly node: Target;
      readonly lost: "sent" | "received" | "both";
      readonly durationMs: number;
    }
    /** Two halves that see each other through one node only. */
    | {
      readonly kind: "bridge";
      readonly node: number;
      readonly left: readonly number[];
      readonly durationMs: number;
    }
    /** Each node sees its two neighbours only. */
    | { readonly kind: "ring"; readonly durationMs: number }
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
    /** Everything on one link takes longer, so that messages of different links change order. */
    | {
      readonly kind: "slow-link";
      readonly from: number;
      readonly to: number;
      readonly delayMs: number;
      readonly durationMs: number;
    }
    | {
      readonly kind: "refuse";
      readonly from: number;
      readonly to: number;
      readonly durationMs: number;
    }
    | { readonly kind: "reset"; readonly from: number; readonly to: number }
    /** Raft frames of this or earlier connections come again, late. */
    | {
      readonly kind: "late-frames";
      readonly from: Target;
      readonly chance: number;
      readonly durationMs: number;
    }
    | { readonly kind: "wall-jump"; readonly node: number; readonly offsetMs: number }
    | { readonly kind: "clock-rate"; readonly node: number; readonly rate: number }
    | {
      readonly kind: "slow-sync";
      readonly node: Target;
      readonly delayMs: number;
      readonly durationMs: number;
    }
    | {
      readonly kind: "sync-failure";
      readonly node: Target;
      readonly downMs: number;
      /** The machine goes down with the process, so that what the sync lost is lost. */
      readonly power: boolean;
    }
    | {
      readonly kind: "disk-full";
      readonly node: Target;
      readonly freeBytes: number;
      readonly durationMs: number;
    }
    | { readonly kind: "snapshot"; readonly node: Target }
    | { readonly kind: "transfer"; readonly to: number }
    /** The data directory is lost. */
    | { readonly kind: "wipe"; readonly node: number; readonly downMs: number }
    /** Bits of what had been synced flip while the machine is down: the log's before its durable mark. */
    | {
      readonly kind: "rot";
      readonly node: number;
      readonly file: "log" | "snapshot";
      readonly power: boolean;
      readonly downMs: number;
      /** Where in what may rot, 0 to 1, for each flipped bit. */
      readonly places: readonly number[];
    }
    /** A write of the log lands elsewhere; later, when the mark has passed it, the process crashes. */
    | {
      readonly kind: "misdirect";
      readonly node: number;
      /** Where it lands, 0 to 1 of the segment. */
      readonly place: number;
      readonly downMs: number;
    }
    /** A further node starts and joins. */
    | { readonly kind: "join"; readonly node: number }
    /** A member is told to leave. */
    | { readonly kind: "remove"; readonly node: number }
    /** A partition's replica is moved: one of those it has, to one of the nodes that have none. */
    | {
      readonly kind: "move";
      readonly partition: number;
      readonly leaving: number;
      readonly arriving: number;
      /** So long after, the very same order is given again. */
      readonly againMs?: number;
    }
    /** A member is emptied, and taken back later. */
    | { readonly kind: "drain"; readonly node: number; readonly durationMs: number }
  );

export type FaultKind = Fault["kind"];

/** Drawn again and again. */
export const REPEATED_KINDS = [
  "crash",
  "power-cut",
  "crash-all",
  "stop",
  "pause",
  "partition",
  "isolate",
  "bridge",
  "ring",
  "one-way",
  "clog",
  "slow-link",
  "refuse",
  "reset",
  "late-frames",
  "wall-jump",
  "clock-rate",
  "slow-sync",
  "sync-failure",
  "disk-full",
  "snapshot",
  "transfer",
] as const satisfies readonly FaultKind[];

/** Each takes a copy of the data for good, so that one of them a run is all a quorum of three bears. */
export const LOSING_KINDS = [
  "wipe",
  "rot",
  "misdirect",
  "remove",
] as const satisfies readonly FaultKind[];

/** What operators do to the members. */
export const OPERATOR_KINDS = ["move", "drain"] as const satisfies readonly FaultKind[];

export const FAULT_KINDS: readonly FaultKind[] = [
  ...REPEATED_KINDS,
  ...LOSING_KINDS,
  ...OPERATOR_KINDS,
  "join",
];

/** What faults are drawn for. */
export interface FaultScene {
  readonly nodes: number;
  readonly partitions: number;
  /** Whose wall clock may be wrong: one node a run, see README.md. */
  readonly skewed: number;
}

/** Draws one fault of a kind that may be repeated. */
export function drawFault(
  random: SeededRandom,
  kind: typeof REPEATED_KINDS[number],
  atMs: number,
  { nodes, partitions, skewed }: FaultScene,
): Fault {
  const node = random.int(nodes);
  const other = (node + 1 + random.int(nodes - 1)) % nodes;
  const target: Target = random.chance(0.4) ? { leaderOf: random.int(partitions + 1) } : node;
  const durationMs = Math.round(random.between(20, 200) * random.pick([1, 4, 15]));
  const some = () => {
    const left = Array.from({ length: nodes }, (_, i) => i).filter(() => random.chance(0.5));
    return left.length % nodes === 0 ? [node] : left;
  };
  switch (kind) {
    case "crash":
    case "stop":
      return { atMs, kind, node: target, downMs: durationMs };
    case "sync-failure":
      return { atMs, kind, node: target, downMs: durationMs, power: random.chance(0.5) };
    case "power-cut":
      return { atMs, kind, node: target, downMs: durationMs, silent: random.chance(0.5) };
    case "crash-all":
      return { atMs, kind, power: random.chance(0.7), downMs: durationMs };
    case "pause":
      return { atMs, kind, node: target, durationMs };
    case "partition":
      return { atMs, kind, left: some(), durationMs };
    case "isolate": {
      const lost = random.pick(["sent", "received", "both"] as const);
      return { atMs, kind, node: target, lost, durationMs };
    }
    case "bridge":
      return { atMs, kind, node, left: some(), durationMs };
    case "ring":
      return { atMs, kind, durationMs };
    case "one-way":
    case "clog":
    case "refuse":
      return { atMs, kind, from: node, to: other, durationMs };
    case "slow-link": {
      const delayMs = Math.round(random.between(2, 20) * random.pick([1, 10]));
      return { atMs, kind, from: node, to: other, delayMs, durationMs };
    }
    case "reset":
      return { atMs, kind, from: node, to: other };
    case "late-frames":
      return { atMs, kind, from: target, chance: random.pick([0.05, 0.2, 0.5]), durationMs };
    case "wall-jump": {
      const scaleMs = random.pick([500, 60_000, 86_400_000]);
      return { atMs, kind, node: skewed, offsetMs: Math.round(random.between(-scaleMs, scaleMs)) };
    }
    case "clock-rate":
      return { atMs, kind, node, rate: random.pick([0.9, 0.99, 1, 1.01, 1.1]) };
    case "slow-sync": {
      const delayMs = Math.round(random.between(20, 500));
      return { atMs, kind, node: target, delayMs, durationMs };
    }
    case "disk-full": {
      const freeBytes = random.pick([0, 20_000, 200_000, 100 * 1024 * 1024]);
      return { atMs, kind, node: target, freeBytes, durationMs };
    }
    case "snapshot":
      return { atMs, kind, node: target };
    case "transfer":
      return { atMs, kind, to: node };
  }
}

/** Draws a fault that costs `node` its copy of the data. */
export function drawLosingFault(
  random: SeededRandom,
  kind: typeof LOSING_KINDS[number],
  atMs: number,
  node: number,
): Fault {
  const downMs = 10 + random.int(500);
  switch (kind) {
    case "wipe":
      return { atMs, kind, node, downMs };
    case "rot": {
      const places = Array.from({ length: random.pick([1, 1, 3]) }, () => random.float());
      const file = random.chance(0.7) ? "log" : "snapshot";
      return { atMs, kind, node, file, power: random.chance(0.5), downMs, places };
    }
    case "misdirect":
      return { atMs, kind, node, place: random.float(), downMs };
    case "remove":
      return { atMs, kind, node };
  }
}

/** Draws what an operator does. */
export function drawOperatorFault(
  random: SeededRandom,
  kind: typeof OPERATOR_KINDS[number],
  atMs: number,
  { nodes, partitions }: FaultScene,
): Fault {
  switch (kind) {
    case "move": {
      // The meta group moves, too.
      const partition = random.int(partitions + 1);
      const order = { partition, leaving: random.int(3), arriving: random.int(nodes) };
      const again = random.chance(0.4) ? { againMs: 20 + random.int(400) } : {};
      return { atMs, kind, ...order, ...again };
    }
    case "drain":
      return { atMs, kind, node: random.int(nodes), durationMs: 500 + random.int(3000) };
  }
}
