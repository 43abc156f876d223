// The node's log and snapshot folder as each group's replica sees them. Translates between a replica's
// terms and the files'; keeps nothing itself.

import type { LogIndex, PartitionId, ReplicaId } from "../base/ids.ts";
import type { Entry, HardState } from "../raft/mod.ts";
import {
  type AppliedConfiguration,
  decodeConfiguration,
  encodeConfiguration,
} from "../replica/configuration.ts";
import type {
  GroupLog,
  GroupSnapshots,
  LogAppend,
  SnapshotFile,
  SnapshotPoint,
} from "../replica/log_port.ts";
import type { SnapshotFile as StoredSnapshotFile, SnapshotStore } from "../snapshot/mod.ts";
import type { RecoveredGroup, SnapshotMarker, Wal } from "../wal/mod.ts";

/** What the log knew of a group when the node started. */
export interface RecoveredReplica {
  readonly group: PartitionId;
  readonly replicaId: ReplicaId;
  readonly hardState: HardState;
  /** The entries follow it; index 0 on a replica that never had a state. */
  readonly snapshot: SnapshotPoint;
  readonly entries: Entry[];
  /** Why it may never again vote or acknowledge; null when it is whole. */
  readonly suspect: string | null;
}

/** Where a replica starts that is to get everything from its leader. */
export const NO_SNAPSHOT: SnapshotPoint = {
  index: 0,
  term: 0,
  configuration: {
    confState: { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
    confIndex: 0,
    confEpoch: 0,
  },
};

function markerOf(point: SnapshotPoint): SnapshotMarker {
  return {
    index: point.index,
    term: point.term,
    confState: encodeConfiguration(point.configuration),
  };
}

export function pointOf(marker: SnapshotMarker | null): SnapshotPoint {
  if (marker === null) return NO_SNAPSHOT;
  const configuration = decodeConfiguration(marker.confState);
  return { index: marker.index, term: marker.term, configuration };
}

/** A recovered group in its replica's terms, entries yet to be replayed into it. */
export function recoveredReplica(group: RecoveredGroup): RecoveredReplica {
  const { hardState, configuration, lastIndex } = group;
  // A configuration was recorded because it took effect, so its entry was committed, even where the log
  // knows of no later commit. Going by the one before could mean asking voters that are gone by now.
  const effective = Math.min(configuration?.index ?? 0, lastIndex);
  return {
    group: group.group,
    replicaId: group.replicaId,
    hardState: { ...hardState, commit: Math.max(hardState.commit, effective) },
    snapshot: pointOf(group.snapshot),
    entries: [],
    suspect: group.suspect,
  };
}

/** One group's part of the shared log. */
export class SharedGroupLog implements GroupLog {
  readonly #wal: Wal;
  readonly #snapshots: SnapshotStore;
  readonly #group: PartitionId;

  constructor(wal: Wal, snapshots: SnapshotStore, group: PartitionId) {
    this.#wal = wal;
    this.#snapshots = snapshots;
    this.#group = group;
  }

  append({ hardState, entries, snapshot }: LogAppend, onDurable: () => void): void {
    this.#wal.append({
      group: this.#group,
      hardState,
      entries,
      snapshot: snapshot === null ? null : markerOf(snapshot),
    }, () => {
      if (snapshot !== null) this.#snapshots.removeOlder(this.#group, snapshot.index);
      onDurable();
    });
  }

  afterPending(callback: () => void): void {
    this.#wal.afterPending(callback);
  }

  afterSync(callback: () => void): void {
    this.#wal.afterSync(callback);
  }

  get isSyncing(): boolean {
    return this.#wal.isSyncing;
  }

  recordConfiguration(index: LogIndex, configuration: AppliedConfiguration): void {
    this.#wal.recordConfiguration(this.#group, index, encodeConfiguration(configuration));
  }

  snapshotTaken(point: SnapshotPoint): void {
    this.#wal.snapshotTaken(this.#group, markerOf(point), () => {
      this.#snapshots.removeOlder(this.#group, point.index);
    });
  }

  get bytesSinceSnapshot(): number {
    return this.#wal.bytesSinceSnapshot(this.#group);
  }
}

/** One group's part of the node's snapshot files. */
export class SharedGroupSnapshots implements GroupSnapshots {
  readonly #store: SnapshotStore;
  readonly #group: PartitionId;

  constructor(store: SnapshotStore, group: PartitionId) {
    this.#store = store;
    this.#group = group;
  }

  get latest(): SnapshotFile | undefined {
    return described(this.#store.latest(this.#group));
  }

  find(index: LogIndex): SnapshotFile | undefined {
    return described(this.#store.find(this.#group, index));
  }

  async write(point: SnapshotPoint, chunks: Iterator<Uint8Array>): Promise<SnapshotFile> {
    const metadata = { group: this.#group, ...markerOf(point) };
    const file = await this.#store.write({ metadata, chunks: () => chunks });
    return described(file)!;
  }

  read(file: SnapshotFile): AsyncIterable<Uint8Array> {
    return this.#store.read(this.storedFile(file));
  }

  markDamaged(file: SnapshotFile): void {
    this.#store.markDamaged(this.storedFile(file));
  }

  /** The file as the snapshot layer knows it. */
  storedFile(file: SnapshotFile): StoredSnapshotFile {
    const stored = this.#store.find(this.#group, file.point.index);
    if (stored === undefined) {
      throw new Error(
        `Cannot read snapshot ${file.point.index} of group ${this.#group}: it is gone`,
      );
    }
    return stored;
  }
}

function described(file: StoredSnapshotFile | undefined): SnapshotFile | undefined {
  if (file === undefined) return undefined;
  return { point: pointOf(file.metadata), sizeBytes: file.sizeBytes };
}
