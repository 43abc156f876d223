// Bytes changed on the way, at random and with valid checksums: that costs the link they came on, with
// one clear log line, and nobody else anything.

import { assert, assertEquals } from "@std/assert";
import type { Network } from "../../src/platform/ports.ts";
import { FRAME_HEADER_BYTES, FrameType, writeFrameHeader } from "../../src/transport/frame.ts";
import type { SeededRandom } from "../sim/random.ts";
import { BAD_DATAGRAM, TestBench, type TestNode } from "./harness.ts";

type Mutator = (bytes: Uint8Array) => boolean;

/** Puts `mutate` between the node and all connections that it dials to `target`, once armed. */
function tamper(
  node: TestNode,
  target: string,
  mutate: Mutator,
): { arm: () => void; hits: number } {
  const state = { armed: false, hits: 0, arm: () => state.armed = true };
  const network = node.network as { dial: Network["dial"] };
  const dial = network.dial;
  network.dial = async (address, timeoutMs) => {
    const connection = await dial(address, timeoutMs);
    if (address !== target) return connection;
    return {
      remote: connection.remote,
      read: (into) => connection.read(into),
      close: () => connection.close(),
      write: (bytes) => {
        const copy = bytes.slice();
        if (state.armed && mutate(copy)) {
          state.hits += 1;
          state.armed = false;
        }
        return connection.write(copy);
      },
    };
  };
  return state;
}

/** Flips some bits anywhere. */
function flipBits(random: SeededRandom): Mutator {
  return (bytes) => {
    for (let flips = 1 + random.int(3); flips > 0; flips--) {
      bytes[random.int(bytes.length)] ^= 1 << random.int(8);
    }
    return true;
  };
}

/** Changes the payload or type of the first frame and makes its header right again. */
function forge(random: SeededRandom): Mutator {
  return (bytes) => {
    const lengthBytes = new DataView(bytes.buffer).getUint32(0);
    for (let changes = 1 + random.int(6); changes > 0; changes--) {
      bytes[FRAME_HEADER_BYTES + random.int(lengthBytes)] = random.int(256);
    }
    const type = random.chance(0.3) ? random.int(256) : bytes[4];
    writeFrameHeader(bytes, type, lengthBytes);
    return true;
  };
}

function datagram(random: SeededRandom): Uint8Array {
  const body = random.bytes(1 + random.int(random.chance(0.5) ? 500 : 5000));
  body[0] = 1;
  return body;
}

async function exercise(
  seed: number,
  mutator: (random: SeededRandom) => Mutator,
): Promise<{ b: TestNode; hits: number }> {
  const bench = new TestBench(seed, { splitChance: 0.2 });
  const a = await bench.node("a");
  const b = await bench.node("b");
  const c = await bench.node("c");
  const tampering = tamper(a, b.address, mutator(bench.random.stream("mutator")));
  const nodes = [a, b, c];
  bench.introduce(nodes);
  await bench.linked(nodes);
  const random = bench.random.stream("test");
  for (let mark = 1; mark <= 100; mark++) {
    if (mark % 20 === 0) tampering.arm();
    a.sendMark("b", mark);
    if (random.chance(0.4)) a.transport.sendDatagram("b", datagram(random));
    if (random.chance(0.3)) a.transport.request("b", random.bytes(1 + random.int(500)), 50);
    assert(c.sendMark("b", mark) && b.sendMark("a", mark) && a.sendMark("c", mark));
    await bench.scheduler.runFor(random.int(10));
  }
  await bench.scheduler.runFor(100); // until the last break was noticed
  await bench.linked(nodes);
  assert(a.sendMark("b", 1000));
  await bench.scheduler.runFor(50);
  assertEquals(b.marksFrom("a").at(-1), 1000, `seed ${seed}: the link works again`);
  assert(tampering.hits >= 3, `seed ${seed}`);
  const all = Array.from({ length: 100 }, (_, i) => i + 1);
  assertEquals(b.marksFrom("c"), all, `seed ${seed}: others are not disturbed`);
  assertEquals(a.marksFrom("b"), all, `seed ${seed}: the other direction is not disturbed`);
  assertEquals(c.marksFrom("a"), all, `seed ${seed}`);
  return { b, hits: tampering.hits };
}

Deno.test("damaged bytes close their link with one log line each and never get through", async () => {
  for (let seed = 1; seed <= 15; seed++) {
    const { b, hits } = await exercise(seed, flipBits);
    // A refusal that comes again within the minute is told quietly.
    const warnings = b.log.lines.filter(({ level, message }) =>
      level === "warn" || message === "peer connection refused"
    );
    assertEquals(warnings.length, hits, `seed ${seed}: ${JSON.stringify(warnings)}`);
    for (const { message, fields } of warnings) {
      // Some damage hits the handshake of the next connection.
      if (message === "link from peer closed") assertEquals(fields.peer, "a");
      else assertEquals(message, "peer connection refused");
      assert(/damaged|oversized|flags/.test(String(fields.reason)), String(fields.reason));
    }
    for (const mark of b.marksFrom("a")) assert(mark <= 100 || mark === 1000);
  }
});

Deno.test("forged frames with valid checksums are taken or close their link, no more", async () => {
  let closed = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const { b } = await exercise(seed, forge);
    for (const { fields } of b.log.of("link from peer closed")) {
      closed += 1;
      assert(
        /Cannot read|Raft message|entry|entries|data bytes|left over|unknown frame type|a bad datagram/
          .test(String(fields.reason)),
      );
    }
  }
  assert(closed > 25, `${closed} links closed`);
});

Deno.test("an unknown frame type closes the link and names the type", async () => {
  const bench = new TestBench(1);
  const a = await bench.node("a");
  const b = await bench.node("b");
  const tampering = tamper(a, b.address, (bytes) => {
    writeFrameHeader(bytes, 200, new DataView(bytes.buffer).getUint32(0));
    return true;
  });
  bench.introduce([a, b]);
  await bench.linked([a, b]);
  tampering.arm();
  a.transport.sendDatagram("b", new Uint8Array(3));
  await bench.scheduler.runFor(10);
  assertEquals(b.log.of("link from peer closed")[0].fields.reason, "unknown frame type 200");
  assert(!Object.values(FrameType).includes(200 as never));
});

Deno.test("a datagram that its handler calls malformed costs the link and nothing else", async () => {
  const bench = new TestBench(2);
  const [a, b] = await bench.cluster("a", "b");
  a.transport.sendDatagram("b", new Uint8Array([BAD_DATAGRAM]));
  await bench.scheduler.runFor(10);
  assertEquals(b.log.of("link from peer closed")[0].fields.reason, "a bad datagram");
  await bench.linked([a, b]);
});
