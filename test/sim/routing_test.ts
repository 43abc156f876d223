// Requests that arrive where no leader is: at other nodes, at nodes without a replica, after a move.

import { assert, assertEquals } from "@std/assert";
import { type IdleCluster, withIdleCluster } from "./idle_cluster.ts";
import type { SimNode } from "./sim_node.ts";

const KEYS = 24;

function leaderOf(cluster: IdleCluster, partition: number): SimNode | undefined {
  return cluster.nodes.find((node) =>
    node.life !== undefined &&
    cluster.replicas([node]).some((one) => one.partition === partition && one.replica.isLeader)
  );
}

function partitionOf(cluster: IdleCluster, key: string): number {
  return cluster.nodes[0].life!.running!.node.api.partitionOf(key);
}

function put(cluster: IdleCluster, node: SimNode, key: string, headers: HeadersInit = {}) {
  return cluster.fetch(node, `/key/${key}`, { method: "PUT", body: key, headers });
}

// deno-lint-ignore no-explicit-any -- answers are looked into by name
async function json(cluster: IdleCluster, response: Response): Promise<any> {
  let value: unknown;
  response.json().then((parsed) => value = parsed);
  await cluster.until("a body", 1000, () => value !== undefined);
  return value;
}

Deno.test("any node takes any request, with a replica of the partition or without", async () => {
  await withIdleCluster({ nodes: 5, partitions: 10 }, async (cluster) => {
    for (let i = 0; i < KEYS; i++) {
      assertEquals((await put(cluster, cluster.nodes[i % 5], `k${i}`)).status, 201);
      for (const node of cluster.nodes) {
        assertEquals((await cluster.fetch(node, `/key/k${i}?raw`)).status, 200);
      }
    }
  });
});

Deno.test("a client that asks not to be forwarded gets the leader and the epoch, and no write happens", async () => {
  await withIdleCluster({ nodes: 5, partitions: 10 }, async (cluster) => {
    await cluster.run(25_000);
    for (let i = 0; i < KEYS; i++) {
      const key = `k${i}`;
      const leader = leaderOf(cluster, partitionOf(cluster, key))!;
      for (const node of cluster.nodes) {
        if (node === leader) continue;
        const answer = await put(cluster, node, key, { "pontoon-forward": "never" });
        assertEquals(answer.status, 421);
        const problem = await json(cluster, answer);
        assertEquals(
          [problem.code, problem.leader, problem.epoch, problem.outcome],
          ["not-leader", `http://${leader.config.http}`, cluster.view(node).epoch, "none"],
        );
        const redirect = await put(cluster, node, key, { "pontoon-forward": "redirect" });
        assertEquals(redirect.status, 307);
        assertEquals(redirect.headers.get("location"), `http://${leader.config.http}/key/${key}`);
      }
      assertEquals((await cluster.fetch(leader, `/key/${key}`)).status, 404);
      const own = await put(cluster, leader, key, { "pontoon-forward": "never" });
      assertEquals(own.status, 201);
    }
  });
});

Deno.test("a node that has learned of no new leader yet is corrected by the old one", async () => {
  await withIdleCluster({ nodes: 5, partitions: 10 }, async (cluster) => {
    await cluster.run(5000);
    for (const { partition, replicas } of cluster.view(cluster.nodes[0]).routing) {
      const key = Array.from({ length: 2000 }, (_, i) => `m${i}`)
        .find((name) => partitionOf(cluster, name) === partition)!;
      const stranger = cluster.nodes.find((node) => !replicas.includes(cluster.view(node).nodeId))!;
      const before = leaderOf(cluster, partition)!;
      const heir = cluster.nodes.find((node) =>
        node !== before && replicas.includes(cluster.view(node).nodeId)
      )!;
      const path = `/cluster/partitions/${partition}/transfer`;
      await cluster.post(before, path, { to: heir.name });
      await cluster.until("the heir leads", 2000, () => leaderOf(cluster, partition) === heir);
      assertEquals((await put(cluster, stranger, key)).status, 201, `partition ${partition}`);
    }
  });
});

Deno.test("writes sent all the time while replicas move are each applied once, and none is refused", async () => {
  await withIdleCluster({ nodes: 4, partitions: 4 }, async (cluster) => {
    const [asked] = cluster.nodes;
    const names = new Map(cluster.view(asked).members.map(({ nodeId, name }) => [nodeId, name]));
    for (const partition of [1, 2, 3, 4]) {
      const { replicas } = cluster.view(asked).routing[partition - 1];
      const holders = replicas.map((nodeId) => names.get(nodeId)!);
      const free = [...names.values()].find((name) => !holders.includes(name))!;
      const from = leaderOf(cluster, partition)!.name;
      const key = Array.from({ length: 2000 }, (_, i) => `w${i}`)
        .find((name) => partitionOf(cluster, name) === partition)!;
      const first = await json(cluster, await put(cluster, asked, key));
      const moved = await cluster.post(asked, `/cluster/partitions/${partition}/move`, {
        from,
        to: free,
      });
      assertEquals(moved.status, 200, JSON.stringify(moved.json));
      let revision: number = first.revision;
      const isMoving = () => cluster.view(asked).moves.some((one) => one.partition === partition);
      for (let i = 0; isMoving() || i < 20; i++) {
        const node = cluster.nodes[i % 4];
        const answer = await put(cluster, node, key, { "if-match": `"${revision}"` });
        // Each is conditional on the one before: one lost or done twice would show.
        assertEquals(answer.status, 200, `write ${i} to ${node.name}`);
        const next: number = (await json(cluster, answer)).revision;
        assert(next > revision);
        revision = next;
        await cluster.run(5);
      }
      await cluster.atRest(30_000);
    }
  });
});
