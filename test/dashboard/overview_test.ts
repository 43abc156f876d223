// Reports of other nodes: asked for while somebody looks and never otherwise; merged over restarts; bounded.

import { assert, assertEquals } from "@std/assert";
import { encodePlainAnswer, openRequest } from "../../src/node/forward.ts";
import { Journal } from "../../src/node/journal.ts";
import type { NodeReport } from "../../src/node/node_report.ts";
import { Overview } from "../../src/node/overview.ts";
import type { CallResult } from "../../src/transport/mod.ts";
import { HandClock } from "./hand_clock.ts";

function reportOf(boots: number, more: Partial<NodeReport> = {}): NodeReport {
  const lists = { happenings: [], replicas: [], sends: [] };
  return { boots, uptimeMs: 5, changes: 0, ...lists, ...more } as Partial<NodeReport> as NodeReport;
}

function rig() {
  const clock = new HandClock();
  const asked: { to: string; boots: number; change: number }[] = [];
  const state = {
    up: new Set(["b", "c"]),
    members: ["a", "b", "c"],
    answer: (_: string): NodeReport | Record<string, unknown> => reportOf(1),
  };
  const overview = new Overview({
    clock,
    journal: new Journal(clock),
    nodeId: "a",
    members: () => state.members,
    isUp: (nodeId) => state.up.has(nodeId),
    request: (to, body) => {
      const { reader } = openRequest(body);
      asked.push({ to, boots: reader.f64(), change: reader.f64() });
      const result: CallResult = { kind: "answered", body: encodePlainAnswer(state.answer(to)) };
      return Promise.resolve(result);
    },
    report: () => reportOf(3),
  });
  const pass = async (ms: number) => {
    for (let i = 0; i < ms / 50; i++) {
      clock.pass(50);
      overview.tick();
      await Promise.resolve().then(() => {}).then(() => {});
    }
  };
  return { clock, overview, asked, state, pass };
}

Deno.test("Overview asks nobody while nobody looks, and each reachable member once a second while one does", async () => {
  const { overview, asked, pass } = rig();
  await pass(5000);
  assertEquals(asked.length, 0);
  const stop = overview.follow(() => {});
  await pass(5000);
  const count = asked.length;
  assert(count >= 8 && count <= 12, String(count));
  assertEquals([...overview.reports().keys()].sort(), ["a", "b", "c"]);
  stop();
  await pass(5000);
  assertEquals(asked.length, count);
  assertEquals([...overview.reports().keys()], ["a"]);
});

Deno.test("Overview tells of changes at once and asks again, but not in a storm", async () => {
  const { overview, asked, pass } = rig();
  let told = 0;
  const stops = [overview.follow(() => told++), overview.follow(() => told++)];
  await pass(100);
  const before = asked.length;
  for (let i = 0; i < 10; i++) overview.changed();
  assertEquals(told, 20);
  await pass(300);
  assertEquals(asked.length - before, 2, "two members, once");
  for (const stop of stops) stop();
  overview.changed();
  assertEquals(told, 20);
});

Deno.test("Overview goes on where it was in a node's journal, and begins anew with its next life", async () => {
  const { overview, asked, state, pass } = rig();
  state.members = ["a", "b"];
  const happening = {
    id: 1,
    change: 4,
    atMs: 10,
    kind: "started",
    nodeId: "b",
    count: 1,
    partitions: [],
  } as const;
  state.answer = () => reportOf(1, { changes: 4, happenings: [happening] });
  overview.follow(() => {});
  await pass(1500);
  assertEquals(asked.slice(0, 2), [{ to: "b", boots: 0, change: 0 }, {
    to: "b",
    boots: 1,
    change: 4,
  }]);
  assertEquals(overview.happenings(), [happening]);
  const reborn = { ...happening, atMs: 20 };
  state.answer = () => reportOf(2, { changes: 1, happenings: [reborn] });
  await pass(1500);
  assertEquals(overview.happenings(), [reborn]);
});

Deno.test("Overview lets a report grow old, drops those of former members, and takes no other answers", async () => {
  const { overview, state, pass } = rig();
  overview.follow(() => {});
  await pass(1200);
  state.up.delete("b");
  state.members = ["a", "b"];
  await pass(3000);
  const reports = overview.reports();
  assertEquals([...reports.keys()], ["a", "b"]);
  assert(reports.get("b")!.ageMs >= 2000);
  assertEquals(reports.get("a")!.ageMs, 0);
  state.members = ["a", "b", "c"];
  state.answer = () => ({ ok: false, code: "internal" });
  await pass(1500);
  assertEquals([...overview.reports().keys()], ["a", "b"]);
});
