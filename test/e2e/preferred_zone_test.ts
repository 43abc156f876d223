// A partition's leader goes to the zone that an operator prefers, and reads there are local (real processes).

import { assertEquals } from "@std/assert";
import {
  clusterView,
  TestCluster,
  type TestNode,
  until,
} from "../../scripts/bench/support/cluster.ts";

async function prefer(node: TestNode, partition: number, zone: string | null): Promise<number> {
  const response = await fetch(`http://${node.http}/cluster/partitions/${partition}/zone`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ preferredZone: zone }),
  });
  await response.body?.cancel();
  return response.status;
}

Deno.test("leaders go to their preferred zone, and come back when it is back", async () => {
  await using cluster = TestCluster.start({
    nodes: 3,
    flags: ["--partitions", "3"],
    nodeFlags: (name) => ["--zone", `z${name.slice(1)}`],
  });
  await cluster.ready();
  const [first, second, third] = cluster.nodes;
  for (const partition of [1, 2, 3]) assertEquals(await prefer(first, partition, "z2"), 200);
  assertEquals(await prefer(first, 1, "nowhere"), 409);
  assertEquals(await prefer(first, 9, "z2"), 404);
  const ledBy = (asked: TestNode, node: TestNode) =>
    until(`${node.name} leads all`, 30_000, async () => {
      const view = await clusterView(asked.http);
      const nodeId = view?.members.find(({ name }) => name === node.name)?.nodeId;
      return view?.partitions.filter(({ partition }) => partition > 0)
        .every(({ leaderNodeId }) => leaderNodeId === nodeId);
    });
  await ledBy(first, second);
  await cluster.kill(second);
  for (const partition of [1, 2, 3]) {
    await until(`partition ${partition} has another leader`, 30_000, async () => {
      const leader = await cluster.leader(partition);
      return leader !== second;
    });
  }
  cluster.spawn(second);
  await ledBy(third, second);
});
