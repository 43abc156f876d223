// What many partitions cost and give on three nodes: puts and linearizable gets with 1 to 256 partitions,
// each key sent to its leader and to any node; what idle groups cost; what adding a node costs under load.
// `deno task bench:scale [PART…] [options]`.

import { parseArgs } from "node:util";
import { cpuMs, residentBytes, type TestCluster, type TestNode, until } from "./support/cluster.ts";
import { hasCommand } from "./support/etcd.ts";
import { measureGrowths, pause } from "./support/growth.ts";
import { median, printTable, writeJson } from "./support/report.ts";
import {
  keysByLeader,
  startEven,
  throughput,
  VALUE_BYTES,
  viewOf,
} from "./support/scale_cluster.ts";

const HELP = `Usage: deno task bench:scale [PART…] [options]

  throughput   puts and gets, to each key's leader and to any node
  idle         CPU and memory of 256 sleeping groups a node
  growth       a fourth node under a load of 30% of the peak; beside it, as a control, one that is no member
All parts without one.

  --partitions LIST   of the throughput [1,3,4,16,64,256]
  --connections LIST  of the throughput, over all nodes [66,258]
  --rounds N          of the throughput, in turns, and of the growth [3]
  --seconds N         of one measurement [4]`;
const PARTS = ["throughput", "idle", "growth"];
const { values: flags, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    partitions: { type: "string", default: "1,3,4,16,64,256" },
    connections: { type: "string", default: "66,258" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "4" },
    help: { type: "boolean", short: "h", default: false },
  },
});
const parts = positionals.length === 0 ? PARTS : positionals;
const partitionCounts = flags.partitions.split(",").map(Number);
const connectionCounts = flags.connections.split(",").map(Number);
const [rounds, seconds] = [flags.rounds, flags.seconds].map(Number);
if (
  flags.help || !parts.every((part) => PARTS.includes(part)) ||
  !(rounds > 0 && seconds > 0 && connectionCounts.every((count) => count >= 3)) ||
  !partitionCounts.every((count) => Number.isInteger(count) && count > 0 && count <= 1024)
) {
  console.log(HELP);
  Deno.exit(flags.help ? 0 : 64);
}
const IDLE_PARTITIONS = 256;
const IDLE_SECONDS = 20;

if (!hasCommand("wrk")) {
  console.log("skipped: needs wrk (apt-get install wrk)");
  Deno.exit(0);
}

// ------------------------------------------------------------------------------------------ throughput

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

interface Rate {
  readonly perSecond: number;
  /** Over the rate of one group, each key to its leader, measured right before. */
  readonly ratio: number;
  /** The same, if the busiest node's processor time bounded both. */
  readonly cpuRatio: number;
}

/** partitions|connections|target|operation -> of each round. */
const rates = new Map<string, Rate[]>();

/** Beside a cluster of one group, by turns: the machine's pace changes within a minute. */
async function measureThroughput(partitions: number): Promise<void> {
  await using cluster = await startEven(partitions);
  await using single = partitions === 1 ? undefined : await startEven(1);
  const keysOf = async (one: TestCluster) => {
    const keys = await keysByLeader(one.nodes[0]);
    await writeOnce(one.nodes[0], [...keys.values()].flat());
    return keys;
  };
  const keys = await keysOf(cluster);
  const singleKeys = single && await keysOf(single);
  for (const connections of connectionCounts) {
    for (const put of [true, false]) {
      let base = single &&
        await throughput(single, singleKeys!, { target: "leader", put, connections, seconds });
      for (const target of ["leader", "any"] as const) {
        const rate = await throughput(cluster, keys, { target, put, connections, seconds });
        base ??= rate;
        const operation = put ? "put" : "get";
        const key = `${partitions}|${connections}|${target}|${operation}`;
        rates.set(key, [...rates.get(key) ?? [], {
          perSecond: rate.perSecond,
          ratio: rate.perSecond / base.perSecond,
          cpuRatio: base.busiestUs / rate.busiestUs,
        }]);
        console.log(
          `${partitions} partitions x ${connections}, to ${target}, ${operation}: ` +
            `${rate.perSecond | 0}/s, one group ${base.perSecond | 0}/s`,
        );
      }
    }
  }
}

function throughputRows(): Record<string, unknown>[] {
  return [...rates].map(([key, values]) => {
    const [partitions, connections, target, operation] = key.split("|");
    const bar = partitions !== "16" || operation !== "put" ? "" : target === "leader" ? 1 : 0.5;
    return {
      partitions: Number(partitions),
      connections: Number(connections),
      "sent to": target === "leader" ? "the key's leader" : "any node",
      operation,
      "per second": Math.round(median(values.map(({ perSecond }) => perSecond))),
      "x one group": median(values.map(({ ratio }) => ratio)).toFixed(2),
      bar,
      "x by busiest node's CPU": median(values.map(({ cpuRatio }) => cpuRatio)).toFixed(2),
    };
  });
}

// ------------------------------------------------------------------------------------------------ idle

async function measureIdle(): Promise<Record<string, unknown>[]> {
  await using cluster = await startEven(IDLE_PARTITIONS);
  const asleep = async () => {
    const views = await Promise.all(cluster.nodes.map(viewOf));
    return views.every(({ partitions }) => partitions.every((one) => one.asleep));
  };
  await until("every group sleeps", 60_000, asleep);
  const pids = cluster.nodes.map((node) => node.process!.pid);
  const before = pids.map(cpuMs);
  await pause(IDLE_SECONDS);
  return cluster.nodes.map(({ name }, i) => ({
    node: name,
    groups: IDLE_PARTITIONS + 1,
    "CPU %": ((cpuMs(pids[i]) - before[i]) / IDLE_SECONDS / 10).toFixed(1),
    "bar %": 3,
    "RSS MB": Math.round(residentBytes(pids[i]) / 1e6),
    "bar MB": 150,
  }));
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
if (parts.includes("growth")) report.growth = await measureGrowths(rounds);
writeJson("scale", report);
