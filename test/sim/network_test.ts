import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Connection } from "../../src/platform/ports.ts";
import { FrameType } from "../../src/transport/frame.ts";
import { Incarnation, Scheduler } from "./clock.ts";
import { SimNetwork } from "./network.ts";
import { SeededRandom } from "./random.ts";

async function setUp(seed = 1) {
  const scheduler = new Scheduler();
  const network = new SimNetwork(scheduler, new SeededRandom(seed), { splitChance: 0.5 });
  const a = new Incarnation(scheduler, "a");
  const b = new Incarnation(scheduler, "b");
  const accepted = Promise.withResolvers<Connection>();
  await network.forNode(b).listen("b:1", accepted.resolve);
  const near = await scheduler.settle(network.forNode(a).dial("b:1", 100));
  const far = await scheduler.settle(accepted.promise);
  return { scheduler, network, a, b, near, far };
}

async function readExactly(connection: Connection, count: number): Promise<number[]> {
  const bytes: number[] = [];
  const into = new Uint8Array(4096);
  while (bytes.length < count) {
    const got = await connection.read(into);
    if (got === null) break;
    bytes.push(...into.subarray(0, got));
  }
  return bytes;
}

Deno.test("SimNetwork delivers a stream whole and in order, in pieces of random size", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { scheduler, near, far } = await setUp(seed);
    const sent = Array.from({ length: 100 }, (_, i) => i);
    const reading = readExactly(far, 100);
    (async () => {
      for (let i = 0; i < 100; i += 20) await near.write(new Uint8Array(sent.slice(i, i + 20)));
    })();
    assertEquals(await scheduler.settle(reading), sent, `seed ${seed}`);
  }
});

Deno.test("SimNetwork ends a stream after its last byte", async () => {
  const { scheduler, near, far } = await setUp();
  near.write(new Uint8Array([1, 2, 3])).catch(() => {});
  near.close();
  assertEquals(await scheduler.settle(readExactly(far, 10)), [1, 2, 3]);
});

Deno.test("SimNetwork holds bytes in a blackhole and delivers them once it is healed", async () => {
  const { scheduler, network, a, near, far } = await setUp();
  network.blackhole("a", "b");
  let got: number[] | null = null;
  readExactly(far, 2).then((bytes) => got = bytes);
  near.write(new Uint8Array([1, 2]));
  await scheduler.runFor(10_000);
  assertEquals(got, null);
  const dialling = network.forNode(a).dial("b:1", 500);
  await assertRejects(() => scheduler.settle(dialling), Error, "no answer");
  network.heal("a", "b");
  await scheduler.runUntil("the bytes", 100, () => got !== null);
  assertEquals(got, [1, 2]);
});

Deno.test("SimNetwork drops packets of one direction only", async () => {
  const { scheduler, network, near, far } = await setUp();
  network.dropPackets("a", "b");
  let forward = false;
  readExactly(far, 1).then(() => forward = true);
  near.write(new Uint8Array([1]));
  far.write(new Uint8Array([2]));
  assertEquals(await scheduler.settle(readExactly(near, 1)), [2]);
  await scheduler.runFor(1000);
  assertEquals(forward, false);
  assertEquals(network.link("a", "b").forwardBytes, 0);
  assertEquals(network.link("a", "b").backwardBytes, 1);
});

Deno.test("SimNetwork makes a writer wait for its reader", async () => {
  const { scheduler, near, far } = await setUp();
  let written = 0;
  (async () => {
    for (;;) {
      await near.write(new Uint8Array(512 * 1024));
      written += 1;
    }
  })().catch(() => {});
  await scheduler.runFor(1000);
  assertEquals(written, 2);
  readExactly(far, 1024 * 1024);
  await scheduler.runFor(100);
  assertEquals(written, 4);
  near.close();
  await scheduler.runFor(100);
});

Deno.test("SimNetwork tells the peers of a killed process, but not those of a dead machine", async () => {
  for (const silently of [false, true]) {
    const { scheduler, network, a, b, near } = await setUp();
    let ended = false;
    near.read(new Uint8Array(1)).then(() => ended = true, () => ended = true);
    b.kill({ silently });
    near.write(new Uint8Array(1)).catch(() => {});
    await scheduler.runFor(1000);
    assertEquals(ended, !silently);
    const dialling = network.forNode(a).dial("b:1", 500);
    const error = await assertRejects(() => scheduler.settle(dialling), Error);
    assertStringIncludes(error.message, silently ? "no answer" : "refused");
  }
});

Deno.test("SimNetwork breaks connections on reset and refuses while told to", async () => {
  const { scheduler, network, a, near, far } = await setUp();
  const reading = assertRejects(() => far.read(new Uint8Array(1)), Error, "reset");
  network.refuse("a", "b");
  await scheduler.settle(reading);
  await assertRejects(() => near.write(new Uint8Array(1)), Error, "reset");
  const dialling = network.forNode(a).dial("b:1", 500);
  await assertRejects(() => scheduler.settle(dialling), Error, "refused");
  network.heal("a", "b");
  (await scheduler.settle(network.forNode(a).dial("b:1", 500))).close();
});

Deno.test("SimNetwork fails reads and writes of a connection that its own side has closed", async () => {
  const { near } = await setUp();
  near.close();
  await assertRejects(() => near.read(new Uint8Array(1)), Error, "closed");
  await assertRejects(() => near.write(new Uint8Array(1)), Error, "closed");
});

Deno.test("SimNetwork repeats Raft frames when told to, on later connections too, and no others", async () => {
  const scheduler = new Scheduler();
  const network = new SimNetwork(scheduler, new SeededRandom(1), {
    splitChance: 0,
    keepFrames: true,
  });
  const a = new Incarnation(scheduler, "a");
  const b = new Incarnation(scheduler, "b");
  const types: number[] = [];
  await network.forNode(b).listen("b:1", async (connection) => {
    const into = new Uint8Array(4096);
    for (;;) {
      const count = await connection.read(into).catch(() => null);
      if (count === null) return;
      for (let at = 0; at < count; at += 12 + into[at + 3]) types.push(into[at + 4]);
    }
  });
  const frame = (type: number) => {
    const bytes = new Uint8Array(16);
    bytes[3] = 4;
    bytes[4] = type;
    return bytes;
  };
  const first = await scheduler.settle(network.forNode(a).dial("b:1", 100));
  await scheduler.settle(first.write(frame(FrameType.Raft)));
  await scheduler.settle(first.write(frame(FrameType.Request)));
  first.close();
  await scheduler.runFor(100);
  assertEquals(types, [FrameType.Raft, FrameType.Request]);
  network.repeatFrames("a", "b", 0.9);
  const second = await scheduler.settle(network.forNode(a).dial("b:1", 100));
  await scheduler.settle(second.write(frame(FrameType.Hello)));
  await scheduler.runFor(100);
  assertEquals(types.slice(2), [FrameType.Hello], "nothing comes into a handshake");
  await scheduler.settle(second.write(frame(FrameType.Ping)));
  await scheduler.runFor(100);
  assertEquals(types[3], FrameType.Ping);
  assertEquals(new Set(types.slice(4)), new Set([FrameType.Raft]));
});
