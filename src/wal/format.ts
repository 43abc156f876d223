// Byte layout of segments and frames, and nothing that decides: encoding and decoding only. All
// integers are little-endian; u64 values are safe integers. Layouts are fixed per format version.
//
// Segment file `wal/<sequence, 16 decimal digits>.wal`:
//
// | offset | bytes | field                                                                  |
// | ------ | ----- | ---------------------------------------------------------------------- |
// | 0      | 8     | magic "PONTOWAL"                                                       |
// | 8      | 4     | format version                                                         |
// | 12     | 4     | crc32 of bytes 0..12 (same place in every version)                     |
// | 16     | 16    | nodeId                                                                 |
// | 32     | 8     | sequence of this segment                                               |
// | 40     | 8     | salt, random: no stored value can imitate a frame                      |
// | 48     | 12    | zero                                                                   |
// | 60     | 4     | crc32 of bytes 0..60; also the seed of every frame checksum within     |
// | 64     |       | zeros up to 4096, so that no batch shares a page with the header       |
// | 4096   |       | batches, back to back; zeros after the last                            |
//
// A batch is any number of frames and one commit frame. Every frame starts at a multiple of 8:
//
// | offset | bytes | field                                                                  |
// | ------ | ----- | ---------------------------------------------------------------------- |
// | 0      | 4     | crc32 of bytes 4..16+length, seeded with the segment's seed            |
// | 4      | 4     | length of the payload                                                  |
// | 8      | 1     | frame type                                                             |
// | 9      | 3     | magic "PWF"                                                            |
// | 12     | 4     | group; 0xffffffff where the frame belongs to no group                  |
// | 16     | length| payload, then zeros to a multiple of 8                                 |
//
// Payload of `Commit`; "chain" is a crc32 carried through all bytes of all batches but their commits:
//
// | offset | bytes | field                                                                  |
// | ------ | ----- | ---------------------------------------------------------------------- |
// | 0      | 8, 8  | segment sequence; batch number, counting from 1 over the log's life    |
// | 16     | 8, 8  | durable before: segment, offset; all before it had been synced         |
// | 32     | 8     | offset at which this batch begins                                      |
// | 40     | 4, 4  | chain before this batch; chain after it                                |
// | 48     | 4     | flags: 1 = checkpoint                                                  |
// | 52     | 4     | number of groups                                                       |
// | 56     | 24 per group | u32 group, u32 content flags, u64 first and u64 last index      |
//
// Payloads of the others:
//
// | type             | fields                                                               |
// | ---------------- | -------------------------------------------------------------------- |
// | Append           | u32 flags (1 = hard state), u32 count, u64 term, u64 vote, u64 commit, u64 first index, u64 term of the last entry; per entry u32 length, u8 type, 3 zero, u64 term, data |
// | Snapshot         | u32 kind (1 taken, 2 installed), u32 length, u64 index, u64 term, configuration |
// | Configuration    | u32 zero, u32 length, u64 index, configuration                       |
// | Created          | u64 replicaId                                                        |
// | Tombstone        | u64 replicaId, the highest deleted                                   |
// | NodeRecord       | u32 kind, u32 length, bytes                                          |
// | CheckpointBegin  | u32 number of groups that follow, u32 zero                           |
// | GroupState       | u32 flags (1 suspect, 2 configuration, 4 snapshot), u32 zero, u64 replicaId, u64 term, u64 vote, u64 commit, u64 last index, u64 last term, then as flagged u64 index + u32 length + bytes of the configuration, u64 index + u64 term + u32 length + bytes of the snapshot, u32 length + UTF-8 of the reason for suspicion |

import { crc32 } from "node:zlib";
import { hexFromBytes } from "../base/bytes.ts";
import type { NodeId, PartitionId } from "../base/ids.ts";

export const WAL_FORMAT_VERSION = 1;
export const SEGMENT_HEADER_BYTES = 4096;
export const FRAME_HEADER_BYTES = 16;
export const COMMIT_FIXED_BYTES = 56;
export const COMMIT_GROUP_BYTES = 24;
export const APPEND_FIXED_BYTES = 48;
export const ENTRY_HEADER_BYTES = 16;
/** The group field of frames that belong to no group. */
export const NO_GROUP = 0xffffffff;

export enum FrameType {
  Append = 1,
  Snapshot = 2,
  Configuration = 3,
  Created = 4,
  Tombstone = 5,
  NodeRecord = 6,
  CheckpointBegin = 7,
  GroupState = 8,
  Commit = 9,
}
export const FRAME_TYPE_MAX = FrameType.Commit;

/** The frame header's word at offset 8: "PWF" above the type. */
const KIND_MAGIC = (0x50 << 8 | 0x57 << 16 | 0x46 << 24) >>> 0;
export const COMMIT_KIND_WORD = (KIND_MAGIC | FrameType.Commit) >>> 0;

/** What a batch holds of a group; `ContentFlag`s of a commit frame's list. */
export const ContentFlag = {
  hardState: 1,
  entries: 2,
  snapshot: 4,
  configuration: 8,
  created: 16,
  tombstone: 32,
  state: 64,
} as const;

export const CommitFlag = { checkpoint: 1 } as const;
export const SnapshotKind = { taken: 1, installed: 2 } as const;
export const GroupStateFlag = { suspect: 1, configuration: 2, snapshot: 4 } as const;

const SEGMENT_MAGIC = [0x50, 0x4f, 0x4e, 0x54, 0x4f, 0x57, 0x41, 0x4c];
const SEGMENT_NAME = /^(\d{16})\.wal$/;
const TWO_32 = 2 ** 32;

export function segmentName(sequence: number): string {
  return `${String(sequence).padStart(16, "0")}.wal`;
}

/** The sequence, or undefined for files that are not segments. */
export function segmentSequence(name: string): number | undefined {
  const match = SEGMENT_NAME.exec(name);
  return match === null ? undefined : Number(match[1]);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, (value / TWO_32) >>> 0, true);
}

/** Values above 2^53 come out rounded; they never pass a checksum in honest files. */
export function getU64(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * TWO_32;
}

/** Rounds up to the frame alignment. */
export function aligned(bytes: number): number {
  return (bytes + 7) & ~7;
}

// ---------------------------------------------------------------------------------- segment header

export interface SegmentHeader {
  readonly nodeId: NodeId;
  readonly sequence: number;
  /** Seed of the checksums of the segment's frames. */
  readonly seed: number;
}

export type HeaderReading =
  | { readonly kind: "ok"; readonly header: SegmentHeader }
  | { readonly kind: "newer"; readonly version: number }
  /** Nothing but zeros: a segment whose creation was cut short. */
  | { readonly kind: "blank" }
  | { readonly kind: "damaged" };

/** The 64 meaningful bytes of a segment header. `nodeId` is 16 bytes, `salt` 8. */
export function encodeSegmentHeader(
  nodeId: Uint8Array,
  sequence: number,
  salt: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(64);
  const view = viewOf(bytes);
  bytes.set(SEGMENT_MAGIC, 0);
  view.setUint32(8, WAL_FORMAT_VERSION, true);
  view.setUint32(12, crc32(bytes.subarray(0, 12)), true);
  bytes.set(nodeId, 16);
  setU64(view, 32, sequence);
  bytes.set(salt, 40);
  view.setUint32(60, crc32(bytes.subarray(0, 60)), true);
  return bytes;
}

/**
 * Reads a magic, a version and their checksum. A version field that rot made larger is told from a
 * newer format by the checksum.
 */
export function readPreamble(
  bytes: Uint8Array,
  magic: readonly number[],
  ownVersion: number,
): { readonly kind: "ok" } | { readonly kind: "newer"; readonly version: number } | {
  readonly kind: "damaged";
} {
  if (bytes.length < 16 || !magic.every((byte, i) => bytes[i] === byte)) return { kind: "damaged" };
  const view = viewOf(bytes);
  const version = view.getUint32(8, true);
  if (view.getUint32(12, true) !== crc32(bytes.subarray(0, 12))) return { kind: "damaged" };
  if (version > ownVersion) return { kind: "newer", version };
  return version === ownVersion ? { kind: "ok" } : { kind: "damaged" };
}

export function decodeSegmentHeader(bytes: Uint8Array): HeaderReading {
  if (bytes.every((byte) => byte === 0)) return { kind: "blank" };
  const preamble = readPreamble(bytes, SEGMENT_MAGIC, WAL_FORMAT_VERSION);
  if (preamble.kind !== "ok") return preamble;
  if (bytes.length < 64) return { kind: "damaged" };
  const view = viewOf(bytes);
  const seed = view.getUint32(60, true);
  if (seed !== crc32(bytes.subarray(0, 60))) return { kind: "damaged" };
  const nodeId = hexFromBytes(bytes.subarray(16, 32));
  return { kind: "ok", header: { nodeId, sequence: getU64(view, 32), seed } };
}

// ------------------------------------------------------------------------------------------ frames

export function setFrameHeader(
  view: DataView,
  offset: number,
  type: FrameType,
  group: number,
  payloadBytes: number,
): void {
  view.setUint32(offset + 4, payloadBytes, true);
  view.setUint32(offset + 8, (KIND_MAGIC | type) >>> 0, true);
  view.setUint32(offset + 12, group, true);
}

/** Checksum of the frame whose header starts at `offset`. */
export function frameChecksum(
  bytes: Uint8Array,
  offset: number,
  payloadBytes: number,
  seed: number,
): number {
  return crc32(bytes.subarray(offset + 4, offset + FRAME_HEADER_BYTES + payloadBytes), seed);
}

/** The type, or 0 when the word at the header's offset 8 is no frame's. */
export function frameTypeOf(view: DataView, offset: number): FrameType | 0 {
  const word = view.getUint32(offset + 8, true);
  const type = word & 0xff;
  if ((word ^ type) >>> 0 !== KIND_MAGIC || type === 0 || type > FRAME_TYPE_MAX) return 0;
  return type;
}

/** Bytes a frame takes in the file, padding included. */
export function frameBytes(view: DataView, offset: number): number {
  return aligned(FRAME_HEADER_BYTES + view.getUint32(offset + 4, true));
}

// ------------------------------------------------------------------------------------------ commit

/** One group's line in a commit frame. */
export interface BatchContent {
  flags: number;
  firstIndex: number;
  lastIndex: number;
}

export interface Commit {
  readonly segment: number;
  readonly batchNumber: number;
  readonly durableSegment: number;
  readonly durableOffset: number;
  readonly batchStart: number;
  readonly chainBefore: number;
  readonly chainAfter: number;
  readonly flags: number;
  readonly groups: ReadonlyMap<PartitionId, BatchContent>;
}

export function commitFrameBytes(groupCount: number): number {
  return FRAME_HEADER_BYTES + COMMIT_FIXED_BYTES + COMMIT_GROUP_BYTES * groupCount;
}

/** Writes a commit frame's header and payload at `offset`, its checksum excepted. */
export function setCommit(view: DataView, offset: number, commit: Commit): void {
  const payload = COMMIT_FIXED_BYTES + COMMIT_GROUP_BYTES * commit.groups.size;
  setFrameHeader(view, offset, FrameType.Commit, NO_GROUP, payload);
  let at = offset + FRAME_HEADER_BYTES;
  setU64(view, at, commit.segment);
  setU64(view, at + 8, commit.batchNumber);
  setU64(view, at + 16, commit.durableSegment);
  setU64(view, at + 24, commit.durableOffset);
  setU64(view, at + 32, commit.batchStart);
  view.setUint32(at + 40, commit.chainBefore, true);
  view.setUint32(at + 44, commit.chainAfter, true);
  view.setUint32(at + 48, commit.flags, true);
  view.setUint32(at + 52, commit.groups.size, true);
  at += COMMIT_FIXED_BYTES;
  for (const [group, content] of commit.groups) {
    view.setUint32(at, group, true);
    view.setUint32(at + 4, content.flags, true);
    setU64(view, at + 8, content.firstIndex);
    setU64(view, at + 16, content.lastIndex);
    at += COMMIT_GROUP_BYTES;
  }
}

/** Decodes a commit frame whose checksum holds; undefined if its length contradicts its list. */
export function decodeCommit(view: DataView, offset: number): Commit | undefined {
  const length = view.getUint32(offset + 4, true);
  if (length < COMMIT_FIXED_BYTES) return undefined;
  let at = offset + FRAME_HEADER_BYTES;
  const count = view.getUint32(at + 52, true);
  if (length !== COMMIT_FIXED_BYTES + COMMIT_GROUP_BYTES * count) return undefined;
  const groups = new Map<PartitionId, BatchContent>();
  const commit = {
    segment: getU64(view, at),
    batchNumber: getU64(view, at + 8),
    durableSegment: getU64(view, at + 16),
    durableOffset: getU64(view, at + 24),
    batchStart: getU64(view, at + 32),
    chainBefore: view.getUint32(at + 40, true),
    chainAfter: view.getUint32(at + 44, true),
    flags: view.getUint32(at + 48, true),
    groups,
  };
  at += COMMIT_FIXED_BYTES;
  for (let i = 0; i < count; i++, at += COMMIT_GROUP_BYTES) {
    groups.set(view.getUint32(at, true), {
      flags: view.getUint32(at + 4, true),
      firstIndex: getU64(view, at + 8),
      lastIndex: getU64(view, at + 16),
    });
  }
  return commit;
}
