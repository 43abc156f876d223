// A directed link is one connection: what cuts it cuts everything that one node says to the other.

import { assert, assertEquals } from "@std/assert";
import { DenoClock, DenoNetwork, DenoRandom, NodeDigest } from "../../src/platform/deno/mod.ts";
import { MessageType, newMessage } from "../../src/raft/mod.ts";
import { Transport } from "../../src/transport/mod.ts";
import { MemoryLog, TestBench } from "./harness.ts";
import { Relay } from "./relay.ts";
import { Incarnation } from "../sim/clock.ts";

/** A pong frame, the only thing that flows back on a link. */
const PONG_FRAME_BYTES = 20;

Deno.test("what a node says crosses only the link that it dialled: cut, nothing crosses", async () => {
  const bench = new TestBench(1);
  const [a, b, c] = await bench.cluster("a", "b", "c");
  const ab = bench.network.link("a", "b");
  const ba = bench.network.link("b", "a");
  a.sendMark("b", 1);
  await bench.scheduler.runFor(200);
  assertEquals(b.marksFrom("a"), [1]);
  bench.network.blackhole("a", "b");
  const cutBytes = ab.forwardBytes;
  const pongBytes = ba.backwardBytes;
  for (let i = 0; i < 300; i++) {
    a.sendMark("b", 100 + i);
    a.transport.sendDatagram("b", new Uint8Array(100));
    a.transport.request("b", new Uint8Array([1]), 100);
    b.sendMark("a", i);
    await bench.scheduler.runFor(10);
  }
  assertEquals(ab.forwardBytes, cutBytes);
  assertEquals([b.marksFrom("a"), b.datagrams, b.ran], [[1], [], []]);
  assertEquals((ba.backwardBytes - pongBytes) % PONG_FRAME_BYTES, 0, "only pongs came back");
  assert(ba.backwardBytes - pongBytes <= 31 * PONG_FRAME_BYTES);
  assertEquals(a.marksFrom("b").length, 300, "the other direction is not touched");
  assertEquals(b.transport.isUp("a"), true);
  assertEquals(c.transport.isUp("a") && c.transport.isUp("b"), true);
});

Deno.test("one direction of packets lost takes down both links, and heals", async () => {
  const bench = new TestBench(2);
  const [a, b] = await bench.cluster("a", "b");
  bench.network.dropPackets("a", "b");
  await bench.scheduler.runFor(1100);
  assertEquals([a.transport.isUp("b"), b.transport.isUp("a")], [false, false]);
  bench.network.healAll();
  await bench.linked([a, b]);
});

Deno.test("a dial override puts a proxy into one directed link and into control calls", async () => {
  const bench = new TestBench(3);
  const proxyNetwork = bench.network.forNode(new Incarnation(bench.scheduler, "proxy"));
  const relay = new Relay(proxyNetwork, "b:1");
  await bench.scheduler.settle(relay.listen("proxy:1"));
  const asked: (string | undefined)[] = [];
  const a = await bench.node("a", {
    dialOverride: (nodeId, address) => {
      asked.push(nodeId);
      return address === "b:1" ? relay.address : address;
    },
  });
  const b = await bench.node("b");
  bench.introduce([a, b]);
  await bench.linked([a, b]);
  a.sendMark("b", 1);
  b.sendMark("a", 2);
  await bench.scheduler.runFor(50);
  assertEquals([b.marksFrom("a"), a.marksFrom("b")], [[1], [2]]);
  assertEquals(bench.network.link("a", "b").forwardBytes, 0, "all of it took the proxy");
  const before = relay.forwardBytes;
  await bench.scheduler.settle(a.transport.callAddress("b:1", new Uint8Array([1]), 500));
  assert(relay.forwardBytes > before);
  assertEquals(new Set(asked), new Set(["b", undefined]));
  relay.cut();
  await bench.scheduler.runFor(1500);
  assertEquals([a.transport.isUp("b"), b.transport.isUp("a")], [false, true]);
});

Deno.test("over loopback TCP: links, a request, a large datagram, and a cut directed link", async () => {
  const network = new DenoNetwork();
  const arrived: string[] = [];
  const change = { wake: () => {} };
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise<void>((resolve) => change.wake = resolve);
  };
  const make = (name: string, override: (address: string) => string = (address) => address) => {
    const note = (what: string) => {
      arrived.push(`${name} ${what}`);
      change.wake();
    };
    const clock = new DenoClock();
    const transport: Transport = new Transport({
      network,
      clock,
      random: new DenoRandom(),
      log: new MemoryLog(),
      digest: new NodeDigest(),
      process: {
        fatal: (reason, cause) => {
          throw new Error(reason, { cause });
        },
      },
      nodeId: name,
      clusterId: () => "c",
      bootNonce: 1,
      secret: new Uint8Array(16),
      scheduleFlush: () => void clock.defer(() => transport.flush()),
      dialOverride: (_, address) => override(address),
    }, {
      onRaft: (_from, _group, message) => note(`raft ${message.commit}`),
      onRequest: (_from, body) => Promise.resolve(body.map((byte) => byte * 2)),
      onDatagram: (_from, body) => note(`datagram ${body.length}`),
      onControl: (body) => Promise.resolve(body),
      onLinkUp: (nodeId, direction) => note(`up ${nodeId} ${direction}`),
      onLinkDown: (nodeId, direction) => note(`down ${nodeId} ${direction}`),
    });
    return transport;
  };
  const relays = new Map<string, Relay>();
  const a = make("a", (address) => relays.get(address)?.address ?? address);
  const b = make("b");
  const peers = [
    { nodeId: "a", address: await a.start("127.0.0.1:0") },
    { nodeId: "b", address: await b.start("127.0.0.1:0") },
  ];
  const relay = await new Relay(network, peers[1].address).listen("127.0.0.1:0");
  relays.set(peers[1].address, relay);
  try {
    a.setPeers(peers);
    b.setPeers(peers);
    await until(() => a.isUp("b") && b.isUp("a"));
    const mark = (commit: number) => {
      const message = newMessage(MessageType.Heartbeat, 2, 1);
      message.commit = commit;
      return message;
    };
    a.sendRaft("b", 1, mark(5));
    b.sendRaft("a", 1, mark(6));
    await until(() => arrived.includes("b raft 5") && arrived.includes("a raft 6"));
    const reply = await a.request("b", new Uint8Array([1, 2, 3]), 5000);
    assertEquals(reply, { kind: "answered", body: new Uint8Array([2, 4, 6]) });
    assert(a.sendDatagram("b", new Uint8Array(900_000)));
    await until(() => arrived.includes("b datagram 900000"));
    assert(relay.forwardBytes > 900_000);

    relay.cut();
    a.sendRaft("b", 1, mark(7));
    b.sendRaft("a", 1, mark(8));
    await until(() => arrived.includes("a down b outbound") && arrived.includes("a raft 8"));
    assertEquals(b.isUp("a"), true);
    assertEquals(arrived.includes("b raft 7"), false);
    const call = await b.callAddress(peers[0].address, new Uint8Array([4]), 1000);
    assertEquals(call, new Uint8Array([4]));
  } finally {
    a.stop();
    b.stop();
    relay.close();
  }
});
