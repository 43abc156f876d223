// What a replica asks of the node's shared log and snapshot files, group already fixed. Types only.

import type { LogIndex, ReplicaId, Term } from "../base/ids.ts";
import type { ConfState, Entry, HardState, SnapshotMetadata } from "../raft/mod.ts";

/** One durable step of a group: any part may be absent. Taken as a whole or not at all. */
export interface LogAppend {
  readonly hardState: HardState | null;
  /** Replace everything from the first one's index on. */
  readonly entries: readonly Entry[];
  /** The log now begins after this snapshot, whose file is already durable. */
  readonly snapshot: SnapshotMetadata | null;
}

/** One group's view of the shared log. */
export interface GroupLog {
  /**
   * Hands `append` to the current batch; `onDurable` runs after the sync that covers it, in order.
   * Bytes are copied before the call returns.
   */
  append(append: LogAppend, onDurable: () => void): void;
  /** A configuration took effect at `index`; recovered at start. Lazily durable. */
  recordConfiguration(index: LogIndex, confState: ConfState): void;
  /** A snapshot file up to `metadata.index` is durable: entries up to it may go. */
  snapshotTaken(metadata: SnapshotMetadata): void;
  /** Bytes of this group's entries since its last snapshot; decides when the next one is due. */
  readonly bytesSinceSnapshot: number;
}

/** A durable snapshot file of one group. */
export interface SnapshotFile {
  readonly metadata: SnapshotMetadata;
  readonly sizeBytes: number;
}

/** One group's snapshot files. */
export interface GroupSnapshots {
  /** The newest durable and undamaged one. */
  readonly latest: SnapshotFile | undefined;
  /** Writes `chunks` in slices that leave the event loop free; resolves when durable. */
  write(metadata: SnapshotMetadata, chunks: Iterator<Uint8Array>): Promise<SnapshotFile>;
  /** Body chunks of a durable file, each verified; off the event loop between chunks. */
  read(file: SnapshotFile): AsyncIterable<Uint8Array>;
}

/** Sends messages to the replicas of the same group on other nodes. */
export interface ReplicaLinks {
  /** Best effort; false when it is certain that nothing was sent. */
  send(to: ReplicaId, message: import("../raft/mod.ts").Message): boolean;
  /** Ships a snapshot file; resolves true when the receiver holds it durably. */
  sendSnapshot(
    to: ReplicaId,
    file: SnapshotFile,
    message: import("../raft/mod.ts").Message,
  ): Promise<boolean>;
}

export type { Term };
