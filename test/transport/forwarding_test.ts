// Forwarded requests: what may be called "not sent" and what "unknown" (RULES 13), and at most once (RULES 15).

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { concatBytes } from "../../src/base/bytes.ts";
import type { Connection, Network } from "../../src/platform/ports.ts";
import { FrameReader, FrameType } from "../../src/transport/frame.ts";
import type { CallResult } from "../../src/transport/mod.ts";
import { KEEPALIVE_INTERVAL_MS, REQUEST_SWEEP_MS } from "../../src/transport/parameters.ts";
import {
  OutstandingRequests,
  REQUEST_FIXED_BYTES,
  writeRequest,
} from "../../src/transport/requests.ts";
import { SendQueue } from "../../src/transport/send_queue.ts";
import { TestBench, type TestNode } from "./harness.ts";

const body = (...bytes: number[]) => new Uint8Array(bytes);

/** Holds the writes of all connections that the node dials from now on until released. */
function holdWrites(node: TestNode): { release: () => void; held: () => number } {
  const waiting: (() => void)[] = [];
  let holding = true;
  const network = node.network as { dial: Network["dial"] };
  const dial = network.dial;
  network.dial = async (address, timeoutMs) => {
    const connection = await dial(address, timeoutMs);
    let writes = 0;
    const held: Connection = {
      remote: connection.remote,
      read: (into) => connection.read(into),
      close: () => connection.close(),
      write: async (bytes) => {
        writes += 1;
        // The handshake and the first ping go through.
        if (writes > 3 && holding) await new Promise<void>((resolve) => waiting.push(resolve));
        await connection.write(bytes);
      },
    };
    return held;
  };
  return {
    release: () => {
      holding = false;
      for (const go of waiting.splice(0)) go();
    },
    held: () => waiting.length,
  };
}

Deno.test("a request is answered, or the handler's failure is unknown", async () => {
  const bench = new TestBench(1);
  const [a, b] = await bench.cluster("a", "b");
  b.onRequest = (got, budgetMs) => {
    assert(budgetMs > 900 && budgetMs <= 1000);
    return got[0] === 1
      ? Promise.resolve(body(5))
      : Promise.reject(new Error("the disk is on fire"));
  };
  assertEquals(await bench.scheduler.settle(a.transport.request("b", body(1), 1000)), {
    kind: "answered",
    body: body(5),
  });
  const failed = await bench.scheduler.settle(a.transport.request("b", body(2), 1000));
  assert(failed.kind === "unknown");
  assertStringIncludes(failed.reason, "the disk is on fire");
});

Deno.test("a request withdrawn from the queue is not sent and never runs", async () => {
  const bench = new TestBench(2);
  const a = await bench.node("a");
  const b = await bench.node("b");
  const writes = holdWrites(a);
  bench.introduce([a, b]);
  await bench.linked([a, b]);
  await bench.scheduler.runFor(1.5 * KEEPALIVE_INTERVAL_MS); // the next ping's write is held
  assertEquals(writes.held(), 1);
  const short = a.transport.request("b", body(1), 50);
  const long = a.transport.request("b", body(2), 400);
  assertEquals((await bench.scheduler.settle(short)).kind, "not-sent");
  assertEquals(b.ran, []);
  writes.release();
  assertEquals(await bench.scheduler.settle(long), { kind: "answered", body: body(2) });
  await bench.scheduler.runFor(500);
  assertEquals(b.ran, [2]);
  assertEquals(b.log.of("link from peer closed"), []);
});

Deno.test("a withdrawn request leaves a frame that says nothing", () => {
  const queue = new SendQueue(1_000_000);
  const requests = new OutstandingRequests();
  const results: CallResult[] = [];
  for (const [sequence, deadlineMs] of [[1, 100], [2, 10], [3, 100]]) {
    const batch = queue.batchFor(100)!;
    const request = { sequence, budgetMs: deadlineMs, sentMonotonicMs: 0, body: body(7, 7) };
    const frameOffset = writeRequest(batch.frames, request);
    const payloadBytes = REQUEST_FIXED_BYTES + 2;
    const settle = (result: CallResult) => void results.push(result);
    requests.add(sequence, { batch, frameOffset, payloadBytes, deadlineMs, settle });
  }
  requests.expire(50);
  assertEquals(results.map(({ kind }) => kind), ["not-sent"]);
  const reader = new FrameReader(4096, 1024);
  const bytes = queue.begin()!;
  reader.room().set(bytes);
  reader.filled(bytes.length);
  const types = [reader.next(), reader.next(), reader.next()].map((frame) => frame?.type);
  assertEquals(types, [FrameType.Request, FrameType.Void, FrameType.Request]);
  requests.expire(200);
  assertEquals(results.map(({ kind }) => kind), ["not-sent", "unknown", "unknown"]);
});

Deno.test("a request that arrives twice runs once", async () => {
  const bench = new TestBench(8);
  const a = await bench.node("a");
  const b = await bench.node("b");
  let doubling = false;
  const network = a.network as { dial: Network["dial"] };
  const dial = network.dial;
  network.dial = async (address, timeoutMs) => {
    const connection = await dial(address, timeoutMs);
    return {
      remote: connection.remote,
      read: (into) => connection.read(into),
      close: () => connection.close(),
      write: (bytes) => connection.write(doubling ? concatBytes([bytes, bytes]) : bytes),
    };
  };
  bench.introduce([a, b]);
  await bench.linked([a, b]);
  doubling = true;
  const asking = [1, 2, 3].map((byte) => a.transport.request("b", body(byte), 1000));
  for (const answer of asking) {
    assertEquals((await bench.scheduler.settle(answer)).kind, "answered");
  }
  await bench.scheduler.runFor(50);
  assertEquals(b.ran, [1, 2, 3]);
  assertEquals(b.log.of("repeated request dropped").length, 3);
});

Deno.test("a request whose write has begun is unknown when its budget ends, and may have run", async () => {
  const bench = new TestBench(3);
  const [a, b] = await bench.cluster("a", "b");
  b.onRequest = () => new Promise(() => {});
  const started = bench.scheduler.nowMs;
  const result = await bench.scheduler.settle(a.transport.request("b", body(1), 300));
  assertEquals(result.kind, "unknown");
  const tookMs = bench.scheduler.nowMs - started;
  assert(tookMs >= 300 && tookMs <= 300 + 2 * REQUEST_SWEEP_MS, `${tookMs} ms`);
  assertEquals(b.ran, [1]);
  assertEquals(a.transport.status()[0].outstandingRequests, 0);
});

Deno.test("when a link breaks, sent requests are unknown and queued ones not sent", async () => {
  const bench = new TestBench(4);
  const a = await bench.node("a");
  const b = await bench.node("b");
  const writes = holdWrites(a);
  bench.introduce([a, b]);
  await bench.linked([a, b]);
  const first = a.transport.request("b", body(1), 5000);
  await bench.scheduler.runUntil("a held write", 500, () => writes.held() === 1);
  await bench.scheduler.runFor(1);
  const begun = a.transport.request("b", body(2), 5000);
  bench.network.reset("a", "b");
  writes.release();
  const results = [await bench.scheduler.settle(first), await bench.scheduler.settle(begun)];
  assertEquals(results.map((result) => result.kind), ["unknown", "not-sent"]);
});

Deno.test("what is sent into a blackhole is unknown, and dropped when it arrives too late", async () => {
  const bench = new TestBench(5);
  const [a, b] = await bench.cluster("a", "b");
  await bench.scheduler.runFor(300);
  bench.network.blackhole("a", "b");
  const late = a.transport.request("b", body(1), 200);
  const inTime = a.transport.request("b", body(2), 2000);
  assertEquals((await bench.scheduler.settle(late)).kind, "unknown");
  await bench.scheduler.runFor(300);
  bench.network.healAll();
  assertEquals(await bench.scheduler.settle(inTime), { kind: "answered", body: body(2) });
  await bench.scheduler.runFor(100);
  assertEquals(b.ran, [2], "an expired request is not begun");
});

Deno.test("what a dead machine may have got is unknown within a second or so", async () => {
  const bench = new TestBench(6);
  const [a, b] = await bench.cluster("a", "b");
  b.incarnation.kill({ silently: true });
  const startedMs = bench.scheduler.nowMs;
  const result = await bench.scheduler.settle(a.transport.request("b", body(1), 60_000));
  assertEquals(result.kind, "unknown");
  assert(bench.scheduler.nowMs - startedMs <= 1000, "the link's silence ends the wait");
});

Deno.test("an answer for an earlier life of the asker reaches nobody", async () => {
  const bench = new TestBench(7);
  const [a, b] = await bench.cluster("a", "b");
  const answers: (() => void)[] = [];
  b.onRequest = (got) =>
    new Promise((resolve) => answers.push(() => resolve(new Uint8Array([got[0] + 100]))));
  a.transport.request("b", body(1), 60_000);
  await bench.scheduler.runFor(10);
  a.incarnation.kill();
  const again = await bench.node("a");
  again.transport.setPeers([{ nodeId: "b", address: b.address }]);
  await bench.linked([again, b]);
  const fresh = again.transport.request("b", body(2), 60_000); // the same sequence number
  await bench.scheduler.runFor(10);
  assertEquals(b.ran, [1, 2]);
  for (const answer of answers) answer();
  assertEquals(await bench.scheduler.settle(fresh), { kind: "answered", body: body(102) });
});

Deno.test("under lost links, blackholes and pauses each request runs at most once, and not at all if not sent", async () => {
  const seen = { answered: 0, "not-sent": 0, unknown: 0, unknownThatRan: 0 };
  for (let seed = 1; seed <= 15; seed++) {
    const bench = new TestBench(seed, { splitChance: 0.3 });
    const random = bench.random.stream("test");
    const [a, b] = await bench.cluster("a", "b");
    const runs = new Map<number, number>();
    const results = new Map<number, CallResult>();
    b.onRequest = async (got) => {
      const id = new DataView(got.buffer, got.byteOffset).getUint32(0);
      runs.set(id, (runs.get(id) ?? 0) + 1);
      if (random.chance(0.3)) await new Promise<void>((go) => b.clock.setTimer(30, go));
      return got;
    };
    for (let id = 0; id < 400; id++) {
      const request = new Uint8Array(4 + random.int(2000));
      new DataView(request.buffer).setUint32(0, id);
      const asking = a.transport.request("b", request, random.int(300));
      asking.then((result) => results.set(id, result));
      if (random.chance(0.02)) bench.network.reset("a", "b");
      if (random.chance(0.02)) bench.network.reset("b", "a");
      if (random.chance(0.01)) bench.network.clog("a", "b", random.int(1000));
      if (random.chance(0.01)) bench.network.clog("b", "a", random.int(1000));
      if (random.chance(0.01)) {
        b.incarnation.pause();
        bench.scheduler.schedule(random.int(1500), () => b.incarnation.resume());
      }
      await bench.scheduler.runFor(random.int(20));
    }
    await bench.scheduler.runFor(5000);
    assertEquals(results.size, 400, `seed ${seed}`);
    for (const [id, result] of results) {
      const ran = runs.get(id) ?? 0;
      assert(ran <= 1, `seed ${seed}: request ${id} ran ${ran} times`);
      seen[result.kind] += 1;
      if (result.kind === "answered") assertEquals(ran, 1, `seed ${seed}: ${id} was answered`);
      else if (result.kind === "not-sent") assertEquals(ran, 0, `seed ${seed}: ${id} did run`);
      else seen.unknownThatRan += ran;
    }
  }
  assert(seen.answered > 500 && seen["not-sent"] > 500, JSON.stringify(seen));
  assert(seen.unknownThatRan > 50 && seen.unknown > seen.unknownThatRan, JSON.stringify(seen));
});
