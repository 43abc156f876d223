// The parts of the client one by one: session window, map, pool, race, verdicts, event parser.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Alarms } from "../../src/client/alarms.ts";
import { elementSlices, memberSlices, memberText } from "../../src/client/json_slices.ts";
import { NodePool, PooledNode } from "../../src/client/node_pool.ts";
import { firstAnswer } from "../../src/client/race.ts";
import { Routing } from "../../src/client/routing.ts";
import { Session, SESSION_WINDOW } from "../../src/client/session.ts";
import { EventParser } from "../../src/client/sse.ts";
import { verdictOf } from "../../src/client/verdict.ts";
import { problemAnswer } from "./fake_cluster.ts";

Deno.test("memberSlices() and elementSlices() find what JSON.parse() does, in any spelling", () => {
  const spaced = (value: unknown, space: number) => JSON.stringify(value, null, space);
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), fc.nat(3), (a, b, space) => {
    const text = spaced({ a, 'b"\\': [a, b], c: b }, space);
    const members = memberSlices(text);
    assertEquals([...members.keys()], ["a", 'b"\\', "c"]);
    for (const [name, value] of [["a", a], ["c", b]] as const) {
      assertEquals(memberText(text, name), textOfMember(text, name, value));
    }
    const inner = elementSlices(text, members.get('b"\\')!.start);
    assertEquals(
      inner.map(({ start, end }) => JSON.parse(text.slice(start, end))),
      JSON.parse(spaced([a, b], 0)),
    );
  }));
  assertEquals(memberText('{"v": 1e400 ,"w":12345678901234567890}', "v"), " 1e400 ");
  assertEquals(memberText('{"v":1,"w":12345678901234567890}', "w"), "12345678901234567890");
});

/** The member's text, checked to mean `value`. */
function textOfMember(text: string, name: string, value: unknown): string {
  const { start, end } = memberSlices(text).get(name)!;
  const part = text.slice(start, end);
  assertEquals(JSON.parse(part), JSON.parse(JSON.stringify(value)));
  return part;
}

const ID = "0".repeat(32);

Deno.test("Session never acknowledges an open sequence, and all that are not", () => {
  const session = new Session(ID, new Alarms());
  const a = session.tryOpen(1)!;
  const b = session.tryOpen(1)!;
  const elsewhere = session.tryOpen(2)!;
  assertEquals(session.header(b), `${ID};seq=2;ack=0`);
  assertEquals(session.header(elsewhere), `${ID};seq=3;ack=2`);
  session.close(b);
  const c = session.tryOpen(1)!;
  assertEquals(session.header(c), `${ID};seq=4;ack=0`);
  session.close(a);
  assertEquals(session.header(c), `${ID};seq=4;ack=3`);
});

Deno.test("Session makes writes wait when one stays open for long, and lets them go on", async () => {
  const alarms = new Alarms();
  const session = new Session(ID, alarms);
  const stuck = session.tryOpen(1)!;
  let opened = 0;
  for (;; opened++) {
    const ticket = session.tryOpen(1);
    if (ticket === undefined) break;
    session.close(ticket);
  }
  assertEquals(opened, SESSION_WINDOW - 1);
  assert(session.tryOpen(2) !== undefined, "another partition waits too");
  const moved = session.whenMoved(1, performance.now() + 60_000);
  session.close(stuck);
  await moved;
  assert(session.tryOpen(1) !== undefined);
  alarms.rest();
});

const document = (epoch: number, leader?: string, clusterId = "c") => ({
  clusterId,
  epoch,
  members: [{ nodeId: "a", name: "n1", http: "h1:1" }, { nodeId: "b", name: "n2", http: "h2:1" }],
  routing: [
    { partition: 1, slots: [[0, 8192]] as const, replicas: ["a", "b"], leader },
    { partition: 2, slots: [[8192, 16384]] as const, replicas: ["b"], leader: "b" },
  ],
});

Deno.test("Routing goes by the newest epoch, and takes leaders of its own epoch where it has none", () => {
  const pool = new NodePool(["seed:1"]);
  const routing = new Routing(pool);
  assertEquals(routing.adopt(document(5, "a")), true);
  assertEquals(routing.leaderOf(1)?.url, "http://h1:1");
  assertEquals(routing.adopt(document(4, "b")), false);
  assertEquals(routing.adopt(document(5, "b")), false);
  assertEquals(routing.leaderOf(1)?.url, "http://h1:1");
  routing.setLeader(1, undefined);
  routing.adopt(document(5, "b"));
  assertEquals(routing.leaderOf(1)?.url, "http://h2:1");
  assertEquals(routing.adopt(document(6)), true);
  assertEquals(routing.leaderOf(1)?.url, "http://h2:1", "a map that names no leader is no news");
  assertEquals(routing.partitions, [1, 2]);
  const found = new Set(Array.from({ length: 100 }, (_, i) => routing.partitionOf(`k${i}`)));
  assertEquals([...found].sort(), [1, 2]);
  assertThrows(() => routing.adopt(document(7, "a", "other")), TypeError, "of cluster other");
});

Deno.test("NodePool prefers the nearest that answers, and spares what failed", () => {
  const pool = new NodePool(["s:1"]);
  const [a, b] = ["http://a:1", "http://b:1"].map((url) => pool.at(url));
  pool.setMembers([a, b].map(({ url }) => ({ nodeId: url, name: url, url })));
  a.answered(5);
  b.answered(1);
  const none: ReadonlySet<PooledNode> = new Set();
  assertEquals(pool.nearest([a, b], 0, none), b);
  assertEquals(pool.nearest([a, b], 0, new Set([b])), a);
  b.failed(0);
  assertEquals(pool.nearest([a, b], 10, none), a);
  assertEquals(pool.nearest([a, b], 200, none), b, "it is tried again");
  a.failed(0, 5000);
  b.failed(0, 1000);
  assertEquals(pool.nearest([a, b], 10, none), b, "all failed: the one that is due first");
  assertEquals(pool.candidates(10).map(({ url }) => url), [
    "http://s:1",
    "http://b:1",
    "http://a:1",
  ]);
});

Deno.test("firstAnswer() starts the next when one fails or is slow, and stops the others", async () => {
  const alarms = new Alarms();
  const stopped: string[] = [];
  const ask = (name: string, signal: AbortSignal) =>
    name === "bad"
      ? Promise.reject(new Error(name))
      : name === "good"
      ? Promise.resolve(name)
      : new Promise<string>((_, reject) => {
        signal.addEventListener("abort", () => {
          stopped.push(name);
          reject(new Error("stopped"));
        });
      });
  assertEquals(await firstAnswer(["bad", "slow", "good"], 10, alarms, ask), "good");
  assertEquals(stopped, ["slow"]);
  await assertRejects(() => firstAnswer(["bad", "bad"], 10, alarms, ask), Error, "bad");
  const controller = new AbortController();
  const given = firstAnswer(["slow"], 10, alarms, ask, controller.signal);
  controller.abort(new Error("enough"));
  await assertRejects(() => given, Error, "enough");
  alarms.rest();
});

for (
  const [status, code, members, kind] of [
    [412, "condition-failed", {}, "decided"],
    [404, "not-found", {}, "decided"],
    [404, "no-such-route", {}, "refused"],
    [400, "invalid-key", {}, "refused"],
    [409, "cross-partition", {}, "refused"],
    [409, "idempotency-stale", {}, "refused"],
    [421, "not-leader", { leader: "http://x:1" }, "elsewhere"],
    [421, "not-leader", {}, "retry other"],
    [503, "no-leader", {}, "retry other"],
    [503, "stopping", {}, "retry other"],
    [503, "overloaded", {}, "retry same"],
    [503, "disk-full", {}, "retry same"],
    [429, "idempotency-table-full", {}, "retry same"],
    [504, "timeout", { outcome: "unknown" }, "retry other"],
    [500, "internal", { outcome: "unknown" }, "retry faulty"],
    [408, "body-timeout", {}, "retry same"],
  ] as const
) {
  Deno.test(`verdictOf() of ${status} ${code}${"leader" in members ? " with a leader" : ""} is ${kind}`, async () => {
    const response = problemAnswer(status, code, members);
    const answer = { status, headers: response.headers, text: await response.text() };
    const verdict = verdictOf(answer, true);
    assertEquals(verdict.kind === "retry" ? `retry ${verdict.where}` : verdict.kind, kind);
    if (code === "idempotency-stale" && verdict.kind === "refused") {
      assertEquals(verdict.error.outcome, "unknown");
    }
  });
}

Deno.test("verdictOf() takes a proxy's page for an answer that proves nothing", () => {
  const answer = { status: 502, headers: new Headers(), text: "<html>Bad gateway" };
  const verdict = verdictOf(answer, true);
  assertEquals(verdict.kind, "retry");
  if (verdict.kind === "retry") assertEquals(verdict.error.outcome, "unknown");
});

Deno.test("EventParser gives the same events however the stream is cut", () => {
  const stream = ": hello\n\nevent: put\nid: 1\ndata: {}\n\nid: 2\ndata:a\ndata: b\n\nevent: x\n\n";
  const expected = [
    { event: "put", id: "1", data: "{}" },
    { event: "message", id: "2", data: "a\nb" },
  ];
  assertEquals(new EventParser().push(stream), expected);
  fc.assert(fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
    const parser = new EventParser();
    const places = [0, ...cuts.sort((a, b) => a - b), stream.length];
    const events = places.slice(1).flatMap((end, i) => parser.push(stream.slice(places[i], end)));
    assertEquals(events, expected);
  }));
});
