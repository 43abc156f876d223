// Points in time of a backup: which of the changes it carries belong to the state that is wanted. Every
// partition has its own, because there is no order across partitions.

import { type Block, BlockType, decodeChanges } from "../../backup/mod.ts";
import { type WatchPosition, WHOLE_REVISION } from "../../store/history.ts";
import { EXIT, Exit, usage } from "../exit.ts";
import type { BackupState } from "./state.ts";

/** What `--at` asks for. */
export type Moment =
  /** All the changes there are. */
  | { readonly kind: "end" }
  /** None of them: each partition as it was copied. */
  | { readonly kind: "copy" }
  /** What was recorded by then, by the clock of the machine that made the backup. */
  | { readonly kind: "time"; readonly wallMs: number }
  /** Partitions at these indexes of their logs, others at the end. */
  | { readonly kind: "index"; readonly indexes: ReadonlyMap<number, number> };

/** Throws Exit. */
export function parseMoment(text: string): Moment {
  if (text === "end" || text === "copy") return { kind: text };
  if (/^\d+:\d+(,\d+:\d+)*$/.test(text)) {
    const pairs = text.split(",").map((pair): [number, number] => {
      const [partition, index] = pair.split(":").map(Number);
      return [partition, index];
    });
    const indexes = new Map(pairs);
    if (indexes.size === pairs.length && pairs.every((pair) => pair.every(Number.isSafeInteger))) {
      return { kind: "index", indexes };
    }
  }
  const wallMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(wallMs)) {
    throw usage(
      `--at ${text}: it takes end, copy, a time (2026-03-01T12:00:00Z), or PARTITION:INDEX,…`,
    );
  }
  return { kind: "time", wallMs };
}

/** What of one partition belongs to the wanted state. */
export interface PartitionMoment {
  /** Changes up to it. */
  upTo: WatchPosition;
  /** Partition time there; keys whose time has come by then are gone. */
  timeMs: number;
}

/** Follows a scan of a file and finds the wanted moment of each partition. */
export class MomentFinder {
  readonly #moment: Moment;
  readonly partitions = new Map<number, PartitionMoment>();

  constructor(moment: Moment) {
    this.#moment = moment;
  }

  /** Call for each block once `state` has taken it. */
  take({ type, partition, payload }: Block, state: BackupState): void {
    const own = state.partitions.get(partition);
    if (own === undefined) return;
    if (type === BlockType.Begin) {
      const { changesTo: upTo, changesTimeMs: timeMs } = own;
      this.partitions.set(partition, { upTo, timeMs });
      return;
    }
    const found = this.partitions.get(partition);
    if (type !== BlockType.Changes || found === undefined) return;
    const { from, to, timeMs, wallMs } = decodeChanges(payload);
    const moment = this.#moment;
    const limit = moment.kind === "index" ? moment.indexes.get(partition) ?? Infinity : Infinity;
    if (moment.kind === "copy" || moment.kind === "time" && wallMs > moment.wallMs) return;
    if (to.revision <= limit) {
      found.upTo = to;
      found.timeMs = Math.max(found.timeMs, timeMs);
    } else if (from.revision < limit) {
      found.upTo = { revision: limit, subIndex: WHOLE_REVISION };
    }
  }

  /** Throws Exit if the file does not reach the moment. */
  check(state: BackupState): void {
    const moment = this.#moment;
    if (moment.kind === "index") return checkIndexes(moment.indexes, state);
    if (moment.kind === "time") checkTime(moment.wallMs, state);
  }
}

function checkIndexes(indexes: ReadonlyMap<number, number>, state: BackupState): void {
  for (const [partition, index] of indexes) {
    const own = state.partitions.get(partition);
    if (own === undefined) throw usage(`--at: there is no partition ${partition} in the backup`);
    const { begin: { applied }, changesTo: { revision } } = own;
    if (index >= applied && index <= revision) continue;
    throw new Exit(
      EXIT.error,
      `Partition ${partition} can be restored at indexes ${applied} to ${revision}, not ${index}`,
    );
  }
}

function checkTime(wallMs: number, state: BackupState): void {
  const when = (ms: number) => new Date(ms).toISOString();
  const all = [...state.partitions.values()];
  const firstMs = Math.max(...all.map(({ begin }) => begin.wallMs));
  const lastMs = state.trailer?.finishedMs ?? Math.max(...all.map((one) => one.changesWallMs));
  if (wallMs < firstMs || wallMs > lastMs) {
    throw new Exit(
      EXIT.error,
      `The backup reaches from ${when(firstMs)} to ${when(lastMs)}: not to ${when(wallMs)}`,
    );
  }
  for (const { begin: { partition }, gone, changesWallMs } of all) {
    if (gone === undefined || wallMs <= changesWallMs) continue;
    throw new Exit(
      EXIT.error,
      `The changes of partition ${partition} end at ${when(changesWallMs)}: ${gone}`,
    );
  }
}
