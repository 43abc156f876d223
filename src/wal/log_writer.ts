// Seals batches and writes them into the current segment. Owns the end of the log: position, chain,
// batch number, and the state as written. Never syncs; durability is the caller's business.

import { crc32 } from "node:zlib";
import type { PartitionId } from "../base/ids.ts";
import type { DiskFile } from "../platform/ports.ts";
import { BatchBuffer } from "./batch_buffer.ts";
import {
  type BatchContent,
  CommitFlag,
  commitFrameBytes,
  ContentFlag,
  FRAME_HEADER_BYTES,
  frameBytes,
  frameChecksum,
  FrameType,
  getU64,
  NO_GROUP,
  SEGMENT_HEADER_BYTES,
  setCommit,
} from "./format.ts";
import type { LogState } from "./log_state.ts";
import type { LogPosition } from "./types.ts";

/** A segment that batches go to. */
export interface OpenSegment {
  readonly sequence: number;
  readonly path: string;
  readonly file: DiskFile;
  /** Seed of its frames' checksums. */
  readonly seed: number;
  /** Bytes that are preallocated; at its end the log rolls on. */
  readonly capacityBytes: number;
}

/** Notes what the frame at `offset` holds, for the commit frame's list. */
function noteContent(
  view: DataView,
  offset: number,
  contents: Map<PartitionId, BatchContent>,
): void {
  const group = view.getUint32(offset + 12, true);
  if (group === NO_GROUP) return;
  let content = contents.get(group);
  if (content === undefined) {
    contents.set(group, content = { flags: 0, firstIndex: 0, lastIndex: 0 });
  }
  const at = offset + FRAME_HEADER_BYTES;
  switch (view.getUint8(offset + 8) as FrameType) {
    case FrameType.Append: {
      if ((view.getUint32(at, true) & 1) !== 0) content.flags |= ContentFlag.hardState;
      const count = view.getUint32(at + 4, true);
      if (count === 0) return;
      const first = getU64(view, at + 32);
      const hadEntries = (content.flags & ContentFlag.entries) !== 0;
      content.firstIndex = hadEntries ? Math.min(content.firstIndex, first) : first;
      content.lastIndex = first + count - 1;
      content.flags |= ContentFlag.entries;
      return;
    }
    case FrameType.Snapshot:
      content.flags |= ContentFlag.snapshot;
      return;
    case FrameType.Configuration:
      content.flags |= ContentFlag.configuration;
      return;
    case FrameType.Created:
      content.flags |= ContentFlag.created;
      return;
    case FrameType.Tombstone:
      content.flags |= ContentFlag.tombstone;
      return;
    case FrameType.GroupState:
      content.flags |= ContentFlag.state;
      return;
  }
}

export class LogWriter {
  readonly state: LogState;
  /** Up to where everything is synced. *Invariant:* at a batch's end, never behind the mark. */
  durable: LogPosition;
  #segment: OpenSegment | undefined;
  #offset = 0;
  #chain: number;
  #batchNumber: number;
  /** First offset behind the checkpoint of the current segment. */
  #dataOffset = 0;

  constructor(state: LogState, durable: LogPosition, chain: number, batchNumber: number) {
    this.state = state;
    this.durable = durable;
    this.#chain = chain;
    this.#batchNumber = batchNumber;
  }

  /** The current segment. Asking before the first `roll` is a bug. */
  get segment(): OpenSegment {
    return this.#segment!;
  }

  get end(): LogPosition {
    return { segment: this.segment.sequence, offset: this.#offset };
  }

  get chain(): number {
    return this.#chain;
  }

  /** Whether a batch of `bytes` and its commit frame would go beyond the preallocated space. */
  isFull(bytes: number): boolean {
    const needed = bytes + commitFrameBytes(this.state.groups.size);
    return this.#offset > this.#dataOffset && this.#offset + needed > this.segment.capacityBytes;
  }

  /** Goes on in `segment`, opening it with a checkpoint. Throws DiskError, then nothing changed. */
  roll(segment: OpenSegment): void {
    const before = { segment: this.#segment, offset: this.#offset };
    this.#segment = segment;
    this.#offset = SEGMENT_HEADER_BYTES;
    try {
      this.checkpoint();
    } catch (error) {
      this.#segment = before.segment;
      this.#offset = before.offset;
      throw error;
    }
    this.#dataOffset = this.#offset;
  }

  /** Writes the state as a batch of its own. Throws DiskError. */
  checkpoint(): void {
    const checkpoint = new BatchBuffer();
    this.state.writeCheckpoint(checkpoint);
    this.#write(checkpoint, CommitFlag.checkpoint);
  }

  /**
   * Seals `batch`, writes it and takes its records into the state. Throws DiskError; the batch is then
   * unsealed again and nothing has changed but bytes behind the log's end.
   */
  write(batch: BatchBuffer): void {
    const start = this.#offset;
    const { sequence } = this.segment;
    const length = this.#write(batch, 0);
    for (let offset = 0; offset < length;) {
      this.state.apply(batch.view, offset, sequence, start + offset);
      offset += frameBytes(batch.view, offset);
    }
  }

  /** Returns the batch's length without its commit frame; the batch is left unsealed. */
  #write(batch: BatchBuffer, flags: number): number {
    const { seed, sequence, file } = this.segment;
    const { length } = batch;
    const groups = new Map<PartitionId, BatchContent>();
    for (let offset = 0; offset < length;) {
      const payloadBytes = batch.view.getUint32(offset + 4, true);
      const checksum = frameChecksum(batch.bytes, offset, payloadBytes, seed);
      batch.view.setUint32(offset, checksum, true);
      noteContent(batch.view, offset, groups);
      offset += frameBytes(batch.view, offset);
    }
    const chainAfter = length === 0
      ? this.#chain
      : crc32(batch.bytes.subarray(0, length), this.#chain);
    const commitBytes = commitFrameBytes(groups.size);
    batch.reserve(commitBytes);
    setCommit(batch.view, length, {
      segment: sequence,
      batchNumber: this.#batchNumber + 1,
      durableSegment: this.durable.segment,
      durableOffset: this.durable.offset,
      batchStart: this.#offset,
      chainBefore: this.#chain,
      chainAfter,
      flags,
      groups,
    });
    const checksum = frameChecksum(batch.bytes, length, commitBytes - FRAME_HEADER_BYTES, seed);
    batch.view.setUint32(length, checksum, true);
    file.writeSync(batch.bytes.subarray(0, length + commitBytes), this.#offset);
    this.#offset += length + commitBytes;
    this.#chain = chainAfter;
    this.#batchNumber++;
    return length;
  }
}
