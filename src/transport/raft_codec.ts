// Raft messages on the wire. Encodes straight into a link's buffer; decoding gives views on the bytes it
// was given, so those must live as long as the entries. A snapshot travels as its metadata only.
//
//   Raft frame: sender's wall clock f64, then messages to its end, each
//     group u32 | type u8 | flags u8 (1 reject, 2 snapshot) | fields u16 | f64 for each bit of `fields`
//     (to, from, term, logTerm, index, commit, vote, rejectHint, context: bit 0 up; absent means 0)
//     | entry count u32 | if > 0: first index f64, and per entry: type u8, term f64, length u32, data
//     | with flag 2: index f64, term f64, configuration
//   configuration: raft/conf_state_codec.ts

import { assert } from "../base/assert.ts";
import { NO_BYTES } from "../base/bytes.ts";
import { BytesReader, type BytesWriter, CodecError } from "../base/codec.ts";
import type { PartitionId } from "../base/ids.ts";
import { readConfState, writeConfState } from "../raft/conf_state_codec.ts";
import {
  type Entry,
  EntryType,
  type Message,
  MessageType,
  newMessage,
  NO_ENTRIES,
  type SnapshotMetadata,
} from "../raft/mod.ts";

const FLAG_REJECT = 1;
const FLAG_SNAPSHOT = 2;
/** The highest type that may come from a peer. */
const MESSAGE_TYPE_MAX = MessageType.ForgetLeader;

/** Appends one message. */
export function writeMessage(writer: BytesWriter, group: PartitionId, message: Message): void {
  assert(message.responses.length === 0, "work orders never leave the node");
  writer.u32(group).u8(message.type);
  writer.u8((message.reject ? FLAG_REJECT : 0) | (message.snapshot !== null ? FLAG_SNAPSHOT : 0));
  const { to, from, term, logTerm, index, commit, vote, rejectHint, context } = message;
  writer.u16(
    (to !== 0 ? 1 : 0) | (from !== 0 ? 2 : 0) | (term !== 0 ? 4 : 0) | (logTerm !== 0 ? 8 : 0) |
      (index !== 0 ? 16 : 0) | (commit !== 0 ? 32 : 0) | (vote !== 0 ? 64 : 0) |
      (rejectHint !== 0 ? 128 : 0) | (context !== 0 ? 256 : 0),
  );
  if (to !== 0) writer.f64(to);
  if (from !== 0) writer.f64(from);
  if (term !== 0) writer.f64(term);
  if (logTerm !== 0) writer.f64(logTerm);
  if (index !== 0) writer.f64(index);
  if (commit !== 0) writer.f64(commit);
  if (vote !== 0) writer.f64(vote);
  if (rejectHint !== 0) writer.f64(rejectHint);
  if (context !== 0) writer.f64(context);
  writeEntries(writer, message.entries);
  if (message.snapshot !== null) writeSnapshotMetadata(writer, message.snapshot.metadata);
}

function writeEntries(writer: BytesWriter, entries: readonly Entry[]): void {
  writer.u32(entries.length);
  if (entries.length === 0) return;
  const first = entries[0].index;
  writer.f64(first);
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    assert(entry.index === first + i, "entries of a message are contiguous");
    writer.u8(entry.type).f64(entry.term).u32(entry.data.length).raw(entry.data);
  }
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

/** Reads one message. Throws CodecError on bytes that no peer of this version sends. */
export function readMessage(reader: BytesReader): GroupMessage {
  const group = reader.u32();
  const type = reader.u8();
  if (type > MESSAGE_TYPE_MAX) throw new CodecError(`Raft message of unknown type ${type}`);
  const flags = reader.u8();
  const fields = reader.u16();
  const message = newMessage(type as MessageType, 0, 0);
  if (fields & 1) message.to = reader.integer();
  if (fields & 2) message.from = reader.integer();
  if (fields & 4) message.term = reader.integer();
  if (fields & 8) message.logTerm = reader.integer();
  if (fields & 16) message.index = reader.integer();
  if (fields & 32) message.commit = reader.integer();
  if (fields & 64) message.vote = reader.integer();
  if (fields & 128) message.rejectHint = reader.integer();
  if (fields & 256) message.context = reader.integer();
  message.reject = (flags & FLAG_REJECT) !== 0;
  message.entries = readEntries(reader);
  if (flags & FLAG_SNAPSHOT) {
    message.snapshot = { data: NO_BYTES, metadata: readSnapshotMetadata(reader) };
  }
  return { group, message };
}

function readEntries(reader: BytesReader): readonly Entry[] {
  const count = reader.u32();
  if (count === 0) return NO_ENTRIES;
  if (count * 13 > reader.remaining) throw new CodecError(`message claims ${count} entries`);
  const first = reader.integer();
  const entries = new Array<Entry>(count);
  for (let i = 0; i < count; i++) {
    const type = reader.u8();
    if (type > EntryType.ConfChangeV2) throw new CodecError(`entry of unknown type ${type}`);
    const term = reader.integer();
    entries[i] = { term, index: first + i, type, data: reader.raw(reader.u32()) };
  }
  return entries;
}

export function readSnapshotMetadata(reader: BytesReader): SnapshotMetadata {
  const index = reader.integer();
  const term = reader.integer();
  return { index, term, confState: readConfState(reader) };
}
