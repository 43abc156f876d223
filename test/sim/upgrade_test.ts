// A rolling upgrade: whole nodes of a program that speaks one peer protocol version more come in one by one,
// under writes, and one goes back. There is one program version so far; what differs here is what the nodes
// say and take on their links, which is what two programs would have to agree on.

import { assert, assertEquals } from "@std/assert";
import type { ProtocolVersions } from "../../src/transport/mod.ts";
import { type IdleCluster, withIdleCluster } from "./idle_cluster.ts";
import type { SimNode } from "./sim_node.ts";

const OLD: ProtocolVersions = { oldest: 1, newest: 1 };
const NEW: ProtocolVersions = { oldest: 1, newest: 2 };

/** Versions of the links that a node dialled, ascending by the other node's name. */
function versionsOf(cluster: IdleCluster, node: SimNode): (number | null)[] {
  const { transport } = node.life!.running!.node;
  const names = new Map(cluster.view(node).members.map(({ nodeId, name }) => [nodeId, name]));
  return transport.status()
    .toSorted((a, b) => names.get(a.nodeId)! < names.get(b.nodeId)! ? -1 : 1)
    .map(({ version }) => version);
}

/** Stops a node gracefully and starts it as another program on the same disk. */
async function replace(
  cluster: IdleCluster,
  node: SimNode,
  protocol: ProtocolVersions,
): Promise<void> {
  let stopped = false;
  node.stop(() => stopped = true);
  await cluster.until(`${node.name} has stopped`, 20_000, () => stopped);
  Object.assign(node.config, { protocol });
  node.start();
  await cluster.until(
    `${node.name} is back`,
    30_000,
    () => node.life?.running?.node.api.ready().ready ?? false,
  );
}

/** Writes and reads through every node, each a key of its own. */
async function use(cluster: IdleCluster, round: number): Promise<void> {
  for (const node of cluster.nodes) {
    for (let i = 0; i < 8; i++) {
      const path = `/key/${node.name}-${i}`;
      const put = await cluster.fetch(node, path, { method: "PUT", body: `round ${round}` });
      assertEquals(Math.floor(put.status / 100), 2, `${path} in round ${round}`);
    }
  }
  for (const node of cluster.nodes) {
    for (const { name } of cluster.nodes) {
      const got = await cluster.fetch(node, `/key/${name}-3?raw`);
      assertEquals(await got.text(), `round ${round}`);
    }
  }
}

Deno.test("nodes are replaced by the next program one by one, and one goes back", async () => {
  await withIdleCluster({ nodes: 3, partitions: 4 }, async (cluster) => {
    const [n0, n1, n2] = cluster.nodes;
    const all = () => cluster.nodes.map((node) => versionsOf(cluster, node));
    const linked = (expected: number[][]) =>
      cluster.until(
        `links by versions ${JSON.stringify(expected)}`,
        20_000,
        () => JSON.stringify(all()) === JSON.stringify(expected),
      );
    await use(cluster, 0);
    for (const node of cluster.nodes) await replace(cluster, node, OLD);
    await linked([[1, 1], [1, 1], [1, 1]]);
    await replace(cluster, n0, NEW);
    await use(cluster, 1);
    await linked([[1, 1], [1, 1], [1, 1]]);
    await replace(cluster, n1, NEW);
    await use(cluster, 2);
    await linked([[2, 1], [2, 1], [1, 1]]);
    await replace(cluster, n2, NEW);
    await use(cluster, 3);
    await linked([[2, 2], [2, 2], [2, 2]]);
    await replace(cluster, n1, OLD);
    await use(cluster, 4);
    await linked([[1, 2], [1, 1], [2, 1]]);
    assert(cluster.nodes.every((node) => cluster.view(node).members.length === 3));
  });
});
