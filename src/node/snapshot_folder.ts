// What the node asks of the snapshot files of its groups. Types only.

import type { PartitionId } from "../base/ids.ts";
import type { GroupSnapshots, SnapshotPoint } from "../replica/log_port.ts";

/** Takes a snapshot that comes from another node. */
export interface SnapshotReceiver {
  /** The next part of the body, in order. */
  push(chunk: Uint8Array): Promise<void>;
  /** Resolves when the file is durable and the group's newest. */
  finish(): Promise<void>;
  abort(): void;
}

/** One group's files, with what transfers need beside what the replica does. */
export interface TransferableSnapshots extends GroupSnapshots {
  receive(point: SnapshotPoint): SnapshotReceiver;
}

/** Opens and removes groups' snapshot folders. */
export interface SnapshotFolder {
  /** The files of a group whose log follows `point`. */
  open(group: PartitionId, point: SnapshotPoint): Promise<TransferableSnapshots>;
  remove(group: PartitionId): Promise<void>;
}
