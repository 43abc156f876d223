// GET /keys: order over partitions, pages and cursors, lines, and that nothing is read ahead of the client.

import { assert, assertEquals } from "@std/assert";
import { readWatchCursor } from "../../src/http/positions.ts";
import { encodeBase64Url } from "../../src/http/base64url.ts";
import { type Answer, Api, assertProblem, rawRequest } from "./harness.ts";
import { failureOf, PARTITION } from "./fake_node.ts";
import { SeededRandom } from "../sim/random.ts";
import { testSeed } from "../store/support.ts";

const LINES = { accept: "application/x-ndjson" };

function keysOf(answer: Answer): string[] {
  assertEquals(answer.status, 200, answer.text);
  return answer.json.keys.map((record: { key: string }) => record.key);
}

async function filled(...keys: string[]): Promise<Api> {
  const api = new Api();
  for (const key of keys) await api.put(`/key/${key}`, `value of ${key}`);
  return api;
}

/** Every page of a scan, by its cursors. */
async function pagesOf(api: Api, query: string): Promise<string[][]> {
  const pages: string[][] = [];
  for (let cursor: string | null = "";;) {
    const answer: Answer = await api.get(
      `/keys?${query}${cursor === "" ? "" : `&cursor=${cursor}`}`,
    );
    pages.push(keysOf(answer));
    cursor = answer.json.cursor;
    if (cursor === null) return pages;
    assert(pages.length < 1000, "the scan does not end");
  }
}

Deno.test("GET /keys answers records of all partitions in key order", async () => {
  const api = await filled("farb", "a", "fara", "z", "m");
  const answer = await api.get("/keys");
  assertEquals(keysOf(answer), ["a", "fara", "farb", "m", "z"]);
  assertEquals(answer.json.keys[0], {
    key: "a",
    value: "value of a",
    revision: 2,
    createRevision: 2,
    contentType: "text/plain; charset=utf-8",
  });
  assertEquals(answer.json.cursor, null);
  assertEquals(answer.json.applied, { [PARTITION]: 5, [PARTITION + 1]: 5 });
  assertEquals(readWatchCursor(answer.json.watchCursor)?.map(({ partition }) => partition), [
    PARTITION,
    PARTITION + 1,
  ]);
});

Deno.test("GET /keys keeps to prefix, start and end", async () => {
  const api = await filled("a", "b1", "b2", "b3", "c", "farb2");
  assertEquals(keysOf(await api.get("/keys?prefix=b")), ["b1", "b2", "b3"]);
  assertEquals(keysOf(await api.get("/keys?prefix=b&start=b2")), ["b2", "b3"]);
  assertEquals(keysOf(await api.get("/keys?prefix=b&end=b3")), ["b1", "b2"]);
  assertEquals(keysOf(await api.get("/keys?start=b3")), ["b3", "c", "farb2"]);
  assertEquals(keysOf(await api.get("/keys?start=c&end=b")), []);
  assertEquals(keysOf(await api.get(`/keys?prefix64=${encodeBase64Url("b")}`)).length, 3);
  assertEquals(keysOf(await api.get("/keys?reverse&start=b2&end=c")), ["b3", "b2"]);
});

Deno.test("GET /keys finds keys of any bytes by a prefix of any bytes", async () => {
  const api = new Api();
  const keys = ["\xff", "\xff\xff", "\xffa", "\xfe"];
  for (const key of keys) await api.put(`/key?key64=${encodeBase64Url(key)}`, "v");
  const answer = await api.get(`/keys?prefix64=${encodeBase64Url("\xff")}`);
  assertEquals(
    answer.json.keys.map((record: { key64: string }) => record.key64),
    ["\xff", "\xffa", "\xff\xff"].map(encodeBase64Url),
  );
});

Deno.test("GET /keys asks one partition only when the prefix has a whole hash tag", async () => {
  const api = await filled("{t}a", "{t}b", "{tt}c");
  assertEquals(keysOf(await api.get("/keys?prefix={t}")), ["{t}a", "{t}b"]);
  assertEquals(api.node.pages.map(({ partition }) => partition), [PARTITION]);
});

Deno.test("GET /keys?keysOnly leaves values out, countOnly counts", async () => {
  const api = await filled("a", "b", "farc");
  const [first] = (await api.get("/keys?keysOnly")).json.keys;
  assertEquals(first, {
    key: "a",
    revision: 1,
    createRevision: 1,
    contentType: "text/plain; charset=utf-8",
  });
  const counted = await api.get("/keys?countOnly&start=b");
  assertEquals(counted.json.count, 2);
  assertEquals(counted.json.applied, { [PARTITION]: 3, [PARTITION + 1]: 3 });
});

Deno.test("GET /keys shows no key that has expired, reaped or not", async () => {
  const api = new Api();
  await api.put("/key/short?ttl=1", "v");
  await api.put("/key/long?ttl=9", "v");
  api.node.timeMs = 4000;
  await api.put("/key/other", "v");
  const answer = await api.get("/keys");
  assertEquals(keysOf(answer), ["long", "other"]);
  assertEquals(answer.json.keys[0].ttlMs, 5000);
  assertEquals((await api.get("/keys?countOnly")).json.count, 2);
});

Deno.test("GET /keys by pages gives every key once and in order, whatever the limit", async () => {
  const seed = testSeed();
  const random = new SeededRandom(seed);
  const keys = new Set<string>();
  while (keys.size < 150) {
    keys.add(`${random.int(2) === 0 ? "far" : ""}${random.int(4)}k${random.int(400)}`);
  }
  const api = await filled(...keys);
  const sorted = [...keys].sort();
  for (const limit of [1, 2, 7, 64, 150, 151]) {
    const forward = await pagesOf(api, `limit=${limit}`);
    assertEquals(forward.flat(), sorted, `seed ${seed}, limit ${limit}`);
    assert(forward.slice(0, -1).every((page) => page.length === limit), "pages are full");
    const backward = await pagesOf(api, `limit=${limit}&reverse`);
    assertEquals(backward.flat(), sorted.toReversed(), `seed ${seed}, limit ${limit}, reverse`);
  }
});

Deno.test("a cursor goes on where the scan was, though keys come and go meanwhile", async () => {
  const api = await filled("a", "b", "farc", "d", "fare");
  const first = await api.get("/keys?limit=3");
  assertEquals(keysOf(first), ["a", "b", "d"]);
  await api.put("/key/c0", "new, behind the cursor");
  await api.put("/key/e0", "new, before it");
  await api.call("DELETE", "/key/farc");
  const second = await api.get(`/keys?limit=3&cursor=${first.json.cursor}`);
  assertEquals(keysOf(second), ["e0", "fare"]);
  // Where a watch must begin is where the scan began, not where its last page stood.
  assertEquals(second.json.watchCursor, first.json.watchCursor);
  assertEquals(second.json.applied, { [PARTITION]: 8, [PARTITION + 1]: 8 });
});

Deno.test("GET /keys refuses cursors of other scans, and what is no cursor", async () => {
  const api = await filled("a", "b", "c");
  const { cursor } = (await api.get("/keys?limit=1")).json;
  for (
    const query of [
      `prefix=a&cursor=${cursor}`,
      `reverse&cursor=${cursor}`,
      `keysOnly&cursor=${cursor}`,
      "cursor=!",
      "cursor=AAAA",
      `cursor=${cursor}A`,
      `cursor=${(await api.get("/keys")).json.watchCursor}`,
    ]
  ) {
    const answer = await api.get(`/keys?${query}`);
    assertEquals(answer.status, 400, query);
    assertProblem(answer, "invalid-cursor");
  }
});

Deno.test("GET /keys refuses malformed parameters", async () => {
  const api = new Api();
  for (
    const query of [
      "limit=0",
      "limit=10001",
      "limit=x",
      "prefix=a&prefix64=YQ",
      "prefix64=*",
      "keysOnly=perhaps",
      "countOnly&limit=3",
      "maxStaleness=5",
      "consistency=stale&maxStaleness=-1",
      "consistency=eventual",
      "what=ever",
    ]
  ) {
    const answer = await api.get(`/keys?${query}`);
    assertEquals(answer.status, 400, query);
    assertProblem(answer, "invalid-parameter");
  }
  const long = "a".repeat(4097);
  assertProblem(await api.get(`/keys?prefix=${long}`), "key-too-long");
});

Deno.test("GET /keys fails as a whole when a partition does, and while no map is known", async () => {
  const api = await filled("a");
  api.node.nextFailure = failureOf("no-leader");
  assertProblem(await api.get("/keys"), "no-leader");
  api.node.partitions = [];
  assertProblem(await api.get("/keys"), "no-leader", "does not know");
});

Deno.test("a stale scan asks for the bounds of its query", async () => {
  const api = await filled("a");
  await api.get("/keys?consistency=stale&maxStaleness=250");
  assertEquals(api.node.lastBounds, { maxStalenessMs: 250 });
  await api.get("/keys");
  assertEquals(api.node.lastBounds, undefined);
});

Deno.test("a stale scan goes on in no older state than it began in, so that a watch from it has no gap", async () => {
  const api = await filled("a", "b", "c");
  const first = await api.get("/keys?consistency=stale&limit=1&prefix=");
  assertEquals(api.node.lastBounds, {});
  const began = Math.max(...Object.values<number>(first.json.applied));
  await api.get(`/keys?consistency=stale&limit=1&prefix=&cursor=${first.json.cursor}`);
  assertEquals(api.node.lastBounds, { minApplied: began });
});

// ------------------------------------------------------------------------------------------------ lines

const linesOf = (text: string) => text.trimEnd().split("\n").map((line) => JSON.parse(line));

Deno.test("GET /keys streams lines and ends them with a terminator", async () => {
  const api = await filled("a", "farb", "c");
  const answer = await api.get("/keys", LINES);
  assertEquals(answer.headers.get("content-type"), "application/x-ndjson");
  const lines = linesOf(answer.text);
  assertEquals(lines.slice(0, 3).map(({ key }) => key), ["a", "c", "farb"]);
  const { done, cursor, count, watchCursor, applied } = lines[3];
  assertEquals([done, cursor, count, lines.length], [true, null, 3, 4]);
  assertEquals(applied, { [PARTITION]: 3, [PARTITION + 1]: 3 });
  assertEquals(watchCursor, (await api.get("/keys")).json.watchCursor);
});

Deno.test("lines with a limit end in a cursor that goes on", async () => {
  const api = await filled("a", "farb", "c");
  const [a, c, end] = linesOf((await api.get("/keys?limit=2", LINES)).text);
  assertEquals([a.key, c.key, end.done, end.count], ["a", "c", true, 2]);
  const rest = linesOf((await api.get(`/keys?limit=2&cursor=${end.cursor}`, LINES)).text);
  assertEquals([rest[0].key, rest[1].done, rest[1].cursor], ["farb", true, null]);
});

/** Larger than a chunk, many to a page. */
const LARGE = "v".repeat(150_000);

Deno.test("a scan of lines reads no further ahead than its client takes", async () => {
  const api = new Api();
  for (let i = 10; i < 50; i++) await api.put(`/key/k${i}`, LARGE);
  const response = await api.app.fetch(rawRequest("GET", "/keys", { headers: LINES }));
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let text = decoder.decode((await reader.read()).value);
  // One page of each partition, though the stream could be read to its end.
  for (let i = 0; i < 100; i++) await Promise.resolve();
  assertEquals(api.node.pages.length, 2);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value);
  }
  assert(api.node.pages.length > 8, "the rest took many pages");
  const lines = linesOf(text);
  assertEquals(lines.length, 41);
  assertEquals(lines[40].count, 40);
});

Deno.test("lines that fail midway say so, with a cursor behind the last one", async () => {
  const api = new Api();
  for (let i = 10; i < 30; i++) await api.put(`/key/k${i}`, LARGE);
  const response = await api.app.fetch(rawRequest("GET", "/keys", { headers: LINES }));
  api.node.nextFailure = failureOf("no-leader");
  const lines = linesOf(await response.text());
  const { error, cursor } = lines.at(-1)!;
  assertEquals([error.code, error.retryable, error.status], ["no-leader", true, 503]);
  const sent = lines.slice(0, -1).map(({ key }) => key);
  const rest = linesOf((await api.get(`/keys?cursor=${cursor}`, LINES)).text);
  const keys = [...sent, ...rest.slice(0, -1).map(({ key }) => key)];
  assertEquals(keys, Array.from({ length: 20 }, (_, i) => `k${i + 10}`));
});
