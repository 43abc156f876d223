// Backup of a cluster under open-loop load at 30 % of its peak: what it does to the latency of puts, how long
// it takes, and whether a cluster of another shape that it is restored into holds the same.
//
//   deno task bench:backup [--keys 1000000] [--seconds 20] [--rate PUTS_A_SECOND] [--rounds 1] [--no-restore]

import { parseArgs } from "node:util";
import { residentBytes, TestCluster, type TestNode } from "./support/cluster.ts";
import { OpenLoop, quantile, type ShotResult } from "./support/open_loop.ts";
import { printTable, writeJson } from "./support/report.ts";

const VALUE_SIZE_BYTES = 128;
const BATCH = 1000;
const BATCHES_IN_FLIGHT = 4;
const PEAK_CONNECTIONS = 64;
const PEAK_MS = 6_000;
const LOAD_SHARE = 0.3;
/** Of the load, before anything is measured. */
const WARM_UP_MS = 5_000;
const CLI = decodeURIComponent(new URL("../../src/cli/main.ts", import.meta.url).pathname);
const CONFIG = decodeURIComponent(new URL("../../deno.json", import.meta.url).pathname);

function keyOf(i: number): string {
  return `key${String(i).padStart(9, "0")}`;
}

async function fill(nodes: readonly TestNode[], keys: number): Promise<void> {
  const value = "v".repeat(VALUE_SIZE_BYTES - 10);
  let next = 0;
  const work = async (worker: number) => {
    for (;;) {
      const first = next;
      next += BATCH;
      if (first >= keys) return;
      const operations = Array.from({ length: Math.min(BATCH, keys - first) }, (_, i) => ({
        op: "put",
        key: keyOf(first + i),
        value: value + String(first + i).padStart(10, "0"),
        // Some expire, but not while this runs.
        ...((first + i) % 20 === 0 ? { ttl: 360_000 } : {}),
      }));
      const response = await fetch(`http://${nodes[worker % nodes.length].http}/batch`, {
        method: "POST",
        headers: { "content-type": "application/json", "pontoon-timeout-ms": "60000" },
        body: JSON.stringify({ operations }),
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`filling: ${response.status}`);
    }
  };
  await Promise.all(Array.from({ length: BATCHES_IN_FLIGHT }, (_, i) => work(i)));
}

/** Puts a second that all nodes together take, from as many connections as it takes. */
async function peakRate(nodes: readonly TestNode[], keys: number): Promise<number> {
  const body = new Uint8Array(VALUE_SIZE_BYTES).fill(0x70);
  const startMs = performance.now();
  let count = 0;
  const work = async (worker: number) => {
    for (let i = worker; performance.now() - startMs < PEAK_MS; i += PEAK_CONNECTIONS) {
      const path = `/key/${keyOf((i * 7919) % keys)}`;
      const response = await fetch(`http://${nodes[i % nodes.length].http}${path}`, {
        method: "PUT",
        body,
      });
      await response.body?.cancel();
      count++;
    }
  };
  await Promise.all(Array.from({ length: PEAK_CONNECTIONS }, (_, i) => work(i)));
  return count * 1000 / (performance.now() - startMs);
}

interface CommandEnd {
  readonly durationMs: number;
  readonly residentBytesMax: number;
  // deno-lint-ignore no-explicit-any -- each command's own document
  readonly document: any;
}

/** Runs a command of the CLI in a process of its own. */
async function kv(...args: string[]): Promise<CommandEnd> {
  const startMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--config", CONFIG, "-A", CLI, ...args, "-o", "json"],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let residentBytesMax = 0;
  const timer = setInterval(() => {
    try {
      residentBytesMax = Math.max(residentBytesMax, residentBytes(child.pid));
    } catch {
      // It has just ended.
    }
  }, 100);
  const { code, stdout, stderr } = await child.output();
  clearInterval(timer);
  const durationMs = performance.now() - startMs;
  if (code !== 0) throw new Error(`kv ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  const text = new TextDecoder().decode(stdout).trim();
  return { durationMs, residentBytesMax, document: JSON.parse(text.split("\n").at(-1)!) };
}

function figures(what: string, shots: readonly ShotResult[], ms: number) {
  const latencies = shots.map(({ latencyMs }) => latencyMs);
  return {
    what,
    "puts/s": Math.round(shots.length * 1000 / ms),
    "p50 ms": quantile(latencies, 0.5).toFixed(2),
    "p99 ms": quantile(latencies, 0.99).toFixed(2),
    "p99.9 ms": quantile(latencies, 0.999).toFixed(2),
    failed: shots.filter(({ status }) => status < 200 || status > 299).length,
  };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keys: { type: "string", default: "1000000" },
      seconds: { type: "string", default: "20" },
      rate: { type: "string" },
      rounds: { type: "string", default: "1" },
      "no-restore": { type: "boolean", default: false },
    },
  });
  const keys = Number(values.keys);
  const baseMs = Number(values.seconds) * 1000;
  const folder = Deno.makeTempDirSync({ prefix: "pontoon-backup-" });
  const file = `${folder}/bench.kvb`;
  const rows: Record<string, unknown>[] = [];
  const ratios: number[] = [];
  let backupContent: unknown;
  let backupFigures = {};
  try {
    {
      await using source = TestCluster.start({ nodes: 3, partitions: 4 });
      await source.ready();
      const { nodes } = source;
      const endpoints = nodes.map(({ http }) => http).join(",");
      const fillMs = performance.now();
      await fill(nodes, keys);
      console.error(`filled in ${((performance.now() - fillMs) / 1000).toFixed(1)} s`);
      const peak = await peakRate(nodes, keys);
      const perSecond = Number(values.rate ?? Math.round(peak * LOAD_SHARE));
      console.error(`peak ${Math.round(peak)} puts/s; load ${perSecond} puts/s`);
      const body = new Uint8Array(VALUE_SIZE_BYTES).fill(0x6c);
      const load = new OpenLoop({
        perSecond,
        retryMs: 0,
        shot: (n) => ({
          host: nodes[n % nodes.length].http,
          method: "PUT",
          path: `/key/${keyOf((n * 104_729) % keys)}`,
          body,
        }),
      });
      await sleep(WARM_UP_MS);
      const between = (from: number, to: number) =>
        load.results.filter(({ dueMs }) => dueMs >= from && dueMs < to);
      for (let round = 1; round <= Number(values.rounds); round++) {
        const t0 = load.nowMs();
        await sleep(baseMs);
        const t1 = load.nowMs();
        const end = await kv("backup", file, "--force", "-e", endpoints);
        const t2 = load.nowMs();
        await sleep(1000); // the last answers
        const before = figures(`before ${round}`, between(t0, t1), t1 - t0);
        const during = figures(`during ${round}`, between(t1, t2), t2 - t1);
        rows.push(before, during);
        ratios.push(Number(during["p99 ms"]) / Number(before["p99 ms"]));
        backupContent = end.document.content;
        backupFigures = {
          seconds: (end.durationMs / 1000).toFixed(1),
          "keys/s": Math.round(keys * 1000 / end.durationMs),
          "file MB": (end.document.sizeBytes / 1e6).toFixed(0),
          "client MB": (end.residentBytesMax / 1e6).toFixed(0),
        };
      }
      await load.stop();
    }
    printTable(rows);
    console.log(`put p99 during/before: ${ratios.map((one) => one.toFixed(2)).join(", ")}`);
    printTable([{ command: "backup", ...backupFigures }]);
    const verified = await kv("verify", file, "--at", "copy");
    const isSame = (content: unknown) => JSON.stringify(content) === JSON.stringify(backupContent);
    if (!isSame(verified.document.content)) {
      throw new Error("the file does not hold what nodes say");
    }
    console.log(`verify ${(verified.durationMs / 1000).toFixed(1)} s`);
    if (!values["no-restore"]) {
      await using target = TestCluster.start({ nodes: 1, partitions: 8 });
      await target.ready();
      const { http } = target.nodes[0];
      const restored = await kv("restore", file, "--at", "copy", "-e", http);
      const { checked, content } = restored.document;
      if (!checked || !isSame(content)) {
        throw new Error("the restored cluster holds something else");
      }
      printTable([{
        command: "restore into 1 node, 8 partitions",
        seconds: (restored.durationMs / 1000).toFixed(1),
        "keys/s": Math.round(keys * 1000 / restored.durationMs),
        "client MB": (restored.residentBytesMax / 1e6).toFixed(0),
        content: `equal: ${content.lasting.hash}`,
      }]);
    }
    writeJson("backup", { keys, rows, ratios, backup: backupFigures });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

await main();
