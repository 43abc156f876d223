// What many partitions cost and give on three nodes: puts and linearizable gets with 1 to 256 partitions,
// each key sent to its leader and to any node; what idle groups cost; what adding a node costs under load.
// `deno task bench:scale [PART…] [options]`.

import { parseArgs } from "node:util";
import { slotOf } from "../../src/base/slot.ts";
import {
  type ClusterAnswer,
  clusterView,
  freePorts,
  residentBytes,
  TestCluster,
  type TestNode,
  until,
} from "./support/cluster.ts";
import { hasCommand } from "./support/etcd.ts";
import { h2load } from "./support/h2load.ts";
import { OpenLoop, quantile, type ShotResult } from "./support/open_loop.ts";
import { median, printTable, writeJson } from "./support/report.ts";

const HELP = `Usage: deno task bench:scale [PART…] [options]

  throughput   puts and gets, to each key's leader and to any node
  idle         CPU and memory of 256 sleeping groups a node
  growth       a fourth node under a load of 30% of the peak
All parts without one.

  --partitions LIST   of the throughput [1,4,16,64,256]
  --connections N     of the throughput, over all nodes [66]
  --rounds N          of the throughput, in turns [3]
  --seconds N         of one measurement [4]`;
const PARTS = ["throughput", "idle", "growth"];
const { values: flags, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    partitions: { type: "string", default: "1,4,16,64,256" },
    connections: { type: "string", default: "66" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "4" },
    help: { type: "boolean", short: "h", default: false },
  },
});
const parts = positionals.length === 0 ? PARTS : positionals;
const partitionCounts = flags.partitions.split(",").map(Number);
const [rounds, seconds, connections] = [flags.rounds, flags.seconds, flags.connections].map(Number);
if (
  flags.help || !parts.every((part) => PARTS.includes(part)) ||
  !(rounds > 0 && seconds > 0 && connections >= 3) ||
  !partitionCounts.every((count) => Number.isInteger(count) && count > 0 && count <= 1024)
) {
  console.log(HELP);
  Deno.exit(flags.help ? 0 : 64);
}
/**
 * Loads at each node, each with its own place in the keys. h2load starts all its connections at the first path,
 * and they stay in step, since one batch answers them all: as one load they would visit one partition after the
 * other, all of them at once.
 */
const WALKS = 8;
const VALUE_BYTES = 128;
/** Keys of the throughput rows, so many a partition. */
const KEYS_PER_PARTITION = 4;
const IDLE_PARTITIONS = 256;
const IDLE_SECONDS = 20;
/** The fourth node. */
const GROWTH_PARTITIONS = 16;
const GROWTH_KEYS = 40_000;
const GROWTH_VALUE_BYTES = 1024;
const STEADY_SECONDS = 10;
const LOAD_SHARE = 0.3;
const RETRY_MS = 1000;
const SETTLE_TIMEOUT_MS = 120_000;

if (!hasCommand("h2load")) {
  console.log("skipped: needs h2load (apt-get install nghttp2-client)");
  Deno.exit(0);
}

const files = Deno.makeTempDirSync({ prefix: "pontoon-bench-" });
const valueFile = `${files}/value`;
Deno.writeFileSync(valueFile, new Uint8Array(VALUE_BYTES).fill(118));

async function start(partitions: number, flags: readonly string[] = []): Promise<TestCluster> {
  const cluster = TestCluster.start({
    nodes: 3,
    partitions,
    flags: ["--log-level", "info", ...flags],
  });
  await cluster.ready(60_000);
  await until("leaders are even", 60_000, async () => {
    const counts = await leaderCounts(cluster.nodes[0]);
    return Math.max(...counts) - Math.min(...counts) <= (partitions < 3 ? 1 : 2);
  });
  return cluster;
}

function viewOf(node: TestNode): Promise<ClusterAnswer> {
  return until(`${node.name} answers`, 10_000, () => clusterView(node.http));
}

async function leaderCounts(node: TestNode): Promise<number[]> {
  const view = await viewOf(node);
  return view.members.map(({ nodeId }) =>
    view.routing.filter(({ leader }) => leader === nodeId).length
  );
}

/** So many keys of every partition, by the name of the node that leads it. */
async function keysByLeader(node: TestNode, perPartition: number): Promise<Map<string, string[]>> {
  const view = await viewOf(node);
  const names = new Map(view.members.map(({ nodeId, name }) => [nodeId, name]));
  const wanted = new Map(view.routing.map(({ partition }) => [partition, perPartition]));
  const keys = new Map<string, string[]>();
  for (let i = 0; [...wanted.values()].some((count) => count > 0); i++) {
    const key = `k${i}`;
    const slot = slotOf(key);
    const { partition, leader } = view.routing.find(({ slots }) =>
      slots.some(([from, to]) => from <= slot && slot < to)
    )!;
    const left = wanted.get(partition)!;
    if (left === 0) continue;
    wanted.set(partition, left - 1);
    const name = names.get(leader!)!;
    keys.set(name, [...keys.get(name) ?? [], key]);
  }
  return keys;
}

// ------------------------------------------------------------------------------------------ throughput

type Target = "leader" | "any";

async function throughput(
  cluster: TestCluster,
  keys: ReadonlyMap<string, readonly string[]>,
  target: Target,
  put: boolean,
): Promise<number> {
  const all = [...keys.values()].flat();
  const loaded = cluster.nodes.filter(({ name }) => target === "any" || keys.has(name));
  const inStep = Math.max(1, Math.floor(connections / loaded.length / WALKS));
  const walks = Math.max(1, Math.floor(connections / loaded.length / inStep));
  const results = await Promise.all(loaded.flatMap((node) => {
    const own = target === "any" ? all : keys.get(node.name)!;
    return Array.from({ length: walks }, (_, walk) => {
      const from = Math.floor(own.length * walk / walks);
      const order = [...own.slice(from), ...own.slice(0, from)];
      const [first, ...rest] = order.map((key) => `http://${node.http}/key/${key}`);
      return h2load({
        url: first,
        paths: rest,
        connections: inStep,
        seconds,
        http1: true,
        ...(put ? { method: "PUT" as const, bodyFile: valueFile } : {}),
        headers: put ? ["content-type: text/plain"] : [],
      });
    });
  }));
  const failed = results.reduce((sum, one) => sum + one.failed, 0);
  if (failed > 0) throw new Error(`${failed} requests failed`);
  return results.reduce((sum, { perSecond }) => sum + perSecond, 0);
}

/** So that no get finds a key absent, however few of them a walk came by. */
async function writeOnce(node: TestNode, keys: readonly string[]): Promise<void> {
  for (let from = 0; from < keys.length; from += 500) {
    const operations = keys.slice(from, from + 500)
      .map((key) => ({ op: "put", key, value: "v".repeat(VALUE_BYTES) }));
    const response = await fetch(`http://${node.http}/batch`, {
      method: "POST",
      headers: { "content-type": "application/json", "pontoon-timeout-ms": "30000" },
      body: JSON.stringify({ operations }),
    });
    const { results } = await response.json();
    const refused = results.find(({ status }: { status: number }) => status > 201);
    if (refused !== undefined) throw new Error(`write: ${JSON.stringify(refused)}`);
  }
}

/** partitions|target|operation -> rates. */
const rates = new Map<string, number[]>();

async function measureThroughput(partitions: number): Promise<void> {
  await using cluster = await start(partitions);
  const keys = await keysByLeader(cluster.nodes[0], KEYS_PER_PARTITION);
  await writeOnce(cluster.nodes[0], [...keys.values()].flat());
  for (const put of [true, false]) {
    for (const target of ["leader", "any"] as const) {
      const rate = await throughput(cluster, keys, target, put);
      const key = `${partitions}|${target}|${put ? "put" : "get"}`;
      rates.set(key, [...rates.get(key) ?? [], rate]);
      console.log(`${partitions} partitions, to ${target}, ${put ? "put" : "get"}: ${rate | 0}/s`);
    }
  }
}

function throughputRows(): Record<string, unknown>[] {
  return [...rates].map(([key, values]) => {
    const [partitions, target, operation] = key.split("|");
    // Rounds alternate, so each round's pair saw the same machine.
    const single = rates.get(`1|leader|${operation}`);
    const ratio = single && median(values.map((value, i) => value / single[i])).toFixed(2);
    const bar = partitions !== "16" || operation !== "put" ? "" : target === "leader" ? 1 : 0.5;
    return {
      partitions: Number(partitions),
      "sent to": target === "leader" ? "the key's leader" : "any node",
      operation,
      "per second": Math.round(median(values)),
      "x one group": ratio,
      bar,
    };
  });
}

// ------------------------------------------------------------------------------------------------ idle

/** User and system time of a process, ms (Linux, 100 ticks a second). */
function cpuMs(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function measureIdle(): Promise<Record<string, unknown>[]> {
  await using cluster = await start(IDLE_PARTITIONS);
  const asleep = async () => {
    const views = await Promise.all(cluster.nodes.map(viewOf));
    return views.every(({ partitions }) => partitions.every((one) => one.asleep));
  };
  await until("every group sleeps", 60_000, asleep);
  const pids = cluster.nodes.map((node) => node.process!.pid);
  const before = pids.map(cpuMs);
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  return cluster.nodes.map(({ name }, i) => ({
    node: name,
    groups: IDLE_PARTITIONS + 1,
    "CPU %": ((cpuMs(pids[i]) - before[i]) / IDLE_SECONDS / 10).toFixed(1),
    "bar %": 3,
    "RSS MB": Math.round(residentBytes(pids[i]) / 1e6),
    "bar MB": 150,
  }));
}

// ------------------------------------------------------------------------------------- a fourth node

/** Bytes of snapshots that the nodes' logs say were sent whole, and how many. */
function snapshotsSent(cluster: TestCluster): { bytes: number; count: number } {
  let bytes = 0;
  let count = 0;
  for (const { logFile } of cluster.nodes) {
    for (const line of Deno.readTextFileSync(logFile).split("\n")) {
      if (!line.includes('"snapshot sent"')) continue;
      bytes += JSON.parse(line).sizeBytes;
      count++;
    }
  }
  return { bytes, count };
}

/** A slow machine may cost an answer its deadline: a put is tried again until it is done. */
async function fill(cluster: TestCluster, value: Uint8Array<ArrayBuffer>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < GROWTH_KEYS) {
      const i = next++;
      const { http } = cluster.nodes[i % 3];
      await until(`key ${i} is written`, SETTLE_TIMEOUT_MS, async () => {
        const response = await fetch(`http://${http}/key/g${i}`, { method: "PUT", body: value });
        await response.body?.cancel();
        return response.ok;
      });
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
}

/** Waits until the node holds its share and no move is under way, as the others see it. */
function settled(cluster: TestCluster, name: string, replicas: number): Promise<true> {
  return until(`${name} has its share`, SETTLE_TIMEOUT_MS, async () => {
    const view = await clusterView(cluster.nodes[0].http);
    const member = view?.members.find((one) => one.name === name);
    return member !== undefined && member.replicas >= replicas && view!.moves.length === 0;
  });
}

function phaseRow(phase: string, results: readonly ShotResult[], seconds: number) {
  const latencies = results.map(({ latencyMs }) => latencyMs);
  return {
    phase,
    seconds: seconds.toFixed(1),
    "per second": Math.round(results.length / seconds),
    "p50 ms": quantile(latencies, 0.5).toFixed(1),
    "p99 ms": quantile(latencies, 0.99).toFixed(1),
    "max ms": quantile(latencies, 1).toFixed(0),
    retried: results.filter(({ retried }) => retried).length,
    lost: results.filter(({ status }) => status < 200 || status > 299).length,
  };
}

async function measureGrowth(): Promise<Record<string, unknown>[]> {
  await using cluster = await start(GROWTH_PARTITIONS);
  const peak = await throughput(
    cluster,
    await keysByLeader(cluster.nodes[0], KEYS_PER_PARTITION),
    "any",
    true,
  );
  const value = new Uint8Array(GROWTH_VALUE_BYTES).fill(118);
  await fill(cluster, value);
  const perSecond = Math.round(peak * LOAD_SHARE);
  console.log(`peak ${Math.round(peak)}/s to any node; load ${perSecond}/s`);
  const small = new Uint8Array(VALUE_BYTES).fill(118);
  // Half of the keys, so that what moves keeps its size.
  const load = new OpenLoop({
    perSecond,
    retryMs: RETRY_MS,
    shot: (n) => ({
      host: cluster.nodes[n % 3].http,
      method: n % 2 === 0 ? "PUT" : "GET",
      path: `/key/g${(n * 7919) % (GROWTH_KEYS / 2)}`,
      body: n % 2 === 0 ? (n % 64 === 0 ? value : small) : undefined,
    }),
  });
  const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await pause(2);
  const beforeMs = load.nowMs();
  await pause(STEADY_SECONDS);
  const joinedMs = load.nowMs();
  const sentBefore = snapshotsSent(cluster);
  const [http, peer] = freePorts(2);
  cluster.add({
    name: "n4",
    http: `127.0.0.1:${http}`,
    peer: `127.0.0.1:${peer}`,
    dataDir: `${cluster.dir}/n4`,
    logFile: `${cluster.dir}/n4.log`,
    process: undefined,
  }, ["--join", cluster.nodes[0].peer]);
  const share = Math.floor(GROWTH_PARTITIONS * 3 / 4);
  await settled(cluster, "n4", share);
  const movedMs = load.nowMs();
  await pause(STEADY_SECONDS);
  const endMs = load.nowMs();
  await load.stop();
  const sent = snapshotsSent(cluster);
  const view = await viewOf(cluster.nodes[3]);
  const held = view.partitions.filter(({ partition }) => partition !== 0);
  const least = held.reduce((sum, { snapshotBytes }) => sum + snapshotBytes, 0);
  const bytes = sent.bytes - sentBefore.bytes;
  const between = (fromMs: number, toMs: number) =>
    load.results.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs);
  const rows = [
    phaseRow("before", between(beforeMs, joinedMs), (joinedMs - beforeMs) / 1000),
    phaseRow("during", between(joinedMs, movedMs), (movedMs - joinedMs) / 1000),
    phaseRow("after", between(movedMs, endMs), (endMs - movedMs) / 1000),
  ];
  const ratio = Number(rows[1]["p99 ms"]) / Number(rows[0]["p99 ms"]);
  printTable(rows);
  console.log(
    `p99 during / before: ${ratio.toFixed(2)} (bar 2); snapshots sent: ${
      sent.count - sentBefore.count
    }, ` +
      `${(bytes / 1e6).toFixed(1)} MB for ${held.length} replicas of ${
        (least / 1e6).toFixed(1)
      } MB: ` +
      `${(bytes / least).toFixed(2)} (bar 1.2)`,
  );
  return [...rows, { phase: "moved", bytes, least, ratio: bytes / least, p99Ratio: ratio }];
}

// ------------------------------------------------------------------------------------------------ run

const report: Record<string, unknown> = {};
if (parts.includes("throughput")) {
  for (let round = 1; round <= rounds; round++) {
    console.log(`round ${round} of ${rounds}`);
    for (const partitions of partitionCounts) await measureThroughput(partitions);
  }
  const rows = throughputRows();
  printTable(rows);
  report.throughput = rows;
}
if (parts.includes("idle")) {
  const rows = await measureIdle();
  printTable(rows);
  report.idle = rows;
}
if (parts.includes("growth")) report.growth = await measureGrowth();
writeJson("scale", report);
Deno.removeSync(files, { recursive: true });
