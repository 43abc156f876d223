import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Entry, type Message, MessageType, newMessage } from "../../src/raft/mod.ts";
import { BytesWriter, CodecError } from "../../src/base/codec.ts";
import {
  type GroupMessage,
  messageBytes,
  readRaftFrame,
  writeMessage,
} from "../../src/transport/raft_codec.ts";

const WIRE_TYPES = [
  MessageType.Append,
  MessageType.AppendResponse,
  MessageType.Vote,
  MessageType.VoteResponse,
  MessageType.Snapshot,
  MessageType.Heartbeat,
  MessageType.HeartbeatResponse,
  MessageType.TransferLeader,
  MessageType.TimeoutNow,
  MessageType.ReadIndex,
  MessageType.ReadIndexResponse,
  MessageType.PreVote,
  MessageType.PreVoteResponse,
  MessageType.Quiesce,
];

const number = () =>
  fc.oneof(fc.constant(0), fc.nat(), fc.maxSafeInteger().map((value) => Math.abs(value)));
const ids = () => fc.array(number(), { maxLength: 5 });

const entries: fc.Arbitrary<Entry[]> = fc.tuple(
  fc.integer({ min: 1, max: 2 ** 50 }),
  fc.array(fc.tuple(number(), fc.integer({ min: 0, max: 2 }), fc.uint8Array()), { maxLength: 20 }),
).map(([first, list]) =>
  list.map(([term, type, data], i) => ({ term, index: first + i, type, data }))
);

const groupMessage: fc.Arbitrary<GroupMessage> = fc.record({
  group: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  message: fc.record({
    type: fc.constantFrom(...WIRE_TYPES),
    to: number(),
    from: number(),
    term: number(),
    logTerm: number(),
    index: number(),
    entries,
    commit: number(),
    vote: number(),
    snapshot: fc.option(fc.record({
      data: fc.constant(new Uint8Array(0)),
      metadata: fc.record({
        index: number(),
        term: number(),
        confState: fc.record({
          voters: ids(),
          learners: ids(),
          votersOutgoing: ids(),
          learnersNext: ids(),
          autoLeave: fc.boolean(),
        }),
      }),
    })),
    reject: fc.boolean(),
    rejectHint: number(),
    context: number(),
    responses: fc.constant([]),
  }),
});

function encode(messages: readonly GroupMessage[], wallMs: number): Uint8Array {
  const writer = new BytesWriter().f64(wallMs);
  for (const { group, message } of messages) writeMessage(writer, group, message);
  return writer.take();
}

Deno.test("readRaftFrame() gives back what was encoded, and owns the data it must", () => {
  const wallMs = fc.double({ noNaN: true, noDefaultInfinity: true });
  fc.assert(fc.property(fc.array(groupMessage), wallMs, fc.boolean(), (messages, wall, owned) => {
    const payload = encode(messages, wall);
    const frame = readRaftFrame(payload, owned);
    if (!owned) payload.fill(0xee); // as the next read would
    assertEquals(frame, { wallMs: wall, messages });
  }));
});

Deno.test("messageBytes() is never less than what is written", () => {
  fc.assert(fc.property(groupMessage, ({ group, message }) => {
    const out = new BytesWriter();
    writeMessage(out, group, message);
    assert(out.length <= messageBytes(message));
    assert(messageBytes(message) - out.length <= 48);
  }));
});

Deno.test("readRaftFrame() takes any bytes without harm: a frame or a CodecError", () => {
  const check = (payload: Uint8Array) => {
    try {
      readRaftFrame(payload, false);
    } catch (error) {
      assert(error instanceof CodecError, String(error));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), check));
  fc.assert(
    fc.property(
      fc.array(groupMessage, { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1 }),
      fc.nat(),
      (messages, changes, cut) => {
        const payload = encode(messages, 1);
        for (const [at, bits] of changes) payload[at % payload.length] ^= bits;
        check(payload);
        check(payload.subarray(0, cut % payload.length));
      },
    ),
  );
});

Deno.test("messages that only a replica itself may produce neither leave nor enter", () => {
  for (let type = 0; type <= MessageType.Quiesce; type++) {
    if (WIRE_TYPES.includes(type)) continue;
    const message: Message = newMessage(type, 1, 2);
    assertThrows(() => encode([{ group: 1, message }], 0));
    const payload = encode([{ group: 1, message: newMessage(MessageType.Heartbeat, 1, 2) }], 0);
    payload[8 + 4] = type;
    assertThrows(() => readRaftFrame(payload, false), CodecError);
  }
});
