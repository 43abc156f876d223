// Nodes join, drain and leave while others crash, lose power, hang and are cut off at any step of the moves:
// every acknowledged write is kept, map and configurations agree in the end, and the cluster ends balanced.

import { assert, assertEquals } from "@std/assert";
import { type IdleCluster, withIdleCluster } from "./idle_cluster.ts";
import { SeededRandom } from "./random.ts";
import type { SimNode } from "./sim_node.ts";

const SEEDS = Array.from({ length: 8 }, (_, i) => i + 1);
const FAULTS = 14;
const KEYS = 30;

/** One fault that ends by itself within half a second. */
function disturb(cluster: IdleCluster, random: SeededRandom): void {
  const { scheduler, network, nodes } = cluster;
  const node = random.pick(nodes);
  const other = random.pick(nodes.filter((one) => one !== node));
  const downMs = random.between(20, 500);
  switch (random.pick(["crash", "power", "pause", "cut", "reset"])) {
    case "crash":
      node.crash();
      return void scheduler.schedule(downMs, () => node.start());
    case "power":
      node.powerCut(random.chance(0.5));
      return void scheduler.schedule(downMs, () => node.start());
    case "pause": {
      const incarnation = node.life?.incarnation;
      incarnation?.pause();
      return void scheduler.schedule(downMs, () => incarnation?.resume());
    }
    case "cut":
      network.blackhole(node.name, other.name);
      return void scheduler.schedule(downMs, () => network.heal(node.name, other.name));
    case "reset":
      return network.reset(node.name, other.name);
  }
}

/** Voters of every partition, as its leader's configuration and as the map have it. */
function assertAgreement(cluster: IdleCluster): void {
  for (const { partition, replica } of cluster.replicas()) {
    if (!replica.isLeader) continue;
    const { voters, learners, votersOutgoing } = replica.configuration.confState;
    assertEquals(votersOutgoing, [], `partition ${partition}`);
    if (partition !== 0) assertEquals(learners, [], `partition ${partition}`);
    for (const node of cluster.nodes) {
      const entry = node.life!.running!.node.topology.map.partitions[partition];
      const named = entry.replicas.map(({ replicaId }) => replicaId).toSorted((a, b) => a - b);
      assertEquals(voters, named, `partition ${partition} by ${node.name}'s map`);
    }
  }
}

async function assertKept(cluster: IdleCluster, node: SimNode): Promise<void> {
  for (let i = 0; i < KEYS; i++) {
    assertEquals((await cluster.fetch(node, `/key/k${i}?raw`)).status, 200, `k${i}`);
  }
}

Deno.test("moves that are disturbed at any step end where they would have ended", async () => {
  for (const seed of SEEDS) {
    const random = new SeededRandom(seed).stream("moves");
    await withIdleCluster({ nodes: 4, partitions: 8, seed }, async (cluster) => {
      for (let i = 0; i < KEYS; i++) {
        const node = cluster.nodes[i % 4];
        const put = await cluster.fetch(node, `/key/k${i}`, { method: "PUT", body: "v" });
        assertEquals(put.status, 201);
      }
      const [first, drained] = cluster.nodes;
      await cluster.post(first, "/cluster/members", { action: "drain", node: drained.name });
      cluster.join("n4");
      for (let i = 0; i < FAULTS; i++) {
        disturb(cluster, random);
        await cluster.run(random.between(20, 400));
      }
      cluster.network.healAll();
      await cluster.run(600);
      const ready = () =>
        cluster.nodes.every(({ life }) => life?.running?.node.api.ready().ready ?? false);
      await cluster.until(`seed ${seed}: all nodes are back`, 30_000, ready);
      await cluster.until(`seed ${seed}: balanced`, 60_000, () => {
        const { n1, ...others } = cluster.replicaCounts(first);
        return n1 === 0 && "n4" in others && Object.values(others).every((count) => count === 6);
      });
      await cluster.atRest(30_000);
      assertAgreement(cluster);
      for (const node of cluster.nodes) await assertKept(cluster, node);
      await cluster.until(`seed ${seed}: everything sleeps`, 30_000, () => cluster.isAsleep());
      assert(cluster.view(drained).members.some(({ state }) => state === "drained"));
    });
  }
});

Deno.test("a replica of few but large entries is given a vote only when it holds them", async () => {
  await withIdleCluster({ nodes: 4, partitions: 1 }, async (cluster) => {
    const value = "v".repeat(60_000);
    for (let i = 0; i < 60; i++) {
      const init = { method: "PUT", body: `${i} ${value}` };
      assertEquals((await cluster.fetch(cluster.nodes[i % 4], `/key/k${i}`, init)).status, 201);
    }
    const [first] = cluster.nodes;
    const { members, routing } = cluster.view(first);
    const holders = routing[0].replicas;
    const nameOf = (nodeId: string) => members.find((one) => one.nodeId === nodeId)!.name;
    const to = members.find(({ nodeId }) => !holders.includes(nodeId))!;
    const target = cluster.nodes.find(({ name }) => name === to.name)!;
    // Slow enough that there is a while in which the new replica holds little.
    for (const node of cluster.nodes) {
      if (node !== target) cluster.network.slow(node.name, target.name, 100);
    }
    const { status } = await cluster.post(first, "/cluster/partitions/1/move", {
      from: nameOf(holders[0]),
      to: to.name,
    });
    assertEquals(status, 200);
    let votes = false;
    await cluster.until("the move has ended", 60_000, () => {
      for (const { partition, replica } of cluster.replicas()) {
        if (partition !== 1 || !replica.isLeader) continue;
        const { voters } = replica.configuration.confState;
        if (!voters.includes(4)) continue;
        votes = true;
        const added = cluster.replicas([target]).find((one) => one.partition === 1);
        const held = added?.replica.core.lastIndex ?? 0;
        assert(held >= 60, `the new replica has a vote and ${held} entries`);
      }
      return votes && cluster.view(first).moves.length === 0;
    });
  });
});
