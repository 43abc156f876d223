// A node whose disk rotted while it was stopped, on real processes (RULES 2, 4): it says so, never votes
// under that replicaId again, and is replaced; a damaged snapshot alone is fetched anew.

import { assert, assertEquals } from "@std/assert";
import {
  clusterView,
  TestCluster,
  type TestNode,
  until,
} from "../../scripts/bench/support/cluster.ts";

const REPAIR_TIMEOUT_MS = 60_000;

async function fill(nodes: readonly TestNode[], from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const response = await fetch(`http://${nodes[i % nodes.length].http}/key/k${i}`, {
      method: "PUT",
      body: `v${i}`,
    });
    await response.body?.cancel();
    assertEquals(response.status, 201);
  }
}

/** Flips one byte. */
function flip(path: string, offset: number): void {
  using file = Deno.openSync(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  file.seekSync(offset, Deno.SeekMode.Start);
  file.readSync(byte);
  byte[0] ^= 0x55;
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(byte);
}

/** Offset of a text in a file. */
function find(path: string, text: string): number {
  const bytes = Deno.readFileSync(path);
  const wanted = new TextEncoder().encode(text);
  for (let at = 0; at + wanted.length <= bytes.length; at++) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}

/** A graceful stop refreshes the durable mark: everything before it is proven durable. */
async function stop(node: TestNode): Promise<void> {
  const child = node.process!;
  child.kill("SIGTERM");
  await child.status;
  node.process = undefined;
}

/** Damages the record of `value` in a stopped node's log. */
function rot(node: TestNode, value: string): void {
  const segments = [...Deno.readDirSync(`${node.dataDir}/wal`)].map(({ name }) => name)
    .filter((name) => name.endsWith(".wal")).sort();
  const hit = segments.map((name) => `${node.dataDir}/wal/${name}`)
    .map((path) => ({ path, offset: find(path, value) })).find(({ offset }) => offset > 0);
  assert(hit !== undefined, "the value is in the log");
  flip(hit.path, hit.offset);
}

/** Log lines come through a pipe, so they may be a moment late. */
function logSays(node: TestNode, pattern: RegExp): Promise<boolean> {
  return until(
    `${node.name} logs ${pattern}`,
    REPAIR_TIMEOUT_MS,
    () => pattern.test(Deno.readTextFileSync(node.logFile)),
  );
}

async function stale(node: TestNode, key: string): Promise<string> {
  try {
    const response = await fetch(`http://${node.http}/key/${key}?raw&consistency=stale`);
    return await response.text();
  } catch {
    return ""; // it is still starting
  }
}

Deno.test("a node with a rotten log is replaced under a fresh replicaId and holds all data", async () => {
  await using cluster = TestCluster.start({ nodes: 3 });
  await cluster.ready();
  await fill(cluster.nodes, 0, 60);
  const [witness, , damaged] = cluster.nodes;
  await stop(damaged);
  rot(damaged, "v30");
  const idsBefore = await replicaIds(witness);
  cluster.spawn(damaged);
  await until("the damaged replica has a successor", REPAIR_TIMEOUT_MS, async () => {
    const ids = await replicaIds(witness);
    return ids.voters === 3 && ids.highest > idsBefore.highest;
  });
  await logSays(damaged, /lost acknowledged data/);
  await until(
    "it holds the data again",
    REPAIR_TIMEOUT_MS,
    async () => await stale(damaged, "k59") === "v59",
  );
  for (let i = 0; i < 60; i++) assertEquals(await stale(damaged, `k${i}`), `v${i}`);
});

Deno.test("a partition that rotted on most nodes stays down, and says so with what is left to do", async () => {
  await using cluster = TestCluster.start({ nodes: 3 });
  await cluster.ready();
  await fill(cluster.nodes, 0, 60);
  const [whole, ...damaged] = cluster.nodes;
  for (const node of cluster.nodes) await stop(node);
  for (const node of damaged) rot(node, "v30");
  for (const node of cluster.nodes) cluster.spawn(node);
  for (const node of cluster.nodes) {
    await logSays(node, /"partition stays down: most of its replicas.*"partition":1.*kv restore/);
  }
  const response = await fetch(`http://${whole.http}/key/k1`, {
    headers: { "Pontoon-Timeout-Ms": "300" },
  });
  assertEquals([response.status, (await response.json()).outcome], [503, "none"]);
  await until("readiness names the partition", REPAIR_TIMEOUT_MS, async () => {
    const ready = await fetch(`http://${whole.http}/health/ready`);
    const { reason } = await ready.json();
    return ready.status === 503 && reason === "partition 1: no leader";
  });
  assertEquals(await stale(whole, "k30"), "v30", "what is whole can still be read");
});

async function replicaIds(node: TestNode): Promise<{ voters: number; highest: number }> {
  const view = await clusterView(node.http);
  const replicas = view?.partitions.find(({ partition }) => partition === 1)?.replicas ?? [];
  const voters = replicas.filter(({ role }) => role === "voter");
  return {
    voters: voters.length === replicas.length ? voters.length : 0,
    highest: Math.max(0, ...voters.map(({ replicaId }) => replicaId)),
  };
}

Deno.test("a node with a rotten snapshot fetches another one", async () => {
  await using cluster = TestCluster.start({
    nodes: 3,
    partitions: 1,
    flags: ["--snapshot-log-bytes", String(1024 * 1024)],
  });
  await cluster.ready();
  const [, , damaged] = cluster.nodes;
  // Random: what compresses would hardly fill the log.
  const value = crypto.getRandomValues(new Uint8Array(50_000)).toHex();
  const snapshots = () => {
    try {
      return [...Deno.readDirSync(`${damaged.dataDir}/snapshots`)].map(({ name }) => name)
        .filter((name) => name.startsWith("1-") && name.endsWith(".snap"));
    } catch {
      return [];
    }
  };
  let written = 0;
  const seen = new Set<string>();
  // An older file goes when the log's record of the newer one is durable: from then on a start needs one.
  await until("a snapshot replaced another one", 60_000, async () => {
    const response = await fetch(`http://${damaged.http}/key/k${written++}`, {
      method: "PUT",
      body: value,
    });
    await response.body?.cancel();
    const now = snapshots();
    for (const name of now) seen.add(name);
    return now.length > 0 && [...seen].some((name) => !now.includes(name));
  });
  const child = damaged.process!;
  child.kill("SIGTERM");
  await child.status;
  damaged.process = undefined;
  for (const name of snapshots()) {
    const path = `${damaged.dataDir}/snapshots/${name}`;
    flip(path, Math.floor(Deno.statSync(path).size / 2));
  }
  cluster.spawn(damaged);
  await until(
    "it holds the data again",
    REPAIR_TIMEOUT_MS,
    async () => await stale(damaged, "k0") === value,
  );
  await logSays(damaged, /snapshot is damaged|snapshot file is damaged/);
});
