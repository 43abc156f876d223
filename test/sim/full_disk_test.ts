// Who leads while disks are full: nobody without room as long as somebody has some, and nobody is asked again and
// again to take what he will give away.

import { assert, assertEquals } from "@std/assert";
import { type IdleCluster, withIdleCluster } from "./idle_cluster.ts";

const MiB = 1024 * 1024;
/** Less than a node needs to take writes. */
const SHORT_BYTES = 200 * MiB;
/** Several rounds of handing over, and of evening leaders out. */
const LONG_MS = 60_000;

function elections({ nodes }: IdleCluster): number {
  return nodes.reduce((sum, { life }) => sum + life!.running!.node.meters.electionsWon, 0);
}

/** Nobody is elected for a long time. */
async function assertCalm(cluster: IdleCluster, when: string): Promise<void> {
  const before = elections(cluster);
  await cluster.scheduler.runFor(LONG_MS);
  assertEquals(elections(cluster) - before, 0, `elections while ${when}`);
}

function leads(cluster: IdleCluster, expected: Record<string, number>): Promise<void> {
  return cluster.until(
    `leaders are ${JSON.stringify(expected)}`,
    30_000,
    () => JSON.stringify(cluster.leaderCounts()) === JSON.stringify(expected),
  );
}

/** One key in each of many slots, through each node in turn. */
async function statuses(cluster: IdleCluster, method: "PUT" | "GET"): Promise<number[]> {
  const found = new Set<number>();
  for (let i = 0; i < 30; i++) {
    const init = method === "PUT" ? { method, body: "v" } : { method };
    found.add((await cluster.fetch(cluster.nodes[i % 3], `/key/k${i}`, init)).status);
  }
  return [...found].sort();
}

Deno.test("a node whose disk is full leads nothing, and leadership is left where there is room", async () => {
  await withIdleCluster({ nodes: 3, partitions: 6 }, async (cluster) => {
    const [n0, n1, n2] = cluster.nodes;
    await leads(cluster, { n0: 2, n1: 2, n2: 2 });
    assertEquals(await statuses(cluster, "PUT"), [201]);

    n1.limitSpace(SHORT_BYTES);
    await leads(cluster, { n0: 3, n1: 0, n2: 3 });
    await assertCalm(cluster, "one disk is full");
    assertEquals(await statuses(cluster, "PUT"), [200]);

    n2.limitSpace(SHORT_BYTES);
    await leads(cluster, { n0: 6, n1: 0, n2: 0 });
    await assertCalm(cluster, "two disks are full");
    assertEquals(await statuses(cluster, "PUT"), [200]);

    n0.limitSpace(SHORT_BYTES);
    await cluster.until(
      "n0 refuses writes",
      10_000,
      () => n0.life!.running!.node.api.figures().diskLow,
    );
    await assertCalm(cluster, "all disks are full");
    assertEquals(await statuses(cluster, "PUT"), [503]);
    assertEquals(await statuses(cluster, "GET"), [200]);

    for (const node of cluster.nodes) node.freeSpace();
    await leads(cluster, { n0: 2, n1: 2, n2: 2 });
    assertEquals(await statuses(cluster, "PUT"), [200]);
    assert(cluster.failures.length === 0);
  });
});
