// Keys and values go to the cluster and come back as they were, whatever is in them.

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { keyOfLatin1, keyTarget, latin1OfKey } from "../../src/client/key.ts";
import { type Key, keyBytes } from "../../src/client/mod.ts";
import { keyFromBase64Url, keyFromSegment, parseQuery } from "../../src/http/request_key.ts";
import { FakeCluster } from "./fake_cluster.ts";
import { testSeed } from "../support/seed.ts";

const RUNS = 300;
/** Printed by fast-check when a property fails; `{ seed }` replays it. */
const seed = testSeed();

/** The key that a node reads out of a URL, as the URL reaches it. */
function keyOfTarget(target: string): string {
  const { pathname, search } = new URL(`http://n1:1${target}`);
  assertEquals(pathname + search, target, "the URL parser changes the target");
  return pathname === "/key"
    ? keyFromBase64Url(parseQuery(search.slice(1), ["key64"]).get("key64")!)
    : keyFromSegment(pathname.slice("/key/".length));
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 60 });
const text = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" });
const awkward = fc.constantFrom<Key>(
  ".",
  "..",
  "...",
  "%",
  "%00",
  "%2e",
  "\0",
  "a/b",
  "/",
  "?",
  "#",
  "a b",
  "+",
  "é",
  "日本",
  "\ufeffa",
  "😀",
  new Uint8Array([0xff]),
  new Uint8Array([0xc3, 0x28]),
  new Uint8Array([0]),
  new Uint8Array([0x2e]),
  "k".repeat(4096),
  "é".repeat(2048),
  "%".repeat(4096),
  new Uint8Array(4096).fill(0xfe),
);
const anyKey: fc.Arbitrary<Key> = fc.oneof(bytes, text, awkward);

Deno.test("a key is the same bytes at the node, whatever they are", () => {
  fc.assert(
    fc.property(anyKey, (key) => {
      const latin1 = latin1OfKey(key);
      assertEquals(keyOfTarget(keyTarget(latin1)), latin1);
      assertEquals(keyBytes(keyOfLatin1(latin1)), keyBytes(key));
    }),
    { numRuns: RUNS, seed },
  );
});

Deno.test("entries come back under the key they were set with, and no other", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  await fc.assert(
    fc.asyncProperty(anyKey, fc.uint8Array({ maxLength: 50 }), async (key, value) => {
      await kv.set(key, value);
      const entry = await kv.get<Uint8Array>(key);
      assertEquals(entry.value, value);
      assertEquals(entry.key, key);
      await kv.delete(key);
      assertEquals((await kv.get(key)).revision, 0);
    }),
    { numRuns: RUNS, seed },
  );
});

Deno.test("transactions name any key", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  await fc.assert(
    fc.asyncProperty(anyKey, async (key) => {
      const before = await kv.get(key);
      const done = await kv.atomic().check(before).set(key, "x").commit();
      assertEquals(done.ok, true);
      const stale = await kv.atomic().check(before).set(key, "y").commit();
      assertEquals(stale, {
        ok: false,
        current: [{ key, revision: (await kv.get(key)).revision }],
      });
      await kv.atomic().delete(key).commit();
    }),
    { numRuns: 100, seed },
  );
});

Deno.test("values keep what they are: text, bytes, JSON", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  const values = [
    "",
    "text",
    "\ufefftext with a mark",
    "a\0b",
    "日本 😀",
    new Uint8Array(),
    new Uint8Array([0, 255, 128]),
    new TextEncoder().encode("bytes that are text"),
    null,
    true,
    0,
    -0.5,
    1e21,
    [1, [2, []]],
    { a: { b: [null] }, "": 1 },
    JSON.parse('{"__proto__":1}'),
  ];
  for (const value of values) {
    await kv.set("k", value);
    assertEquals((await kv.get("k")).value, value);
    await kv.atomic().set("{t}k", value).commit();
    assertEquals((await kv.get("{t}k")).value, value);
  }
});

Deno.test("values of any JSON and text round-trip", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  const value = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.uint8Array(),
    fc.jsonValue().map((json) => JSON.parse(JSON.stringify(json))),
  );
  await fc.assert(
    fc.asyncProperty(value, async (value) => {
      await kv.set("k", value);
      assertEquals((await kv.get("k")).value, value);
    }),
    { numRuns: RUNS, seed },
  );
});

Deno.test("what can't be kept as it is, is refused before anything is sent", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  const refused: [Key, unknown][] = [
    ["", "x"],
    [new Uint8Array(), "x"],
    ["k".repeat(4097), "x"],
    ["é".repeat(2049), "x"],
    ["\ud800", "x"],
    ["k", "\ud800"],
    ["k", undefined],
    ["k", () => {}],
    ["k", Symbol("s")],
  ];
  for (const [key, value] of refused) await assertRejects(() => kv.set(key, value), TypeError);
  await assertRejects(() => kv.set("k", 10n), TypeError);
  await assertRejects(() => kv.set("k", {}, { contentType: "text/plain" }), TypeError);
  await assertRejects(() => kv.set("k", "x", { ttlMs: 0 }), RangeError);
  await assertRejects(() => kv.set("k", "x", { ifRevision: -1 }), RangeError);
  await assertRejects(() => kv.delete("k", { ifRevision: 0 }), RangeError);
  assertThrows(() => kv.atomic().check({ key: "k", revision: 1.5 }), RangeError);
  assertThrows(() => kv.list({}, { pageSize: 0 }), RangeError);
  assertEquals(cluster.seen.length, 0);
});

Deno.test("content types, conditions and times to live are the cluster's", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  await kv.set("page", "<p>", { contentType: "text/html", ttlMs: 1500 });
  const { contentType, ttlMs, revision } = await kv.get("page") as { contentType: string } & {
    ttlMs: number;
    revision: number;
  };
  assertEquals([contentType, ttlMs], ["text/html", 1500]);
  assertEquals(await kv.set("page", "x", { ifRevision: revision + 1 }), { ok: false, revision });
  assertEquals(await kv.set("page", "x", { ifRevision: 0 }), { ok: false, revision });
  assertEquals((await kv.set("page", "x", { ifRevision: revision })).ok, true);
  assertEquals((await kv.touch("page", 1000) as { found: boolean }).found, true);
  assertEquals((await kv.get("page") as { ttlMs?: number }).ttlMs, 1000);
  await kv.touch("page", null);
  assertEquals((await kv.get("page") as { ttlMs?: number }).ttlMs, undefined);
  assertEquals(await kv.touch("none", null), { ok: true, found: false, revision: 0 });
  assertEquals((await kv.delete("page", { ifRevision: 1 })).ok, false);
  assertEquals(await kv.delete("none"), { ok: true, deleted: false, revision: 0 });
});

Deno.test("JSON can be had as the text that was put", async () => {
  const cluster = new FakeCluster();
  await using kv = await cluster.connect();
  const text = ' { "n": 12345678901234567890,\n "value": "\\"}", "n": [1.0] }\n';
  await kv.set("k", text, { contentType: "application/json" });
  assertEquals((await kv.get("k", { json: "text" })).value, text);
  await kv.set("k", "plain", {});
  assertEquals((await kv.get("k", { json: "text" })).value, "plain");
});
