// What happened on this node and around it, newest last: a bounded list for operators to read. Informs;
// nothing may depend on an entry being there.

import type { NodeId, PartitionId, Term } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";

/** What only the node itself can tell of; other nodes learn of it from its reports. */
const OWN_KINDS = ["started", "elected", "disk-low", "disk-room", "disk-slow"] as const;
/** What every node sees for itself, in the map or by gossip. */
const SHARED_KINDS = [
  "suspect",
  "dead",
  "alive",
  "joined",
  "left",
  "draining",
  "leaving",
  "active",
  "move-began",
  "move-done",
  "move-cancelled",
] as const;
export type HappeningKind = typeof OWN_KINDS[number] | typeof SHARED_KINDS[number];

/** Something that happened, or several of one kind in a row. */
export interface Happening {
  /** Ascending within one life of the node; stays when the entry grows. */
  readonly id: number;
  /** Ascends with every addition and growth, so that a reader can ask for what is new to it. */
  readonly change: number;
  /** By the wall clock of the node that tells. */
  readonly atMs: number;
  readonly kind: HappeningKind;
  /** Whom it happened to. */
  readonly nodeId: NodeId;
  /** How often in a row. */
  readonly count: number;
  /** The first few partitions concerned. */
  readonly partitions: readonly PartitionId[];
  /** Of the last election. */
  readonly term?: Term;
  /** Of the slowest sync. */
  readonly durationMs?: number;
  /** Nodes that get a replica and that give one up, by a move. */
  readonly to?: readonly NodeId[];
  readonly from?: readonly NodeId[];
}

/** What is known of a happening beside its kind and whom it happened to. */
export type HappeningDetails =
  & { readonly partition?: PartitionId }
  & Pick<Happening, "term" | "durationMs" | "to" | "from">;

export const HAPPENINGS_KEPT_MAX = 200;
const PARTITIONS_NAMED_MAX = 8;
/** Happenings of one kind so close together are one entry: a node that dies costs many elections. */
const ROW_GAP_MS = 2_000;
/** A row ends here at the latest, so that a steady trickle makes entries. */
const ROW_MS_MAX = 10_000;
/** Kinds that come in rows. A move names its nodes and stands alone. */
const ROWS: ReadonlySet<HappeningKind> = new Set(["elected", "disk-slow"]);
const OWN: ReadonlySet<HappeningKind> = new Set(OWN_KINDS);

interface Kept {
  happening: Happening;
  readonly beganMs: number;
  lastMs: number;
}

export class Journal {
  readonly #clock: Clock;
  #kept: Kept[] = [];
  #nextId = 1;
  #changes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Where a reader stands that has seen everything. */
  get changes(): number {
    return this.#changes;
  }

  note(kind: HappeningKind, nodeId: NodeId, details: HappeningDetails = {}): void {
    const nowMs = this.#clock.monotonicMs();
    const { partition, ...more } = details;
    const change = ++this.#changes;
    const last = this.#kept.findLast(({ happening }) =>
      happening.kind === kind && happening.nodeId === nodeId
    );
    const isInRow = last !== undefined && ROWS.has(kind) &&
      nowMs - last.lastMs < ROW_GAP_MS && nowMs - last.beganMs < ROW_MS_MAX;
    if (isInRow) {
      const { happening } = last;
      const named = partition !== undefined && !happening.partitions.includes(partition) &&
        happening.partitions.length < PARTITIONS_NAMED_MAX;
      last.lastMs = nowMs;
      last.happening = {
        ...happening,
        ...more,
        ...longer(happening, more),
        change,
        count: happening.count + 1,
        partitions: named ? [...happening.partitions, partition] : happening.partitions,
      };
      return;
    }
    this.#kept.push({
      beganMs: nowMs,
      lastMs: nowMs,
      happening: {
        id: this.#nextId++,
        change,
        atMs: this.#clock.wallMs(),
        kind,
        nodeId,
        count: 1,
        partitions: partition === undefined ? [] : [partition],
        ...more,
      },
    });
    if (this.#kept.length > HAPPENINGS_KEPT_MAX) this.#kept.shift();
  }

  /** What was added or has grown since `change`, oldest first. */
  since(change: number): Happening[] {
    return this.#kept.map(({ happening }) => happening)
      .filter((happening) => happening.change > change);
  }

  /** As `since`, without what every node sees for itself. */
  ownSince(change: number): Happening[] {
    return this.since(change).filter(({ kind }) => OWN.has(kind));
  }
}

function longer(before: Happening, now: HappeningDetails): { durationMs?: number } {
  if (before.durationMs === undefined && now.durationMs === undefined) return {};
  return { durationMs: Math.max(before.durationMs ?? 0, now.durationMs ?? 0) };
}
