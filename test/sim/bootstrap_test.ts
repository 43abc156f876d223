// A cluster's first start, cut short at any moment and begun again: it comes to be, whole.

import { assertEquals } from "@std/assert";
import { withCluster } from "./idle_cluster.ts";

const PARTITIONS = 6;

Deno.test("a first start that loses power at any moment is completed by the next one", async () => {
  for (let cutMs = 2; cutMs <= 242; cutMs += 20) {
    for (const everyone of [true, false]) {
      await withCluster({ nodes: 3, partitions: PARTITIONS, seed: cutMs }, async (cluster) => {
        cluster.start();
        await cluster.run(cutMs);
        const cut = everyone ? cluster.nodes : [cluster.nodes[cutMs % 3]];
        for (const node of cut) node.powerCut(false);
        await cluster.run(50);
        for (const node of cut) node.start();
        await cluster.settle();
        assertEquals(cluster.leaders().size, PARTITIONS + 1, `cut at ${cutMs} ms`);
      });
    }
  }
});
