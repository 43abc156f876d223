// Figures of the log and of snapshots on a real disk: appends a second, replay of a million entries, and a
// snapshot of a million records written and loaded. `deno run -A scripts/bench/wal_bench.ts [--entries N]`.

import { DenoClock, DenoDisk, DenoLog, DenoRandom } from "../../src/platform/deno/mod.ts";
import { SnapshotStore } from "../../src/snapshot/mod.ts";
import { type Entry, Wal } from "../../src/wal/mod.ts";

const VALUE_BYTES = 180;
const RECORD_CHUNK_BYTES = 64 * 1024;
const GROUPS = 4;

const args = Deno.args;
const option = (name: string, fallback: number) => {
  const at = args.indexOf(`--${name}`);
  return at === -1 ? fallback : Number(args[at + 1]);
};
const entryCount = option("entries", 1_000_000);

const process = {
  fatal(reason: string, cause?: unknown): never {
    console.error(reason, cause);
    Deno.exit(1);
  },
};

function environment(root: string) {
  return {
    disk: new DenoDisk(root),
    clock: new DenoClock(),
    random: new DenoRandom(),
    log: new DenoLog("warn"),
    process,
  };
}

function residentMb(): number {
  return Math.round(Deno.memoryUsage().rss / 1e6);
}

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

const rows: Row[] = [];
function report(name: string, value: number, unit: string): void {
  rows.push({ name, value, unit });
  console.log(`${name.padEnd(52)} ${value.toFixed(value < 10 ? 2 : 0).padStart(10)} ${unit}`);
}

/** Appends in closed loops: each of `writers` appends its next entry when the one before is durable. */
async function appends(wal: Wal, group: number, first: number, writers: number, count: number) {
  const data = crypto.getRandomValues(new Uint8Array(VALUE_BYTES));
  let next = first;
  let durable = 0;
  let scheduled = false;
  const done = Promise.withResolvers<void>();
  const flushSoon = () => {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      wal.flush();
    });
  };
  const one = () => {
    if (next >= first + count) return;
    wal.append({ group, entries: [{ term: 1, index: next++, type: 0, data }] }, () => {
      if (++durable === count) done.resolve();
      else one();
    });
    flushSoon();
  };
  const startedMs = performance.now();
  for (let i = 0; i < writers; i++) one();
  await done.promise;
  return count / (performance.now() - startedMs) * 1000;
}

async function fillLog(wal: Wal): Promise<void> {
  const data = crypto.getRandomValues(new Uint8Array(VALUE_BYTES));
  const next = Array(GROUPS).fill(1);
  for (let done = 0; done < entryCount;) {
    const durable = Promise.withResolvers<void>();
    for (let i = 0; i < 100; i++) {
      const group = i % GROUPS;
      const entries: Entry[] = [];
      for (let j = 0; j < 20; j++) entries.push({ term: 1, index: next[group]++, type: 0, data });
      wal.append({ group: group + 10, entries }, durable.resolve);
      done += entries.length;
    }
    wal.flush();
    await durable.promise;
  }
}

async function benchLog(root: string): Promise<void> {
  const node = environment(root);
  const { wal } = await Wal.open(node);
  for (let group = 1; group <= 4; group++) wal.createGroup(group, group);
  for (let group = 10; group < 10 + GROUPS; group++) wal.createGroup(group, group);
  let group = 1;
  for (const [writers, count] of [[1, 2_000], [64, 60_000], [256, 120_000]]) {
    const rate = await appends(wal, group++, 1, writers, count);
    report(`durable appends, ${writers} writers`, rate, "/s");
  }
  let startedMs = performance.now();
  await fillLog(wal);
  report(`${entryCount} entries appended, 2000 a batch`, performance.now() - startedMs, "ms");
  await wal.close();

  startedMs = performance.now();
  const opened = await Wal.open(node);
  const scanMs = performance.now() - startedMs;
  let count = 0;
  let bytes = 0;
  await opened.recovered.replay((_group, entry) => {
    count++;
    bytes += entry.data.length;
  });
  const totalMs = performance.now() - startedMs;
  report("open: scan, new segment, syncs", scanMs, "ms");
  report(`open and replay of ${count} entries (${Math.round(bytes / 1e6)} MB)`, totalMs, "ms");
  report("resident after replay", residentMb(), "MB");
  await opened.wal.close();
}

async function benchSnapshot(root: string): Promise<void> {
  const { disk, clock, log } = environment(root);
  const store = SnapshotStore.open({
    disk,
    clock,
    log,
    process,
    writeBytesPerSecondMax: Infinity,
  });
  const chunk = crypto.getRandomValues(new Uint8Array(RECORD_CHUNK_BYTES));
  const chunkCount = Math.ceil(entryCount * VALUE_BYTES / RECORD_CHUNK_BYTES);
  function* chunks() {
    for (let i = 0; i < chunkCount; i++) yield chunk;
  }
  let lagMs = 0;
  let lastMs = performance.now();
  const ticker = setInterval(() => {
    lagMs = Math.max(lagMs, performance.now() - lastMs - 1);
    lastMs = performance.now();
  }, 1);
  let startedMs = performance.now();
  const metadata = { group: 1, index: 1, term: 1, confState: new Uint8Array() };
  const file = await store.write({ metadata, chunks });
  report(
    `snapshot of ${Math.round(file.sizeBytes / 1e6)} MB written`,
    performance.now() - startedMs,
    "ms",
  );
  report("longest stall of the event loop meanwhile", lagMs, "ms");
  clearInterval(ticker);
  startedMs = performance.now();
  let bytes = 0;
  for await (const part of store.read(file)) bytes += part.length;
  report("snapshot read and verified", performance.now() - startedMs, "ms");
  report("resident at the end", residentMb(), "MB");
}

const root = Deno.makeTempDirSync({ prefix: "pontoon-wal-bench-", dir: Deno.env.get("BENCH_DIR") });
try {
  await benchLog(`${root}/log`);
  await benchSnapshot(`${root}/snapshots`);
  if (args.includes("--json")) console.log(JSON.stringify(rows));
} finally {
  Deno.removeSync(root, { recursive: true });
}
