// What the log says, frame by frame: every group's hard state, snapshot, configuration and where its
// surviving entries lie. Recovery and the writer feed the same code, so a checkpoint can't differ from
// what a reader would find. Reads no file, decides nothing about damage.

import { assert } from "../base/assert.ts";
import { utf8Bytes, utf8TextOrUndefined } from "../base/bytes.ts";
import type { LogIndex, PartitionId, ReplicaId } from "../base/ids.ts";
import type { BatchBuffer } from "./batch_buffer.ts";
import {
  type BatchContent,
  type Commit,
  CommitFlag,
  FRAME_HEADER_BYTES,
  frameBytes,
  FrameType,
  getU64,
  GroupStateFlag,
  NO_GROUP,
  setU64,
  SnapshotKind,
} from "./format.ts";
import { GroupRecord } from "./group_record.ts";

export class LogState {
  readonly groups = new Map<PartitionId, GroupRecord>();
  readonly tombstones = new Map<PartitionId, ReplicaId>();
  readonly nodeRecords = new Map<number, Uint8Array>();
  /** Per segment: the highest index it holds of each group; decides when it may go. */
  readonly #highest = new Map<number, Map<PartitionId, LogIndex>>();
  /** Groups that a checkpoint has named so far; the others are gone at its end. */
  #checkpointed: Set<PartitionId> | undefined;
  /** After a hole whose groups are unknown, a group that turns up uncreated may have lost data. */
  #holeReason: string | undefined;
  readonly #lostCreations = new Set<PartitionId>();

  /** Takes the frame at `offset` of `view`, which lies at `position` of segment `segment`. */
  apply(view: DataView, offset: number, segment: number, position: number): void {
    const type = view.getUint8(offset + 8) as FrameType;
    const group = view.getUint32(offset + 12, true);
    const at = offset + FRAME_HEADER_BYTES;
    switch (type) {
      case FrameType.Append:
        return this.#applyAppend(view, at, group, segment, position, frameBytes(view, offset));
      case FrameType.Snapshot: {
        const installed = view.getUint32(at, true) === SnapshotKind.installed;
        return this.#seen(group).recordSnapshot(installed, {
          index: getU64(view, at + 8),
          term: getU64(view, at + 16),
          confState: copyBytes(view, at + 24, view.getUint32(at + 4, true)),
        });
      }
      case FrameType.Configuration:
        this.#seen(group).configuration = {
          index: getU64(view, at + 8),
          confState: copyBytes(view, at + 16, view.getUint32(at + 4, true)),
        };
        return;
      case FrameType.Created:
        this.#forget(group);
        this.#lostCreations.delete(group);
        this.groups.set(group, new GroupRecord(group, getU64(view, at)));
        return;
      case FrameType.Tombstone: {
        const replicaId = getU64(view, at);
        this.tombstones.set(group, Math.max(replicaId, this.tombstones.get(group) ?? 0));
        const record = this.groups.get(group);
        if (record !== undefined && record.replicaId <= replicaId) {
          this.#forget(group);
          this.groups.delete(group);
        }
        return;
      }
      case FrameType.NodeRecord: {
        const bytes = copyBytes(view, at + 8, view.getUint32(at + 4, true));
        this.nodeRecords.set(view.getUint32(at, true), bytes);
        return;
      }
      case FrameType.CheckpointBegin:
        this.#checkpointed = new Set();
        return;
      case FrameType.GroupState:
        return this.#applyGroupState(view, at, group);
      case FrameType.Commit:
        return;
    }
  }

  /** Ends a batch: a checkpoint names every group there is. */
  endBatch(commit: Commit): void {
    if ((commit.flags & CommitFlag.checkpoint) === 0 || this.#checkpointed === undefined) return;
    for (const group of this.groups.keys()) {
      if (!this.#checkpointed.has(group)) this.groups.delete(group);
    }
    this.#checkpointed = undefined;
  }

  /** Batches are lost here. `contents` is what their commit frames name, null if unreadable. */
  recordDamage(contents: ReadonlyMap<PartitionId, BatchContent> | null, reason: string): void {
    for (const record of this.groups.values()) {
      record.closeRun();
      if (contents === null || contents.has(record.group)) record.markSuspect(reason);
    }
    if (contents === null) this.#holeReason ??= reason;
    else for (const group of contents.keys()) this.#lostCreations.add(group);
    // A group that only the lost batch spoke of must not vanish without a word.
    for (const group of contents?.keys() ?? []) if (!this.groups.has(group)) this.#seen(group);
  }

  /** Groups whose entries are not all there become suspect. Returns whether there are any new ones. */
  checkComplete(): boolean {
    let found = false;
    for (const record of this.groups.values()) {
      const missing = record.missingIndex();
      if (missing === 0 || record.suspect !== null) continue;
      record.markSuspect(`entry ${missing} is missing`);
      found = true;
    }
    return found;
  }

  /** Groups that still need an entry of `segment`. */
  pins(segment: number): PartitionId[] {
    const pins: PartitionId[] = [];
    for (const [group, highest] of this.#highest.get(segment) ?? []) {
      const record = this.groups.get(group);
      if (record !== undefined && highest >= record.firstIndex) pins.push(group);
    }
    return pins;
  }

  forgetSegment(segment: number): void {
    this.#highest.delete(segment);
  }

  #applyAppend(
    view: DataView,
    at: number,
    group: PartitionId,
    segment: number,
    start: number,
    sizeBytes: number,
  ): void {
    const record = this.#seen(group);
    if ((view.getUint32(at, true) & 1) !== 0) {
      const term = getU64(view, at + 8);
      if (term < record.hardState.term) record.markSuspect("its term runs back");
      else record.hardState = { term, vote: getU64(view, at + 16), commit: getU64(view, at + 24) };
    }
    const count = view.getUint32(at + 4, true);
    if (count === 0) return;
    const first = getU64(view, at + 32);
    const last = first + count - 1;
    const run = { first, last, segment, start, end: start + sizeBytes };
    record.recordEntries(first, last, getU64(view, at + 40), run);
    let highest = this.#highest.get(segment);
    if (highest === undefined) this.#highest.set(segment, highest = new Map());
    if (last > (highest.get(group) ?? 0)) highest.set(group, last);
  }

  #applyGroupState(view: DataView, start: number, group: PartitionId): void {
    let at = start;
    const flags = view.getUint32(at, true);
    const replicaId = getU64(view, at + 8);
    const hardState = {
      term: getU64(view, at + 16),
      vote: getU64(view, at + 24),
      commit: getU64(view, at + 32),
    };
    const lastIndex = getU64(view, at + 40);
    const lastTerm = getU64(view, at + 48);
    at += 56;
    let record = this.groups.get(group);
    const known = record !== undefined && record.replicaId === replicaId;
    if (record === undefined || !known) {
      this.#forget(group);
      record = new GroupRecord(group, replicaId);
      const lost = this.#lostBefore(group);
      if (lost !== undefined) record.markSuspect(lost);
      this.groups.set(group, record);
    } else if (record.lastIndex !== lastIndex || record.lastTerm !== lastTerm) {
      record.markSuspect(`its log ends at ${record.lastIndex} where it had ended at ${lastIndex}`);
      record.runs = [];
    }
    record.hardState = hardState;
    record.lastIndex = lastIndex;
    record.lastTerm = lastTerm;
    record.configuration = null;
    if ((flags & GroupStateFlag.configuration) !== 0) {
      const length = view.getUint32(at + 8, true);
      record.configuration = {
        index: getU64(view, at),
        confState: copyBytes(view, at + 12, length),
      };
      at += 12 + length;
    }
    if ((flags & GroupStateFlag.snapshot) !== 0) {
      const length = view.getUint32(at + 16, true);
      record.snapshot = {
        index: getU64(view, at),
        term: getU64(view, at + 8),
        confState: copyBytes(view, at + 20, length),
      };
      at += 20 + length;
    }
    const reasonLength = view.getUint32(at, true);
    if ((flags & GroupStateFlag.suspect) !== 0) {
      const reason = utf8TextOrUndefined(copyBytes(view, at + 4, reasonLength));
      record.markSuspect(reason ?? "its log was damaged");
    }
    this.#checkpointed?.add(group);
  }

  /** Writes the frames that restore this state at the head of a segment, entries excepted. */
  writeCheckpoint(buffer: BatchBuffer): void {
    const begin = buffer.begin(FrameType.CheckpointBegin, NO_GROUP, 8);
    buffer.view.setUint32(begin, this.groups.size, true);
    buffer.view.setUint32(begin + 4, 0, true);
    for (const [kind, record] of this.nodeRecords) buffer.nodeRecord(kind, record);
    for (const [group, id] of this.tombstones) buffer.replica(FrameType.Tombstone, group, id);
    for (const record of this.groups.values()) writeGroupState(buffer, record);
  }

  /** The group's record; one that turns up without creation is new, and suspect. */
  #seen(group: PartitionId): GroupRecord {
    assert(group !== NO_GROUP, "a group's frame names its group");
    let record = this.groups.get(group);
    if (record === undefined) {
      record = new GroupRecord(group, 0);
      record.markSuspect(
        this.#holeReason ??
          (this.#lostCreations.has(group)
            ? "the record of its creation is damaged"
            : "it was never created"),
      );
      this.groups.set(group, record);
    }
    return record;
  }

  /** Why records of a group that no record created may be lost; undefined if none can be. */
  #lostBefore(group: PartitionId): string | undefined {
    if (this.#lostCreations.has(group)) return "the record of its creation is damaged";
    return this.#holeReason;
  }

  /** An earlier replica's entries pin no segment. */
  #forget(group: PartitionId): void {
    for (const highest of this.#highest.values()) highest.delete(group);
  }
}

function writeGroupState(buffer: BatchBuffer, record: GroupRecord): void {
  const { configuration, snapshot, hardState } = record;
  const reason = utf8Bytes(record.suspect ?? "");
  const configurationBytes = configuration === null ? 0 : 12 + configuration.confState.length;
  const snapshotBytes = snapshot === null ? 0 : 20 + snapshot.confState.length;
  let at = buffer.begin(
    FrameType.GroupState,
    record.group,
    56 + configurationBytes + snapshotBytes + 4 + reason.length,
  );
  const { view, bytes } = buffer;
  const flags = (record.suspect === null ? 0 : GroupStateFlag.suspect) |
    (configuration === null ? 0 : GroupStateFlag.configuration) |
    (snapshot === null ? 0 : GroupStateFlag.snapshot);
  view.setUint32(at, flags, true);
  view.setUint32(at + 4, 0, true);
  setU64(view, at + 8, record.replicaId);
  setU64(view, at + 16, hardState.term);
  setU64(view, at + 24, hardState.vote);
  setU64(view, at + 32, hardState.commit);
  setU64(view, at + 40, record.lastIndex);
  setU64(view, at + 48, record.lastTerm);
  at += 56;
  if (configuration !== null) {
    setU64(view, at, configuration.index);
    view.setUint32(at + 8, configuration.confState.length, true);
    bytes.set(configuration.confState, at + 12);
    at += configurationBytes;
  }
  if (snapshot !== null) {
    setU64(view, at, snapshot.index);
    setU64(view, at + 8, snapshot.term);
    view.setUint32(at + 16, snapshot.confState.length, true);
    bytes.set(snapshot.confState, at + 20);
    at += snapshotBytes;
  }
  view.setUint32(at, reason.length, true);
  bytes.set(reason, at + 4);
}

/** A copy of its own: records outlive the buffer they were read from. */
function copyBytes(view: DataView, at: number, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(view.buffer, view.byteOffset + at, length).slice();
}
