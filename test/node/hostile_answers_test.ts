// What another node answers or offers may be anything, of another version or damaged: it is refused as a
// CodecError or taken as no answer, and never ends in an error that nobody expects.

import { assertEquals, assertThrows } from "@std/assert";
import { BytesWriter, CodecError } from "../../src/base/codec.ts";
import {
  decodePlainAnswer,
  decodeReadAnswer,
  decodeWriteAnswer,
  encodePlainAnswer,
  readable,
} from "../../src/node/forward.ts";
import { decodePageAnswer } from "../../src/node/page_codec.ts";
import { SnapshotCourier } from "../../src/node/snapshot_courier.ts";
import { decodeEventsAnswer } from "../../src/node/watch_codec.ts";
import { MessageType, newMessage } from "../../src/raft/mod.ts";
import { encodeTransferMessage } from "../../src/snapshot/mod.ts";
import { writeMessage } from "../../src/transport/raft_codec.ts";

const DECODERS = {
  decodeWriteAnswer,
  decodeReadAnswer,
  decodePageAnswer,
  decodeEventsAnswer,
  decodePlainAnswer,
};

/** JSON that is no answer of any kind. */
const NO_ANSWERS: readonly unknown[] = [null, 7, "ok", true, [], [{ ok: true }]];

/** Answers whose parts are not what they should be. */
const CROOKED: readonly unknown[] = [
  {},
  { ok: true },
  { ok: true, record: null },
  { ok: true, record: 1 },
  { ok: true, recordCount: 1e9, contentTypes: [] },
  { ok: true, recordCount: 1 },
  { ok: true, eventCount: 1e9 },
  { ok: true, applied: null },
  { ok: true, applied: { result: { kind: "txn" } } },
  { ok: true, applied: { result: { kind: "txn", results: [null] } } },
  { ok: true, applied: { result: { kind: "txn", results: [{ kind: "get", record: null }] } } },
];

for (const [name, decode] of Object.entries(DECODERS)) {
  Deno.test(`${name}() throws nothing but CodecError`, () => {
    for (const answer of NO_ANSWERS) {
      assertThrows(() => decode(encodePlainAnswer(answer)), CodecError);
    }
    for (const answer of CROOKED) readable<unknown>(decode, encodePlainAnswer(answer));
    for (const bytes of [new Uint8Array(), new Uint8Array(4), new Uint8Array([9, 0, 0, 0, 123])]) {
      assertThrows(() => decode(bytes), CodecError);
    }
  });
}

Deno.test("a snapshot offer whose message can't be used is refused when it is made", () => {
  // It needs nothing of its host to refuse.
  const courier = new SnapshotCourier({} as ConstructorParameters<typeof SnapshotCourier>[0]);
  const metadata = { group: 3, index: 8, term: 2, confState: new Uint8Array() };
  const offer = (context: Uint8Array<ArrayBuffer>) =>
    encodeTransferMessage({ kind: "offer", transfer: 1, metadata, sizeBytes: 10, context });
  const messageOf = (type: MessageType, index: number, group = 3) => {
    const message = newMessage(type, 1, 2);
    message.term = 2;
    const confState = {
      voters: [1, 2],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    const data = new Uint8Array();
    message.snapshot = { data, metadata: { index, term: 2, confState } };
    const writer = new BytesWriter(200);
    writeMessage(writer, group, message);
    return writer.take();
  };
  const good = messageOf(MessageType.Snapshot, 8);
  const contexts = [
    new Uint8Array(),
    new Uint8Array(30),
    good.slice(0, -1),
    new Uint8Array([...good, 0]),
    messageOf(MessageType.Append, 8),
    messageOf(MessageType.Snapshot, 9),
    messageOf(MessageType.Snapshot, 8, 4),
  ];
  for (const context of contexts) {
    assertThrows(() => courier.onDatagram("a", offer(context)), CodecError);
  }
});

Deno.test("a transfer's numbers are whole and its configuration is bounded", () => {
  const courier = new SnapshotCourier({} as ConstructorParameters<typeof SnapshotCourier>[0]);
  const bytes = encodeTransferMessage({
    kind: "offer",
    transfer: 1,
    metadata: { group: 3, index: 8, term: 2, confState: new Uint8Array(70_000) },
    sizeBytes: 10,
    context: new Uint8Array(),
  });
  assertThrows(() => courier.onDatagram("a", bytes), CodecError, "malformed");
  const bad = [NaN, -1, 0.5, Infinity, 2 ** 60];
  let refused = 0;
  for (const value of bad) {
    for (const message of numbersOf(value)) {
      assertThrows(
        () => courier.onDatagram("a", encodeTransferMessage(message)),
        CodecError,
        "malformed",
      );
      refused++;
    }
  }
  assertEquals(refused, bad.length * 7);
});

/** Messages with `value` in place of each number. */
function numbersOf(value: number): Parameters<typeof encodeTransferMessage>[0][] {
  const bytes = new Uint8Array();
  const offer = (transfer: number, index: number, term: number, sizeBytes: number) => ({
    kind: "offer" as const,
    transfer,
    metadata: { group: 1, index, term, confState: bytes },
    sizeBytes,
    context: bytes,
  });
  return [
    offer(value, 1, 1, 1),
    offer(1, value, 1, 1),
    offer(1, 1, value, 1),
    offer(1, 1, 1, value),
    { kind: "piece", transfer: 1, offset: value, last: true, bytes },
    { kind: "accept", transfer: 1, offset: value },
    { kind: "done", transfer: value },
  ];
}
