// Whole nodes that come, go, are drained and lost, and what an operator may ask for meanwhile.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type IdleCluster, withIdleCluster } from "./idle_cluster.ts";
import type { SimNode } from "./sim_node.ts";

const KEYS = 40;

async function fill(cluster: IdleCluster): Promise<void> {
  for (let i = 0; i < KEYS; i++) {
    const answer = await cluster.fetch(cluster.nodes[i % 3], `/key/k${i}`, {
      method: "PUT",
      body: `v${i}`,
    });
    assertEquals(answer.status, 201);
  }
}

async function assertFull(cluster: IdleCluster, node: SimNode): Promise<void> {
  for (let i = 0; i < KEYS; i++) {
    const answer = await cluster.fetch(node, `/key/k${i}?raw`);
    assertEquals(answer.status, 200, `k${i}`);
  }
}

function spread(counts: Record<string, number>): number {
  const values = Object.values(counts);
  return Math.max(...values) - Math.min(...values);
}

Deno.test("a joining node gets its share of replicas and leaders, and no more moves than it takes", async () => {
  await withIdleCluster({ nodes: 3, partitions: 16 }, async (cluster) => {
    await fill(cluster);
    const moved = new Set<string>();
    const node = cluster.join("n3");
    await cluster.until("n3 is ready and has its share", 60_000, () => {
      for (const { partition, beganEpoch } of cluster.view(cluster.nodes[0]).moves) {
        moved.add(`${partition} ${beganEpoch}`);
      }
      const ready = node.life?.running?.node.api.ready().ready ?? false;
      const done = ready && spread(cluster.replicaCounts(cluster.nodes[0])) <= 1;
      if (!done) assertEquals(cluster.leaderCounts().n3 ?? 0, 0, "leaders are evened out last");
      return done;
    });
    await cluster.atRest(20_000);
    assertEquals(cluster.replicaCounts(node), { n0: 12, n1: 12, n2: 12, n3: 12 });
    assert(moved.size <= Math.ceil(16 * 3 / 4) + 1, `${moved.size} moves`);
    await cluster.until("leaders are even", 30_000, () => spread(cluster.leaderCounts()) <= 1);
    await assertFull(cluster, node);
    await cluster.until("everything sleeps", 20_000, () => cluster.isAsleep());
  });
});

Deno.test("a drained node ends with no replicas, says so, and takes part again when activated", async () => {
  await withIdleCluster({ nodes: 4, partitions: 8 }, async (cluster) => {
    await fill(cluster);
    const [asked, drained] = cluster.nodes;
    const { status } = await cluster.post(asked, "/cluster/members", {
      action: "drain",
      node: "n1",
    });
    assertEquals(status, 200);
    const stateOf = (node: SimNode) =>
      cluster.view(node).members.find(({ name }) => name === "n1")?.state;
    await cluster.until("n1 is drained", 30_000, () => stateOf(drained) === "drained");
    await cluster.atRest(20_000);
    assertEquals(cluster.replicaCounts(asked), { n0: 8, n1: 0, n2: 8, n3: 8 });
    assertEquals(cluster.view(drained).partitions.map(({ partition }) => partition), [0]);
    assertEquals(cluster.view(asked).members.length, 4);
    await assertFull(cluster, drained);
    await cluster.post(asked, "/cluster/members", { action: "activate", node: "n1" });
    await cluster.until(
      "n1 has its share",
      30_000,
      () => spread(cluster.replicaCounts(asked)) <= 1,
    );
    assertEquals(stateOf(asked), "active");
  });
});

Deno.test("a removed node hands everything over and is no member any more", async () => {
  await withIdleCluster({ nodes: 4, partitions: 8 }, async (cluster) => {
    await fill(cluster);
    const [asked, removed] = cluster.nodes;
    await cluster.post(removed, "/cluster/members", { action: "remove", node: "n1" });
    await cluster.until("n1 is gone", 30_000, () => {
      return !cluster.view(asked).members.some(({ name }) => name === "n1");
    });
    removed.powerCut(false);
    await assertFull(cluster, asked);
    assertEquals(cluster.replicaCounts(asked), { n0: 8, n2: 8, n3: 8 });
  });
});

Deno.test("what would cost a partition its quorum, or the last copy, is refused with the reason", async () => {
  await withIdleCluster({ nodes: 3, partitions: 4 }, async (cluster) => {
    const [asked, , down] = cluster.nodes;
    const change = (body: unknown) => cluster.post(asked, "/cluster/members", body);
    down.crash();
    await cluster.run(2000);
    for (const action of ["remove", "drain"]) {
      const { status, json } = await change({ action, node: "n1" });
      assertEquals(status, 409, action);
      assertMatch(json.detail, /^n1 can't go now: partition \d+ could not leave it: /);
    }
    assertEquals((await change({ action: "remove", node: "nobody" })).status, 404);
    assertEquals((await change({ action: "remove", node: "n2" })).status, 200);
    await cluster.until("n2 is gone", 30_000, () => cluster.view(asked).members.length === 2);
    assertEquals((await change({ action: "remove", node: "n1" })).status, 200);
    await cluster.until("n1 is gone", 30_000, () => cluster.view(asked).members.length === 1);
    const last = await change({ action: "remove", node: "n0" });
    assertEquals(last.status, 409);
    assertMatch(last.json.detail, /last active member/);
    assertEquals((await cluster.fetch(asked, "/key/a", { method: "PUT", body: "1" })).status, 201);
  });
});

// With other seeds than 1 the replica would score highest where it came from.
for (const seed of [1, 2, 10, 11]) {
  Deno.test(`a replica is moved by hand and stays, or is refused with the reason, seed ${seed}`, () =>
    moveByHand(seed));
}

async function moveByHand(seed: number): Promise<void> {
  await withIdleCluster({ nodes: 4, partitions: 8, seed }, async (cluster) => {
    await fill(cluster);
    const view = cluster.view(cluster.nodes[0]);
    const nameOf = (id: string) => view.members.find(({ nodeId }) => nodeId === id)!.name;
    const { partition, replicas } = view.routing[0];
    const holders = replicas.map(nameOf);
    const free = ["n0", "n1", "n2", "n3"].find((name) => !holders.includes(name))!;
    const asked = cluster.nodes.find(({ name }) => name === holders[0])!;
    const move = (body: unknown, id: number = partition) =>
      cluster.post(asked, `/cluster/partitions/${id}/move`, body);
    const refused = async (body: unknown, status: number, words: RegExp, id?: number) => {
      const answer = await move(body, id);
      assertEquals(answer.status, status);
      assertMatch(answer.json.detail, words);
    };
    await refused({ from: holders[0], to: "x" }, 404, /no member x/);
    await refused({ from: holders[0], to: free }, 404, /no partition 99/, 99);
    await refused({ from: free, to: holders[0] }, 409, /holds no voter/);
    await refused({ from: holders[0], to: holders[1] }, 409, /holds a voter of the partition/);
    const lost = cluster.nodes.find(({ name }) => name === free)!;
    lost.crash();
    await cluster.run(2000);
    await refused({ from: holders[0], to: free }, 409, /out of reach/);
    lost.start();
    await cluster.until(
      "it is back",
      10_000,
      () => cluster.nodes.every(({ life }) => life?.running?.node.api.ready().ready ?? false),
    );
    assertEquals((await move({ from: holders[0], to: free })).status, 200);
    await refused({ from: holders[1], to: free }, 409, /move/);
    // The other partitions balance what this one has put out of balance.
    await cluster.atRest(40_000);
    const now = cluster.view(asked).routing[0].replicas.map(nameOf).toSorted();
    assertEquals(now, [...holders.slice(1), free].toSorted());
    await assertFull(cluster, lost);
  });
}

Deno.test("leadership is handed over by any node that is asked, or refused with the reason", async () => {
  await withIdleCluster({ nodes: 4, partitions: 4 }, async (cluster) => {
    await cluster.run(10_000);
    const view = cluster.view(cluster.nodes[0]);
    const nameOf = (id: string) => view.members.find(({ nodeId }) => nodeId === id)!.name;
    const { partition, replicas } = view.routing[0];
    const holders = replicas.map(nameOf);
    const leads = (name: string) =>
      cluster.replicas(cluster.nodes.filter((node) => node.name === name))
        .some((hosted) => hosted.partition === partition && hosted.replica.isLeader);
    for (const to of holders) {
      for (const asked of cluster.nodes) {
        const path = `/cluster/partitions/${partition}/transfer`;
        assertEquals((await cluster.post(asked, path, { to })).status, 200, asked.name);
        await cluster.until(`${to} leads`, 2000, () => leads(to));
      }
    }
    const stranger = ["n0", "n1", "n2", "n3"].find((name) => !holders.includes(name));
    const path = `/cluster/partitions/${partition}/transfer`;
    const { status, json } = await cluster.post(cluster.nodes[0], path, { to: stranger });
    assertEquals(status, 409);
    assertMatch(json.detail, /holds no voter/);
  });
});

Deno.test("a node of five lost for ever: every partition has three replicas again without a hand", async () => {
  await withIdleCluster({ nodes: 5, partitions: 10, deadAfterMs: 3000 }, async (cluster) => {
    await fill(cluster);
    const [asked, , , , lost] = cluster.nodes;
    lost.powerCut(true);
    const whole = () =>
      cluster.view(asked).routing.every(({ replicas }) => {
        const gone = cluster.view(asked).members.find(({ name }) => name === "n4")!.nodeId;
        return replicas.length === 3 && !replicas.includes(gone);
      });
    await cluster.until("three replicas each", 60_000, whole);
    await cluster.atRest(30_000);
    const counts = cluster.replicaCounts(asked);
    assertEquals(counts.n4, 0);
    delete counts.n4;
    assert(spread(counts) <= 1, JSON.stringify(counts));
    await assertFull(cluster, asked);
    await cluster.until("leaders are even", 30_000, () => spread(cluster.leaderCounts()) <= 1);
  });
});

Deno.test("a node that was removed learns of it, and refuses at once", async () => {
  await withIdleCluster({ nodes: 4, partitions: 4 }, async (cluster) => {
    const [asked, , , removed] = cluster.nodes;
    await cluster.post(asked, "/cluster/members", { action: "remove", node: removed.name });
    await cluster.until("it is no member", 60_000, () => cluster.view(asked).members.length === 3);
    const reasonOf = () => removed.life?.running?.node.api.ready().reason;
    await cluster.until("it knows", 10_000, () => reasonOf() === "not a member of the cluster");
    const beganMs = cluster.scheduler.nowMs;
    const { status } = await cluster.fetch(removed, "/key/k", { method: "PUT", body: "v" });
    assertEquals(status, 503);
    assert(cluster.scheduler.nowMs - beganMs < 200, "without waiting for anybody");
  });
});
