// What a replica asks of the node's shared log, snapshot files and links, group already fixed. Types only.

import type { LogIndex, ReplicaId, Term } from "../base/ids.ts";
import type { Entry, HardState, Message } from "../raft/mod.ts";
import type { AppliedConfiguration } from "./configuration.ts";

/** What a snapshot stands for. */
export interface SnapshotPoint {
  /** Last index it covers. */
  readonly index: LogIndex;
  readonly term: Term;
  /** The configuration at `index`. */
  readonly configuration: AppliedConfiguration;
}

/** One durable step of a group: any part may be absent. Taken as a whole or not at all. */
export interface LogAppend {
  readonly hardState: HardState | null;
  /** Replace everything from the first one's index on. */
  readonly entries: readonly Entry[];
  /** The log now begins after this snapshot, whose file is already durable. */
  readonly snapshot: SnapshotPoint | null;
}

/** One group's view of the shared log. */
export interface GroupLog {
  /**
   * Hands `append` to the current batch; `onDurable` runs after the sync that covers it, in order.
   * Bytes are copied before the call returns.
   */
  append(append: LogAppend, onDurable: () => void): void;
  /** Calls back, in order with `append`, once everything appended so far is durable. Costs no sync. */
  afterPending(callback: () => void): void;
  /** Calls back when the sync that is under way has ended, whatever was appended since. */
  afterSync(callback: () => void): void;
  /** Whether a sync is under way: what is appended now waits for the next one. */
  readonly isSyncing: boolean;
  /** A configuration took effect at `index`. Durable with the next batch. */
  recordConfiguration(index: LogIndex, configuration: AppliedConfiguration): void;
  /** A snapshot file up to `point.index` is durable: entries up to it may go. */
  snapshotTaken(point: SnapshotPoint): void;
  /** Bytes of this group's entries since its last snapshot; decides when the next one is due. */
  readonly bytesSinceSnapshot: number;
}

/** A durable snapshot file of one group. */
export interface SnapshotFile {
  readonly point: SnapshotPoint;
  readonly sizeBytes: number;
}

/** One group's snapshot files. */
export interface GroupSnapshots {
  /** The newest durable and undamaged one. */
  readonly latest: SnapshotFile | undefined;
  /** The file of exactly the state at `index`. */
  find(index: LogIndex): SnapshotFile | undefined;
  /** Writes `chunks` in slices that leave the event loop free; resolves when durable. */
  write(point: SnapshotPoint, chunks: Iterator<Uint8Array>): Promise<SnapshotFile>;
  /** Body chunks of a durable file, each verified; off the event loop between chunks. */
  read(file: SnapshotFile): AsyncIterable<Uint8Array>;
}

/** Sends messages to the replicas of the same group on other nodes. */
export interface ReplicaLinks {
  /** Best effort; false when it is certain that nothing was sent. */
  send(to: ReplicaId, message: Message): boolean;
  /** Ships a snapshot file and then `message`; resolves true when the receiver holds it durably. */
  sendSnapshot(to: ReplicaId, file: SnapshotFile, message: Message): Promise<boolean>;
}
