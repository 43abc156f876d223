// The shapes that cross the border of the snapshot folder. What a state looks like inside its chunks is
// the state machine's business, and so is the configuration's encoding.

import type { LogIndex, PartitionId, Term } from "../base/ids.ts";

/** Which state a snapshot holds: everything applied up to `index`. */
export interface SnapshotMetadata {
  readonly group: PartitionId;
  readonly index: LogIndex;
  readonly term: Term;
  /** The configuration at `index`, opaque. */
  readonly confState: Uint8Array;
}

/** A frozen state to be written. `chunks` is pulled in slices while the live state goes on. */
export interface SnapshotSource {
  readonly metadata: SnapshotMetadata;
  chunks(): Iterator<Uint8Array>;
}

/** A durable, complete snapshot file. */
export interface SnapshotFile {
  readonly metadata: SnapshotMetadata;
  /** Within the data directory. */
  readonly path: string;
  readonly sizeBytes: number;
}

/** `damaged`: bytes that no writer wrote. `newer-version`: written by a newer program. */
export type SnapshotErrorCode = "damaged" | "newer-version" | "abandoned";

export class SnapshotError extends Error {
  override name = "SnapshotError";
  readonly code: SnapshotErrorCode;
  constructor(code: SnapshotErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
