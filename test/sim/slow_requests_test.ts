// The log of slow requests puts the blame where it belongs: on the disk, on the way to the followers, or on the
// node that was forwarded to; each cause is made here and no other.

import { assert, assertEquals } from "@std/assert";
import { type IdleCluster, withIdleCluster } from "./idle_cluster.ts";
import type { SimNode } from "./sim_node.ts";

const SLOW_MS = 100;
const DELAY_MS = 300;

interface Line {
  readonly node: string;
  // deno-lint-ignore no-explicit-any -- fields of a log line are looked into by name
  readonly fields: any;
}

function withLines(body: (cluster: IdleCluster, lines: Line[]) => Promise<void>): Promise<void> {
  const lines: Line[] = [];
  const options = {
    nodes: 3,
    partitions: 1,
    slowRequestMs: SLOW_MS,
    onLog: (node: string, message: string, fields: Record<string, unknown>) => {
      if (message === "slow request") lines.push({ node, fields });
    },
  };
  return withIdleCluster(options, async (cluster) => {
    lines.length = 0; // boot may be slow
    await body(cluster, lines);
  });
}

/** The leader of the only partition, and the others. */
function rolesIn(cluster: IdleCluster): [SimNode, SimNode, SimNode] {
  const leads = (node: SimNode) =>
    cluster.replicas([node]).some(({ kind, replica }) => kind === "data" && replica.isLeader);
  const leader = cluster.nodes.find(leads)!;
  const [one, other] = cluster.nodes.filter((node) => node !== leader);
  return [leader, one, other];
}

async function put(cluster: IdleCluster, node: SimNode): Promise<void> {
  const { status } = await cluster.fetch(node, "/key/some%2Fkey", { method: "PUT", body: "v" });
  assert(status === 200 || status === 201, `${status}`);
}

Deno.test("a quick request is not told of", async () => {
  await withLines(async (cluster, lines) => {
    const [leader] = rolesIn(cluster);
    await put(cluster, leader);
    assertEquals((await cluster.fetch(leader, "/key/some%2Fkey")).status, 200);
    assertEquals(lines, []);
  });
});

Deno.test("a slow disk under the leader: its sync took the time", async () => {
  await withLines(async (cluster, lines) => {
    const [leader, one] = rolesIn(cluster);
    leader.slowSyncs(DELAY_MS, 5000);
    one.slowSyncs(DELAY_MS, 5000);
    await put(cluster, leader);
    const [{ node, fields }] = lines;
    assertEquals([lines.length, node], [1, leader.name]);
    const { operation, target, status, partition, term, spent } = fields;
    assertEquals([operation, target, status, partition], ["put", "/key/some%2Fkey", 201, 1]);
    assert(term > 0 && spent.ledHere);
    assert(spent.fsyncMs >= DELAY_MS, JSON.stringify(spent));
    assert(spent.queueMs + spent.applyMs + spent.answerMs < 50, JSON.stringify(spent));
    assert(!JSON.stringify(fields).includes('"v"'), "no value is ever logged");
  });
});

Deno.test("slow links to both followers: replication took the time, and ReadIndex of a read", async () => {
  await withLines(async (cluster, lines) => {
    const [leader, ...followers] = rolesIn(cluster);
    for (const { name } of followers) cluster.network.slow(leader.name, name, DELAY_MS);
    await put(cluster, leader);
    const { spent } = lines[0].fields;
    assert(spent.replicationMs >= DELAY_MS, JSON.stringify(spent));
    assert(spent.fsyncMs < 50, JSON.stringify(spent));
    lines.length = 0;
    assertEquals((await cluster.fetch(leader, "/key/some%2Fkey")).status, 200);
    const { operation, spent: read } = lines[0].fields;
    assertEquals(operation, "get");
    assert(read.readIndexMs >= DELAY_MS, JSON.stringify(read));
  });
});

Deno.test("a request that was forwarded is told of by both nodes, and explained by the leader", async () => {
  await withLines(async (cluster, lines) => {
    const [leader, one, other] = rolesIn(cluster);
    for (const { name } of [one, other]) cluster.network.slow(leader.name, name, DELAY_MS);
    await put(cluster, one);
    const byNode = new Map(lines.map(({ node, fields }) => [node, fields]));
    assertEquals(byNode.get(one.name).spent, { ledHere: false });
    const { operation, from, spent } = byNode.get(leader.name);
    assertEquals([operation, from], ["peer write", one.life!.running!.node.nodeId]);
    assert(spent.replicationMs >= DELAY_MS, JSON.stringify(spent));
  });
});

Deno.test("at most ten lines a second, and the next one says how many there would have been", async () => {
  await withLines(async (cluster, lines) => {
    const [leader, ...followers] = rolesIn(cluster);
    for (const { name } of followers) cluster.network.slow(leader.name, name, DELAY_MS);
    const { slowRequests } = leader.life!.running!.node.api;
    const request = { operation: "put", partition: 1, index: undefined, startedMs: 0 };
    for (let i = 0; i < 25; i++) slowRequests.tell(request);
    assertEquals(lines.length, 10);
    await cluster.run(1100);
    slowRequests.tell(request);
    assertEquals([lines.length, lines[10].fields.notTold], [11, 15]);
  });
});
