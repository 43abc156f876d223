// How long a node with 1,000,000 keys of 128 bytes takes from start to ready, and what it holds resident:
// from a snapshot and the longest log tail that the defaults allow, and from the log alone.
// `deno task bench:restart [keys]`.

import {
  isReady,
  peakResidentBytes,
  residentBytes,
  TestCluster,
  until,
} from "./support/cluster.ts";
import { hasCommand } from "./support/etcd.ts";
import { numbersOf } from "./support/numbers.ts";
import { printTable, writeJson } from "./support/report.ts";
import { SNAPSHOT_LOG_BYTES } from "../../src/base/limits.ts";

const [[KEYS]] = numbersOf("deno task bench:restart [KEYS]", "1000000");
const VALUE = "v".repeat(128);
const OPERATIONS = 128;

if (!hasCommand("h2load")) {
  console.log("skipped: needs h2load (apt-get install nghttp2-client)");
  Deno.exit(0);
}

const files = Deno.makeTempDirSync({ prefix: "pontoon-restart-" });
Deno.writeTextFileSync(`${files}/value`, VALUE);

function keyAt(i: number): string {
  return `key-${String(i).padStart(12, "0")}`;
}

/** Writes keys in order, many in a transaction. */
async function fill(http: string): Promise<void> {
  for (let from = 0; from < KEYS; from += OPERATIONS) {
    const then = [];
    for (let i = from; i < Math.min(KEYS, from + OPERATIONS); i++) {
      then.push({ op: "put", key: keyAt(i), value: VALUE });
    }
    const response = await fetch(`http://${http}/txn`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ if: [], then, else: [] }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`fill: ${response.status} ${text}`);
  }
}

/** Overwrites keys at random, one entry each. */
async function putRandom(http: string, count: number): Promise<void> {
  const uris = Array.from(
    { length: count },
    () => `http://${http}/key/${keyAt(Math.floor(Math.random() * KEYS))}`,
  );
  Deno.writeTextFileSync(`${files}/uris`, uris.join("\n"));
  const { success } = await new Deno.Command("h2load", {
    args: ["--h1", "-c", "128", "-t", "1", "-n", String(count), "-i", `${files}/uris`].concat(
      ["-d", `${files}/value`, "-H", ":method: PUT", "-H", "content-type: text/plain"],
    ),
    stdin: "null",
    stdout: "null",
  }).output();
  if (!success) throw new Error("h2load failed");
}

async function logBytes(dataDir: string): Promise<number> {
  const { stdout } = await new Deno.Command("du", { args: ["-sb", `${dataDir}/wal`] }).output();
  return Number(new TextDecoder().decode(stdout).split("\t")[0]);
}

/** Kills the node, starts it again and measures until it is ready. */
async function restart(cluster: TestCluster): Promise<{ ms: number; rss: number; peak: number }> {
  const [node] = cluster.nodes;
  await cluster.kill(node);
  const startMs = performance.now();
  cluster.spawn(node);
  await until("ready", 120_000, () => isReady(node.http));
  const ms = performance.now() - startMs;
  const { pid } = node.process!;
  return { ms, rss: residentBytes(pid), peak: peakResidentBytes(pid) };
}

const MB = 1e6;
const rows: Record<string, unknown>[] = [];

async function measure(
  name: string,
  flags: string[],
  load: (http: string) => Promise<void>,
  bar: string,
) {
  await using cluster = TestCluster.start({ nodes: 1, flags: ["--log-level", "info", ...flags] });
  await cluster.ready();
  const [node] = cluster.nodes;
  await load(node.http);
  const writing = peakResidentBytes(node.process!.pid);
  const log = await logBytes(node.dataDir);
  const { ms, rss, peak } = await restart(cluster);
  rows.push({
    case: name,
    "log MB": Math.round(log / MB),
    "to ready s": (ms / 1000).toFixed(2),
    "resident MB": Math.round(rss / MB),
    "peak at start MB": Math.round(peak / MB),
    "peak while loading MB": Math.round(writing / MB),
    bar,
  });
}

await measure("snapshot + longest tail", [], async (http) => {
  await fill(http);
  // Just short of the next snapshot: an entry of this load takes about 215 bytes of log.
  await putRandom(http, Math.floor(SNAPSHOT_LOG_BYTES * 0.9 / 215));
}, "3 s, 500 MB");
await measure("log alone", ["--snapshot-log-bytes", String(2 ** 40)], async (http) => {
  await putRandom(http, KEYS);
}, "8 s");
printTable(rows);
writeJson("restart", rows);
Deno.removeSync(files, { recursive: true });
