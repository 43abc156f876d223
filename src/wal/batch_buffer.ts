// The bytes of the batch that is gathering: records are copied in when they are appended and sealed when
// the batch is written. Owns the buffer and its growth; knows nothing of files.

import { assert } from "../base/assert.ts";
import type { PartitionId } from "../base/ids.ts";
import {
  aligned,
  APPEND_FIXED_BYTES,
  ENTRY_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  FrameType,
  NO_GROUP,
  setFrameHeader,
  setU64,
  SnapshotKind,
  viewOf,
} from "./format.ts";
import type { Entry, HardState, SnapshotMarker } from "./types.ts";

const INITIAL_BYTES = 16 * 1024;
/** A buffer that one burst made larger than this is given back when it is empty. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;

export class BatchBuffer {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  view: DataView = viewOf(this.bytes);
  /** Bytes in use; always a multiple of 8. */
  length = 0;

  /** Makes room for `more` bytes after `length`. */
  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    let capacity = this.bytes.length * 2;
    while (capacity < this.length + more) capacity *= 2;
    const grown = new Uint8Array(capacity);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = viewOf(grown);
  }

  clear(): void {
    this.length = 0;
    if (this.bytes.length <= KEPT_BYTES_MAX) return;
    this.bytes = new Uint8Array(INITIAL_BYTES);
    this.view = viewOf(this.bytes);
  }

  /** Opens a frame and returns its payload's offset; the caller fills every payload byte. */
  begin(type: FrameType, group: number, payloadBytes: number): number {
    const total = aligned(FRAME_HEADER_BYTES + payloadBytes);
    this.reserve(total);
    setFrameHeader(this.view, this.length, type, group, payloadBytes);
    const payload = this.length + FRAME_HEADER_BYTES;
    this.bytes.fill(0, payload + payloadBytes, this.length + total);
    this.length += total;
    return payload;
  }

  /** Copies a whole frame, padding included. */
  copyFrame(frame: Uint8Array): void {
    this.reserve(frame.length);
    this.bytes.set(frame, this.length);
    this.length += frame.length;
  }

  append(group: PartitionId, hardState: HardState | null, entries: readonly Entry[]): void {
    let payloadBytes = APPEND_FIXED_BYTES + ENTRY_HEADER_BYTES * entries.length;
    for (let i = 0; i < entries.length; i++) payloadBytes += entries[i].data.length;
    let at = this.begin(FrameType.Append, group, payloadBytes);
    const { view, bytes } = this;
    view.setUint32(at, hardState === null ? 0 : 1, true);
    view.setUint32(at + 4, entries.length, true);
    setU64(view, at + 8, hardState === null ? 0 : hardState.term);
    setU64(view, at + 16, hardState === null ? 0 : hardState.vote);
    setU64(view, at + 24, hardState === null ? 0 : hardState.commit);
    const first = entries.length === 0 ? 0 : entries[0].index;
    setU64(view, at + 32, first);
    setU64(view, at + 40, entries.length === 0 ? 0 : entries[entries.length - 1].term);
    at += APPEND_FIXED_BYTES;
    for (let i = 0; i < entries.length; i++) {
      const { data, term, type, index } = entries[i];
      assert(index === first + i, "entries of one append are contiguous");
      view.setUint32(at, data.length, true);
      view.setUint32(at + 4, type, true);
      setU64(view, at + 8, term);
      bytes.set(data, at + ENTRY_HEADER_BYTES);
      at += ENTRY_HEADER_BYTES + data.length;
    }
  }

  snapshot(group: PartitionId, kind: "taken" | "installed", marker: SnapshotMarker): void {
    const { index, term, confState } = marker;
    const at = this.begin(FrameType.Snapshot, group, 24 + confState.length);
    this.view.setUint32(at, SnapshotKind[kind], true);
    this.view.setUint32(at + 4, confState.length, true);
    setU64(this.view, at + 8, index);
    setU64(this.view, at + 16, term);
    this.bytes.set(confState, at + 24);
  }

  configuration(group: PartitionId, index: number, confState: Uint8Array): void {
    const at = this.begin(FrameType.Configuration, group, 16 + confState.length);
    this.view.setUint32(at, 0, true);
    this.view.setUint32(at + 4, confState.length, true);
    setU64(this.view, at + 8, index);
    this.bytes.set(confState, at + 16);
  }

  replica(type: FrameType.Created | FrameType.Tombstone, group: PartitionId, id: number): void {
    const at = this.begin(type, group, 8);
    setU64(this.view, at, id);
  }

  nodeRecord(kind: number, record: Uint8Array): void {
    const at = this.begin(FrameType.NodeRecord, NO_GROUP, 8 + record.length);
    this.view.setUint32(at, kind, true);
    this.view.setUint32(at + 4, record.length, true);
    this.bytes.set(record, at + 8);
  }
}
