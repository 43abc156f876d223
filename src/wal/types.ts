// The shapes that cross the border of the write-ahead log. Configurations and node records are opaque
// bytes here: the log keeps them, their owners give them meaning.

import type { LogIndex, NodeId, PartitionId, ReplicaId, Term } from "../base/ids.ts";

/** One entry of a group's Raft log; `type` is the core's entry type, 0..255. */
export interface Entry {
  readonly term: Term;
  readonly index: LogIndex;
  readonly type: number;
  readonly data: Uint8Array;
}

/** What Raft must not forget (Raft §5.2, figure 2), and the commit index as a hint. */
export interface HardState {
  readonly term: Term;
  readonly vote: ReplicaId;
  readonly commit: LogIndex;
}

/** A snapshot the log begins after. `confState` is the configuration at `index`, opaque. */
export interface SnapshotMarker {
  readonly index: LogIndex;
  readonly term: Term;
  readonly confState: Uint8Array;
}

/** A configuration that took effect at `index`, opaque. */
export interface RecordedConfiguration {
  readonly index: LogIndex;
  readonly confState: Uint8Array;
}

/** One durable step of a group, kept or lost as a whole. */
export interface GroupAppend {
  readonly group: PartitionId;
  readonly hardState?: HardState | null;
  /** Contiguous indexes; the first one replaces everything from its index on. */
  readonly entries: readonly Entry[];
  /** An installed snapshot: every entry known so far is dropped, `entries` follow it. */
  readonly snapshot?: SnapshotMarker | null;
}

/** A place in the log: byte `offset` of segment `segment`. Segment 0 stands before all segments. */
export interface LogPosition {
  readonly segment: number;
  readonly offset: number;
}

/** Negative, zero or positive as `a` lies before, at or after `b`. */
export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.segment - b.segment || a.offset - b.offset;
}

/** What recovery knows of one group. */
export interface RecoveredGroup {
  readonly group: PartitionId;
  /** 0 if the record of it is lost; the group is suspect then. */
  readonly replicaId: ReplicaId;
  readonly hardState: HardState;
  /** The log's entries follow it; null when they start at index 1. */
  readonly snapshot: SnapshotMarker | null;
  /** The newest recorded configuration, if any was recorded after `snapshot`. */
  readonly configuration: RecordedConfiguration | null;
  /** Index of the first entry, had it one: the snapshot's index + 1. */
  readonly firstIndex: LogIndex;
  /** Index and term of the last entry, or of the snapshot, or 0. */
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** Why this replica may never again vote or acknowledge (RULES 4); null when it is whole. */
  readonly suspect: string | null;
}

/** Acknowledged data that recovery found damaged. */
export interface Damage {
  readonly from: LogPosition;
  readonly to: LogPosition;
  readonly reason: string;
  /** Groups the lost batches name; null when that list is unreadable, so that all are suspect. */
  readonly groups: readonly PartitionId[] | null;
}

/** What lay behind the last whole batch. */
export interface TornTail {
  readonly at: LogPosition;
  /** False when nothing but zeros follows: a clean end. */
  readonly torn: boolean;
}

/** Takes one surviving entry. `data` may be kept; it pins a block of about 1 MiB. */
export type EntryVisitor = (group: PartitionId, entry: Entry) => void;

/** The outcome of opening a log. */
export interface Recovered {
  readonly nodeId: NodeId;
  /** True when this open created the log. */
  readonly fresh: boolean;
  readonly groups: ReadonlyMap<PartitionId, RecoveredGroup>;
  /** Highest deleted replica per partition (RULES 10). */
  readonly tombstones: ReadonlyMap<PartitionId, ReplicaId>;
  /** Opaque records of the node itself (genesis and the like), newest per kind. */
  readonly nodeRecords: ReadonlyMap<number, Uint8Array>;
  readonly damages: readonly Damage[];
  readonly tail: TornTail;
  /**
   * Visits every group's entries after its snapshot, in index order within a group, each index once.
   * Yields to the event loop between slices. Call it at most once; segments are kept until it ends.
   */
  replay(visitor: EntryVisitor): Promise<void>;
}

/** Why a log can't be opened at all. */
export type WalErrorCode = "newer-version" | "foreign-segment" | "identity-lost";

export class WalError extends Error {
  override name = "WalError";
  readonly code: WalErrorCode;
  constructor(code: WalErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
