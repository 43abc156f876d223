// Watches, lists and batches on a real cluster: nothing is missed and nothing comes twice, whatever happens to
// the node that serves them.

import { assert, assertEquals } from "@std/assert";
import { connect } from "../../../src/client/mod.ts";
import { TestCluster, until } from "../../../scripts/bench/support/cluster.ts";

const KEYS = 12;
const TIMEOUT_MS = 30_000;

Deno.test("a watch goes on across the kill of the node that serves it", async () => {
  const urls: string[] = [];
  await using cluster = TestCluster.start({ nodes: 3, flags: ["--partitions", "4"] });
  await cluster.ready();
  await using kv = await connect(cluster.nodes.map(({ http }) => http));
  // Its own client, so that what it connects to is known.
  await using watcher = await connect(cluster.nodes.map(({ http }) => http), {
    fetch: (input, init) => {
      if (String(input).includes("/watch?")) urls.push(String(input));
      return fetch(input, init);
    },
  });
  await using watch = watcher.watch<number>({ prefix: "w/" });
  await watch.ready;
  const seen = new Map<string, number[]>();
  const watching = (async () => {
    for await (const event of watch) {
      if (event.type !== "put") continue;
      const values = seen.get(event.key as string) ?? [];
      seen.set(event.key as string, values);
      values.push(event.value);
    }
  })();
  let stopped = false;
  const written = new Array<number>(KEYS).fill(0);
  const writing = Promise.all(written.map(async (_, i) => {
    while (!stopped) {
      const result = await kv.set(`w/${i}`, written[i] + 1);
      assert(result.ok);
      written[i]++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })).finally(() => stopped = true);
  const more = async (count: number) => {
    const before = written.reduce((sum, own) => sum + own);
    await until(
      "the writers go on",
      TIMEOUT_MS,
      () => stopped || written.reduce((sum, own) => sum + own) > before + count,
    );
  };
  await more(200);
  for (let round = 0; round < 2; round++) {
    const port = new URL(urls.at(-1)!).host;
    const serving = cluster.nodes.find(({ http }) => http === port)!;
    const connections = urls.length;
    await cluster.kill(serving);
    await until("the watch is elsewhere", TIMEOUT_MS, () => urls.length > connections);
    await more(200);
    cluster.spawn(serving);
    await cluster.ready();
    await more(200);
  }
  stopped = true;
  await writing;
  await until(
    "the watch has seen everything",
    TIMEOUT_MS,
    () => written.every((count, i) => (seen.get(`w/${i}`)?.length ?? 0) >= count),
  );
  await watch.return();
  await watching;
  for (let i = 0; i < KEYS; i++) {
    const expected = Array.from({ length: written[i] }, (_, n) => n + 1);
    assertEquals(seen.get(`w/${i}`), expected, `w/${i}`);
  }
});

Deno.test("a list and the watch behind it miss nothing; a watch resumes by its cursor", async () => {
  await using cluster = TestCluster.start({ nodes: 1, flags: ["--partitions", "4"] });
  await cluster.ready();
  await using kv = await connect(cluster.nodes[0].http);
  const keys = Array.from({ length: 300 }, (_, i) => `k/${String(i).padStart(3, "0")}`);
  const results = await kv.batch(keys.map((key) => ({ op: "put", key, value: { key } })));
  assert(results.every((result) => result.op === "put" && result.result.ok));
  const list = kv.list<{ key: string }>({ prefix: "k/" }, { pageSize: 40 });
  const listed: unknown[] = [];
  for await (const { key, value } of list) {
    listed.push(key);
    assertEquals(value.key, key);
    // Changed while the list is under way, before and behind the place it has reached.
    if (listed.length === 100) {
      await kv.set("k/000", "changed");
      await kv.delete("k/299");
    }
  }
  assert(listed.length >= 299);
  assertEquals(await kv.count({ prefix: "k/" }), 299);
  const happened: string[] = [];
  let cursor: string | undefined;
  {
    await using watch = kv.watch({ prefix: "k/" }, { after: list.watchCursor });
    for await (const { type, ...event } of watch) {
      happened.push(`${type} ${"key" in event ? event.key : ""}`);
      cursor = event.cursor;
      if (happened.length === 2) break;
    }
  }
  assertEquals(happened.sort(), ["delete k/299", "put k/000"]);
  await kv.set("k/page", "<p>", { contentType: "text/html", ttlMs: 200 });
  await using resumed = kv.watch({ prefix: "k/" }, { after: cursor });
  const next = [await resumed.next(), await resumed.next()];
  assertEquals(
    next.map(({ value }) => value && `${value.type} ${"key" in value ? value.key : ""}`),
    [
      "put k/page",
      "expire k/page",
    ],
  );
  const many = await kv.getMany<{ key: string }>(["k/001", "k/299", "k/002"]);
  assertEquals(many.map(({ value }) => value?.key), ["k/001", undefined, "k/002"]);
});

Deno.test("a stale read shows no less than the client has written, from any replica", async () => {
  await using cluster = TestCluster.start({ nodes: 3, flags: ["--partitions", "2"] });
  await cluster.ready();
  const asked = new Set<string>();
  await using kv = await connect(cluster.nodes.map(({ http }) => http), {
    hooks: { onAttempt: ({ url, method }) => void (method === "GET" && asked.add(url)) },
    hedgeAfterMs: 50,
  });
  for (let i = 1; i <= 100; i++) {
    await kv.set(`s${i % 5}`, i);
    const { value } = await kv.get<number>(`s${i % 5}`, { consistency: "stale" });
    assertEquals(value, i);
  }
  assert(asked.size >= 1);
});
