// Clusters of three for bench:scale: even leaders, keys by who leads them, and closed loads on them.

import { slotOf } from "../../../src/base/slot.ts";
import {
  type ClusterAnswer,
  clusterView,
  cpuMs,
  TestCluster,
  type TestNode,
  until,
} from "./cluster.ts";
import { wrk } from "./wrk.ts";

export const VALUE_BYTES = 128;
const KEYS_PER_PARTITION = 4;
/** Before each measurement: how fast V8 has made the code depends on what it ran lately. */
const WARM_UP_SECONDS = 2;

/** Three nodes that lead as many partitions each. */
export async function startEven(partitions: number): Promise<TestCluster> {
  // Growth reads the nodes' logs.
  const cluster = TestCluster.start({ nodes: 3, partitions, flags: ["--log-level", "info"] });
  await cluster.ready(60_000);
  await until("leaders are even", 60_000, async () => {
    const counts = await leaderCounts(cluster.nodes[0]);
    return Math.max(...counts) - Math.min(...counts) <= (partitions < 3 ? 1 : 2);
  });
  return cluster;
}

export function viewOf(node: TestNode): Promise<ClusterAnswer> {
  return until(`${node.name} answers`, 10_000, () => clusterView(node.http));
}

async function leaderCounts(node: TestNode): Promise<number[]> {
  const view = await viewOf(node);
  return view.members.map(({ nodeId }) =>
    view.routing.filter(({ leader }) => leader === nodeId).length
  );
}

/** A few keys of every partition, by the name of the node that leads it. */
export async function keysByLeader(node: TestNode): Promise<Map<string, string[]>> {
  const view = await viewOf(node);
  const names = new Map(view.members.map(({ nodeId, name }) => [nodeId, name]));
  const wanted = new Map(view.routing.map(({ partition }) => [partition, KEYS_PER_PARTITION]));
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

/** Where a key is sent to. */
export type Target = "leader" | "any";

let seed = 0;

export interface Throughput {
  /** Requests of all nodes together. */
  readonly perSecond: number;
  /**
   * Processor time of the node that took most, microseconds by request of the whole cluster: what would bound
   * the rate if each node had a core for itself.
   */
  readonly busiestUs: number;
}

/** A closed load; throws if a request fails. */
export async function throughput(
  cluster: TestCluster,
  keys: ReadonlyMap<string, readonly string[]>,
  load: {
    readonly target: Target;
    readonly put: boolean;
    readonly connections: number;
    readonly seconds: number;
  },
): Promise<Throughput> {
  const { target, put, connections } = load;
  const all = [...keys.values()].flat();
  const loaded = cluster.nodes.filter(({ name }) => target === "any" || keys.has(name));
  const run = (seconds: number) =>
    Promise.all(loaded.map((node) =>
      wrk({
        host: node.http,
        paths: (target === "any" ? all : keys.get(node.name)!).map((key) => `/key/${key}`),
        method: put ? "PUT" : "GET",
        ...(put ? { body: "v".repeat(VALUE_BYTES) } : {}),
        connections: Math.floor(connections / loaded.length),
        seconds,
        seed: ++seed,
      })
    ));
  await run(WARM_UP_SECONDS);
  const pids = cluster.nodes.map((node) => node.process!.pid);
  const before = pids.map(cpuMs);
  const results = await run(load.seconds);
  const busiestMs = Math.max(...pids.map((pid, i) => cpuMs(pid) - before[i]));
  const failed = results.reduce((sum, one) => sum + one.failed, 0);
  if (failed > 0) throw new Error(`${failed} requests failed`);
  const perSecond = results.reduce((sum, one) => sum + one.perSecond, 0);
  return { perSecond, busiestUs: busiestMs * 1000 / (perSecond * load.seconds) };
}
