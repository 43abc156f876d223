// Expiry under wall clocks that are a day off (RULES 18, 19): before, while and after the odd node leads,
// nothing expires early, nothing is frozen, and what is due is gone within 200 ms.

import { assert, assertEquals } from "@std/assert";
import { type IdleCluster, withIdleCluster } from "./idle_cluster.ts";
import type { SimNode } from "./sim_node.ts";

const DAY_MS = 24 * 3600 * 1000;
const PARTITION = 1;
/** Visible within it while a leader is in place. */
const VISIBLE_MS = 200;
/** What the requests of a look may take in simulated time. */
const SLACK_MS = 40;

class Keys {
  readonly #cluster: IdleCluster;

  constructor(cluster: IdleCluster) {
    this.#cluster = cluster;
  }

  /** Puts a key; returns when it was decided, in simulated ms. */
  async put(node: SimNode, key: string, ttlMs: number): Promise<number> {
    const path = `/key/${key}?ttl=${ttlMs / 1000}`;
    const response = await this.#cluster.fetch(node, path, { method: "PUT", body: "v" });
    assertEquals(response.status, 201);
    return this.#cluster.scheduler.nowMs;
  }

  async isThere(node: SimNode, key: string): Promise<boolean> {
    const { status } = await this.#cluster.fetch(node, `/key/${key}`);
    assert(status === 200 || status === 404, `${status}`);
    return status === 200;
  }

  /** A key put now lives its time and no longer, whoever is asked. */
  async livesItsTime(key: string, ttlMs: number): Promise<void> {
    const { nodes, scheduler } = this.#cluster;
    const putMs = await this.put(nodes[0], key, ttlMs);
    await this.#cluster.run(ttlMs - 100);
    for (const node of nodes) assert(await this.isThere(node, key), `${key} went early`);
    assert(scheduler.nowMs < putMs + ttlMs, "the look itself took too long");
    await this.#cluster.run(putMs + ttlMs + VISIBLE_MS - scheduler.nowMs);
    for (const node of nodes) assert(!await this.isThere(node, key), `${key} is still there`);
    assert(
      scheduler.nowMs < putMs + ttlMs + VISIBLE_MS + SLACK_MS,
      "the look itself took too long",
    );
  }
}

function leaderOf(cluster: IdleCluster): SimNode {
  const leader = cluster.nodes.find((node) =>
    node.life!.running!.node.hosting!.get(PARTITION)?.kind === "data" &&
    node.life!.running!.node.hosting!.data(PARTITION)!.replica.isLeader
  );
  assert(leader !== undefined, "nobody leads");
  return leader;
}

async function handOver(cluster: IdleCluster, to: SimNode): Promise<void> {
  await cluster.fetch(leaderOf(cluster), "/cluster/transfer", {
    method: "POST",
    body: JSON.stringify({ partition: PARTITION, to: to.name }),
    headers: { "content-type": "application/json" },
  });
  await cluster.until(
    `${to.name} leads`,
    5000,
    () => to.life!.running!.node.hosting!.data(PARTITION)!.replica.isLeader,
  );
}

for (const offsetMs of [DAY_MS, -DAY_MS]) {
  const words = offsetMs > 0 ? "a day ahead" : "a day behind";
  Deno.test(`keys live their time with a wall clock ${words}, whoever leads`, async () => {
    await withIdleCluster({ nodes: 3, partitions: 1 }, async (cluster) => {
      const keys = new Keys(cluster);
      const first = leaderOf(cluster);
      const odd = cluster.nodes.find((node) => node !== first)!;
      odd.jumpWall(offsetMs);
      await keys.put(first, "steady", 3_600_000);
      await keys.livesItsTime("before", 3000);
      const putMs = await keys.put(first, "across", 4000);
      await handOver(cluster, odd);
      await cluster.run(putMs + 3900 - cluster.scheduler.nowMs);
      assert(await keys.isThere(first, "across"), "it went early with the new leader");
      await cluster.run(1000);
      assert(!await keys.isThere(first, "across"), "its time has stopped with the new leader");
      await keys.livesItsTime("while", 2000);
      await handOver(cluster, first);
      await keys.livesItsTime("after", 2000);
      assert(await keys.isThere(odd, "steady"), "a key of an hour is gone");
    });
  });
}

Deno.test("keys keep what a leader's slow disk cost at its election", async () => {
  await withIdleCluster({ nodes: 3, partitions: 1 }, async (cluster) => {
    const keys = new Keys(cluster);
    const slow = cluster.nodes.find((node) => node !== leaderOf(cluster))!;
    const other = cluster.nodes.find((node) => node !== slow)!;
    // The others' votes are there long before its own is durable.
    slow.slowSyncs(400, 1000);
    await handOver(cluster, slow);
    await cluster.run(1000);
    const putMs = await keys.put(slow, "k", 2000);
    await handOver(cluster, other);
    await cluster.run(putMs + 1900 - cluster.scheduler.nowMs);
    assert(await keys.isThere(slow, "k"), "it went early with the next leader");
  });
});
