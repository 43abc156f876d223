import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CodecError } from "../../src/base/codec.ts";
import {
  type Frame,
  FRAME_HEADER_BYTES,
  FrameReader,
  FrameType,
  headerCheck,
} from "../../src/transport/frame.ts";
import { FrameWriter } from "../../src/transport/frame_writer.ts";
import { LARGE_PAYLOAD_BYTES } from "../../src/transport/parameters.ts";
import { SendQueue } from "../../src/transport/send_queue.ts";
import { SeededRandom } from "../sim/random.ts";

/** Feeds `stream` in pieces of the sizes that `pieceBytes` gives; returns copies of all frames. */
function readFrames(reader: FrameReader, stream: Uint8Array, pieceBytes: () => number): Frame[] {
  const frames: Frame[] = [];
  let offset = 0;
  while (offset < stream.length) {
    const room = reader.room();
    const piece = stream.subarray(offset, offset + Math.min(room.length, pieceBytes()));
    room.set(piece);
    reader.filled(piece.length);
    offset += piece.length;
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      frames.push({ ...frame, payload: frame.payload.slice() });
    }
  }
  return frames;
}

Deno.test("FrameReader gives back all frames, whatever the pieces they come in", () => {
  const payload = fc.oneof(
    { weight: 9, arbitrary: fc.uint8Array({ maxLength: 400 }) },
    fc.integer({ min: 0, max: LARGE_PAYLOAD_BYTES * 3 }).map((size) =>
      new SeededRandom(size).bytes(size)
    ),
  );
  const frames = fc.array(fc.tuple(fc.integer({ min: 1, max: 255 }), payload), { maxLength: 12 });
  fc.assert(
    fc.property(frames, fc.nat(), (list, seed) => {
      const out = new FrameWriter();
      for (const [type, bytes] of list) out.append(type, bytes);
      const random = new SeededRandom(seed);
      const most = random.pick([1 << 16, 1 << 18, 1 << 20]);
      const reader = new FrameReader(1 << 18, 1 << 24);
      const got = readFrames(reader, out.view().slice(), () => 1 + random.int(most));
      assertEquals(got.map(({ type, payload }) => [type, payload]), list);
      for (const { payload, owned } of got) {
        assertEquals(owned, payload.length > LARGE_PAYLOAD_BYTES);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("FrameReader notices every flipped bit of a frame", () => {
  const out = new FrameWriter();
  out.append(FrameType.Datagram, new SeededRandom(1).bytes(40));
  const good = out.view().slice();
  for (let bit = 0; bit < good.length * 8; bit++) {
    const bad = good.slice();
    bad[bit >> 3] ^= 1 << (bit & 7);
    const reader = new FrameReader(4096, 1024);
    assertThrows(() => readFrames(reader, bad, () => 7), CodecError, "damaged");
  }
});

Deno.test("FrameReader refuses an oversized frame before it reads or allocates any of it", () => {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, 1025);
  view.setUint8(4, FrameType.Raft);
  view.setUint16(6, headerCheck(1025, FrameType.Raft, 0));
  const reader = new FrameReader(4096, 1024);
  assertThrows(() => readFrames(reader, header, () => 99), CodecError, "oversized");
});

Deno.test("a withdrawn frame becomes one that its reader skips; others stay", () => {
  const out = new FrameWriter();
  out.append(FrameType.Request, new Uint8Array([1]));
  const offset = out.append(FrameType.Request, new Uint8Array([2, 2]));
  out.append(FrameType.Request, new Uint8Array([3]));
  out.withdraw(offset, 2);
  const reader = new FrameReader(4096, 1024);
  const frames = readFrames(reader, out.view().slice(), () => 99);
  assertEquals(frames.map(({ type }) => type), [
    FrameType.Request,
    FrameType.Void,
    FrameType.Request,
  ]);
});

Deno.test("SendQueue writes in order, in few batches, pings first, and keeps its bound", () => {
  const random = new SeededRandom(3);
  for (let round = 0; round < 20; round++) {
    const limitBytes = 2_000_000;
    const queue = new SendQueue(limitBytes);
    const reader = new FrameReader(1 << 18, 1 << 24);
    const sent: number[] = [];
    const got: number[] = [];
    let pings = 0;
    let refused = 0;
    const take = () => {
      const ping = random.chance(0.3) ? { monotonicMs: 1, wallMs: 2 } : undefined;
      const bytes = queue.begin(ping);
      if (bytes === undefined) return;
      assert(bytes.length > 0);
      const frames = readFrames(reader, bytes, () => 1 << 20);
      if (ping !== undefined) {
        assertEquals(frames.shift()?.type, FrameType.Ping);
        pings += 1;
      }
      for (const { payload } of frames) got.push(new DataView(payload.buffer).getUint32(0));
    };
    for (let i = 0; i < 400; i++) {
      const size = 4 + random.int(random.chance(0.02) ? 900_000 : 300);
      const batch = queue.batchFor(size);
      if (batch === undefined) refused += 1;
      else {
        const payload = new Uint8Array(size);
        new DataView(payload.buffer).setUint32(0, i);
        batch.frames.append(FrameType.Datagram, payload);
        sent.push(i);
      }
      assert(queue.queuedBytes <= limitBytes);
      if (random.chance(0.05)) {
        if (queue.isWriting) queue.written();
        else take();
      }
    }
    if (queue.isWriting) queue.written();
    for (;;) {
      take();
      if (!queue.isWriting) break;
      queue.written();
      if (got.length === sent.length) break;
    }
    assertEquals(got, sent);
    assertEquals(sent.length + refused, 400);
    assert(pings > 0);
    if (queue.isWriting) queue.written();
    assertEquals(queue.queuedBytes, 0);
  }
});
