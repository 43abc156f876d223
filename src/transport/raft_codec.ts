// Raft messages on the wire: many messages of many groups in one frame, so that the heartbeats of all
// groups to one peer travel together. Encodes straight into a link's buffer. Must never accept a message
// that only a replica itself may produce. A snapshot travels as its metadata only.
//
//   Raft frame: sender's wall clock f64, then messages to its end, each
//     group u32 | type u8 | fields u16 | to f64 | from f64 | term f64
//     | f64 for each of the bits 1 logTerm, 2 index, 4 commit, 8 vote, 16 rejectHint, 32 context
//       of `fields` (absent means 0); bit 64 is `reject` itself
//     | with bit 128: entry count u32, data bytes u32, first index f64,
//       per entry: term f64, type u8, length u32; then all data back to back
//     | with bit 256: snapshot index f64, term f64, configuration (raft/conf_state_codec.ts)

import { assert } from "../base/assert.ts";
import { NO_BYTES } from "../base/bytes.ts";
import { BytesReader, type BytesWriter, CodecError } from "../base/codec.ts";
import type { PartitionId } from "../base/ids.ts";
import { readConfState, writeConfState } from "../raft/conf_state_codec.ts";
import {
  type ConfState,
  type Entry,
  EntryType,
  isLocalType,
  type Message,
  MessageType,
  newMessage,
  type SnapshotMetadata,
} from "../raft/mod.ts";
import { readTime } from "./payload.ts";

const LOG_TERM = 1;
const INDEX = 2;
const COMMIT = 4;
const VOTE = 8;
const REJECT_HINT = 16;
const CONTEXT = 32;
const REJECT = 64;
const ENTRIES = 128;
const SNAPSHOT = 256;
const ALL_FIELDS = 511;

const MESSAGE_BYTES_MAX = 4 + 1 + 2 + 9 * 8;
const ENTRIES_FIXED_BYTES = 4 + 4 + 8;
const ENTRY_HEADER_BYTES = 8 + 1 + 4;

/** Types that cross a link. Proposals do not: nodes forward requests, never raw entries. */
const IS_WIRE_TYPE: readonly boolean[] = Array.from(
  { length: MessageType.Quiesce + 1 },
  (_, type) => !isLocalType(type) && type !== MessageType.Propose,
);

function fieldsOf(message: Message): number {
  return (message.logTerm !== 0 ? LOG_TERM : 0) |
    (message.index !== 0 ? INDEX : 0) |
    (message.commit !== 0 ? COMMIT : 0) |
    (message.vote !== 0 ? VOTE : 0) |
    (message.rejectHint !== 0 ? REJECT_HINT : 0) |
    (message.context !== 0 ? CONTEXT : 0) |
    (message.reject ? REJECT : 0) |
    (message.entries.length > 0 ? ENTRIES : 0) |
    (message.snapshot !== null ? SNAPSHOT : 0);
}

function dataBytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}

function confStateBytes(confState: ConfState): number {
  const { voters, learners, votersOutgoing, learnersNext } = confState;
  const ids = voters.length + learners.length + votersOutgoing.length + learnersNext.length;
  return 4 * 2 + 8 * ids + 1;
}

/** Upper bound of the bytes that {@linkcode writeMessage} writes. */
export function messageBytes({ entries, snapshot }: Message): number {
  let bytes = MESSAGE_BYTES_MAX;
  if (entries.length > 0) {
    bytes += ENTRIES_FIXED_BYTES + entries.length * ENTRY_HEADER_BYTES + dataBytesOf(entries);
  }
  if (snapshot !== null) bytes += 16 + confStateBytes(snapshot.metadata.confState);
  return bytes;
}

/** Appends one message. */
export function writeMessage(writer: BytesWriter, group: PartitionId, message: Message): void {
  assert(IS_WIRE_TYPE[message.type] === true, `message type ${message.type} never leaves a node`);
  assert(group >= 0 && group <= 0xffff_ffff, `group out of range: ${group}`);
  const fields = fieldsOf(message);
  writer.u32(group).u8(message.type).u16(fields);
  writer.f64(message.to).f64(message.from).f64(message.term);
  if (fields & LOG_TERM) writer.f64(message.logTerm);
  if (fields & INDEX) writer.f64(message.index);
  if (fields & COMMIT) writer.f64(message.commit);
  if (fields & VOTE) writer.f64(message.vote);
  if (fields & REJECT_HINT) writer.f64(message.rejectHint);
  if (fields & CONTEXT) writer.f64(message.context);
  if (fields & ENTRIES) writeEntries(writer, message.entries);
  if (message.snapshot !== null) writeSnapshotMetadata(writer, message.snapshot.metadata);
}

function writeEntries(writer: BytesWriter, entries: readonly Entry[]): void {
  const firstIndex = entries[0].index;
  writer.u32(entries.length).u32(dataBytesOf(entries)).f64(firstIndex);
  for (let i = 0; i < entries.length; i++) {
    const { index, term, type, data } = entries[i];
    assert(index === firstIndex + i, "entries of a message are contiguous");
    writer.f64(term).u8(type).u32(data.length);
  }
  for (const entry of entries) writer.raw(entry.data);
}

export function writeSnapshotMetadata(writer: BytesWriter, metadata: SnapshotMetadata): void {
  writer.f64(metadata.index).f64(metadata.term);
  writeConfState(writer, metadata.confState);
}

/** One received message and the group it is for. */
export interface GroupMessage {
  readonly group: PartitionId;
  readonly message: Message;
}

export interface RaftFrame {
  /** The sender's wall clock when it opened the frame. */
  readonly wallMs: number;
  readonly messages: readonly GroupMessage[];
}

/** Decodes a whole frame or throws CodecError. `owned` as in {@linkcode readMessage}. */
export function readRaftFrame(payload: Uint8Array, owned: boolean): RaftFrame {
  const reader = new BytesReader(payload);
  const wallMs = readTime(reader);
  const messages: GroupMessage[] = [];
  while (reader.remaining > 0) messages.push(readMessage(reader, owned));
  return { wallMs, messages };
}

/**
 * Reads one message. Throws CodecError on bytes that no peer of this version sends. If nobody else will
 * write to the reader's bytes (`owned`) the entries' data are views on them; else each message's data
 * share one buffer of exactly their size, because a log holds on to them for long.
 */
export function readMessage(reader: BytesReader, owned = false): GroupMessage {
  const group = reader.u32();
  const type = reader.u8();
  if (IS_WIRE_TYPE[type] !== true) {
    throw new CodecError(`Raft message of type ${type}, which never comes from a peer`);
  }
  const fields = reader.u16();
  if (fields > ALL_FIELDS) throw new CodecError(`Raft message with unknown fields ${fields}`);
  const to = reader.integer();
  const from = reader.integer();
  const message = newMessage(type as MessageType, to, from);
  message.term = reader.integer();
  if (fields & LOG_TERM) message.logTerm = reader.integer();
  if (fields & INDEX) message.index = reader.integer();
  if (fields & COMMIT) message.commit = reader.integer();
  if (fields & VOTE) message.vote = reader.integer();
  if (fields & REJECT_HINT) message.rejectHint = reader.integer();
  if (fields & CONTEXT) message.context = reader.integer();
  if (fields & REJECT) message.reject = true;
  if (fields & ENTRIES) message.entries = readEntries(reader, owned);
  if (fields & SNAPSHOT) {
    message.snapshot = { data: NO_BYTES, metadata: readSnapshotMetadata(reader) };
  }
  return { group, message };
}

function readEntries(reader: BytesReader, owned: boolean): Entry[] {
  const count = reader.u32();
  const dataBytes = reader.u32();
  const firstIndex = reader.integer();
  if (count === 0 || !Number.isSafeInteger(firstIndex + count)) {
    throw new CodecError(`Raft message with ${count} entries from index ${firstIndex}`);
  }
  const headers = new BytesReader(reader.raw(count * ENTRY_HEADER_BYTES));
  const view = reader.raw(dataBytes);
  const data = owned ? view : view.slice();
  const entries = new Array<Entry>(count);
  let offset = 0;
  for (let i = 0; i < count; i++) {
    const term = headers.integer();
    const type = headers.u8();
    const end = offset + headers.u32();
    if (type > EntryType.ConfChangeV2) throw new CodecError(`entry of unknown type ${type}`);
    if (end > dataBytes) throw new CodecError(`entry data ends at ${end} of ${dataBytes}`);
    const bytes = end === offset ? NO_BYTES : data.subarray(offset, end);
    entries[i] = { term, index: firstIndex + i, type, data: bytes };
    offset = end;
  }
  if (offset !== dataBytes) throw new CodecError(`${dataBytes - offset} data bytes of no entry`);
  return entries;
}

export function readSnapshotMetadata(reader: BytesReader): SnapshotMetadata {
  const index = reader.integer();
  const term = reader.integer();
  return { index, term, confState: readConfState(reader) };
}
