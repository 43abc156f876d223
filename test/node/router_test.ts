// What a forwarder may say and do when the leader is elsewhere (RULES 13, 15), case by case.

import { assert, assertEquals } from "@std/assert";
import type { Clock } from "../../src/platform/ports.ts";
import { encodeReadAnswer, encodeWriteAnswer } from "../../src/node/forward.ts";
import { NOT_LEADER } from "../../src/node/data_partition.ts";
import { type Route, Router } from "../../src/node/router.ts";
import type { RequestOptions, WriteAnswer } from "../../src/node/service.ts";
import type { CallResult } from "../../src/transport/mod.ts";

const ENVELOPE = new Uint8Array(20);
const OPTIONS: RequestOptions = { forward: "forward", timeoutMs: 1000 };
const REMOTE: Route = { kind: "remote", nodeId: "b", http: "b:1" };
const DONE: WriteAnswer = {
  ok: true,
  partition: 1,
  applied: {
    result: { kind: "put", created: true, revision: 3 },
    appliedIndex: 3,
    replayed: false,
  },
};

/** A router whose peers answer as scripted; time passes only while it waits for a route. */
function routed(route: () => Route, answers: (CallResult | "late")[]) {
  const state = { nowMs: 0, sent: 0, removed: false };
  const clock = { monotonicMs: () => state.nowMs } as Clock;
  const router = new Router({
    clock,
    route,
    routeChange: (_, deadlineMs) => {
      state.nowMs = Math.max(state.nowMs + 1, Math.min(deadlineMs, 1000));
      return Promise.resolve();
    },
    request: (_to, _body, budgetMs) => {
      const answer = answers[state.sent++] ?? "late";
      if (answer !== "late") return Promise.resolve(answer);
      state.nowMs += budgetMs;
      return Promise.resolve({ kind: "unknown", reason: "no answer within the deadline" });
    },
    noteLeader: () => {},
    epoch: () => 7,
    stopping: () => false,
    removed: () => state.removed,
  });
  return { router, state };
}

const answered = (body: Uint8Array): CallResult => ({ kind: "answered", body });
const LOST: CallResult = { kind: "unknown", reason: "the link was lost" };
const NOT_SENT: CallResult = { kind: "not-sent", reason: "the link is down" };

Deno.test("a write that no byte was sent of is tried again", async () => {
  const { router, state } = routed(() => REMOTE, [NOT_SENT, answered(encodeWriteAnswer(DONE))]);
  assertEquals(await router.write(1, ENVELOPE, false, OPTIONS), DONE);
  assertEquals(state.sent, 2);
});

Deno.test("a node that was removed sends nothing on: no answer would come back", async () => {
  const { router, state } = routed(() => REMOTE, []);
  state.removed = true;
  const answer = await router.write(1, ENVELOPE, true, OPTIONS);
  assert(!answer.ok);
  assertEquals([answer.code, answer.outcome, state.sent, state.nowMs], ["no-leader", "none", 0, 0]);
});

Deno.test("a write that its receiver refused as no leader is tried again", async () => {
  const refusal = answered(encodeWriteAnswer(NOT_LEADER));
  const { router } = routed(() => REMOTE, [refusal, answered(encodeWriteAnswer(DONE))]);
  assertEquals(await router.write(1, ENVELOPE, false, OPTIONS), DONE);
});

Deno.test("a begun write without a key is never sent again: unknown", async () => {
  const { router, state } = routed(() => REMOTE, [LOST, answered(encodeWriteAnswer(DONE))]);
  const answer = await router.write(1, ENVELOPE, false, OPTIONS);
  assertEquals(!answer.ok && [answer.code, answer.outcome], ["timeout", "unknown"]);
  assertEquals(state.sent, 1);
});

Deno.test("a begun write with a key is sent again", async () => {
  const { router } = routed(() => REMOTE, [LOST, answered(encodeWriteAnswer(DONE))]);
  assertEquals(await router.write(1, ENVELOPE, true, OPTIONS), DONE);
});

Deno.test("no later refusal unsays that an attempt may have had an effect", async () => {
  const full = encodeWriteAnswer({
    ok: false,
    code: "overloaded",
    outcome: "none",
    detail: "full",
  });
  const { router } = routed(() => REMOTE, [LOST, answered(full)]);
  const answer = await router.write(1, ENVELOPE, true, OPTIONS);
  assertEquals(!answer.ok && [answer.code, answer.outcome], ["timeout", "unknown"]);
});

Deno.test("a write that found no leader in time had no effect", async () => {
  const { router, state } = routed(() => ({ kind: "unknown" }), []);
  const answer = await router.write(1, ENVELOPE, false, OPTIONS);
  assertEquals(!answer.ok && [answer.code, answer.outcome], ["no-leader", "none"]);
  assertEquals(state.sent, 0);
});

Deno.test("a read whose answer was lost is asked again and never has an unknown outcome", async () => {
  const read = encodeReadAnswer({
    ok: true,
    partition: 1,
    appliedIndex: 3,
    timeMs: 0,
    record: undefined,
  });
  const { router } = routed(() => REMOTE, [LOST, answered(read)]);
  const answer = await router.read(1, "k", OPTIONS);
  assertEquals(answer.ok && answer.appliedIndex, 3);
  const late = routed(() => REMOTE, ["late"]);
  const none = await late.router.read(1, "k", OPTIONS);
  assertEquals(!none.ok && [none.code, none.outcome], ["no-leader", "none"]);
});

Deno.test("a client that asks not to be forwarded is told where to go", async () => {
  const { router, state } = routed(() => REMOTE, []);
  const answer = await router.write(1, ENVELOPE, false, { ...OPTIONS, forward: "never" });
  assertEquals(!answer.ok && [answer.code, answer.leaderHttp, answer.epoch], [
    "not-leader",
    "b:1",
    7,
  ]);
  assertEquals(state.sent, 0);
});
