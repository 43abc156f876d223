import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { PEER_QUEUE_BYTES_MAX } from "../../src/base/limits.ts";
import { MessageType, newMessage } from "../../src/raft/mod.ts";
import {
  DATAGRAM_QUEUE_BYTES_MAX,
  INBOUND_HANDSHAKES_MAX,
} from "../../src/transport/parameters.ts";
import { TestBench } from "./harness.ts";

const body = (...bytes: number[]) => new Uint8Array(bytes);

Deno.test("Transport carries all kinds of frames between all nodes, in order", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const bench = new TestBench(seed, { splitChance: 0.4 });
    const nodes = await bench.cluster("a", "b", "c");
    const [a, b] = nodes;
    b.clock.wallOffsetMs = -5000;
    for (let mark = 1; mark <= 200; mark++) {
      for (const from of nodes) {
        for (const to of nodes) {
          if (from !== to) assert(from.sendMark(to.name, mark));
        }
      }
      if (bench.random.chance(0.3)) a.transport.flush();
      if (bench.random.chance(0.3)) await bench.scheduler.runFor(0.1);
    }
    a.transport.sendDatagram("b", body(1, 2));
    a.transport.sendDatagram("b", new Uint8Array(300_000).fill(7));
    const reply = await bench.scheduler.settle(a.transport.request("b", body(9, 8), 1000));
    assertEquals(reply, { kind: "answered", body: body(9, 8) });
    await bench.scheduler.runFor(20);
    const expected = Array.from({ length: 200 }, (_, i) => i + 1);
    for (const from of nodes) {
      for (const to of nodes) {
        if (from !== to) assertEquals(to.marksFrom(from.name), expected, `seed ${seed}`);
      }
    }
    assertEquals(b.datagrams, [
      { from: "a", body: body(1, 2) },
      { from: "a", body: new Uint8Array(300_000).fill(7) },
    ]);
    const wallMs = a.raft.find((got) => got.from === "b")!.wallMs;
    assert(
      Math.abs(wallMs + 5000 - a.clock.wallMs()) < 1000,
      "the sender's wall clock comes along",
    );
  }
});

Deno.test("Transport runs identically from one seed", async () => {
  const run = async () => {
    const bench = new TestBench(42, { splitChance: 0.3 });
    const [a] = await bench.cluster("a", "b", "c");
    for (let mark = 0; mark < 50; mark++) a.sendMark("b", mark);
    await bench.scheduler.runFor(3000);
    return [bench.scheduler.eventCount, bench.network.link("a", "b").forwardBytes];
  };
  assertEquals(await run(), await run());
});

Deno.test("messages to a peer without a link are dropped and requests refused as not begun", async () => {
  const bench = new TestBench(1);
  const a = await bench.node("a");
  a.transport.setPeers([{ nodeId: "b", address: "b:1" }]);
  assertEquals(a.sendMark("b", 1), false);
  assertEquals(a.transport.sendDatagram("b", body(1)), false);
  for (const peer of ["b", "nobody"]) {
    assertEquals((await a.transport.request(peer, body(1), 1000)).kind, "not-sent");
  }
});

Deno.test("a link comes back by itself after its connection broke, and after the peer restarted", async () => {
  const bench = new TestBench(2);
  const [a, b] = await bench.cluster("a", "b");
  bench.network.reset("a", "b");
  await bench.scheduler.runFor(5);
  assertEquals(a.count("down b outbound"), 1);
  assertEquals(b.count("down a inbound"), 1);
  await bench.linked([a, b]);
  assertEquals(a.count("restarted b"), 0);

  b.incarnation.kill();
  await bench.scheduler.runFor(3000);
  assertEquals(a.transport.isUp("b"), false);
  const again = await bench.node("b");
  again.transport.setPeers([{ nodeId: "a", address: "a:1" }]);
  const startedMs = bench.scheduler.nowMs;
  await bench.linked([a, again]);
  assert(bench.scheduler.nowMs - startedMs < 50, "hearing of the peer ends the pause at once");
  assertEquals(a.count("restarted b"), 1);
  a.sendMark("b", 5);
  await bench.scheduler.runFor(5);
  assertEquals(again.marksFrom("a"), [5]);
  const failures = a.log.of("cannot link to peer").filter((line) => line.level !== "debug");
  assertEquals(failures.length, 1, "the same failure is told once");
});

Deno.test("pauses between attempts grow, within bounds and with jitter", async () => {
  const bench = new TestBench(3);
  const a = await bench.node("a");
  const dialledAtMs: number[] = [];
  const dial = a.network.dial;
  (a.network as { dial: typeof dial }).dial = (address, timeoutMs) => {
    dialledAtMs.push(bench.scheduler.nowMs);
    return dial(address, timeoutMs);
  };
  a.transport.setPeers([{ nodeId: "b", address: "b:1" }]);
  await bench.scheduler.runFor(20_000);
  const pausesMs = dialledAtMs.slice(1).map((atMs, i) => atMs - dialledAtMs[i]);
  assert(pausesMs[0] < 25 && pausesMs.at(-1)! > 490 && Math.max(...pausesMs) < 1010, `${pausesMs}`);
  assert(dialledAtMs.length > 20 && dialledAtMs.length < 60, `${dialledAtMs.length} attempts`);
});

Deno.test("a silent blackhole is noticed on both sides within a second", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const bench = new TestBench(seed);
    const [a, b, c] = await bench.cluster("a", "b", "c");
    await bench.scheduler.runFor(1000 + bench.random.int(200));
    bench.network.blackhole("a", "b");
    await bench.scheduler.runFor(1000);
    assertEquals(a.transport.isUp("b"), false);
    assertEquals(b.count("down a inbound"), 1);
    assertEquals(b.transport.isUp("a"), true, "the other direction is another link");
    assertEquals(a.transport.isUp("c") && c.transport.isUp("a"), true);
    bench.network.healAll();
    await bench.linked([a, b, c]);
  }
});

Deno.test("a node that was stopped for a while does not blame its peers", async () => {
  const bench = new TestBench(4);
  const [a, b] = await bench.cluster("a", "b");
  a.incarnation.pause();
  await bench.scheduler.runFor(700);
  a.incarnation.resume();
  await bench.scheduler.runFor(2000);
  assertEquals([a.count("down b outbound"), b.count("down a inbound")], [0, 0]);
  a.incarnation.pause();
  await bench.scheduler.runFor(5000);
  assertEquals(b.transport.isUp("a"), false);
  a.incarnation.resume();
  await bench.linked([a, b]);
});

Deno.test("at the queue's bound Raft messages are dropped and requests refused, nothing grows", async () => {
  const bench = new TestBench(5);
  const [a, b] = await bench.cluster("a", "b");
  b.incarnation.pause();
  const message = newMessage(MessageType.Append, 2, 1);
  const data = new Uint8Array(1024 * 1024);
  message.entries = [{ term: 1, index: 1, type: 0, data }];
  let sent = 0;
  while (a.transport.sendRaft("b", 1, message)) sent += 1;
  assert(a.transport.status()[0].queuedBytes <= PEER_QUEUE_BYTES_MAX);
  assertEquals(sent, 31);
  const refused = await a.transport.request("b", data, 500);
  assertEquals(refused.kind, "not-sent");
  assertEquals(a.transport.sendDatagram("b", body(1)), false, "datagrams stop far earlier");
  assertEquals(a.transport.status()[0].droppedMessages, 1);
  b.incarnation.resume();
  await bench.scheduler.runUntil("all to arrive", 5000, () => b.raft.length === sent);
  await bench.scheduler.runFor(5);
  assertEquals(a.transport.status()[0].queuedBytes, 0);
  let chunks = 0;
  while (a.transport.sendDatagram("b", data.subarray(0, 256 * 1024))) chunks += 1;
  assert(chunks * 256 * 1024 <= DATAGRAM_QUEUE_BYTES_MAX && chunks >= 7);
  assert(a.sendMark("b", 1), "Raft messages still find room beside a snapshot");
});

Deno.test("everything queued in one turn goes out in one write", async () => {
  const bench = new TestBench(6, { splitChance: 0 });
  const [a, b] = await bench.cluster("a", "b");
  await bench.scheduler.runFor(150);
  const before = bench.network.link("a", "b").forwardBytes;
  for (let group = 0; group < 300; group++) {
    const message = newMessage(MessageType.Heartbeat, 2, 1);
    message.term = 3;
    message.commit = group;
    a.transport.sendRaft("b", group, message);
  }
  a.transport.flush();
  const events = bench.scheduler.eventCount;
  await bench.scheduler.runUntil("the heartbeats", 50, () => b.raft.length === 300);
  assert(bench.scheduler.eventCount - events <= 4, "one write, one arrival");
  const bytes = bench.network.link("a", "b").forwardBytes - before;
  assert(bytes < 300 * 40 + 100, `${bytes} bytes for 300 groups`);
});

Deno.test("setPeers() drops whom it no longer names and follows an address", async () => {
  const bench = new TestBench(7);
  const [a, b, c] = await bench.cluster("a", "b", "c");
  a.transport.setPeers([{ nodeId: "b", address: b.address }]);
  assertEquals(a.count("down c outbound"), 1);
  assertEquals(a.sendMark("c", 1), false);
  await bench.scheduler.runFor(2000);
  assertEquals(c.transport.isHeard("a"), false);
  a.transport.setPeers([{ nodeId: "b", address: "b:2" }]);
  await bench.scheduler.runFor(100);
  assertEquals(a.transport.isUp("b"), false);
});

Deno.test("a control call reaches a node of no cluster, by address alone", async () => {
  const bench = new TestBench(8);
  const a = await bench.node("a", { clusterId: "" });
  const b = await bench.node("b", { clusterId: "" });
  const reply = await bench.scheduler.settle(a.transport.callAddress("b:1", body(1, 2), 1000));
  assertEquals(reply, body(2, 3));
  assertEquals(b.events, ["call a "]);
  const refused = a.transport.callAddress("b:1", body(0), 1000);
  await assertRejects(() => bench.scheduler.settle(refused), Error, "no such call");
  const large = await bench.scheduler.settle(
    a.transport.callAddress("b:1", new Uint8Array(2_000_000).fill(3), 1000),
  );
  assertEquals(large.length, 2_000_000);
});

Deno.test("a control call ends at its time limit, whatever the far end does", async () => {
  const bench = new TestBench(9);
  const a = await bench.node("a");
  const b = await bench.node("b");
  bench.network.blackhole("a", "b");
  let call = a.transport.callAddress("b:1", body(1), 400);
  await assertRejects(() => bench.scheduler.settle(call), Error, "b:1");
  bench.network.healAll();
  b.incarnation.pause();
  call = a.transport.callAddress("b:1", body(1), 400);
  await assertRejects(() => bench.scheduler.settle(call), Error, "no reply within 400 ms");
});

Deno.test("stop() ends requests, listens no more and calls no handler", async () => {
  const bench = new TestBench(10);
  const [a, b] = await bench.cluster("a", "b");
  const result = a.transport.request("b", body(1), 1000);
  const events = a.events.length;
  a.transport.stop();
  const settled = await bench.scheduler.settle(result);
  assertEquals(settled.kind, "not-sent");
  await bench.scheduler.runFor(3000);
  assertEquals(a.events.length, events);
  assertEquals(b.transport.isUp("a"), false);
  assertStringIncludes(JSON.stringify(b.log.lines.at(-1)), "refused");
});

Deno.test("connections that never shake hands are bounded in number and time", async () => {
  const bench = new TestBench(11);
  const a = await bench.node("a");
  const b = await bench.node("b");
  const open = new Set<number>();
  for (let i = 0; i < INBOUND_HANDSHAKES_MAX + 20; i++) {
    const connection = await bench.scheduler.settle(b.network.dial(a.address, 1000));
    open.add(i);
    const gone = () => void open.delete(i);
    connection.read(new Uint8Array(1)).then(gone, gone);
  }
  await bench.scheduler.runFor(20);
  assertEquals(open.size, INBOUND_HANDSHAKES_MAX);
  await bench.scheduler.runFor(1500);
  assertEquals(open.size, 0);
});
