// Stale reads on a simulated cluster: never older than they may be, though a node is cut off or a deposed
// leader goes on; and never behind what a session has seen (PROTOCOL.md, Stale reads).

import { assert, assertEquals } from "@std/assert";
import { type IdleCluster, withIdleCluster } from "./idle_cluster.ts";
import { SeededRandom } from "./random.ts";
import type { SimNode } from "./sim_node.ts";

const PARTITION = 1;

interface Read {
  readonly status: number;
  readonly value: string;
  /** The replica's own state, or the leader's. */
  readonly local: boolean;
  readonly ageMs: number | undefined;
  readonly index: number;
}

async function read(
  cluster: IdleCluster,
  node: SimNode,
  query: string,
  headers: HeadersInit = {},
): Promise<Read> {
  const response = await cluster.fetch(node, `/key/k?raw&consistency=stale${query}`, {
    headers: { "pontoon-timeout-ms": "500", ...headers },
  });
  const age = response.headers.get("pontoon-staleness-ms");
  const appliedAt = response.headers.get("pontoon-applied-at");
  return {
    status: response.status,
    value: response.ok ? await response.text() : "",
    local: appliedAt !== null,
    ageMs: age === null ? undefined : Number(age),
    index: Number(appliedAt ?? response.headers.get("pontoon-applied")),
  };
}

/** Puts a value; returns the index at which it was applied. */
async function put(cluster: IdleCluster, node: SimNode, value: string): Promise<number> {
  const response = await cluster.fetch(node, "/key/k", { method: "PUT", body: value });
  assert(response.ok, `${response.status}`);
  return Number(response.headers.get("pontoon-applied"));
}

function isLeader(node: SimNode): boolean {
  return node.life!.running!.node.hosting!.data(PARTITION)!.replica.isLeader;
}

Deno.test("a cut-off replica answers stale reads without a bound, and no others", async () => {
  await withIdleCluster({ nodes: 3, partitions: 1 }, async (cluster) => {
    const leader = cluster.nodes.find(isLeader)!;
    const [cut, other] = cluster.nodes.filter((node) => node !== leader);
    await put(cluster, leader, "1");
    // The first read asks the leader, and begins to keep the replica fresh.
    assertEquals((await read(cluster, cut, "&maxStaleness=300")).local, false);
    await cluster.run(500);
    const fresh = await read(cluster, cut, "&maxStaleness=300");
    assertEquals([fresh.value, fresh.local], ["1", true]);
    assert(fresh.ageMs! <= 300, `${fresh.ageMs}`);
    cluster.network.partition([cut.name], [leader.name, other.name]);
    await put(cluster, other, "2");
    await cluster.run(1000);
    const bounded = await read(cluster, cut, "&maxStaleness=300");
    assertEquals(bounded.status, 503);
    const unbounded = await read(cluster, cut, "");
    assertEquals([unbounded.value, unbounded.local], ["1", true]);
    assert(unbounded.ageMs! >= 1000, `${unbounded.ageMs}`);
  });
});

Deno.test("a deposed leader in a minority makes nothing look fresh", async () => {
  await withIdleCluster({ nodes: 5, partitions: 1 }, async (cluster) => {
    const replicas = cluster.nodes.filter((node) =>
      node.life!.running!.node.hosting!.data(PARTITION) !== undefined
    );
    const leader = replicas.find(isLeader)!;
    const others = cluster.nodes.filter((node) => node !== leader).map(({ name }) => name);
    await put(cluster, leader, "1");
    await read(cluster, leader, "&maxStaleness=300");
    await cluster.run(500);
    assertEquals((await read(cluster, leader, "&maxStaleness=300")).local, true);
    cluster.network.partition([leader.name], others);
    await cluster.run(310);
    // It still believes that it leads; what it has was not confirmed for longer than allowed.
    const answer = await read(cluster, leader, "&maxStaleness=300");
    assertEquals(answer.status, 503);
  });
});

Deno.test("a session's reads are never behind its writes, and never run back", async () => {
  await withIdleCluster({ nodes: 3, partitions: 1 }, async (cluster) => {
    const random = new SeededRandom(7);
    let seen = 0;
    let local = 0;
    for (let i = 1; i <= 40; i++) {
      const value = String(i);
      seen = await put(cluster, cluster.nodes[random.int(3)], value);
      for (let j = 0; j < 3; j++) {
        const node = cluster.nodes[random.int(3)];
        const answer = await read(cluster, node, "", { "pontoon-min-applied": String(seen) });
        assertEquals(answer.value, value);
        assert(answer.index >= seen, `${answer.index} behind ${seen}`);
        seen = answer.index;
        if (answer.local) local++;
        await cluster.run(random.int(5));
      }
    }
    assert(local > 20, `${local} of 120 were answered where they were asked`);
  });
});

Deno.test("no answer is older than it says, under a load of writes", async () => {
  await withIdleCluster({ nodes: 3, partitions: 1 }, async (cluster) => {
    const { scheduler } = cluster;
    const random = new SeededRandom(11);
    /** When each value was acknowledged. */
    const acknowledgedMs: number[] = [];
    for (let i = 0; i < 150; i++) {
      await put(cluster, cluster.nodes[random.int(3)], String(i));
      acknowledgedMs[i] = scheduler.nowMs;
      if (random.int(10) === 0) {
        const [a, b] = [cluster.nodes[random.int(3)].name, cluster.nodes[random.int(3)].name];
        if (a !== b) cluster.network.clog(a, b, random.int(60));
      }
      const startMs = scheduler.nowMs;
      const answer = await read(cluster, cluster.nodes[random.int(3)], "&maxStaleness=60");
      if (answer.status !== 200) continue;
      const ageMs = answer.local ? answer.ageMs! : 0;
      assert(ageMs <= 60);
      // Everything acknowledged so long before the read began is in it.
      const due = acknowledgedMs.findLastIndex((atMs) => atMs <= startMs - ageMs);
      assert(Number(answer.value) >= due, `${answer.value}, though ${due} was ${ageMs} ms old`);
    }
  });
});
