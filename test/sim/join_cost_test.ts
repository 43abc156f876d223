// What adding a node costs those who read and write meanwhile, in simulated time: stalls of the protocol
// show, the processor's share does not (scripts/bench/scale.ts measures that).

import { assert, assertEquals } from "@std/assert";
import { type IdleCluster, withIdleCluster } from "./idle_cluster.ts";

const INTERVAL_MS = 4;

interface Shot {
  readonly dueMs: number;
  readonly latencyMs: number;
  readonly status: number;
}

/** Puts at fixed moments to the first three nodes in turn, each timed from when it was due. */
class Load {
  readonly shots: Shot[] = [];
  readonly #cluster: IdleCluster;
  #count = 0;
  #stopped = false;

  constructor(cluster: IdleCluster) {
    this.#cluster = cluster;
    this.#shoot();
  }

  #shoot(): void {
    if (this.#stopped) return;
    const { scheduler, nodes } = this.#cluster;
    const n = this.#count++;
    const node = nodes[n % 3];
    const dueMs = scheduler.nowMs;
    const url = `http://${node.config.http}/key/k${n % 97}`;
    const request = new Request(url, { method: "PUT", body: "x".repeat(200) });
    node.life!.incarnation.run(async () => {
      const { status } = await node.life!.handler!(request);
      this.shots.push({ dueMs, latencyMs: scheduler.nowMs - dueMs, status });
    });
    scheduler.schedule(INTERVAL_MS, () => this.#shoot());
  }

  stop(): void {
    this.#stopped = true;
  }

  p99Ms(fromMs: number, toMs: number): number {
    const latencies = this.shots.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs)
      .map(({ latencyMs }) => latencyMs).toSorted((a, b) => a - b);
    return latencies[Math.floor(latencies.length * 0.99)];
  }
}

Deno.test("adding a node under load fails no request and at most doubles the 99th percentile", async () => {
  await withIdleCluster({ nodes: 3, partitions: 8 }, async (cluster) => {
    await cluster.run(8000);
    const load = new Load(cluster);
    const startedMs = cluster.scheduler.nowMs;
    await cluster.run(2000);
    const joinedMs = cluster.scheduler.nowMs;
    cluster.join("n3");
    const [asked] = cluster.nodes;
    await cluster.until("n3 has its share", 60_000, () => {
      const { moves } = cluster.view(asked);
      return moves.length === 0 && cluster.replicaCounts(asked).n3 === 6;
    });
    const movedMs = cluster.scheduler.nowMs;
    // Leaders are evened out last.
    await cluster.run(7000);
    load.stop();
    await cluster.run(5000);
    assert(load.shots.length > 2000);
    assertEquals(load.shots.filter(({ status }) => status >= 300), []);
    const before = load.p99Ms(startedMs, joinedMs);
    const during = load.p99Ms(joinedMs, movedMs);
    const balancing = load.p99Ms(movedMs, cluster.scheduler.nowMs);
    const words = `p99 ${before} ms before, ${during} while moving, ${balancing} after`;
    assert(during <= 2 * before && balancing <= 2 * before, words);
  });
});
