// Whole nodes whose groups all sleep: what concerns them is noticed without any traffic (RULES 12).

import { assert, assertEquals } from "@std/assert";
import { MessageType, newMessage } from "../../src/raft/mod.ts";
import { type IdleCluster, withIdleCluster } from "./idle_cluster.ts";
import type { SimNode } from "./sim_node.ts";

const OPTIONS = { nodes: 3, partitions: 12 };

/** The node that leads the most partitions. */
function busiest(cluster: IdleCluster): SimNode {
  const leads = (node: SimNode) =>
    cluster.replicas([node]).filter(({ replica }) => replica.isLeader).length;
  return cluster.nodes.toSorted((a, b) => leads(b) - leads(a))[0];
}

function hasLeaders(cluster: IdleCluster, nodes: readonly SimNode[]): boolean {
  const leaders = new Set(
    cluster.replicas(nodes).filter(({ replica }) => replica.isLeader).map(({ partition }) =>
      partition
    ),
  );
  return cluster.replicas(nodes).every(({ partition }) => leaders.has(partition));
}

Deno.test("a sleeping cluster keeps its leaders, its terms and its peace", async () => {
  await withIdleCluster(OPTIONS, async (cluster) => {
    // Leaders are evened out once the map is quiet; that wakes groups for a moment.
    await cluster.run(15_000);
    await cluster.until("everything sleeps again", 10_000, () => cluster.isAsleep());
    const leaders = cluster.leaders();
    const bytes = () =>
      cluster.nodes.flatMap(({ life }) => life!.running!.node.transport.status())
        .reduce((sum, { writtenBytes }) => sum + writtenBytes, 0);
    const before = bytes();
    let awake = 0;
    for (let second = 0; second < 60; second++) {
      await cluster.run(1000);
      if (!cluster.isAsleep()) awake++;
    }
    assertEquals(awake, 0);
    assertEquals(cluster.leaders(), leaders);
    // Keepalives: 28 bytes and a frame header, ten a second, on each of six links; and the membership
    // gossip of three nodes, about four messages of 300 bytes in each round of half a second.
    const bytesMax = 60 * (10 * 6 * 48 + 3 * 2 * 4 * 300);
    assert(bytes() - before < bytesMax, `${bytes() - before} bytes`);
  });
});

Deno.test("a node that loses power while all its groups sleep is noticed within two seconds", async () => {
  await withIdleCluster(OPTIONS, async (cluster) => {
    const lost = busiest(cluster);
    const others = cluster.nodes.filter((node) => node !== lost);
    lost.powerCut(true);
    await cluster.until("new leaders", 2000, () => hasLeaders(cluster, others));
    lost.start();
    await cluster.until("everything sleeps", 20_000, () => cluster.isAsleep());
    cluster.leaders();
  });
});

Deno.test("a node that hangs while all its groups sleep is replaced as leader, and comes back as follower", async () => {
  await withIdleCluster(OPTIONS, async (cluster) => {
    const hung = busiest(cluster);
    const others = cluster.nodes.filter((node) => node !== hung);
    const { incarnation } = hung.life!;
    incarnation.pause();
    await cluster.until("new leaders", 2500, () => hasLeaders(cluster, others));
    incarnation.resume();
    await cluster.until("everything sleeps", 20_000, () => cluster.isAsleep());
    cluster.leaders();
  });
});

Deno.test("a leader that can be heard but not hear, or hear but not be heard, does not sleep on", async () => {
  for (const direction of ["out", "in"] as const) {
    await withIdleCluster(OPTIONS, async (cluster) => {
      const cut = busiest(cluster);
      const others = cluster.nodes.filter((node) => node !== cut);
      for (const other of others) {
        if (direction === "out") cluster.network.blackhole(cut.name, other.name);
        else cluster.network.blackhole(other.name, cut.name);
      }
      await cluster.until("new leaders", 4000, () => hasLeaders(cluster, others));
      cluster.network.healAll();
      await cluster.until("everything sleeps", 20_000, () => cluster.isAsleep());
      cluster.leaders();
    });
  }
});

Deno.test("a reset link wakes its groups and costs no leader its place", async () => {
  await withIdleCluster(OPTIONS, async (cluster) => {
    await cluster.run(15_000);
    await cluster.until("everything sleeps", 10_000, () => cluster.isAsleep());
    const leaders = cluster.leaders();
    const [a, b] = cluster.nodes;
    cluster.network.reset(a.name, b.name);
    await cluster.until("somebody wakes", 1000, () => !cluster.isAsleep());
    await cluster.until("everything sleeps again", 10_000, () => cluster.isAsleep());
    assertEquals(cluster.leaders(), leaders);
  });
});

Deno.test("a write to a sleeping group is answered at once, and the others sleep on", async () => {
  await withIdleCluster(OPTIONS, async (cluster) => {
    await cluster.run(15_000);
    await cluster.until("everything sleeps", 10_000, () => cluster.isAsleep());
    const startedMs = cluster.scheduler.nowMs;
    const answer = await cluster.fetch(cluster.nodes[0], "/key/a", { method: "PUT", body: "1" });
    assertEquals(answer.status, 201);
    assert(cluster.scheduler.nowMs - startedMs < 100);
    const awake = new Set(
      cluster.replicas().filter(({ replica }) => !replica.asleep).map(({ partition }) => partition),
    );
    assertEquals(awake.size, 1);
  });
});

Deno.test("a key expires in a sleeping group within 200 ms of its time", async () => {
  await withIdleCluster(OPTIONS, async (cluster) => {
    const [node] = cluster.nodes;
    await cluster.fetch(node, "/key/a?ttl=10", { method: "PUT", body: "1" });
    await cluster.run(6000);
    await cluster.until("everything sleeps", 3000, () => cluster.isAsleep());
    const counted = () =>
      cluster.replicas().reduce(
        (sum, hosted) => sum + (hosted.kind === "data" && hosted.machine.store.get("a") ? 1 : 0),
        0,
      );
    assertEquals(counted(), 3);
    await cluster.until("the key is gone everywhere", 4200, () => counted() === 0);
  });
});

Deno.test("a word of sleep that comes late, from a leader that is gone, puts nobody to sleep", async () => {
  await withIdleCluster(OPTIONS, async (cluster) => {
    const lost = busiest(cluster);
    const led = cluster.replicas([lost]).filter(({ replica }) => replica.isLeader);
    const late = led.map(({ partition, replica }) => {
      const { id, term, core } = replica;
      return { partition, from: id, term, index: core.lastIndex };
    });
    lost.powerCut(false);
    const others = cluster.nodes.filter((node) => node !== lost);
    const waiting = () =>
      others.flatMap((node) =>
        cluster.replicas([node]).flatMap(({ partition, replica }) => {
          const word = late.find((one) => one.partition === partition && one.term === replica.term);
          return word !== undefined && replica.leader === 0 ? [{ node, replica, word }] : [];
        })
      );
    await cluster.until("its followers wait for a leader", 1000, () => waiting().length > 0);
    for (const { node, replica, word } of waiting()) {
      const { from, term, index } = word;
      const message = Object.assign(newMessage(MessageType.Quiesce, replica.id, from), {
        term,
        logTerm: term,
        index,
        commit: index,
      });
      node.life!.incarnation.run(() => replica.step(message, 0));
      assertEquals(replica.asleep, false);
    }
    await cluster.until("new leaders", 2500, () => hasLeaders(cluster, others));
  });
});

Deno.test("a leader that is suspected though it lives is forgotten, and found again within 200 ms", async () => {
  await withIdleCluster(OPTIONS, async (cluster) => {
    await cluster.run(15_000);
    await cluster.until("everything sleeps", 10_000, () => cluster.isAsleep());
    const leaders = cluster.leaders();
    const suspected = busiest(cluster);
    const led = cluster.replicas([suspected]).filter(({ replica }) => replica.isLeader);
    const { nodeId } = suspected.life!.running!.node;
    const [other] = cluster.nodes.filter((node) => node !== suspected);
    const { incarnation, running } = other.life!;
    incarnation.run(() => running!.node.hosting!.peerDoubted(nodeId));
    await cluster.run(0.1);
    const followers = cluster.replicas([other])
      .filter(({ partition }) => led.some((one) => one.partition === partition));
    assert(followers.every(({ replica }) => !replica.asleep && replica.leader === 0));
    await cluster.until(
      "the leader is known again",
      200,
      () => followers.every(({ replica }) => replica.leader !== 0),
    );
    assertEquals(cluster.leaders(), leaders);
  });
});
