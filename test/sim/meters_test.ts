// What nodes count of their own work, over a whole cluster: each kind of work shows up where it was done.

import { assert, assertEquals } from "@std/assert";
import { withIdleCluster } from "./idle_cluster.ts";

Deno.test("reads, applies, elections and remembered outcomes are counted where they happen", async () => {
  await withIdleCluster({ nodes: 3, partitions: 2 }, async (cluster) => {
    for (let i = 0; i < 8; i++) {
      const headers = { "idempotency-key": `k${i}` };
      const { status } = await cluster.fetch(cluster.nodes[0], `/key/k${i}`, {
        method: "PUT",
        body: "v",
        headers,
      });
      assertEquals(status, 201);
      assertEquals((await cluster.fetch(cluster.nodes[1], `/key/k${i}`)).status, 200);
    }
    const apis = cluster.nodes.map(({ life }) => life!.running!.node.api);
    for (const { meters } of apis) {
      assert(meters.apply.count > 0);
      assert(meters.election.count >= 2, "every partition found its first leader");
    }
    const rounds = apis.reduce((sum, { meters }) => sum + meters.readIndex.count, 0);
    assert(rounds >= 8, `${rounds} rounds of ReadIndex for 8 reads, one after the other`);
    const figures = apis.map((api) => api.figures().partitions);
    for (const partitions of figures) {
      assertEquals(partitions.reduce((sum, one) => sum + one.rememberedOutcomes, 0), 8);
      assert(partitions.every((one) => one.historyBytes > 0 && one.proposals === 0));
    }
  });
});
