// The recent part of one group's log in memory, as the core's Storage. Older entries live only in the
// write-ahead log until a snapshot covers them; a follower that needs those is sent a snapshot, and what
// follows that snapshot stays until the follower has it. It never invents a snapshot: it names the newest
// durable file, or none.

import type { LogIndex, ReplicaId, Term } from "../base/ids.ts";
import {
  type ConfState,
  type Entry,
  type HardState,
  MemoryStorage,
  type Snapshot,
  type SnapshotMetadata,
  type Storage,
} from "../raft/mod.ts";
import { NO_BYTES } from "../base/bytes.ts";
import type { GroupSnapshots, SnapshotPoint } from "./log_port.ts";

/** What compaction cuts the window back to; the difference keeps compaction rare. */
const KEPT_SHARE = 1 / 2;

/** Bytes of entries in memory; see `trim`. */
export interface WindowLimits {
  /** For followers a little late. */
  readonly bytesMax: number;
  /** While a follower is helped that is further behind than that. */
  readonly helpingBytesMax: number;
}

/** What recovery knows of a replica's log. */
export interface RecoveredLog {
  readonly hardState: HardState;
  /** The log's entries follow this snapshot. */
  readonly snapshot: SnapshotPoint;
  readonly entries: readonly Entry[];
}

export class WindowStorage implements Storage {
  readonly #memory = new MemoryStorage();
  readonly #hardState: HardState;
  readonly #confState: ConfState;
  readonly #snapshots: GroupSnapshots;
  readonly #onSnapshotWanted: () => void;
  /**
   * Followers that need a snapshot, each with the index behind which it will go on: that of the snapshot it was
   * promised. Without one the log stays as it is. *Invariant:* empty unless this replica leads or has led.
   */
  readonly #helped = new Map<ReplicaId, LogIndex>();

  constructor(
    recovered: RecoveredLog,
    snapshots: GroupSnapshots,
    onSnapshotWanted: () => void,
  ) {
    this.#hardState = recovered.hardState;
    this.#confState = recovered.snapshot.configuration.confState;
    this.#snapshots = snapshots;
    this.#onSnapshotWanted = onSnapshotWanted;
    if (recovered.snapshot.index > 0) {
      this.applySnapshot(metadataOf(recovered.snapshot));
    }
    if (recovered.entries.length > 0) this.#memory.append(recovered.entries);
  }

  initialState(): { hardState: HardState; confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#confState };
  }

  entries(lo: LogIndex, hi: LogIndex, maxBytes: number): readonly Entry[] | null {
    return this.#memory.entries(lo, hi, maxBytes);
  }

  term(index: LogIndex): Term {
    return this.#memory.term(index);
  }

  lastIndex(): LogIndex {
    return this.#memory.lastIndex();
  }

  firstIndex(): LogIndex {
    return this.#memory.firstIndex();
  }

  snapshot(to: ReplicaId): Snapshot | null {
    const latest = this.#snapshots.latest;
    if (
      latest === undefined || latest.point.index < this.#memory.firstIndex() - 1 ||
      !names(latest.point, to)
    ) {
      this.#helped.set(to, this.#memory.firstIndex() - 1);
      this.#onSnapshotWanted();
      return null;
    }
    this.#helped.set(to, latest.point.index);
    return { data: NO_BYTES, metadata: metadataOf(latest.point) };
  }

  append(entries: readonly Entry[]): void {
    this.#memory.append(entries);
  }

  applySnapshot(metadata: SnapshotMetadata): void {
    this.#memory.applySnapshot({ data: NO_BYTES, metadata });
  }

  /** Nobody waits for replica `id` any longer: it can't be reached. It will ask again. */
  giveUp(id: ReplicaId): void {
    this.#helped.delete(id);
  }

  /**
   * Drops applied entries from memory when they are more than followers a little late may need. What follows
   * the snapshot of one that is further behind stays longer: where writing and sending it outlasts the window,
   * it would else come in vain, and every later one too. `matchOf`: how far a follower's log is known to be
   * the leader's own; undefined if it follows us no more.
   */
  trim(
    appliedIndex: LogIndex,
    { bytesMax, helpingBytesMax }: WindowLimits,
    matchOf: (id: ReplicaId) => LogIndex | undefined,
  ): void {
    const { heldBytes } = this.#memory;
    if (heldBytes <= bytesMax) return;
    const first = this.#memory.firstIndex();
    // Entries are of similar size within a window, so a share of the bytes is a share of the indexes.
    const share = 1 - KEPT_SHARE * bytesMax / heldBytes;
    const count = Math.floor((this.#memory.lastIndex() - first + 1) * share);
    let upTo = Math.min(appliedIndex, first + count);
    if (heldBytes > helpingBytesMax) this.#helped.clear();
    for (const [id, promised] of this.#helped) {
      const match = matchOf(id);
      if (match === undefined || match >= upTo) this.#helped.delete(id);
      else upTo = Math.min(upTo, Math.max(promised, match));
    }
    if (upTo >= first) this.#memory.compact(upTo);
  }
}

/** Whether a replica is in a snapshot's configuration: it would refuse one that it is not in. */
function names({ configuration }: SnapshotPoint, replicaId: ReplicaId): boolean {
  const { voters, votersOutgoing, learners, learnersNext } = configuration.confState;
  return [voters, votersOutgoing, learners, learnersNext].some((ids) => ids.includes(replicaId));
}

/** A snapshot as the core knows it. */
export function metadataOf(point: SnapshotPoint): SnapshotMetadata {
  return { index: point.index, term: point.term, confState: point.configuration.confState };
}
