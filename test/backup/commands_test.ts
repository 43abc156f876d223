// kv backup, verify and restore against fake nodes on loopback: what is carried over, what interruptions and
// damage do, and which moment a restore gives.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { BlockType, type Content } from "../../src/backup/mod.ts";
import { readBlocks, scanBackup } from "../../src/cli/backup/file.ts";
import type { Io } from "../../src/cli/io.ts";
import { PARTITION } from "../http/fake_node.ts";
import { run as runCommand } from "../cli/terminal.ts";
import { Folder, LoopbackCluster, seen } from "./loopback_cluster.ts";
import { randomFrom } from "./support.ts";

const TTL_MS = 3_600_000;

/** Runs a command line against a cluster; output as JSON. */
async function kv(cluster: LoopbackCluster, ...args: string[]) {
  const { code, out, err } = await runCommand([...args, "-o", "json", "-e", cluster.url]);
  return {
    code,
    err,
    json: out.startsWith("{") ? JSON.parse(out.trim().split("\n").at(-1)!) : undefined,
  };
}

async function good(cluster: LoopbackCluster, ...args: string[]) {
  const end = await kv(cluster, ...args);
  assertEquals(end.code, 0, `${args.join(" ")}: ${end.err}`);
  return end;
}

async function put(
  cluster: LoopbackCluster,
  key: string,
  value: string | Uint8Array<ArrayBuffer>,
  { contentType = "text/plain; charset=utf-8", ttlMs }: { contentType?: string; ttlMs?: number } =
    {},
): Promise<void> {
  const ttl = ttlMs === undefined ? "" : `?ttl=${ttlMs / 1000}`;
  const response = await fetch(`http://${cluster.url}/key/${encodeURIComponent(key)}${ttl}`, {
    method: "PUT",
    body: value,
    headers: { "content-type": contentType },
  });
  assertEquals(Math.floor(response.status / 100), 2, await response.text());
}

async function remove(cluster: LoopbackCluster, key: string): Promise<void> {
  const response = await fetch(`http://${cluster.url}/key/${key}`, { method: "DELETE" });
  assertEquals(response.status, 200, await response.text());
}

/** Some MB of keys in both partitions, bytes of every kind among them. */
async function fill(cluster: LoopbackCluster, count: number): Promise<void> {
  const value = "x".repeat(1500);
  for (let i = 0; i < count; i += 100) {
    const operations = Array.from({ length: 100 }, (_, j) => ({
      op: "put",
      key: `${(i + j) % 3 === 0 ? "far" : "near"}${i + j}`,
      value: `${value}${i + j}`,
      ...(j % 10 === 0 ? { ttl: TTL_MS / 1000 } : {}),
    }));
    const response = await fetch(`http://${cluster.url}/batch`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ operations }),
    });
    await response.body?.cancel();
    assertEquals(response.status, 200);
  }
  await put(cluster, "bytes", Uint8Array.of(0, 255, 10, 13, 0x80), { contentType: "image/x-odd" });
  await put(cluster, "json", ' {"n": 1.0, "n": 12345678901234567890} ', {
    contentType: "application/json",
  });
  await put(cluster, "empty", "");
  const large = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i * 31) >> 3 & 0xff);
  await put(cluster, "large", large, { contentType: "application/octet-stream" });
  await put(cluster, "🛶 {t}/é%2F", "ünïcödé \u0000", { ttlMs: TTL_MS });
}

Deno.test("a backup is restored to the byte, with content types and times to live", async () => {
  using folder = new Folder();
  await using source = new LoopbackCluster("source");
  await using target = new LoopbackCluster("target");
  await fill(source, 600);
  const file = folder.file("a.kvb");
  const { json } = await good(source, "backup", file);
  assertEquals(json.partitions.length, 2);
  const hash = createHash("sha256");
  for (const { block, endBytes } of readBlocks(file)) {
    if (block.type !== BlockType.Trailer) continue;
    const before = endBytes - 26 - block.payload.length;
    hash.update(Deno.readFileSync(file).subarray(0, before));
  }
  assertEquals(json.sha256, hash.digest("hex"));
  const restored = await good(target, "restore", file);
  assertEquals(restored.json.checked, true);
  assertEquals(restored.json.content, json.content);
  assertEquals(seen(target), seen(source));
  assertEquals((await kv(target, "verify", file, "--cluster")).code, 0);
  await put(target, "bytes", "changed");
  const differs = await kv(target, "verify", file, "--cluster");
  assertEquals(differs.code, 1);
  assertStringIncludes(differs.err, "holds something else, in keys that don't expire");
});

Deno.test("a target that holds keys is refused, unless they may be replaced", async () => {
  using folder = new Folder();
  await using source = new LoopbackCluster("source");
  await using target = new LoopbackCluster("target");
  await put(source, "a", "1");
  await put(target, "a", "old");
  await put(target, "b", "stays");
  const file = folder.file("a.kvb");
  await good(source, "backup", file);
  const refused = await kv(target, "restore", file);
  assertEquals([refused.code, seen(target).size], [4, 2]);
  assertStringIncludes(refused.err, "holds 2 keys; --merge");
  await good(target, "restore", file, "--merge");
  await good(target, "restore", file, "--merge");
  const values = [...seen(target).values()].map((one) => (one as { value: string }).value);
  assertEquals(values, ["1", "stays"]);
  const again = await kv(source, "backup", file);
  assertEquals(again.code, 4);
  assertStringIncludes(again.err, "exists");
  await good(source, "backup", file, "--force");
  assertEquals((await kv(source, "backup", folder.file("none"), "--resume")).code, 1);
  assertEquals((await kv(source, "backup", file, "--resume")).code, 4, "it is finished");
});

Deno.test("a stream that breaks off is taken up behind what has arrived", async () => {
  using folder = new Folder();
  await using source = new LoopbackCluster("source");
  await fill(source, 600);
  let cuts = 3;
  source.cut = (path) => path.includes("/copy") && cuts-- > 0 ? 450_000 : undefined;
  const file = folder.file("a.kvb");
  const { err } = await good(source, "backup", file);
  assertStringIncludes(err, "trying again");
  assert(source.asked.some((path) => path.includes("after64=")), "it went on");
  const { state } = scanBackup(file);
  assertEquals([...state.partitions.values()].map(({ run }) => run), [1, 1]);
});

Deno.test("a copy that its node has forgotten is made anew, and the old part does not count", async () => {
  using folder = new Folder();
  await using source = new LoopbackCluster("source");
  await using target = new LoopbackCluster("target");
  await fill(source, 600);
  let cuts = 1;
  source.cut = (path) => {
    if (!path.includes(`${PARTITION}/copy`) || cuts-- <= 0) return undefined;
    // While the client waits to try again.
    setTimeout(() => source.restart(), 50);
    return 150_000;
  };
  const file = folder.file("a.kvb");
  await good(source, "backup", file, "--parallel", "1");
  assertEquals(scanBackup(file).state.partitions.get(PARTITION)?.run, 2);
  await good(target, "restore", file);
  assertEquals(seen(target), seen(source));
});

Deno.test("a file cut off anywhere is finished by --resume, and refused until then", async () => {
  const random = randomFrom("cut-off files");
  using folder = new Folder();
  await using source = new LoopbackCluster("source");
  await using target = new LoopbackCluster("target");
  await fill(source, 300);
  const file = folder.file("a.kvb");
  await good(source, "backup", file);
  const whole = Deno.readFileSync(file);
  const trailerBytes = [...readBlocks(file)].at(-2)!.endBytes;
  const cuts = Array.from({ length: 8 }, () => Math.floor(random() * whole.length));
  for (const length of [0, 30, trailerBytes, whole.length - 1, ...cuts]) {
    Deno.writeFileSync(file, whole.subarray(0, length));
    // What a crash leaves where nothing was written yet.
    if (length % 2 === 1) Deno.writeFileSync(file, new Uint8Array(500), { append: true });
    assertEquals((await kv(source, "verify", file)).code, 1, `cut at ${length}`);
    assertEquals((await kv(target, "restore", file)).code, 1, `cut at ${length}`);
    assertEquals(seen(target).size, 0, "nothing is restored of a file that is not whole");
    if (length % 3 === 0) source.restart();
    await good(source, "backup", file, "--resume");
    const { json } = await good(source, "verify", file, "--cluster");
    assertEquals(json.finished, true, `cut at ${length}`);
  }
  Deno.writeFileSync(file, whole.subarray(0, trailerBytes));
  await good(target, "restore", file, "--unfinished");
  assertEquals(seen(target), seen(source));
});

Deno.test("damage is found, with the first bad block, and nothing is restored", async () => {
  const random = randomFrom("damaged files");
  using folder = new Folder();
  await using source = new LoopbackCluster("source");
  await using target = new LoopbackCluster("target");
  await fill(source, 200);
  const file = folder.file("a.kvb");
  await good(source, "backup", file);
  const whole = Deno.readFileSync(file);
  const ends = [...readBlocks(file)].map(({ endBytes }) => endBytes);
  for (let i = 0; i < 20; i++) {
    const at = Math.floor(random() * whole.length);
    const damaged = whole.slice();
    damaged[at] ^= 1 << Math.floor(random() * 8);
    Deno.writeFileSync(file, damaged);
    const { code, err } = await kv(source, "verify", file);
    assertEquals(code, 1, `byte ${at}`);
    const bad = ends.findIndex((end) => end > at);
    assertStringIncludes(err, `block ${bad} at byte ${bad === 0 ? 0 : ends[bad - 1]}`);
    assertEquals((await kv(target, "restore", file)).code, 1);
  }
  assertEquals(seen(target).size, 0);
  Deno.writeTextFileSync(file, "this is no backup at all, but long enough for a block");
  assertMatch((await kv(source, "verify", file)).err, /is no backup: block 0 at byte 0/);
  assertEquals((await kv(source, "verify", folder.file("none"))).code, 1);
});

/** Calls back when `--follow` has begun, and ends it. */
async function followed(
  cluster: LoopbackCluster,
  file: string,
  work: () => Promise<void>,
): Promise<number> {
  const args = ["backup", file, "--follow", "-o", "json", "-e", cluster.url];
  const { runCommandLine } = await import("../../src/cli/program.ts");
  let interrupt = () => {};
  let working: Promise<void> | undefined;
  const output = (onText: (text: string) => void) => ({
    isTerminal: false,
    columns: () => 80,
    rows: () => 24,
    write: (data: string | Uint8Array) => onText(String(data)),
  });
  const io: Io = {
    out: output(() => {}),
    err: output((text) => {
      if (!text.includes("recording changes")) return;
      working = work().finally(() => interrupt());
    }),
    stdin: () => new Blob([]).stream(),
    stdinIsTerminal: false,
    env: () => undefined,
    onInterrupt: (callback) => {
      interrupt = callback;
      return () => {};
    },
    onKey: () => undefined,
  };
  const code = await runCommandLine(args, io);
  await working;
  return code;
}

/** Waits until a file has as many changes of the first partition. */
async function recorded(file: string, count: number): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while ((scanBackup(file).state.partitions.get(PARTITION)?.changes ?? 0) < count) {
    assert(performance.now() < deadlineMs, `${count} changes were not recorded`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("a restore gives the moment that is asked for: end, copy, index or time", async () => {
  using folder = new Folder();
  await using source = new LoopbackCluster("source");
  const file = folder.file("a.kvb");
  await put(source, "a", "1");
  await put(source, "b", "1");
  await put(source, "c", "1");
  await put(source, "soon", "1", { ttlMs: 5000 });
  await put(source, "far", "1");
  let middleMs = 0;
  const code = await followed(source, file, async () => {
    await put(source, "a", "2"); // index 6
    await remove(source, "b"); // 7
    await recorded(file, 2);
    await new Promise((resolve) => setTimeout(resolve, 5));
    middleMs = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
    source.node.timeMs = 10_000; // "soon" has expired by then
    await put(source, "a", "3"); // 8
    await put(source, "b", "3", { ttlMs: TTL_MS }); // 9
    await put(source, "d", "3"); // 10
    await recorded(file, 5);
  });
  assertEquals(code, 0);
  const moments: [string, Record<string, string>][] = [
    ["copy", { a: "1", b: "1", c: "1", far: "1", soon: "1" }],
    [`${PARTITION}:6`, { a: "2", b: "1", c: "1", far: "1", soon: "1" }],
    [`${PARTITION}:7`, { a: "2", c: "1", far: "1", soon: "1" }],
    [new Date(middleMs).toISOString(), { a: "2", c: "1", far: "1", soon: "1" }],
    [`${PARTITION}:9`, { a: "3", b: "3", c: "1", far: "1", soon: "1" }],
    ["end", { a: "3", b: "3", c: "1", d: "3", far: "1" }],
  ];
  for (const [at, expected] of moments) {
    await using target = new LoopbackCluster("target");
    const { json } = await good(target, "restore", file, "--at", at);
    const found = [...seen(target)].map(([key, one]) => [key, (one as { value: string }).value]);
    assertEquals(Object.fromEntries(found), expected, at);
    const verified = await good(target, "verify", file, "--at", at, "--cluster");
    assertEquals(verified.json.content, json.content, at);
    if (at === "end") {
      assertEquals((seen(target).get("b") as { ttlMs: number }).ttlMs, TTL_MS);
    }
  }
  await using target = new LoopbackCluster("target");
  const refused: [string, number, string][] = [
    [`${PARTITION}:4`, 1, "can be restored at indexes 5 to 10"],
    [`${PARTITION}:11`, 1, "can be restored at indexes 5 to 10"],
    ["3:4", 2, "no partition 3"],
    ["2001-01-01T00:00:00Z", 1, "The backup reaches from"],
    ["2099-01-01T00:00:00Z", 1, "The backup reaches from"],
    ["yesterday", 2, "it takes end, copy"],
    ["7:1,7:2", 2, "it takes end, copy"],
  ];
  for (const [at, code, words] of refused) {
    const end = await kv(target, "restore", file, "--at", at);
    assertEquals(end.code, code, at);
    assertStringIncludes(end.err, words);
  }
  assertEquals(seen(target).size, 0);
});

Deno.test("changes that the cluster no longer keeps end a partition's changes, not its backup", async () => {
  using folder = new Folder();
  await using source = new LoopbackCluster("source");
  await using target = new LoopbackCluster("target");
  await fill(source, 100);
  // The answer to the first look at any partition's changes.
  source.node.nextEventsFailure = {
    ok: false,
    code: "history-gone",
    outcome: "none",
    detail: "no longer kept",
  };
  const file = folder.file("a.kvb");
  const { err } = await good(source, "backup", file);
  assertStringIncludes(err, "its changes end here");
  const { json } = await good(source, "verify", file);
  const reasons = json.partitions.map(({ gone }: { gone?: string }) => gone ?? "");
  assertEquals(reasons.filter((reason: string) => reason.includes("no longer kept")).length, 1);
  await good(target, "restore", file);
  assertEquals(seen(target), seen(source));
});

Deno.test("a restore that was cut off goes on, into the same cluster only", async () => {
  using folder = new Folder();
  await using source = new LoopbackCluster("source");
  await using target = new LoopbackCluster("target");
  await using other = new LoopbackCluster("other");
  await fill(source, 5000);
  const file = folder.file("a.kvb");
  await good(source, "backup", file);
  // The first window fits: each of its batches is of both partitions, and so is sent twice.
  let batches = 0;
  target.cut = (path) => path === "/batch" && ++batches > 19 ? "refuse" : undefined;
  const cutOff = await kv(target, "restore", file);
  assert(cutOff.code !== 0 && cutOff.err.includes("go on with --resume"), cutOff.err);
  const state = JSON.parse(Deno.readTextFileSync(`${file}.restored`));
  assert(state.count > 0 && state.count < 5000, `${state.count} keys`);
  assertEquals((await kv(target, "restore", file)).code, 4, "it holds keys");
  assertEquals((await kv(other, "restore", file, "--resume")).code, 4, "another cluster");
  assertEquals((await kv(target, "restore", file, "--resume", "--at", "copy")).code, 4);
  target.cut = () => undefined;
  const { json } = await good(target, "restore", file, "--resume");
  assertEquals(json.checked, true);
  assertEquals(seen(target), seen(source));
  assertEquals((await kv(target, "restore", file, "--resume")).code, 1, "nothing to resume");
});

Deno.test("the content that verify computes is that of the cluster's own hashes", async () => {
  using folder = new Folder();
  await using source = new LoopbackCluster("source");
  await fill(source, 200);
  const file = folder.file("a.kvb");
  const { json } = await good(source, "backup", file);
  const { json: verified } = await good(source, "verify", file, "--at", "copy");
  assertEquals(verified.content satisfies Content, json.content);
  const [first] = verified.partitions;
  const answer = await fetch(`http://${source.url}/cluster/hash?partition=${first.partition}`);
  const { partitions } = await answer.json();
  assertEquals(first.stateHash, partitions[0].hash);
});
