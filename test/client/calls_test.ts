// How a call gets its answer: leaders, retries, deadlines, outcomes, bounds.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type CallEvent, PontoonError } from "../../src/client/mod.ts";
import { FakeCluster, Gate, problemAnswer } from "./fake_cluster.ts";

Deno.test("a call goes straight to the leader, which answers it", async () => {
  const cluster = new FakeCluster();
  cluster.leader = 2;
  await using kv = await cluster.connect();
  await kv.set("a", "x");
  await kv.get("a");
  assertEquals(cluster.seen.map(({ node }) => node), [2, 2]);
});

Deno.test("a call follows the refusal of a node that leads no more, and remembers the leader", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  cluster.leader = 1;
  assertEquals((await kv.set("a", "x")).ok, true);
  assertEquals((await kv.set("a", "y")).ok, true);
  assertEquals(cluster.seen.map(({ node }) => node), [0, 1, 1]);
});

Deno.test("a refusal with a newer epoch makes the client ask for the map", async () => {
  const cluster = new FakeCluster();
  let adopted = () => {};
  const newMap = new Promise<void>((resolve) => adopted = resolve);
  const hooks = { onMap: ({ epoch }: { epoch: number }) => void (epoch === 9 && adopted()) };
  await using kv = await cluster.connect({ hooks }, [cluster.urls[0]]);
  cluster.leader = 1;
  cluster.epoch = 9;
  // Refreshes too soon after another are left out, so it may take more than one hint.
  for (let i = 0; i < 20 && cluster.mapRequests < 2; i++) {
    cluster.leader = (cluster.leader + 1) % 3;
    await kv.set("a", "x");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await newMap;
});

Deno.test("a write whose answer was lost is retried and takes effect once", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  let lost = 0;
  cluster.fate = ({ method }) => method === "PUT" && lost++ < 2 ? "after" : undefined;
  const result = await kv.set("counter", "1", { ifRevision: 0 });
  // Executed again it would be a conflict: the key exists by then.
  assertEquals(result, { ok: true, revision: 1, created: true });
  const sessions = cluster.seen.map(({ headers }) => headers.get("pontoon-session"));
  assertEquals(new Set(sessions).size, 1);
  assertEquals(sessions.length, 3);
});

Deno.test("a transaction whose answer was lost takes effect once", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  let lost = 0;
  cluster.fate = () => lost++ === 0 ? "after" : undefined;
  const result = await kv.atomic().check({ key: "{t}a", revision: 0 }).set("{t}a", 1).commit();
  assertEquals(result, { ok: true, revision: 1 });
});

Deno.test("a call passes over a node that is down", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  cluster.down.add(0);
  cluster.leader = 1;
  assertEquals((await kv.set("a", "x")).ok, true);
  assert(cluster.seen.every(({ node }) => node !== 0));
});

Deno.test("a call waits out an election", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  let refused = 0;
  cluster.fate = () => refused++ < 5 ? problemAnswer(503, "no-leader") : undefined;
  assertEquals((await kv.set("a", "x")).ok, true);
  assertEquals((await kv.get("a")).value, "x");
});

Deno.test("an overloaded node is given the time it asks for", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  const answer = problemAnswer(503, "overloaded", {}, { "retry-after": "0.2" });
  let refused = 0;
  cluster.fate = () => refused++ === 0 ? answer : undefined;
  const startedMs = performance.now();
  await kv.set("a", "x");
  assert(performance.now() - startedMs >= 95, "it came back too soon");
});

for (
  const [name, fate, outcome] of [
    ["refusals only", () => problemAnswer(503, "unavailable"), "none"],
    ["an unknown outcome", () => problemAnswer(504, "timeout", { outcome: "unknown" }), "unknown"],
    ["a lost connection", () => "before" as const, "unknown"],
    ["a node's fault", () => problemAnswer(500, "internal", { outcome: "unknown" }), "unknown"],
  ] as const
) {
  Deno.test(`a write that meets ${name} until its deadline has outcome ${outcome}`, async () => {
    const cluster = new FakeCluster();
    await using kv = await cluster.connect({ timeoutMs: 150 });
    cluster.fate = fate;
    const error = await assertRejects(() => kv.set("a", "x"), PontoonError);
    assertEquals(error.outcome, outcome);
    assertEquals(error.retryable, true);
    const read = await assertRejects(() => kv.get("a"), PontoonError);
    assertEquals(read.outcome, "none");
  });
}

Deno.test("a refusal after an unknown attempt leaves the outcome unknown, a decision does not", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect({ timeoutMs: 200 });
  let attempts = 0;
  cluster.fate = () => attempts++ === 0 ? "after" : problemAnswer(503, "no-leader");
  const error = await assertRejects(() => kv.set("a", "x"), PontoonError);
  assertEquals([error.code, error.outcome], ["deadline", "unknown"]);
  attempts = 0;
  cluster.fate = () => attempts++ === 0 ? "after" : undefined;
  assertEquals((await kv.set("a", "x")).ok, true);
});

Deno.test("a request that is wrong is refused at once", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  cluster.api.node.valueSizeBytesMax = 10;
  const error = await assertRejects(() => kv.set("a", "x".repeat(11)), PontoonError);
  assertEquals([error.code, error.outcome, error.status], ["value-too-large", "none", 413]);
  assertEquals(error.retryable, false);
  assertEquals(cluster.seen.length, 1);
});

Deno.test("no more requests are on the way than maxInFlight", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect({ maxInFlight: 4 });
  await Promise.all(Array.from({ length: 40 }, (_, i) => kv.set(`k${i}`, "x")));
  assertEquals(cluster.insideMax, 4);
});

Deno.test("a call that never had its turn had no effect", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect({ maxInFlight: 1 });
  const gate = new Gate();
  cluster.fate = () => gate.pass();
  const first = kv.set("a", "x");
  const error = await assertRejects(() => kv.set("b", "x", { timeoutMs: 50 }), PontoonError);
  assertEquals([error.code, error.outcome], ["deadline", "none"]);
  gate.open();
  await first;
});

Deno.test("a node that does not answer is left for another after attemptTimeoutMs", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect({ attemptTimeoutMs: 30 });
  const gate = new Gate();
  cluster.fate = ({ node }) => {
    if (node !== 0) return undefined;
    cluster.leader = 1;
    return gate.pass();
  };
  assertEquals((await kv.set("a", "x")).ok, true);
  assertEquals(cluster.seen[0].node, 0);
  gate.open();
});

Deno.test("the caller's signal ends a call", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  const gate = new Gate();
  const controller = new AbortController();
  const arrived = new Promise<void>((resolve) => {
    cluster.fate = () => {
      if (cluster.seen.length === 2) resolve();
      return gate.pass();
    };
  });
  const write = kv.set("a", "x", { signal: controller.signal });
  const read = kv.get("a", { signal: controller.signal });
  await arrived;
  controller.abort(new Error("not wanted any more"));
  const outcomes = (await Promise.allSettled([write, read])).map((result) =>
    result.status === "rejected" ? [result.reason.code, result.reason.outcome] : []
  );
  assertEquals(outcomes, [["aborted", "unknown"], ["aborted", "none"]]);
  gate.open();
});

Deno.test("close() lets calls end and refuses new ones", async () => {
  const cluster = new FakeCluster();
  const kv = await cluster.connect();
  const gate = new Gate();
  cluster.fate = () => gate.pass();
  const write = kv.set("a", "x");
  const closed = kv.close();
  assertEquals((await assertRejects(() => kv.get("a"), PontoonError)).code, "closed");
  gate.open();
  assertEquals((await write).ok, true);
  await closed;
});

Deno.test("a stale read asks for no less than the client has seen, at the nearest replica", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  await kv.set("a", "x");
  await kv.set("a", "y");
  const { value } = await kv.get("a", { consistency: "stale" });
  assertEquals(value, "y");
  const { headers, target } = cluster.seen.at(-1)!;
  assertEquals(headers.get("pontoon-min-applied"), "2");
  assertEquals(headers.get("pontoon-forward"), null);
  assertEquals(target, "/key/a?consistency=stale");
});

Deno.test("a stale read asks for what a batch or a list has shown, too", async () => {
  const cluster = new FakeCluster();
  const lastFloor = () => cluster.seen.at(-1)!.headers.get("pontoon-min-applied");
  await using writer = await cluster.connect();
  await using kv = await cluster.connect();
  await kv.batch([{ op: "put", key: "a", value: "x" }]);
  await kv.get("a", { consistency: "stale" });
  assertEquals(lastFloor(), "1");
  await writer.set("a", "y");
  await kv.getMany(["a"]);
  await kv.get("a", { consistency: "stale" });
  assertEquals(lastFloor(), "2");
  await writer.set("a", "z");
  for await (const _ of kv.list({ prefix: "a" }));
  await kv.get("a", { consistency: "stale" });
  assertEquals(lastFloor(), "3");
});

Deno.test("a hedged stale read takes the answer of a second replica if the first is slow", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect({ hedgeAfterMs: 10 });
  await kv.set("a", "x");
  const gate = new Gate();
  let first: number | undefined;
  cluster.fate = ({ node }) => (first ??= node) === node ? gate.pass() : undefined;
  const { value } = await kv.get("a", { consistency: "stale" });
  assertEquals(value, "x");
  assertEquals(new Set(cluster.seen.slice(1).map(({ node }) => node)).size, 2);
  gate.open();
});

Deno.test("a hedged stale read that every replica refuses waits as it is told to, and says why", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect({ hedgeAfterMs: 10 });
  cluster.fate = () => problemAnswer(503, "overloaded", {}, { "retry-after": "1" });
  const error = await assertRejects(
    () => kv.get("a", { consistency: "stale", timeoutMs: 300 }),
    PontoonError,
  );
  assertEquals([error.code, error.outcome], ["deadline", "none"]);
  assertEquals((error.cause as PontoonError).code, "overloaded");
  assertEquals(cluster.seen.length, 2, "each of two replicas was asked once");
  cluster.fate = () => undefined;
  await kv.set("a", "x");
  assertEquals(
    cluster.seen.at(-1)!.headers.get("pontoon-forward"),
    "never",
    "its leader is not lost",
  );
});

Deno.test("a hedged stale read goes on to the replica that answers, and remembers which one did not", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect({ hedgeAfterMs: 1000 });
  await kv.set("a", "x");
  let first: number | undefined;
  cluster.fate = ({ node }) => {
    if ((first ??= node) === node) return "before";
    return undefined;
  };
  assertEquals((await kv.get("a", { consistency: "stale" })).value, "x");
  assertEquals((await kv.get("a", { consistency: "stale" })).value, "x");
  const reads = cluster.seen.filter(({ target }) => target.includes("stale"));
  assertEquals(reads.filter(({ node }) => node === first).length, 1);
});

Deno.test("hooks tell every attempt and every call", async () => {
  const cluster = new FakeCluster();
  const calls: CallEvent[] = [];
  const attempts: string[] = [];
  await using kv = await cluster.connect({
    hooks: {
      onCall: (event) => calls.push(event),
      onAttempt: ({ attempt, status, code }) =>
        attempts.push(`${attempt} ${status} ${code ?? "-"}`),
    },
  });
  let refused = 0;
  cluster.fate = () => refused++ === 0 ? problemAnswer(503, "no-leader") : undefined;
  await kv.set("a", "x");
  assertEquals(attempts, ["1 503 no-leader", "2 201 -"]);
  assertEquals(calls.map(({ route, attempts, error }) => [route, attempts, error]), [
    ["/key", 2, undefined],
  ]);
});

Deno.test("connect() says so when nobody tells a map", async () => {
  const cluster = new FakeCluster();
  for (let i = 0; i < 3; i++) cluster.down.add(i);
  const error = await assertRejects(() => cluster.connect({ timeoutMs: 50 }), PontoonError);
  assertEquals([error.code, error.outcome], ["connection", "none"]);
  await assertRejects(() => cluster.connect({}, ["http://n1:1/path"]), TypeError, "nothing else");
  await assertRejects(() => cluster.connect({}, []), TypeError);
  await assertRejects(() => cluster.connect({ timeoutMs: 0 }), RangeError);
});

Deno.test("connect() needs one seed that answers", async () => {
  const cluster = new FakeCluster();
  cluster.down.add(0);
  cluster.leader = 1;
  await using kv = await cluster.connect({}, [cluster.urls[0], cluster.urls[2]]);
  assertEquals(kv.members.map(({ name }) => name), ["n1", "n2", "n3"]);
  assertEquals((await kv.set("a", "x")).ok, true);
});

Deno.test("a token is in every request, and https of the seed holds for all nodes", async () => {
  const seen: string[] = [];
  const cluster = new FakeCluster();
  const fetcher = (input: RequestInfo | URL, init?: RequestInit) => {
    seen.push(`${String(input).slice(0, 8)} ${new Headers(init?.headers).get("authorization")}`);
    return cluster.fetch(String(input).replace("https:", "http:"), init);
  };
  let token = "first";
  await using kv = await cluster.connect({ fetch: fetcher, token: () => token }, ["https://n1:1"]);
  token = "second";
  cluster.leader = 1;
  await kv.set("a", "x");
  assertEquals(seen, [
    "https:// Bearer first",
    "https:// Bearer second",
    "https:// Bearer second",
  ]);
  await assertRejects(
    () => cluster.connect({}, ["https://n1:1", "http://n2:1"]),
    TypeError,
    "either",
  );
});

Deno.test("the view of the cluster comes from a node that knows a map", async () => {
  const cluster = new FakeCluster();
  let starting = false;
  const asked: string[] = [];
  const answer: typeof fetch = (input, init) => {
    if (starting) asked.push(String(input));
    // The first two that are asked know nothing yet.
    if (!starting || asked.length > 2) return cluster.fetch(input, init);
    return Promise.resolve(Response.json({ ...cluster.map(), epoch: 0, members: [], routing: [] }));
  };
  await using kv = await cluster.connect({ fetch: answer });
  starting = true;
  assertEquals((await kv.admin.view()).members.length, 3);
  assertEquals(new Set(asked).size, 3, asked.join());
});
