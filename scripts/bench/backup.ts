// Backup of a cluster under open-loop load at 30 % of its peak: what it does to the latency of puts, how long
// it takes, and whether a cluster of another shape that it is restored into holds the same.
//
//   deno task bench:backup [--keys 1000000] [--seconds 20] [--rate PUTS_A_SECOND] [--rounds 1]
//     [--file FILE] [--no-restore] [--restore-only]
//
// With --file the backup is kept there, so that --restore-only can bring it back in a run of its own.

import { parseArgs } from "node:util";
import { residentBytes, TestCluster, type TestNode } from "./support/cluster.ts";
import { h2load } from "./support/h2load.ts";
import { OpenLoop, quantile, type ShotResult } from "./support/open_loop.ts";
import { printTable, writeJson } from "./support/report.ts";

const VALUE_SIZE_BYTES = 128;
const BATCH = 1000;
const BATCHES_IN_FLIGHT = 4;
const PEAK_CONNECTIONS = 64;
const PEAK_SECONDS = 5;
const LOAD_SHARE = 0.3;
/** Of the load, before anything is measured. */
const WARM_UP_MS = 20_000;
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
      let operations = Array.from({ length: Math.min(BATCH, keys - first) }, (_, i) => ({
        op: "put",
        key: keyOf(first + i),
        value: value + String(first + i).padStart(10, "0"),
        // Some expire, but not while this runs.
        ...((first + i) % 20 === 0 ? { ttl: 360_000 } : {}),
      }));
      while (operations.length > 0) {
        const response = await fetch(`http://${nodes[worker % nodes.length].http}/batch`, {
          method: "POST",
          headers: { "content-type": "application/json", "pontoon-timeout-ms": "60000" },
          body: JSON.stringify({ operations }),
        });
        if (!response.ok) throw new Error(`filling: ${response.status}`);
        const { results } = await response.json();
        // A node that has too much to do says so for single operations.
        operations = operations.filter((_, i) => results[i].status >= 300);
      }
    }
  };
  await Promise.all(Array.from({ length: BATCHES_IN_FLIGHT }, (_, i) => work(i)));
}

/** Puts a second that all nodes together take, as h2load offers them. */
async function peakRate(nodes: readonly TestNode[], keys: number): Promise<number> {
  const bodyFile = Deno.makeTempFileSync();
  Deno.writeFileSync(bodyFile, new Uint8Array(VALUE_SIZE_BYTES).fill(0x70));
  try {
    const loads = await Promise.all(nodes.map(({ http }) =>
      h2load({
        url: `http://${http}/key/${keyOf(0)}`,
        paths: Array.from({ length: 500 }, (_, i) => `/key/${keyOf((i * 7919) % keys)}`),
        connections: Math.ceil(PEAK_CONNECTIONS / nodes.length),
        seconds: PEAK_SECONDS,
        http1: true,
        method: "PUT",
        bodyFile,
      })
    ));
    return loads.reduce((sum, { perSecond }) => sum + perSecond, 0);
  } finally {
    Deno.removeSync(bodyFile);
  }
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
      residentBytesMax = Math.max(residentBytesMax, residentBytes(child.pid) || 0);
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

interface BackupRun {
  readonly file: string;
  readonly keys: number;
  /** How long the load is measured without a backup, before and after each. */
  readonly baseMs: number;
  /** Puts a second; a share of the peak if absent. */
  readonly perSecond: number | undefined;
  readonly rounds: number;
}

async function measureBackup({ file, keys, baseMs, perSecond, rounds }: BackupRun) {
  const rows: Record<string, unknown>[] = [];
  const backups: Record<string, unknown>[] = [];
  const ratios: number[] = [];
  let content: unknown;
  {
    await using source = TestCluster.start({ nodes: 3, partitions: 4 });
    await source.ready();
    const { nodes } = source;
    const endpoints = nodes.map(({ http }) => http).join(",");
    const startMs = performance.now();
    await fill(nodes, keys);
    console.error(`filled in ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
    const rate = perSecond ?? Math.round(await peakRate(nodes, keys) * LOAD_SHARE);
    console.error(`load ${rate} puts/s`);
    const body = new Uint8Array(VALUE_SIZE_BYTES).fill(0x6c);
    const load = new OpenLoop({
      perSecond: rate,
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
    for (let round = 1; round <= rounds; round++) {
      const t0 = load.nowMs();
      await sleep(baseMs);
      const t1 = load.nowMs();
      const end = await kv("backup", file, "--force", "-e", endpoints);
      const t2 = load.nowMs();
      await sleep(baseMs);
      const t3 = load.nowMs();
      await sleep(1000); // the last answers
      const without = [...between(t0, t1), ...between(t2, t3)];
      const beside = figures(`without ${round}`, without, t1 - t0 + t3 - t2);
      const during = figures(`during ${round}`, between(t1, t2), t2 - t1);
      rows.push(beside, during);
      ratios.push(Number(during["p99 ms"]) / Number(beside["p99 ms"]));
      content = end.document.content;
      backups.push({
        backup: round,
        seconds: (end.durationMs / 1000).toFixed(1),
        "keys/s": Math.round(keys * 1000 / end.durationMs),
        "file MB": (end.document.sizeBytes / 1e6).toFixed(0),
        "client MB": (end.residentBytesMax / 1e6).toFixed(0),
      });
    }
    await load.stop();
  }
  printTable(rows);
  console.log(`put p99 during/without: ${ratios.map((one) => one.toFixed(2)).join(", ")}`);
  printTable(backups);
  const verified = await kv("verify", file, "--at", "copy");
  if (JSON.stringify(verified.document.content) !== JSON.stringify(content)) {
    throw new Error("the file does not hold what the nodes say");
  }
  console.log(`verified in ${(verified.durationMs / 1000).toFixed(1)} s`);
  return { keys, rows, ratios, backups };
}

/** Brings the copies into another shape; their content is what the source's nodes said of theirs. */
async function measureRestore(file: string): Promise<void> {
  await using target = TestCluster.start({ nodes: 1, partitions: 8 });
  await target.ready();
  const { http } = target.nodes[0];
  const { durationMs, residentBytesMax, document } = await kv(
    "restore",
    file,
    "--at",
    "copy",
    "-e",
    http,
  );
  const { checked, content: { lasting, expiring } } = document;
  const keys = lasting.count + expiring.count;
  if (!checked) throw new Error("the restored cluster was not compared");
  printTable([{
    restored: "into 1 node, 8 partitions",
    keys,
    seconds: (durationMs / 1000).toFixed(1),
    "keys/s": Math.round(keys * 1000 / durationMs),
    "client MB": (residentBytesMax / 1e6).toFixed(0),
    content: `equal: ${lasting.hash}`,
  }]);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keys: { type: "string", default: "1000000" },
      seconds: { type: "string", default: "20" },
      rate: { type: "string" },
      rounds: { type: "string", default: "1" },
      file: { type: "string" },
      "no-restore": { type: "boolean", default: false },
      "restore-only": { type: "boolean", default: false },
    },
  });
  const folder = Deno.makeTempDirSync({ prefix: "pontoon-backup-" });
  const file = values.file ?? `${folder}/bench.kvb`;
  try {
    if (!values["restore-only"]) {
      const perSecond = values.rate === undefined ? undefined : Number(values.rate);
      const [keys, seconds, rounds] = [values.keys, values.seconds, values.rounds].map(Number);
      writeJson(
        "backup",
        await measureBackup({ file, keys, baseMs: seconds * 1000, perSecond, rounds }),
      );
    }
    if (!values["no-restore"]) await measureRestore(file);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

await main();
