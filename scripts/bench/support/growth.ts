// What adding a node costs those who use the cluster meanwhile: an open-loop load beside it, and, as a
// control, beside the start of a node that is no member, which on a small machine costs something too.

import { clusterView, TestCluster, until } from "./cluster.ts";
import { OpenLoop, quantile, type ShotResult } from "./open_loop.ts";
import { median, printTable } from "./report.ts";
import { keysByLeader, startEven, throughput, VALUE_BYTES, viewOf } from "./scale_cluster.ts";

const PARTITIONS = 16;
const KEYS = 40_000;
const FILL_BYTES = 1024;
const STEADY_SECONDS = 10;
const LOAD_SHARE = 0.3;
const RETRY_MS = 1000;
const SETTLE_TIMEOUT_MS = 120_000;
/** Each look costs every node a report. */
const LOOK_INTERVAL_MS = 250;
const PEAK_CONNECTIONS = 66;
const PEAK_SECONDS = 4;

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
    while (next < KEYS) {
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
    await pause(LOOK_INTERVAL_MS / 1000);
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

/** An open-loop load beside which something happens. */
interface Disturbed {
  readonly rows: readonly ReturnType<typeof phaseRow>[];
  /** The 99th percentile during it over the one before. */
  readonly p99Ratio: number;
  /** How long it took, ms. */
  readonly duringMs: number;
}

async function disturbed(
  cluster: TestCluster,
  perSecond: number,
  disturb: () => Promise<unknown>,
): Promise<Disturbed> {
  const value = new Uint8Array(FILL_BYTES).fill(118);
  const small = new Uint8Array(VALUE_BYTES).fill(118);
  // Half of the keys, so that what moves keeps its size.
  const load = new OpenLoop({
    perSecond,
    retryMs: RETRY_MS,
    shot: (n) => ({
      host: cluster.nodes[n % 3].http,
      method: n % 2 === 0 ? "PUT" : "GET",
      path: `/key/g${(n * 7919) % (KEYS / 2)}`,
      body: n % 2 === 0 ? (n % 64 === 0 ? value : small) : undefined,
    }),
  });
  await pause(2);
  const beforeMs = load.nowMs();
  await pause(STEADY_SECONDS);
  const fromMs = load.nowMs();
  await disturb();
  const toMs = load.nowMs();
  await pause(STEADY_SECONDS);
  const endMs = load.nowMs();
  await load.stop();
  const phase = (name: string, fromMs: number, toMs: number) =>
    phaseRow(
      name,
      load.results.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs),
      (toMs - fromMs) / 1000,
    );
  const rows = [
    phase("before", beforeMs, fromMs),
    phase("during", fromMs, toMs),
    phase("after", toMs, endMs),
  ];
  const p99Ratio = Number(rows[1]["p99 ms"]) / Number(rows[0]["p99 ms"]);
  return { rows, p99Ratio, duringMs: toMs - fromMs };
}

/** Nothing for so long. */
export function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

interface Growth extends Disturbed {
  readonly perSecond: number;
  /** Of snapshots that were sent. */
  readonly sentBytes: number;
  /** Of the snapshots of what the new node holds. */
  readonly leastBytes: number;
}

async function measureGrowth(): Promise<Growth> {
  await using cluster = await startEven(PARTITIONS);
  const keys = await keysByLeader(cluster.nodes[0]);
  const { perSecond: peak } = await throughput(cluster, keys, {
    target: "any",
    put: true,
    connections: PEAK_CONNECTIONS,
    seconds: PEAK_SECONDS,
  });
  await fill(cluster, new Uint8Array(FILL_BYTES).fill(118));
  const perSecond = Math.round(peak * LOAD_SHARE);
  console.log(`peak ${Math.round(peak)}/s to any node; load ${perSecond}/s`);
  const sentBefore = snapshotsSent(cluster);
  const growth = await disturbed(cluster, perSecond, () => {
    cluster.join("n4", cluster.nodes[0]);
    return settled(cluster, "n4", Math.floor(PARTITIONS * 3 / 4));
  });
  const sent = snapshotsSent(cluster);
  const view = await viewOf(cluster.nodes[3]);
  const held = view.partitions.filter(({ partition }) => partition !== 0);
  const leastBytes = held.reduce((sum, { snapshotBytes }) => sum + snapshotBytes, 0);
  const sentBytes = sent.bytes - sentBefore.bytes;
  printTable([...growth.rows]);
  console.log(
    `p99 during / before: ${growth.p99Ratio.toFixed(2)}; ${
      sent.count - sentBefore.count
    } snapshots sent, ${(sentBytes / 1e6).toFixed(1)} MB for ${held.length} replicas of ${
      (leastBytes / 1e6).toFixed(1)
    } MB`,
  );
  return { ...growth, perSecond, sentBytes, leastBytes };
}

/** The same beside a fourth node that has nothing to do with the three: what its process alone costs them. */
async function measureControl(perSecond: number, forMs: number): Promise<Disturbed> {
  await using cluster = await startEven(PARTITIONS);
  await fill(cluster, new Uint8Array(FILL_BYTES).fill(118));
  await using strangers = new AsyncDisposableStack();
  const control = await disturbed(cluster, perSecond, () => {
    strangers.use(TestCluster.start({ nodes: 1, partitions: PARTITIONS }));
    return pause(forMs / 1000);
  });
  printTable([...control.rows]);
  console.log(`a stranger's start, p99 during / before: ${control.p99Ratio.toFixed(2)}`);
  return control;
}

/** Both, so many times in turns. */
export async function measureGrowths(rounds: number) {
  const growths: Growth[] = [];
  const controls: Disturbed[] = [];
  for (let round = 1; round <= rounds; round++) {
    console.log(`growth, round ${round} of ${rounds}`);
    const growth = await measureGrowth();
    growths.push(growth);
    controls.push(await measureControl(growth.perSecond, growth.duringMs));
  }
  const ratios = (all: readonly Disturbed[]) => all.map(({ p99Ratio }) => p99Ratio);
  const bytes = median(growths.map(({ sentBytes, leastBytes }) => sentBytes / leastBytes));
  const summary = {
    "p99 during / before": median(ratios(growths)).toFixed(2),
    bar: 2,
    rounds: ratios(growths).map((ratio) => ratio.toFixed(2)).join(" "),
    "with a stranger instead": median(ratios(controls)).toFixed(2),
    "bytes / least": bytes.toFixed(2),
    "bar of bytes": 1.2,
  };
  printTable([summary]);
  return { summary, growths, controls };
}
