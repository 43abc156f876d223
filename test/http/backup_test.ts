// GET …/copy and …/changes over a real state machine: what the blocks hold, how a copy is taken up again, and
// what is refused.

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Block,
  BlockReader,
  BlockType,
  ContentSum,
  decodeBegin,
  decodeChanges,
  decodeEnd,
  decodeRecords,
} from "../../src/backup/mod.ts";
import { PARTITION_COPIES_MAX } from "../../src/base/limits.ts";
import { encodeBase64Url } from "../../src/http/base64url.ts";
import { stateHash, WHOLE_REVISION } from "../../src/store/mod.ts";
import { failureOf, PARTITION } from "./fake_node.ts";
import { Api, assertProblem, rawRequest } from "./harness.ts";

const BASE = `/cluster/partitions/${PARTITION}`;

/** Lets virtual time go by while `work` goes on. */
async function settled<T>(api: Api, work: Promise<T>): Promise<T> {
  let done = false;
  const watched = work.finally(() => done = true);
  watched.catch(() => {});
  while (!done) await api.scheduler.runFor(10);
  return await watched;
}

async function blocksOf(api: Api, target: string): Promise<Block[]> {
  const response = await settled(api, Promise.resolve(api.app.fetch(rawRequest("GET", target))));
  assertEquals(response.status, 200, target);
  const reader = new BlockReader();
  reader.push(new Uint8Array(await settled(api, response.arrayBuffer())));
  const blocks: Block[] = [];
  for (let block = reader.next(); block !== undefined; block = reader.next()) blocks.push(block);
  assertEquals(reader.pendingBytes, 0);
  return blocks;
}

async function fill(api: Api, count: number): Promise<void> {
  const value = "v".repeat(1000);
  for (let i = 0; i < count; i++) await api.put(`/key/k${String(i).padStart(4, "0")}`, value);
}

Deno.test("a copy holds what was there when it began, and hashes of it", async () => {
  const api = new Api();
  await fill(api, 300);
  await api.put("/key/short?ttl=1", "soon");
  await api.put("/key/long?ttl=1000", "later");
  api.node.timeMs = 2000;
  await api.put("/key/farther", "of another partition");
  await api.put("/key/last", "1");
  const frozenHash = stateHash(api.node.store.freeze());
  const response = await api.app.fetch(rawRequest("GET", `${BASE}/copy`));
  assertEquals(response.headers.get("pontoon-partition"), String(PARTITION));
  assertEquals(response.headers.get("pontoon-applied"), "304");
  // Taken after the copy was made, and not in it.
  await api.put("/key/k0000", "changed");
  await api.call("DELETE", "/key/k0001");
  const reader = new BlockReader();
  reader.push(new Uint8Array(await settled(api, response.arrayBuffer())));
  const begin = decodeBegin(reader.next()!.payload);
  assertEquals([begin.partition, begin.applied, begin.timeMs, begin.records], [7, 304, 2000, 303]);
  const sum = new ContentSum();
  const keys: string[] = [];
  let block = reader.next()!;
  let count = 0;
  for (; block.type === BlockType.Records; block = reader.next()!) {
    count++;
    for (const record of decodeRecords(block.payload)) {
      keys.push(record.key);
      sum.add(record);
      if (record.key === "k0000") assertEquals(record.value, "v".repeat(1000));
    }
  }
  assert(count > 3, "in several blocks");
  assertEquals(keys, keys.toSorted());
  assertEquals(keys.length, 302, "what has expired is left out");
  assertEquals(block.type, BlockType.End);
  const end = decodeEnd(block.payload);
  assertEquals(end, { content: sum.content(), stateHash: frozenHash });
  assertEquals(end.content.expiring.count, 1);
  assertEquals(reader.next(), undefined);
});

Deno.test("a copy that broke off is taken up behind the last key, at the same index", async () => {
  const api = new Api();
  await fill(api, 200);
  const [first, some] = await blocksOf(api, `${BASE}/copy`);
  const { copy, applied } = decodeBegin(first.payload);
  const last = decodeRecords(some.payload).at(-1)!.key;
  await api.put(`/key/${last}x`, "new");
  const after = encodeBase64Url(last);
  const [again, next, ...rest] = await blocksOf(api, `${BASE}/copy?copy=${copy}&after64=${after}`);
  assertEquals(decodeBegin(again.payload).applied, applied);
  assertEquals(decodeRecords(next.payload)[0].key > last, true);
  assertEquals(decodeRecords(next.payload)[0].key !== `${last}x`, true);
  assertEquals(rest.at(-1)!.type, BlockType.End);
  await api.scheduler.runFor(70_000);
  assertProblem(await api.get(`${BASE}/copy?copy=${copy}`), "history-gone", "begin anew");
});

Deno.test("want=hash gives the beginning and the end only", async () => {
  const api = new Api();
  await fill(api, 100);
  const whole = await blocksOf(api, `${BASE}/copy`);
  const [begin, end, ...rest] = await blocksOf(api, `${BASE}/copy?want=hash`);
  assertEquals([begin.type, end.type, rest], [BlockType.Begin, BlockType.End, []]);
  assertEquals(decodeEnd(end.payload), decodeEnd(whole.at(-1)!.payload));
});

Deno.test("a node keeps a few copies, and lets go of those that nobody reads", async () => {
  const api = new Api();
  await fill(api, 1000);
  const open = async () => await api.app.fetch(rawRequest("GET", `${BASE}/copy`));
  const responses = [];
  for (let i = 0; i < PARTITION_COPIES_MAX; i++) responses.push(await open());
  assertProblem(await api.get(`${BASE}/copy`), "overloaded", "as many copies");
  await responses[0].body!.cancel();
  const another = await open();
  assertEquals(another.status, 200, "the one that was let go makes room");
  await api.scheduler.runFor(70_000);
  for (const response of [...responses.slice(1), another]) {
    await assertRejects(() => response.arrayBuffer(), Error, "too long");
  }
  const last = await open();
  for (const listener of api.node.stopListeners) listener();
  await assertRejects(() => last.arrayBuffer(), Error, "stopping");
  assertEquals(api.node.stopListeners.size, 0);
});

Deno.test("changes are those behind a position, in order", async () => {
  const api = new Api();
  await api.put("/key/a", "1");
  await api.put("/key/b?ttl=5", "2");
  await api.call("DELETE", "/key/a");
  const [block] = await blocksOf(api, `${BASE}/changes?after=1`);
  const changes = decodeChanges(block.payload);
  assertEquals(changes.from, { revision: 1, subIndex: WHOLE_REVISION });
  assertEquals(changes.to, { revision: 3, subIndex: WHOLE_REVISION });
  assertEquals(changes.events.map(({ kind, key }) => [kind, key]), [["put", "b"], ["delete", "a"]]);
  const [none] = await blocksOf(api, `${BASE}/changes?after=3`);
  assertEquals(decodeChanges(none.payload).events, []);
  const [all] = await blocksOf(api, `${BASE}/changes?after=0.0`);
  assertEquals(decodeChanges(all.payload).events.length, 3);
  api.node.nextEventsFailure = failureOf("history-gone");
  assertProblem(await api.get(`${BASE}/changes?after=0`), "history-gone");
});

Deno.test("many changes come in several answers without a gap", async () => {
  const api = new Api();
  const value = "x".repeat(64 * 1024);
  for (let i = 0; i < 40; i++) await api.put(`/key/k${i}`, value);
  const keys: string[] = [];
  let answers = 0;
  for (let after = "0";; answers++) {
    const [block] = await blocksOf(api, `${BASE}/changes?after=${after}`);
    const { events, to } = decodeChanges(block.payload);
    if (events.length === 0) break;
    keys.push(...events.map(({ key }) => key));
    after = `${to.revision}.${to.subIndex}`;
  }
  assertEquals(keys, Array.from({ length: 40 }, (_, i) => `k${i}`));
  assert(answers >= 2);
});

Deno.test("what can't be served is refused with its reason", async () => {
  const api = new Api();
  assertProblem(await api.get("/cluster/partitions/99/copy"), "unknown-partition", "99");
  assertProblem(await api.get("/cluster/partitions/0/changes?after=1"), "unknown-partition");
  assertProblem(await api.get(`${BASE}/copy?want=x`), "invalid-parameter", "want=x");
  assertProblem(await api.get(`${BASE}/copy?after64=YQ`), "invalid-parameter", "name it");
  assertProblem(await api.get(`${BASE}/copy?copy=x&after64=*`), "invalid-parameter", "base64url");
  assertProblem(await api.get(`${BASE}/copy?x=1`), "invalid-parameter");
  for (const after of ["", "-1", "x", "1.2.3", "1.4294967296", "9".repeat(17)]) {
    assertProblem(await api.get(`${BASE}/changes?after=${after}`), "invalid-parameter", "after");
  }
  assertProblem(await api.get(`${BASE}/changes`), "invalid-parameter");
  for (const verb of ["copy", "changes?after=0"]) {
    assertEquals((await api.call("HEAD", `${BASE}/${verb}`)).status, 405);
    const answer = await api.call("PUT", `${BASE}/${verb}`);
    assertProblem(answer, "method-not-allowed");
    assertEquals(answer.headers.get("allow"), "GET");
  }
  api.node.nextFailure = failureOf("not-leader", "none", { leaderHttp: "h:1" });
  const elsewhere = await api.get(`${BASE}/copy`);
  assertProblem(elsewhere, "not-leader");
  assertEquals(elsewhere.json.leader, "http://h:1");
  api.node.partitions = [];
  assertEquals((await api.get(`${BASE}/copy`)).status, 503);
});
