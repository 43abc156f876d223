// Lists, watches and batches against scripted answers: pages, reconnects, cursors, single outcomes.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type BatchResult, PontoonError, type WatchEvent } from "../../src/client/mod.ts";
import { SILENCE_MS_MAX } from "../../src/client/watch.ts";
import { PROGRESS_INTERVAL_MS } from "../../src/http/watch_session.ts";
import { FakeCluster, problemAnswer, type Seen } from "./fake_cluster.ts";

function recordOf(key: string, revision = 1) {
  return { key, value: `value of ${key}`, revision, createRevision: 1, contentType: "text/plain" };
}

function parametersOf({ target }: Seen): URLSearchParams {
  return new URL(`http://x${target}`).searchParams;
}

/** Answers GET /keys from ten keys; cursors are the index to go on from. */
function pages(seen: Seen): Response {
  const parameters = parametersOf(seen);
  const start = Number(parameters.get("cursor") ?? 0);
  const end = Math.min(10, start + Number(parameters.get("limit")));
  const keys = Array.from({ length: end - start }, (_, i) => recordOf(`k${start + i}`));
  const cursor = end < 10 ? String(end) : null;
  return Response.json({ keys, cursor, watchCursor: `w${start}`, applied: {} });
}

Deno.test("list() gives every page's entries, and the first page's watch cursor", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  cluster.fate = pages;
  const list = kv.list<string>({ prefix: "k" }, { pageSize: 4 });
  const keys: unknown[] = [];
  for await (const { key, value } of list) keys.push([key, value]);
  assertEquals(keys, Array.from({ length: 10 }, (_, i) => [`k${i}`, `value of k${i}`]));
  assertEquals(list.watchCursor, "w0");
  assertEquals(cluster.seen.map((seen) => parametersOf(seen).get("limit")), ["4", "4", "4"]);
});

Deno.test("list() retries a page that fails, and stops at its limit", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  let requests = 0;
  cluster.fate = (seen) => requests++ % 2 === 0 ? "before" : pages(seen);
  const keys: unknown[] = [];
  for await (const { key } of kv.list({}, { pageSize: 3, limit: 7 })) keys.push(key);
  assertEquals(keys.length, 7);
  assertEquals(new Set(keys).size, 7);
});

Deno.test("list() fetches one page ahead and no more, and none after its caller has left", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  cluster.fate = pages;
  for await (const { key } of kv.list({}, { pageSize: 2 })) {
    if (key === "k1") break;
  }
  assertEquals(cluster.seen.length, 2);
});

Deno.test("list() asks for what it was told", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  cluster.fate = pages;
  const selector = { prefix: "a&b", start: new Uint8Array([0xff]), end: "é" };
  const options = {
    reverse: true,
    keysOnly: true,
    consistency: "stale",
    maxStalenessMs: 50.7,
  } as const;
  for await (const _ of kv.list(selector, { ...options, limit: 1, cursor: "3" }));
  assertEquals(Object.fromEntries(parametersOf(cluster.seen[0])), {
    prefix: "a&b",
    start64: "_w",
    end: "é",
    consistency: "stale",
    maxStaleness: "50",
    reverse: "true",
    keysOnly: "true",
    limit: "1",
    cursor: "3",
  });
  cluster.fate = () => Response.json({ count: 12, watchCursor: "w", applied: {} });
  assertEquals(await kv.count({ prefix: "a" }), 12);
});

Deno.test("list() that goes on with a wrong cursor is refused", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  cluster.fate = () => problemAnswer(400, "invalid-cursor");
  const first = () => kv.list({}, { cursor: "x" })[Symbol.asyncIterator]().next();
  assertEquals((await assertRejects(first, PontoonError)).code, "invalid-cursor");
});

/** One event as GET /watch sends it. */
function sse(event: string, id: string | undefined, data: unknown): string {
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${
    JSON.stringify(data)
  }\n\n`;
}

function put(key: string, revision: number): string {
  return sse("put", `c${revision}`, { partition: 1, ...recordOf(key, revision) });
}

const PROGRESS = sse("progress", "c0", { applied: { 1: 0 } });

/** A stream that sends `text` and then ends, breaks, or stays open. */
function stream(text: string, end: "end" | "break" | "open"): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      if (end === "end") controller.close();
    },
    pull(controller) {
      if (end === "break") controller.error(new TypeError("connection reset"));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

async function take<T>(events: AsyncIterator<WatchEvent<T>>, count: number): Promise<unknown[]> {
  const taken: unknown[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) break;
    taken.push(value.type === "progress" ? value.type : `${value.type} ${value.key}`);
  }
  return taken;
}

Deno.test("watch() goes on behind the last event, at another node, whatever ended the stream", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  const streams = [
    stream(PROGRESS + put("a", 1), "break"),
    stream(put("b", 2), "end"),
    stream(put("c", 3) + sse("bye", undefined, { reason: "stopping" }), "end"),
    stream(sse("error", undefined, { code: "overloaded", retryable: true, status: 503 }), "end"),
    problemAnswer(503, "no-leader"),
    stream(sse("delete", "c4", { partition: 1, key: "a", revision: 4 }), "open"),
  ];
  cluster.fate = () => streams.shift();
  await using watch = kv.watch<string>({ prefix: "" });
  await watch.ready;
  assertEquals(await take(watch, 4), ["put a", "put b", "put c", "delete a"]);
  assertEquals(watch.cursor, "c4");
  const resumed = cluster.seen.map(({ headers }) => headers.get("last-event-id"));
  assertEquals(resumed, [null, "c1", "c2", "c3", "c3", "c3"]);
  for (let i = 1; i < 3; i++) assert(cluster.seen[i].node !== cluster.seen[i - 1].node);
});

Deno.test("watch() gives progress if it is asked to, and begins behind a cursor", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  cluster.fate = () => stream(PROGRESS + put("a", 1), "open");
  await using watch = kv.watch({ key: "a" }, { progress: true, after: "c" });
  assertEquals(await take(watch, 2), ["progress", "put a"]);
  assertEquals(cluster.seen[0].target, "/watch?key=a");
  assertEquals(cluster.seen[0].headers.get("last-event-id"), "c");
});

for (const way of ["before the stream", "within the stream"]) {
  Deno.test(`watch() says so when its history is gone, ${way}`, async () => {
    const cluster = new FakeCluster();
    await using kv = await cluster.connect();
    const gone = { code: "history-gone", status: 410, retryable: false, detail: "scan again" };
    cluster.fate = () =>
      way === "before the stream"
        ? problemAnswer(410, "history-gone", gone)
        : stream(sse("error", undefined, gone), "end");
    const watch = kv.watch({ prefix: "" }, { after: "old" });
    const error = await assertRejects(() => watch.next(), PontoonError);
    assertEquals([error.code, error.status, error.retryable], ["history-gone", 410, false]);
    assertEquals((await watch.next()).done, true);
  });
}

Deno.test("watch() ends quietly by its signal, by return, and with its client", async () => {
  const cluster = new FakeCluster();
  const kv = await cluster.connect();
  cluster.fate = () => stream(PROGRESS, "open");
  const controller = new AbortController();
  const bySignal = kv.watch({ prefix: "" }, { signal: controller.signal });
  await bySignal.ready;
  const waiting = bySignal.next();
  controller.abort();
  assertEquals((await waiting).done, true);
  const byReturn = kv.watch({ prefix: "" });
  await byReturn.ready;
  await byReturn.return();
  assertEquals((await byReturn.next()).done, true);
  const aborted = kv.watch({ prefix: "" }, { signal: AbortSignal.abort() });
  assertEquals((await aborted.next()).done, true);
  const withClient = kv.watch({ prefix: "" });
  await withClient.ready;
  const last = withClient.next();
  await kv.close();
  assertEquals((await last).done, true);
});

Deno.test("no more watches are open than maxWatches", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect({ maxWatches: 1 });
  cluster.fate = () => stream(PROGRESS, "open");
  const first = kv.watch({ prefix: "" });
  let error: unknown;
  try {
    kv.watch({ prefix: "" });
  } catch (caught) {
    error = caught;
  }
  assert(error instanceof PontoonError && error.code === "too-many-watches");
  await first.return();
  const second = kv.watch({ prefix: "" });
  await second.return();
});

const revisionOf = (result: BatchResult) => result.op === "error" ? result.error.code : result;

Deno.test("batch() gives each operation its own result, and repeats what may still succeed", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  const problem = (code: string, retryable: boolean, members = {}) => ({
    code,
    retryable,
    outcome: "none",
    detail: "",
    ...members,
  });
  const answers = [
    [
      { status: 201, revision: 5, created: true },
      { status: 503, problem: problem("no-leader", true) },
      { status: 412, problem: problem("condition-failed", false, { revision: 3 }) },
      { status: 404, problem: problem("not-found", false) },
      { status: 413, problem: problem("value-too-large", false) },
      { status: 200, record: recordOf("f", 9) },
    ],
    [
      { status: 201, revision: 5, created: true },
      { status: 200, revision: 6, created: false },
      { status: 412, problem: problem("condition-failed", false, { revision: 3 }) },
      { status: 404, problem: problem("not-found", false) },
      { status: 413, problem: problem("value-too-large", false) },
      { status: 200, record: recordOf("f", 9) },
    ],
  ];
  cluster.fate = () => Response.json({ results: answers.shift() });
  const results = await kv.batch<string>([
    { op: "put", key: "a", value: "x" },
    { op: "put", key: "b", value: new Uint8Array([255]), ttlMs: 1500 },
    { op: "put", key: "c", value: 1, ifRevision: 2 },
    { op: "delete", key: "d" },
    { op: "put", key: "e", value: "too large" },
    { op: "get", key: "f" },
  ]);
  assertEquals(results.map(revisionOf), [
    { op: "put", result: { ok: true, revision: 5, created: true } },
    { op: "put", result: { ok: true, revision: 6, created: false } },
    { op: "put", result: { ok: false, revision: 3 } },
    { op: "delete", result: { ok: true, deleted: false, revision: 0 } },
    "value-too-large",
    { op: "get", entry: { ...recordOf("f", 9), key: "f" } },
  ]);
  const places = cluster.seen.map(({ headers }) => headers.get("pontoon-session"));
  assertEquals(places.length, 2);
  assert(places[0]?.endsWith(";seq=1;ack=0"), "six sequences from the first");
  assertEquals(places[1], places[0], "the retry is at another place");
  await kv.set("a", 1).catch(() => {});
  const next = cluster.seen[2].headers.get("pontoon-session");
  assert(next?.endsWith(";seq=7;ack=6"), `what was received is acknowledged: ${next}`);
});

Deno.test("batch() says what became of each operation when its deadline passes", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  cluster.fate = () => "before";
  const results = await kv.batch([{ op: "put", key: "a", value: 1 }, { op: "get", key: "b" }], {
    timeoutMs: 100,
  });
  const outcomes = results.map((result) => result.op === "error" ? result.error.outcome : "");
  assertEquals(outcomes, ["unknown", "none"]);
});

Deno.test("batch() of reads needs no place in the session", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  cluster.fate = () => Response.json({ results: [{ status: 404 }] });
  await kv.batch([{ op: "get", key: "a" }]);
  assertEquals(cluster.seen[0].headers.get("pontoon-session"), null);
});

Deno.test("getMany() keeps the order of its keys", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  cluster.fate = () =>
    Response.json({
      results: [{ status: 200, record: recordOf("a", 4) }, { status: 404 }],
    });
  const entries = await kv.getMany<string>(["a", "b"]);
  assertEquals(entries.map(({ key, revision }) => [key, revision]), [["a", 4], ["b", 0]]);
  assertEquals(cluster.seen[0].headers.get("idempotency-key"), null);
});

Deno.test("watch() does not take a node that has nothing to tell for a lost one", () => {
  assert(SILENCE_MS_MAX > 2 * PROGRESS_INTERVAL_MS, "one progress event may be late, or lost");
});
