// The state that a backup file stands for at a moment: a checked file, its moment, and what must be in a
// cluster that it was restored into.

import {
  BlockType,
  type Content,
  ContentSum,
  decodeChanges,
  decodeRecords,
  type Hash128,
  recordHash,
} from "../../backup/mod.ts";
import type { RecordView, WatchEvent } from "../../store/types.ts";
import { EXIT, Exit } from "../exit.ts";
import { readBlocks, scanBackup } from "./file.ts";
import { type Moment, MomentFinder, type PartitionMoment } from "./moment.ts";
import type { BackupState } from "./state.ts";

/** A file in which everything was found to be right. */
export interface WantedState {
  readonly path: string;
  readonly state: BackupState;
  readonly moments: ReadonlyMap<number, PartitionMoment>;
  /** The file's whole blocks end here. */
  readonly endBytes: number;
  /** Some changes belong to the moment. */
  readonly hasChanges: boolean;
}

/**
 * Checks a file from its first byte to its last. `mayBeUnfinished`: the copies suffice, even if the file was
 * cut off behind them. Throws Exit.
 */
export function openWanted(path: string, moment: Moment, mayBeUnfinished: boolean): WantedState {
  const finder = new MomentFinder(moment);
  const scan = scanBackup(path, ({ block }, state) => finder.take(block, state));
  const { state, damage, endBytes } = scan;
  if (state.isEmpty) throw new Exit(EXIT.error, `${path} is no backup: ${damage ?? "it is empty"}`);
  const missing = state.missing();
  const isFinished = state.trailer !== undefined && damage === undefined;
  if (!isFinished && (missing.length > 0 || !mayBeUnfinished)) {
    throw new Exit(EXIT.error, unfinished(path, damage, missing));
  }
  finder.check(state);
  const hasChanges = [...finder.partitions].some(([partition, { upTo }]) =>
    upTo.revision > state.partitions.get(partition)!.begin.applied
  );
  return { path, state, moments: finder.partitions, endBytes, hasChanges };
}

function unfinished(path: string, damage: string | undefined, missing: number[]): string {
  if (missing.length > 0) {
    const what = damage ?? "it was never finished";
    return `${path}: ${what}; partitions without a whole copy: ${missing.join(", ")}`;
  }
  return `${path}: ${damage ?? "it was never finished"}\n` +
    "All partitions are copied: finish it with kv backup --resume, or take it as it is with --unfinished";
}

/** Whether a record is still there at the moment. */
export function isLive({ expiresAtMs }: Pick<RecordView, "expiresAtMs">, timeMs: number): boolean {
  return expiresAtMs === undefined || expiresAtMs > timeMs;
}

/** Whether a change belongs to the moment. */
export function belongs({ revision, subIndex }: WatchEvent, { upTo }: PartitionMoment): boolean {
  return revision < upTo.revision || revision === upTo.revision && subIndex <= upTo.subIndex;
}

/** A key's last change: undefined if it is gone by it. */
interface LastChange {
  readonly hash: Hash128;
  readonly expires: boolean;
}

/** What a cluster holds in which exactly this state is. Takes memory for each key that was changed. */
export function contentOf({ path, state, moments, hasChanges }: WantedState): Content {
  const changed = new Map<string, LastChange | undefined>();
  const passes = (types: readonly number[], visit: typeof take) => {
    for (const { block } of readBlocks(path)) {
      if (!types.includes(block.type) || !state.isCurrent(block)) continue;
      visit(block.payload, moments.get(block.partition)!, block.type);
    }
  };
  const sum = new ContentSum();
  const take = (payload: Uint8Array, moment: PartitionMoment, type: number) => {
    if (type === BlockType.Changes) {
      for (const event of decodeChanges(payload).events) {
        if (belongs(event, moment)) changed.set(event.key, lastOf(event, moment));
      }
      return;
    }
    for (const record of decodeRecords(payload)) {
      if (!changed.has(record.key) && isLive(record, moment.timeMs)) sum.add(record);
    }
  };
  if (hasChanges) passes([BlockType.Changes], take);
  passes([BlockType.Records], take);
  for (const last of changed.values()) if (last !== undefined) sum.addHash(last.hash, last.expires);
  return sum.content();
}

function lastOf(event: WatchEvent, { timeMs }: PartitionMoment): LastChange | undefined {
  const { kind, key, value = "", contentType = "", expiresAtMs } = event;
  if (kind !== "put" || !isLive({ expiresAtMs }, timeMs)) return undefined;
  return { hash: recordHash({ key, value, contentType }), expires: expiresAtMs !== undefined };
}
