// Who may link to whom, and what is said to those who may not.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FrameType } from "../../src/transport/frame.ts";
import { FrameWriter } from "../../src/transport/frame_writer.ts";
import type { ProtocolVersions } from "../../src/transport/parameters.ts";
import { type NodeSettings, TestBench, type TestNode } from "./harness.ts";

/** What a dialler and an acceptor log when node "b" is told to link to "a". */
async function refusal(dialler: NodeSettings, acceptor: NodeSettings) {
  const bench = new TestBench(1);
  const a = await bench.node("a", acceptor);
  const b = await bench.node("b", dialler);
  b.transport.setPeers([{ nodeId: "a", address: a.address }]);
  await bench.scheduler.runFor(3000);
  assertEquals(b.transport.isUp("a"), false);
  assertEquals(a.transport.isHeard("b"), false);
  assertEquals(a.events, []);
  const failures = b.log.of("cannot link to peer");
  assert(failures.length >= 2, "it goes on trying");
  assertEquals(failures.filter(({ level }) => level === "warn").length, 1, "but says so once");
  return {
    atDialler: String(failures[0].fields.reason),
    atAcceptor: String(a.log.of("peer connection refused")[0]?.fields.reason ?? ""),
  };
}

Deno.test("a foreign cluster is refused with the reason on both sides", async () => {
  const { atDialler, atAcceptor } = await refusal({ clusterId: "x" }, { clusterId: "y" });
  for (const text of [atDialler, atAcceptor]) {
    assertStringIncludes(text, `"y"`);
    assertStringIncludes(text, `"x"`);
  }
});

Deno.test("a wrong, missing or unexpected secret is refused", async () => {
  for (const [dialler, acceptor] of [["x", "y"], ["", "y"], ["x", ""]]) {
    const { atDialler, atAcceptor } = await refusal({ secret: dialler }, { secret: acceptor });
    assertStringIncludes(atDialler, "secret");
    assertStringIncludes(atAcceptor, "refused by the peer (secret)");
  }
});

Deno.test("without a secret on either side nodes link", async () => {
  const bench = new TestBench(2);
  const nodes = [await bench.node("a", { secret: "" }), await bench.node("b", { secret: "" })];
  bench.introduce(nodes);
  await bench.linked(nodes);
});

Deno.test("a node of no cluster neither links nor is linked to until it has one", async () => {
  assertStringIncludes((await refusal({ clusterId: "" }, {})).atDialler, "no cluster yet");
  assertStringIncludes((await refusal({}, { clusterId: "" })).atDialler, "no cluster yet");
  const bench = new TestBench(3);
  const a = await bench.node("a");
  const b = await bench.node("b", { clusterId: "" });
  bench.introduce([a, b]);
  await bench.scheduler.runFor(500);
  b.clusterId = "c1";
  await bench.linked([a, b]);
});

Deno.test("an address where another node answers is refused by name", async () => {
  const { atDialler } = await refusal({}, { nodeId: "other" });
  assertStringIncludes(atDialler, "other");
});

Deno.test("a node that is told its own address for another one's is refused by itself", async () => {
  const bench = new TestBench(4);
  const a = await bench.node("a");
  a.transport.setPeers([{ nodeId: "b", address: a.address }, { nodeId: "a", address: a.address }]);
  await bench.scheduler.runFor(1000);
  assertEquals(a.events, []);
  assertStringIncludes(String(a.log.of("cannot link to peer")[0].fields.reason), "not b");
});

/** Sends raw frames to a fresh node and returns what it logged. */
async function sendRaw(frames: (out: FrameWriter) => void): Promise<string> {
  const bench = new TestBench(5);
  const a = await bench.node("a");
  const b = await bench.node("b");
  const connection = await bench.scheduler.settle(b.network.dial(a.address, 100));
  const out = new FrameWriter();
  frames(out);
  connection.write(out.view().slice()).catch(() => {});
  const reply: number[] = [];
  const into = new Uint8Array(1000);
  const ended = (async () => {
    for (let got = await connection.read(into); got !== null; got = await connection.read(into)) {
      reply.push(...into.subarray(0, got));
    }
  })();
  await bench.scheduler.settle(ended.catch(() => {}));
  const lines = a.log.of("peer connection refused");
  assertEquals(lines.length, 1);
  if (reply.length > 0) assertEquals(reply[4], FrameType.Refuse);
  return String(lines[0].fields.reason);
}

Deno.test("another protocol version is refused by name, whatever follows it", async () => {
  const reason = await sendRaw((out) => {
    out.open(FrameType.Hello);
    out.payload.u32(0x504e544e).u16(2).raw(new Uint8Array(77).fill(0xab));
    out.complete();
  });
  assertStringIncludes(reason, "version 2");
  assertStringIncludes(reason, "version 1");
});

/** The version by which a node says that it has linked. */
function linkedBy(node: TestNode): unknown[] {
  return node.log.of("peer link up").map(({ fields }) => fields.version);
}

const THIS: ProtocolVersions = { oldest: 4, newest: 4 };
const PREVIOUS: ProtocolVersions = { oldest: 2, newest: 3 };
const NEXT: ProtocolVersions = { oldest: 4, newest: 5 };

Deno.test("programs of neighbouring versions link by what both speak, whoever dials", async () => {
  const bench = new TestBench(6);
  const a = await bench.node("a", { protocol: { oldest: 3, newest: 4 } });
  const b = await bench.node("b", { protocol: PREVIOUS });
  const c = await bench.node("c", { protocol: THIS });
  a.transport.setPeers([b, c].map(({ name, address }) => ({ nodeId: name, address })));
  b.transport.setPeers([{ nodeId: "a", address: a.address }]);
  c.transport.setPeers([{ nodeId: "a", address: a.address }]);
  await bench.linked([a, b]);
  await bench.linked([a, c]);
  assertEquals([linkedBy(a).toSorted(), linkedBy(b), linkedBy(c)], [[3, 4], [3], [4]]);
  assertEquals(a.log.of("cannot link to peer"), [], "looking for a version is no failure");
  a.sendMark("b", 17);
  b.sendMark("a", 18);
  await bench.scheduler.runFor(100);
  assertEquals([b.marksFrom("a"), a.marksFrom("b")], [[17], [18]]);
  const reply = b.transport.callAddress(c.address, Uint8Array.of(7), 1000);
  await bench.scheduler.settle(reply.catch(() => {}));
  await assertRejects(() => reply, Error, "version 2", "no common version");
  const call = a.transport.callAddress(b.address, Uint8Array.of(7), 1000);
  assertEquals(await bench.scheduler.settle(call), Uint8Array.of(8));
});

Deno.test("a peer that comes back as the next program is linked to by the newer version", async () => {
  const bench = new TestBench(7);
  const a = await bench.node("a", { protocol: NEXT });
  const b = await bench.node("b", { protocol: THIS });
  bench.introduce([a, b]);
  await bench.linked([a, b]);
  assertEquals([linkedBy(a), linkedBy(b)], [[4], [4]]);
  b.incarnation.kill();
  await bench.scheduler.runUntil("b is missed", 5000, () => !a.transport.isUp("b"));
  const again = await bench.node("b", { protocol: NEXT });
  again.transport.setPeers([{ nodeId: "a", address: a.address }]);
  await bench.linked([a, again]);
  assertEquals([linkedBy(a), linkedBy(again)], [[4, 5], [5]]);
});

Deno.test("versions with nothing in common are refused by name on both sides", async () => {
  for (const [dialler, acceptor] of [[PREVIOUS, NEXT], [NEXT, PREVIOUS]]) {
    const { atDialler, atAcceptor } = await refusal({ protocol: dialler }, { protocol: acceptor });
    // The acceptor saw the newest first, the dialler gave up at the oldest.
    assertStringIncludes(atAcceptor, `version ${dialler.newest}`);
    assertStringIncludes(atDialler, `version ${dialler.oldest}`);
    for (const text of [atDialler, atAcceptor]) {
      assertStringIncludes(text, `versions ${acceptor.oldest} to ${acceptor.newest}`);
    }
  }
});

Deno.test("strangers who speak something else are turned away", async () => {
  const http = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assertStringIncludes(await sendRaw((out) => out.payload.raw(http)), "damaged frame header");
  assertStringIncludes(
    await sendRaw((out) => out.append(FrameType.Hello, new Uint8Array(60))),
    "magic",
  );
  assertStringIncludes(
    await sendRaw((out) => out.append(FrameType.Raft, new Uint8Array(60))),
    "unexpected frame",
  );
  assertStringIncludes(
    await sendRaw((out) => out.append(FrameType.Hello, new Uint8Array(60_000))),
    "oversized",
  );
});

Deno.test("a proof recorded from another handshake is worth nothing", async () => {
  const bench = new TestBench(6, { splitChance: 0 });
  const a = await bench.node("a");
  const b = await bench.node("b");
  const recorded: Uint8Array[] = [];
  const dial = b.network.dial;
  (b.network as { dial: typeof dial }).dial = async (address, timeoutMs) => {
    const connection = await dial(address, timeoutMs);
    return {
      remote: connection.remote,
      read: (into) => connection.read(into),
      close: () => connection.close(),
      write: (bytes) => {
        recorded.push(bytes.slice());
        return connection.write(bytes);
      },
    };
  };
  b.transport.setPeers([{ nodeId: "a", address: a.address }]);
  await bench.scheduler.runUntil("the link", 100, () => b.transport.isUp("a"));
  b.incarnation.kill();
  const c = await bench.node("c", { secret: "unknown" });
  const connection = await bench.scheduler.settle(c.network.dial(a.address, 100));
  for (const bytes of recorded.slice(0, 2)) {
    await bench.scheduler.settle(connection.write(bytes));
    await bench.scheduler.runFor(5);
  }
  await bench.scheduler.runFor(100);
  const [line] = a.log.of("peer connection refused");
  assertEquals(line.fields.code, "secret");
});

Deno.test("who is refused again and again is told of loudly once a minute, and how often it was", async () => {
  const bench = new TestBench(5);
  const a = await bench.node("a", { secret: "x" });
  const b = await bench.node("b", { secret: "y" });
  b.transport.setPeers([{ nodeId: "a", address: a.address }]);
  await bench.scheduler.runFor(59_000);
  const loud = () => a.log.of("peer connection refused").filter(({ level }) => level === "warn");
  assertEquals(loud().length, 1);
  await bench.scheduler.runFor(61_000);
  assertEquals(loud().length, 2);
  assert(Number(loud()[1].fields.repeated) > 10, JSON.stringify(loud()[1]));
});
