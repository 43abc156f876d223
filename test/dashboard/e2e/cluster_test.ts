// The dashboard of a real cluster in a real browser follows a leader's death and return.

import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  clusterView,
  TestCluster,
  type TestNode,
  until,
} from "../../../scripts/bench/support/cluster.ts";
import { browserTest, PATIENCE_MS, shownLeader, withPage } from "./page_host.ts";

async function leaderName(node: TestNode, partition: number): Promise<string> {
  const view = await clusterView(node.http);
  const leader = view?.routing.find((one) => one.partition === partition)?.leader;
  return view?.members.find(({ nodeId }) => nodeId === leader)?.name ?? "";
}

Deno.test({
  name: "the page shows a healthy cluster, follows its leader's death, and sees it come back",
  ...browserTest,
  async fn() {
    await using cluster = TestCluster.start({ nodes: 3, partitions: 4 });
    await cluster.ready();
    const [asked] = cluster.nodes;
    await withPage(`http://${asked.http}/`, async (page) => {
      await page.waitForSelector(".health.well");
      assertEquals(await page.locator(".map tbody .cell").count(), 15, "meta and 4, on 3 nodes");
      for (const words of ["4 partitions", "3 nodes", "Disk syncs"]) {
        assertStringIncludes(await page.locator("body").innerText(), words);
      }
      // The balance of leaders sees to it that another node leads something.
      const [partition, victim] = await until("another node leads", PATIENCE_MS, async () => {
        for (const one of [1, 2, 3, 4]) {
          const name = await shownLeader(page, one);
          const node = cluster.nodes.find((other) => other.name === name);
          if (node !== undefined && node !== asked) return [one, node] as const;
        }
        return undefined;
      });
      // Told by the node itself, in its next report.
      await page.waitForSelector(`.timeline >> text=${victim.name} started`);
      await cluster.kill(victim);
      await page.waitForSelector(`.health .sentence >> text=${victim.name}`);
      // What the node knows and what the page shows, both looked at all the time.
      const known = until("the node knows the new leader", PATIENCE_MS, async () => {
        const name = await leaderName(asked, partition);
        return name !== "" && name !== victim.name ? performance.now() : undefined;
      });
      const shown = shownLeader(page, partition, victim.name).then(() => performance.now());
      console.log(`shown ${Math.round(await shown - await known)} ms after the node knew`);
      await until("the page and the node agree", PATIENCE_MS, async () => {
        const name = await shownLeader(page, partition);
        return name === await leaderName(asked, partition) && name !== victim.name;
      });
      await page.waitForSelector(".health.degraded");
      const health = await page.locator(".health").innerText();
      assertStringIncludes(health, `${victim.name} does not answer.`);
      assertStringIncludes(health, "There is no other node to put its replicas on");
      const row = page.locator(".members tbody tr", { hasText: victim.name });
      assertStringIncludes(await row.innerText(), "silent");
      cluster.spawn(victim);
      // Whether its silence ever was an event of its own depends on how soon it is back.
      await page.waitForSelector(".health.well");
    });
  },
});
