// Raft messages as bytes: many messages of many groups in one frame, so that the heartbeats of all
// groups to one peer travel together. Fields that are zero are absent. Must never accept a message that
// only a replica itself may produce.
//
// Payload: sender's wall clock (f64, ms), then messages to the end:
//   u32 group, u8 type, u16 fields, f64 to, f64 from, f64 term,
//   then, for each bit set in `fields`, in this order: f64 logTerm (1), index (2), commit (4), vote (8),
//   rejectHint (16), context (32); `reject` is the bit 64 itself;
//   entries (128): u32 count, u32 data bytes, f64 first index,
//                  count x {f64 term, u8 type, u32 length}, then all data back to back;
//   snapshot (256): f64 index, f64 term, u8 autoLeave, then voters, learners, votersOutgoing,
//                  learnersNext, each u16 count and f64 ids. A snapshot's data travels elsewhere.

import { assert } from "../base/assert.ts";
import type { PartitionId, ReplicaId } from "../base/ids.ts";
import {
  type ConfState,
  type Entry,
  isLocalType,
  type Message,
  MessageType,
  newMessage,
  NO_DATA,
  type Snapshot,
} from "../raft/mod.ts";
import { ProtocolError } from "./frame.ts";
import type { FrameBuffer } from "./frame_buffer.ts";
import { PayloadReader } from "./payload_reader.ts";

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

const FIXED_BYTES = 4 + 1 + 2 + 3 * 8;
const ENTRIES_FIXED_BYTES = 4 + 4 + 8;
const ENTRY_HEADER_BYTES = 8 + 1 + 4;
const LAST_ENTRY_TYPE = 2;

/** Types that cross a link. Proposals do not: nodes forward requests, never raw entries. */
const IS_WIRE_TYPE: readonly boolean[] = Array.from(
  { length: MessageType.ForgetLeader + 1 },
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

function confStateBytes(confState: ConfState): number {
  const { voters, learners, votersOutgoing, learnersNext } = confState;
  const ids = voters.length + learners.length + votersOutgoing.length + learnersNext.length;
  return 4 * 2 + 8 * ids;
}

/** Upper bound of the bytes that {@linkcode encodeRaftMessage} writes. */
export function raftMessageBytes(message: Message): number {
  let bytes = FIXED_BYTES + 6 * 8;
  if (message.entries.length > 0) {
    bytes += ENTRIES_FIXED_BYTES + message.entries.length * ENTRY_HEADER_BYTES;
    for (const entry of message.entries) bytes += entry.data.length;
  }
  if (message.snapshot !== null) bytes += 17 + confStateBytes(message.snapshot.metadata.confState);
  return bytes;
}

/** Opens the payload of a Raft frame. */
export function encodeRaftFrameStart(out: FrameBuffer, wallMs: number): void {
  out.f64(wallMs);
}

/** Appends one message to a Raft frame. */
export function encodeRaftMessage(out: FrameBuffer, group: PartitionId, message: Message): void {
  assert(IS_WIRE_TYPE[message.type] === true, `message type ${message.type} never leaves a node`);
  assert(group >= 0 && group <= 0xffff_ffff, `group out of range: ${group}`);
  const fields = fieldsOf(message);
  let at = out.reserve(FIXED_BYTES);
  out.view.setUint32(at, group);
  out.bytes[at + 4] = message.type;
  out.view.setUint16(at + 5, fields);
  out.view.setFloat64(at + 7, message.to);
  out.view.setFloat64(at + 15, message.from);
  out.view.setFloat64(at + 23, message.term);
  if (fields & LOG_TERM) out.f64(message.logTerm);
  if (fields & INDEX) out.f64(message.index);
  if (fields & COMMIT) out.f64(message.commit);
  if (fields & VOTE) out.f64(message.vote);
  if (fields & REJECT_HINT) out.f64(message.rejectHint);
  if (fields & CONTEXT) out.f64(message.context);
  if (fields & ENTRIES) encodeEntries(out, message.entries);
  if (message.snapshot !== null) {
    const { metadata } = message.snapshot;
    at = out.reserve(17);
    out.view.setFloat64(at, metadata.index);
    out.view.setFloat64(at + 8, metadata.term);
    out.bytes[at + 16] = metadata.confState.autoLeave ? 1 : 0;
    encodeConfState(out, metadata.confState);
  }
}

function encodeEntries(out: FrameBuffer, entries: readonly Entry[]): void {
  const firstIndex = entries[0].index;
  let dataBytes = 0;
  for (const entry of entries) dataBytes += entry.data.length;
  const headerBytes = ENTRIES_FIXED_BYTES + entries.length * ENTRY_HEADER_BYTES;
  let header = out.reserve(headerBytes + dataBytes);
  const { bytes, view } = out;
  let data = header + headerBytes;
  view.setUint32(header, entries.length);
  view.setUint32(header + 4, dataBytes);
  view.setFloat64(header + 8, firstIndex);
  header += ENTRIES_FIXED_BYTES;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    assert(entry.index === firstIndex + i, "entries of one message follow each other");
    view.setFloat64(header, entry.term);
    bytes[header + 8] = entry.type;
    view.setUint32(header + 9, entry.data.length);
    header += ENTRY_HEADER_BYTES;
    bytes.set(entry.data, data);
    data += entry.data.length;
  }
}

function encodeConfState(out: FrameBuffer, confState: ConfState): void {
  const { voters, learners, votersOutgoing, learnersNext } = confState;
  for (const ids of [voters, learners, votersOutgoing, learnersNext]) {
    assert(ids.length <= 0xffff, "a configuration is small");
    out.u16(ids.length);
    for (const id of ids) out.f64(id);
  }
}

export interface GroupMessage {
  readonly group: PartitionId;
  readonly message: Message;
}

export interface RaftFrame {
  /** The sender's wall clock when it opened the frame. */
  readonly wallMs: number;
  readonly messages: readonly GroupMessage[];
}

/**
 * Decodes a whole frame or throws ProtocolError. Entries' data keep `payload`'s buffer alive if it is
 * `owned`; else each message's data share one buffer of exactly their size, because a log holds on to
 * them for long.
 */
export function decodeRaftFrame(payload: Uint8Array, owned: boolean): RaftFrame {
  const reader = new PayloadReader(payload);
  const wallMs = reader.finite();
  const messages: GroupMessage[] = [];
  while (reader.remaining > 0) {
    const group = reader.u32();
    messages.push({ group, message: decodeMessage(reader, owned) });
  }
  return { wallMs, messages };
}

function decodeMessage(reader: PayloadReader, owned: boolean): Message {
  const type = reader.u8();
  if (IS_WIRE_TYPE[type] !== true) {
    throw new ProtocolError(`malformed payload: message type ${type} never comes from a peer`);
  }
  const fields = reader.u16();
  if (fields > ALL_FIELDS) throw new ProtocolError(`malformed payload: message fields ${fields}`);
  const to = reader.integer();
  const from = reader.integer();
  const message = newMessage(type, to, from);
  message.term = reader.integer();
  if (fields & LOG_TERM) message.logTerm = reader.integer();
  if (fields & INDEX) message.index = reader.integer();
  if (fields & COMMIT) message.commit = reader.integer();
  if (fields & VOTE) message.vote = reader.integer();
  if (fields & REJECT_HINT) message.rejectHint = reader.integer();
  if (fields & CONTEXT) message.context = reader.integer();
  if (fields & REJECT) message.reject = true;
  if (fields & ENTRIES) message.entries = decodeEntries(reader, owned);
  if (fields & SNAPSHOT) message.snapshot = decodeSnapshot(reader);
  return message;
}

function decodeEntries(reader: PayloadReader, owned: boolean): Entry[] {
  const count = reader.u32();
  const dataBytes = reader.u32();
  const firstIndex = reader.integer();
  if (count === 0 || !Number.isSafeInteger(firstIndex + count)) {
    throw new ProtocolError(`malformed payload: ${count} entries from index ${firstIndex}`);
  }
  const headers = new PayloadReader(reader.raw(count * ENTRY_HEADER_BYTES));
  const view = reader.raw(dataBytes);
  const data = owned ? view : view.slice();
  const entries = new Array<Entry>(count);
  let offset = 0;
  for (let i = 0; i < count; i++) {
    const term = headers.integer();
    const type = headers.u8();
    const end = offset + headers.u32();
    if (type > LAST_ENTRY_TYPE || end > dataBytes) {
      throw new ProtocolError(`malformed payload: entry of type ${type} ends at ${end}`);
    }
    const bytes = end === offset ? NO_DATA : data.subarray(offset, end);
    entries[i] = { term, index: firstIndex + i, type, data: bytes };
    offset = end;
  }
  if (offset !== dataBytes) {
    throw new ProtocolError(`malformed payload: ${dataBytes - offset} bytes of no entry`);
  }
  return entries;
}

function decodeSnapshot(reader: PayloadReader): Snapshot {
  const index = reader.integer();
  const term = reader.integer();
  const autoLeave = reader.u8();
  if (autoLeave > 1) throw new ProtocolError(`malformed payload: autoLeave is ${autoLeave}`);
  const confState = {
    voters: decodeIds(reader),
    learners: decodeIds(reader),
    votersOutgoing: decodeIds(reader),
    learnersNext: decodeIds(reader),
    autoLeave: autoLeave === 1,
  };
  return { data: NO_DATA, metadata: { index, term, confState } };
}

function decodeIds(reader: PayloadReader): ReplicaId[] {
  return Array.from({ length: reader.u16() }, () => reader.integer());
}
