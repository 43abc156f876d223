// GET /watch: what is sent, in which order, from where on, and how a stream ends.

import { assert, assertEquals } from "@std/assert";
import { HISTORY_EVENTS_MAX } from "../../src/base/limits.ts";
import { encodeBase64Url } from "../../src/http/base64url.ts";
import { readWatchCursor, watchCursor } from "../../src/http/positions.ts";
import { PROGRESS_INTERVAL_MS } from "../../src/http/watch_session.ts";
import { WHOLE_REVISION } from "../../src/store/mod.ts";
import { EventStream } from "./event_stream.ts";
import { failureOf, PARTITION } from "./fake_node.ts";
import { Api, assertProblem, rawRequest } from "./harness.ts";

async function watch(api: Api, query: string, headers: HeadersInit = {}): Promise<EventStream> {
  const response = await api.app.fetch(rawRequest("GET", `/watch?${query}`, { headers }));
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  return new EventStream(response);
}

const FAR = PARTITION + 1;

Deno.test("a watch tells where it begins, then every change of its keys", async () => {
  const api = new Api();
  await api.put("/key/a1", "before");
  const stream = await watch(api, "prefix=a");
  const begin = await stream.next();
  assertEquals([begin?.event, begin?.data], ["progress", {
    applied: { [PARTITION]: 1, [FAR]: 1 },
  }]);
  await api.put("/key/b", "not watched");
  await api.put("/key/a1", "v", { "content-type": "text/plain" });
  await api.put("/key/a2?ttl=2", '{"x":\n[1]}', { "content-type": "application/json" });
  await api.call("DELETE", "/key/a1");
  api.node.timeMs = 2000;
  await api.put("/key/a2", "\xff", { "content-type": "application/octet-stream" });
  const [first, second, third, fourth, fifth] = await stream.changes(5);
  assertEquals([first.event, first.data], ["put", {
    partition: PARTITION,
    key: "a1",
    value: "v",
    contentType: "text/plain",
    revision: 3,
    createRevision: 1,
  }]);
  assertEquals(second.data.value, { x: [1] });
  assertEquals(second.data.ttlMs, 2000);
  assertEquals([third.event, third.data], ["delete", {
    partition: PARTITION,
    key: "a1",
    revision: 5,
  }]);
  assertEquals([fourth.event, fourth.data.key, fourth.data.revision], ["expire", "a2", 6]);
  assertEquals([fifth.event, fifth.data.value, fifth.data.encoding], ["put", "w78=", "base64"]);
  await stream.cancel();
});

Deno.test("a watch of one key, and of keys of any bytes, sees these only", async () => {
  const api = new Api();
  const one = await watch(api, "key=ab");
  const bytes = await watch(api, `prefix64=${encodeBase64Url("\xff")}`);
  await api.put("/key/a", "1");
  await api.put("/key/abc", "2");
  await api.put("/key/ab", "3");
  await api.put(`/key?key64=${encodeBase64Url("\xff\0")}`, "4");
  assertEquals((await one.changes(1))[0].data.value, "3");
  const [change] = await bytes.changes(1);
  assertEquals([change.data.key64, change.data.key], [encodeBase64Url("\xff\0"), undefined]);
  await one.cancel();
  await bytes.cancel();
});

Deno.test("a watch goes on behind any of its events, with nothing lost and nothing twice", async () => {
  const api = new Api();
  const stream = await watch(api, "prefix=");
  const keys = ["a", "farb", "c", "fard", "e", "farf"];
  for (const key of keys) await api.put(`/key/${key}`, key);
  const body = JSON.stringify({
    then: ["{t}1", "{t}2", "{t}3"].map((key) => ({ op: "put", key, value: key })),
  });
  await api.call("POST", "/txn", { body, headers: { "content-type": "application/json" } });
  const events = await stream.changes(9);
  const revisionOf = ({ data }: { data: { key: string; partition: number } }) =>
    `${data.partition} ${data.key}`;
  for (const [i, event] of events.entries()) {
    for (const byHeader of [true, false]) {
      const resumed = byHeader
        ? await watch(api, "prefix=", { "last-event-id": event.id })
        : await watch(api, `prefix=&after=${event.id}`);
      const rest = await resumed.changes(events.length - 1 - i);
      assertEquals(rest.map(revisionOf).sort(), events.slice(i + 1).map(revisionOf).sort());
      await resumed.cancel();
    }
  }
  // In order within each partition.
  for (const partition of [PARTITION, FAR]) {
    const own = events.filter(({ data }) => data.partition === partition);
    const order = own.map(({ data }) => data.revision);
    assertEquals(order, order.toSorted((a, b) => a - b));
  }
  await stream.cancel();
});

Deno.test("a scan's watch cursor leaves no gap between the scan and the watch", async () => {
  const api = new Api();
  await api.put("/key/a", "1");
  const first = (await api.get("/keys?prefix=&limit=1")).json;
  await api.put("/key/b", "2");
  await api.get("/keys");
  await api.put("/key/farc", "3");
  const stream = await watch(api, `prefix=&after=${first.watchCursor}`);
  const keys = (await stream.changes(2)).map(({ data }) => data.key);
  assertEquals(keys.sort(), ["b", "farc"]);
  await stream.cancel();
});

Deno.test("the place of a quiet watch does not grow old", async () => {
  const api = new Api();
  const stream = await watch(api, "prefix=quiet");
  await stream.next();
  await api.put("/key/busy", "1");
  await api.put("/key/busy", "2");
  const progress = stream.next();
  await api.scheduler.runFor(PROGRESS_INTERVAL_MS + 2000);
  assertEquals((await progress)?.data, { applied: { [PARTITION]: 2, [FAR]: 2 } });
  await stream.cancel();
});

Deno.test("a watch behind the history is 410 and names the way on; one that falls behind is told", async () => {
  const api = new Api();
  const stale = watchCursor([PARTITION, FAR].map((partition) => ({
    partition,
    position: { revision: 0, subIndex: WHOLE_REVISION },
  })));
  const stalled = await watch(api, "prefix=k");
  await stalled.next();
  const { store } = api.node;
  const overflow = () => {
    for (let i = 1; i <= HISTORY_EVENTS_MAX + 1; i++) {
      store.applyEnvelope(1_000_000 + i, {
        timeMs: 0,
        command: {
          kind: "put",
          key: "k",
          value: new Uint8Array(8),
          contentType: "application/octet-stream",
        },
      });
    }
  };
  overflow();
  const answer = await api.get(`/watch?prefix=k&after=${stale}`);
  assertEquals(answer.status, 410);
  assertProblem(answer, "history-gone");
  assert(answer.json.remedy.includes("watchCursor"), answer.text);
  const gone = await stalled.next();
  assertEquals([gone?.event, gone?.data.code], ["error", "history-gone"]);
  assertEquals(await stalled.next(), undefined);
});

Deno.test("a node that stops says bye, and the last id goes on elsewhere", async () => {
  const api = new Api();
  const stream = await watch(api, "prefix=a");
  await api.put("/key/a1", "1");
  await stream.changes(1);
  for (const listener of api.node.stopListeners) listener();
  const bye = await stream.next();
  assertEquals(bye?.event, "bye");
  assertEquals(await stream.next(), undefined);
  await api.put("/key/a2", "2");
  const next = await watch(api, "prefix=a", { "last-event-id": bye!.id });
  assertEquals((await next.changes(1))[0].data.key, "a2");
  await next.cancel();
  assertEquals(api.node.stopListeners.size, 0);
});

Deno.test("a client that takes nothing is cut off, and its events stay where they are", async () => {
  const api = new Api();
  const response = await api.app.fetch(rawRequest("GET", "/watch?prefix="));
  const value = "v".repeat(100_000);
  for (let i = 0; i < 10; i++) await api.put(`/key/k${i}`, value);
  const before = api.node.stopListeners.size;
  await api.scheduler.runFor(32_000);
  const stream = new EventStream(response);
  const events = [];
  for (let event = await stream.next(); event !== undefined; event = await stream.next()) {
    events.push(event);
  }
  const last = events.at(-1)!;
  assertEquals([last.event, last.data.code, last.data.retryable], [
    "error",
    "watch-too-slow",
    true,
  ]);
  const puts = events.filter(({ event }) => event === "put");
  assert(puts.length > 0 && puts.length < 10, `${puts.length} of 10 were kept for it`);
  const rest = await watch(api, "prefix=", { "last-event-id": last.id });
  const keys = [...puts, ...await rest.changes(10 - puts.length)].map(({ data }) => data.key);
  assertEquals(keys, Array.from({ length: 10 }, (_, i) => `k${i}`));
  await rest.cancel();
  assertEquals([before, api.node.stopListeners.size], [1, 0]);
});

Deno.test("a client that goes while it is handed something ends its own stream only", async () => {
  const api = new Api();
  const response = await api.app.fetch(rawRequest("GET", "/watch?prefix="));
  const reader = response.body!.getReader();
  await reader.read();
  // An HTTP server writes inside `enqueue`, and cancels there if nobody is at the other end.
  const { prototype } = ReadableStreamDefaultController;
  const { enqueue } = prototype;
  let cancelled = false;
  prototype.enqueue = function (chunk) {
    enqueue.call(this, chunk);
    if (!new TextDecoder().decode(chunk).startsWith("event: put")) return;
    reader.cancel();
    cancelled = true;
  };
  const failures: unknown[] = [];
  const onFailure = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    failures.push(event.reason);
  };
  addEventListener("unhandledrejection", onFailure);
  try {
    const taken = reader.read();
    await api.put("/key/a", "1");
    await taken;
    await new Promise((resolve) => setTimeout(resolve, 0));
  } finally {
    prototype.enqueue = enqueue;
    removeEventListener("unhandledrejection", onFailure);
  }
  assert(cancelled, "nothing was handed over");
  assertEquals(failures, []);
  assertEquals(api.node.stopListeners.size, 0);
});

Deno.test("a partition that can't be read for long ends the stream, which goes on elsewhere", async () => {
  const api = new Api();
  const { node, scheduler } = api;
  const stream = await watch(api, "prefix=");
  await stream.next();
  node.eventsOutage = () =>
    new Promise((resolve) => scheduler.schedule(200, () => resolve(failureOf("no-leader"))));
  await api.put("/key/a", "1");
  // What was waited for already comes; what is read next fails.
  const [change] = await stream.changes(1);
  assertEquals(change.data.key, "a");
  const ended = stream.changes(1);
  await scheduler.runFor(11_000);
  const [error] = await ended;
  assertEquals([error.event, error.data.code, error.data.retryable], ["error", "no-leader", true]);
  assertEquals(await stream.next(), undefined);
  node.eventsOutage = undefined;
  await api.put("/key/b", "2");
  const next = await watch(api, "prefix=", { "last-event-id": error.id });
  assertEquals((await next.changes(1))[0].data.key, "b");
  await next.cancel();
});

Deno.test("a partition that can't be read for a moment does not end the stream", async () => {
  const api = new Api();
  api.node.nextEventsFailure = failureOf("no-leader");
  const stream = await watch(api, "prefix=");
  await stream.next();
  await api.put("/key/a", "1");
  assertEquals((await stream.changes(1))[0].data.key, "a");
  await stream.cancel();
});

Deno.test("GET /watch refuses what names no keys and no place", async () => {
  const api = new Api();
  const cursor = watchCursor([{ partition: PARTITION, position: { revision: 0, subIndex: 0 } }]);
  const future = watchCursor([PARTITION, FAR].map((partition) => ({
    partition,
    position: { revision: 99, subIndex: 0 },
  })));
  for (
    const [query, code] of [
      ["", "invalid-parameter"],
      ["prefix=a&key=a", "invalid-parameter"],
      ["prefix64=*", "invalid-parameter"],
      ["key=", "invalid-key"],
      ["prefix=&after=x!", "invalid-cursor"],
      ["prefix=&after=AAAA", "invalid-cursor"],
      [`prefix=&after=${cursor}`, "invalid-cursor"],
      [`prefix=&after=${future}`, "invalid-cursor"],
    ]
  ) assertProblem(await api.get(`/watch?${query}`), code);
  api.node.nextFailure = failureOf("no-leader");
  assertProblem(await api.get("/watch?prefix="), "no-leader");
  assertEquals((await api.call("HEAD", "/watch?prefix=")).status, 405);
  assertEquals((await api.call("POST", "/watch")).headers.get("allow"), "GET");
});

Deno.test("a cursor over 1024 partitions fits a header, and comes back as it was", () => {
  const positions = Array.from({ length: 1024 }, (_, i) => ({
    partition: i + 1,
    position: {
      revision: 5_000_000_000 + (i * 7919) % 1_000_003,
      subIndex: i % 3 === 0 ? i : WHOLE_REVISION,
    },
  }));
  const cursor = watchCursor(positions);
  assert(cursor.length < 8 * 1024, `${cursor.length} characters`);
  assertEquals(readWatchCursor(cursor), positions);
  const far = positions.map(({ partition, position: { subIndex } }, i) => ({
    partition,
    position: { revision: i % 2 === 0 ? 0 : 2 ** 52 - 1, subIndex },
  }));
  assertEquals(readWatchCursor(watchCursor(far))?.length, 1024);
});
