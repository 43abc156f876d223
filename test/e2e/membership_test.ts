// Members that lose their data, come and go, on real processes (RULES 7, 9, 10).

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  type ClusterAnswer,
  clusterView,
  TestCluster,
  type TestNode,
  until,
} from "../../scripts/bench/support/cluster.ts";

const MOVE_TIMEOUT_MS = 60_000;

async function put(node: TestNode, key: string, value: string): Promise<number> {
  const response = await fetch(`http://${node.http}/key/${key}`, { method: "PUT", body: value });
  await response.body?.cancel();
  return response.status;
}

async function get(node: TestNode, key: string): Promise<string> {
  const response = await fetch(`http://${node.http}/key/${key}?raw`);
  return await response.text();
}

/** The data partition's voters by node name, once the cluster, seen from `node`, has settled. */
function settledVoters(node: TestNode, count: number): Promise<string[]> {
  return until(`partition 1 has ${count} voters`, MOVE_TIMEOUT_MS, async () => {
    const view = await clusterView(node.http);
    const partition = view?.partitions.find((one) => one.partition === 1);
    const voters = partition?.replicas.filter(({ role }) => role === "voter") ?? [];
    if (voters.length !== count || partition!.replicas.length !== count) return undefined;
    return voters.map(({ nodeId }) =>
      view!.members.find((member) => member.nodeId === nodeId)?.name ?? nodeId
    ).toSorted();
  });
}

Deno.test("a wiped node comes back as a new one and gets its replicas again", async () => {
  await using cluster = TestCluster.start({ nodes: 3 });
  await cluster.ready();
  for (let i = 0; i < 50; i++) assertEquals(await put(cluster.nodes[i % 3], `k${i}`, `v${i}`), 201);
  const [first, , wiped] = cluster.nodes;
  const before = await clusterView(first.http);
  await cluster.kill(wiped);
  Deno.removeSync(wiped.dataDir, { recursive: true });
  cluster.spawn(wiped);
  const nodeIdOf = (view: ClusterAnswer | undefined) =>
    view?.members.find(({ name }) => name === wiped.name)?.nodeId;
  await until("the wiped node is another member", MOVE_TIMEOUT_MS, async () => {
    const nodeId = nodeIdOf(await clusterView(first.http));
    return nodeId !== undefined && nodeId !== nodeIdOf(before);
  });
  assertEquals(await settledVoters(wiped, 3), ["n1", "n2", "n3"]);
  for (let i = 0; i < 50; i++) assertEquals(await get(wiped, `k${i}`), `v${i}`);
});

Deno.test("a node joins a running cluster, another is removed, and no write is lost", async () => {
  await using cluster = TestCluster.start({ nodes: 3 });
  await cluster.ready();
  const [removed, stays] = cluster.nodes;
  for (let i = 0; i < 50; i++) await put(stays, `k${i}`, `v${i}`);
  const joining = cluster.join("n4", stays);
  await until("n4 is a member", MOVE_TIMEOUT_MS, async () => {
    const view = await clusterView(stays.http);
    return view?.members.some(({ name }) => name === "n4");
  });
  // Refused with a reason while the new member is not yet heard from.
  await until("the removal is taken", MOVE_TIMEOUT_MS, async () => {
    const response = await fetch(`http://${stays.http}/cluster/members`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ action: "remove", node: removed.name }),
    });
    const text = await response.text();
    assert(response.status === 200 || response.status === 409, text);
    return response.status === 200;
  });
  for (let i = 50; i < 100; i++) {
    const status = await put(stays, `k${i}`, `v${i}`);
    assert(status === 201, `write ${i} during the move: ${status}`);
  }
  await until("n1 is gone", MOVE_TIMEOUT_MS, async () => {
    const view = await clusterView(stays.http);
    return view !== undefined && !view.members.some(({ name }) => name === removed.name);
  });
  assertEquals(await settledVoters(stays, 3), ["n2", "n3", "n4"]);
  await cluster.kill(removed);
  for (let i = 0; i < 100; i++) assertEquals(await get(joining, `k${i}`), `v${i}`);
});

Deno.test("a node of five is lost for ever: all partitions have three replicas again by themselves", async () => {
  await using cluster = TestCluster.start({
    nodes: 5,
    partitions: 16,
    flags: ["--dead-after-ms", "2000"],
  });
  await cluster.ready();
  const [first, , , , lost] = cluster.nodes;
  for (let i = 0; i < 100; i++) {
    assertEquals(await put(cluster.nodes[i % 5], `k${i}`, `v${i}`), 201);
  }
  await cluster.kill(lost);
  await until("every partition has three replicas elsewhere", MOVE_TIMEOUT_MS, async () => {
    const view = await clusterView(first.http);
    const gone = view?.members.find(({ name }) => name === lost.name)?.nodeId;
    return view?.moves.length === 0 &&
      view.routing.every(({ replicas }) => replicas.length === 3 && !replicas.includes(gone!));
  });
  for (let i = 0; i < 100; i++) assertEquals(await get(first, `k${i}`), `v${i}`);
  for (let i = 0; i < 100; i++) assertEquals(await put(first, `k${i}`, "again"), 200);
});

Deno.test("a drained node ends with no replicas and says so; a removal that breaks a quorum is refused", async () => {
  await using cluster = TestCluster.start({ nodes: 4, partitions: 8 });
  await cluster.ready();
  const [first, drained, , last] = cluster.nodes;
  for (let i = 0; i < 50; i++) assertEquals(await put(first, `k${i}`, `v${i}`), 201);
  const change = async (action: string, node: TestNode) => {
    const response = await fetch(`http://${first.http}/cluster/members`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ action, node: node.name }),
    });
    return { status: response.status, body: await response.json() };
  };
  assertEquals((await change("drain", drained)).status, 200);
  await until("n2 says that it is drained", MOVE_TIMEOUT_MS, async () => {
    const view = await clusterView(drained.http);
    const member = view?.members.find(({ name }) => name === drained.name);
    const held = view?.partitions.filter(({ partition }) => partition !== 0);
    return member?.state === "drained" && member.replicas === 0 && held?.length === 0;
  });
  for (let i = 0; i < 50; i++) assertEquals(await get(drained, `k${i}`), `v${i}`);
  await cluster.kill(last);
  await until("its silence is known", MOVE_TIMEOUT_MS, async () => {
    const view = await clusterView(first.http);
    const member = view?.members.find(({ name }) => name === last.name);
    return member?.reachable === false && member.gossip !== "alive";
  });
  const { status, body } = await change("remove", cluster.nodes[2]);
  assertEquals(status, 409);
  assertMatch(body.detail, /^n3 can't go now: partition \d could not leave it/);
});
