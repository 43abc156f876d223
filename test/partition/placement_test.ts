// Placement: bounds on spread and on moves, priorities, labels and weights, on clusters that carry the
// plans out step by step.

import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import {
  admitSteps,
  ALL_WELL,
  type ClusterMap,
  type ClusterStatus,
  decodeMap,
  drainObstacle,
  encodeMap,
  lostVoters,
  planMoves,
} from "../../src/partition/mod.ts";
import { clusterOf, genesisMember, memberDetails, mustApply, nodeId, testSeed } from "./support.ts";
import { type Draw, drawFrom, SimulatedCluster } from "./simulated_cluster.ts";

/** Carries plans out, `movesMax` at a time in random order, until nothing is left to do. */
function settle(cluster: SimulatedCluster, draw: Draw, movesMax = 4): void {
  const limits = {
    movesMax,
    addingPerNodeMax: movesMax,
    calmAddingPerNodeMax: movesMax,
  };
  for (let round = 0; round < 2_000; round++) {
    const { steps } = planMoves(cluster.map, cluster.status);
    for (const { command } of admitSteps(cluster.map, steps, limits)) {
      assert(cluster.apply(command), `the plan was refused: ${JSON.stringify(command)}`);
    }
    let idle = steps.length === 0;
    for (let partition = 0; partition < cluster.map.partitions.length; partition++) {
      if (draw(2) === 0) cluster.catchUp(partition);
      const did = cluster.stepGroup(partition, draw);
      if (did !== null) idle = false;
    }
    if (idle) return;
  }
  throw new Error("the cluster does not come to rest");
}

function spreadOf(loads: Iterable<number>): number {
  const all = [...loads];
  return Math.max(...all) - Math.min(...all);
}

function status(change: Partial<ClusterStatus>): ClusterStatus {
  const dead = change.dead ?? new Set();
  return { ...ALL_WELL, ...change, down: new Set([...change.down ?? [], ...dead]) };
}

function join(cluster: SimulatedCluster, n: number): void {
  assert(cluster.apply({ kind: "addMember", nodeId: nodeId(n), details: memberDetails(n) }));
}

Deno.test("initial placement is at most one apart for every number of nodes and partitions", () => {
  for (const nodeCount of [1, 2, 3, 4, 5, 7, 12, 33]) {
    for (const partitionCount of [1, 2, 8, 16, 100]) {
      const cluster = new SimulatedCluster(clusterOf(nodeCount, partitionCount));
      assertLessOrEqual(spreadOf(cluster.loads().values()), 1);
      assertEquals(planMoves(cluster.map, ALL_WELL), { steps: [], blocked: [] });
    }
  }
});

Deno.test("initial placement follows weights and keeps one copy a machine", () => {
  const map = clusterOf(
    6,
    120,
    2,
    (n) => genesisMember(n, { host: `h${n % 3}` }, n === 1 || n === 2 ? 2 : 1),
  );
  const loads = [...new SimulatedCluster(map).loads().values()];
  assertEquals(loads.reduce((a, b) => a + b), 240);
  for (const [i, load] of loads.entries()) {
    const share = 240 * (i < 2 ? 2 : 1) / 8;
    assertLessOrEqual(Math.abs(load - share), 2, `loads ${loads}`);
  }
  for (const entry of map.partitions.slice(1)) {
    const hosts = entry.replicas.map((ref) =>
      map.members.find((m) => m.nodeId === ref.nodeId)!.host
    );
    assertEquals(new Set(hosts).size, 2);
  }
});

Deno.test("a join moves at most ceil(P*R/(N+1))+1 replicas, all to the new node", () => {
  const seed = testSeed();
  const property = fc.property(
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 8 }),
    fc.integer(),
    (nodes, partitions, replication, movesMax, drawSeed) => {
      const draw = drawFrom(drawSeed);
      const cluster = new SimulatedCluster(clusterOf(nodes, partitions, replication));
      for (let n = nodes + 1; n <= nodes + 3; n++) {
        cluster.added.length = 0;
        join(cluster, n);
        settle(cluster, draw, movesMax);
        const copies = Math.min(replication, n);
        assertLessOrEqual(cluster.added.length, Math.ceil(partitions * copies / n) + 1);
        assert(cluster.added.every((replica) => replica.nodeId === nodeId(n)));
        assertLessOrEqual(spreadOf(cluster.loads().values()), 1);
        for (const entry of cluster.map.partitions.slice(1)) {
          assertEquals(entry.replicas.length, copies);
        }
      }
    },
  );
  fc.assert(property, { seed, numRuns: 60 });
});

Deno.test("random joins, drains and deaths end balanced, and no plan costs a quorum", () => {
  const seed = testSeed();
  const event = fc.record({
    kind: fc.constantFrom("join", "drain", "kill", "suspect", "run", "run"),
    pick: fc.nat(),
  });
  const property = fc.property(
    fc.integer({ min: 3, max: 6 }),
    fc.integer({ min: 1, max: 12 }),
    fc.array(event, { maxLength: 14 }),
    fc.integer(),
    (nodes, partitions, events, drawSeed) => {
      const draw = drawFrom(drawSeed);
      const cluster = new SimulatedCluster(clusterOf(nodes, partitions));
      let nextNode = nodes + 1;
      for (const { kind, pick } of events) {
        if (kind === "join" && nextNode <= 12) join(cluster, nextNode++);
        else if (kind === "drain") drainOne(cluster, pick);
        else if (kind === "kill") killOne(cluster, pick);
        else if (kind === "suspect") suspectOne(cluster, pick);
        else runSome(cluster, draw, pick % 60);
      }
      settle(cluster, draw);
      assertAtRest(cluster);
    },
  );
  fc.assert(property, { seed, numRuns: 150 });
});

function drainOne(cluster: SimulatedCluster, pick: number): void {
  const { members } = cluster.map;
  const { nodeId } = members[pick % members.length];
  if (drainObstacle(cluster.map, nodeId, cluster.status) === undefined) {
    assert(cluster.apply({ kind: "leaveMember", nodeId }));
  }
}

/** Kills a node for ever, unless that alone would stop a group now, or a move for ever. */
function killOne(cluster: SimulatedCluster, pick: number): void {
  const alive = cluster.map.members.filter((member) => !cluster.dead.has(member.nodeId));
  const { nodeId } = alive[pick % alive.length];
  const survives = cluster.map.partitions.every(({ partition }) =>
    cluster.hasQuorum(partition, nodeId) && cluster.canEndMove(partition, nodeId)
  );
  if (survives) {
    cluster.dead.add(nodeId);
  }
}

function suspectOne(cluster: SimulatedCluster, pick: number): void {
  const entry = cluster.map.partitions[pick % cluster.map.partitions.length];
  const named = [...entry.replicas, ...entry.learners, ...entry.move?.adding ?? []];
  const { replicaId } = named[pick % named.length];
  const suspects = cluster.suspects.get(entry.partition) ?? new Set();
  if (suspects.has(replicaId)) return;
  cluster.suspects.set(entry.partition, suspects.add(replicaId));
  const survives = cluster.hasQuorum(entry.partition) && cluster.canEndMove(entry.partition);
  if (!survives) suspects.delete(replicaId);
}

/** A few random steps of plans and groups; every group must be able to commit throughout. */
function runSome(cluster: SimulatedCluster, draw: Draw, count: number): void {
  for (let i = 0; i < count; i++) {
    if (draw(5) === 0) {
      const { steps } = planMoves(cluster.map, cluster.status);
      const limits = { movesMax: 3, addingPerNodeMax: 2, calmAddingPerNodeMax: 1 };
      const [step] = admitSteps(cluster.map, steps, limits);
      if (step !== undefined) assert(cluster.apply(step.command));
    }
    const partition = draw(cluster.map.partitions.length);
    if (draw(2) === 0) cluster.catchUp(partition);
    cluster.stepGroup(partition, draw);
    assert(cluster.hasQuorum(partition), `partition ${partition} lost its quorum`);
  }
}

function assertAtRest(cluster: SimulatedCluster): void {
  const { map, dead } = cluster;
  const usable = map.members.filter((m) => m.state === "active" && !dead.has(m.nodeId));
  const active = map.members.filter((member) => member.state === "active").length;
  for (const entry of map.partitions) {
    assertEquals(entry.move, undefined);
    assertEquals(entry.dropping, []);
    assertEquals(
      [...cluster.configuration(entry.partition).voters].sort((a, b) => a - b),
      entry.replicas.map((ref) => ref.replicaId),
    );
    assert(cluster.hasQuorum(entry.partition));
  }
  const copies = Math.min(map.replication, active);
  if (usable.length < copies) return;
  for (const entry of map.partitions.slice(1)) {
    assertEquals(entry.replicas.length, copies);
    for (const ref of entry.replicas) {
      assert(
        usable.some((member) => member.nodeId === ref.nodeId),
        "a replica where it can't stay",
      );
      assert(!cluster.suspects.get(entry.partition)?.has(ref.replicaId));
    }
  }
  const loads = cluster.loads();
  assertLessOrEqual(spreadOf(usable.map((member) => loads.get(member.nodeId)!)), 1);
  for (const member of map.members) {
    if (member.state === "leaving") assertEquals(loads.get(member.nodeId), 0);
  }
}

Deno.test("planMoves() hangs on map and status alone, so a new leader goes on with the same plan", () => {
  let map = clusterOf(5, 30);
  map = mustApply(map, { kind: "addMember", nodeId: nodeId(6), details: memberDetails(6) });
  map = mustApply(map, { kind: "leaveMember", nodeId: nodeId(1) });
  const world = status({ dead: new Set([nodeId(2)]) });
  const plan = planMoves(map, world);
  assertGreater(plan.steps.length, 0);
  assertEquals(planMoves(decodeMap(encodeMap(map)), world), plan);
});

Deno.test("planMoves() puts repair before drains, and drains before balance", () => {
  let map = clusterOf(6, 30);
  map = mustApply(map, { kind: "leaveMember", nodeId: nodeId(1) });
  for (const n of [7, 8, 9, 10]) {
    map = mustApply(map, { kind: "addMember", nodeId: nodeId(n), details: memberDetails(n) });
  }
  const { steps } = planMoves(map, status({ dead: new Set([nodeId(2)]) }));
  const order = [...new Set(steps.map((step) => step.reason))];
  assertEquals(order, ["repair", "drain", "balance"]);
});

Deno.test("planMoves() repairs first what is closest to losing its quorum", () => {
  const map = clusterOf(9, 30, 5);
  const dead = new Set([nodeId(1), nodeId(2)]);
  const { steps } = planMoves(map, status({ dead }));
  const lost = steps.filter((step) => step.reason === "repair" && step.command.partition > 0)
    .map(({ command }) =>
      map.partitions[command.partition].replicas.filter((ref) => dead.has(ref.nodeId)).length
    );
  assertEquals(new Set(lost), new Set([1, 2]));
  assertEquals(lost, lost.toSorted((a, b) => b - a));
});

Deno.test("planMoves() replaces nothing on a node that is merely down, and gives it nothing", () => {
  let map = clusterOf(4, 12);
  const down = new Set([nodeId(4)]);
  assertEquals(planMoves(map, status({ down })).steps, []);
  map = mustApply(map, { kind: "addMember", nodeId: nodeId(5), details: memberDetails(5) });
  for (const { command } of planMoves(map, status({ down })).steps) {
    assert(command.kind === "beginMove" && !command.add.includes(nodeId(4)));
  }
});

Deno.test("planMoves() gives nothing to a node whose disk is full, and takes nothing off it", () => {
  let map = clusterOf(4, 12);
  const full = new Set([nodeId(4)]);
  assertEquals(planMoves(map, status({ full })).steps, []);
  const dead = new Set([nodeId(1)]);
  const repairs = planMoves(map, status({ full, dead })).steps;
  assertGreater(repairs.length, 0);
  map = mustApply(map, { kind: "addMember", nodeId: nodeId(5), details: memberDetails(5) });
  const joined = planMoves(map, status({ full })).steps;
  assertGreater(joined.length, 0);
  for (const { command } of [...repairs, ...joined]) {
    assert(command.kind === "beginMove" && !command.add.includes(nodeId(4)));
  }
  // Its own damaged replica is made anew in its place all the same.
  const [{ replicaId }] = map.partitions[1].replicas;
  const holder = map.partitions[1].replicas[0].nodeId;
  const suspects = new Map([[1, new Set([replicaId])]]);
  const [step] = planMoves(map, status({ full: new Set([holder]), suspects })).steps;
  assert(step.command.kind === "beginMove" && step.command.replace.includes(replicaId));
});

Deno.test("planMoves() says so when no node can take a replica, and when a quorum is gone", () => {
  const three = clusterOf(3, 2);
  const dead = planMoves(three, status({ dead: new Set([nodeId(3)]) }));
  assertEquals(dead.steps, []);
  assertEquals(dead.blocked.find((b) => b.partition === 1)?.reason.includes("n3"), true);

  const five = clusterOf(5, 10);
  const lost = planMoves(five, status({ dead: new Set([nodeId(1), nodeId(2)]) }));
  for (const entry of five.partitions.slice(1)) {
    const gone = entry.replicas.filter((ref) => ref.nodeId <= nodeId(2)).length;
    const planned = lost.steps.some((step) => step.command.partition === entry.partition);
    assertEquals(planned, gone === 1 || planned && gone === 0);
    if (gone === 2) assert(lost.blocked.some((b) => b.partition === entry.partition));
  }
});

Deno.test("planMoves() touches no partition most of whose replicas lost acknowledged data, and says so", () => {
  const map = clusterOf(5, 1);
  const suspects = (...ids: number[]) => status({ suspects: new Map([[1, new Set(ids)]]) });
  const [first, second] = map.partitions[1].replicas.map(({ replicaId }) => replicaId);
  const { steps } = planMoves(map, suspects(first));
  assertEquals(steps.map(({ reason }) => reason), ["repair"]);
  const blocked = [{ partition: 1, reason: "most of its replicas lost acknowledged data" }];
  assertEquals(planMoves(map, suspects(first, second)), { steps: [], blocked });
  // Also where a replacement had begun before the second one was known.
  const begun = mustApply(map, steps[0].command);
  assertEquals(planMoves(begun, suspects(first, second)).blocked, blocked);
  assertEquals(planMoves(begun, suspects(second)).blocked, blocked, "its data may be gone by now");
  assertEquals(lostVoters(begun.partitions[1], suspects(second)), [first, second]);
  assertEquals(planMoves(begun, suspects(first)).blocked, []);
});

Deno.test("drainObstacle() refuses what would break a quorum, with the reason", () => {
  const map = clusterOf(3, 2);
  assertEquals(drainObstacle(map, nodeId(1), ALL_WELL), undefined);
  const reason = drainObstacle(map, nodeId(1), status({ down: new Set([nodeId(2)]) }));
  assert(reason?.includes("alive"), reason);
  assert(drainObstacle(clusterOf(1, 1), nodeId(1), ALL_WELL)?.includes("last"));
});

Deno.test("a drained node ends without voters and can be removed", () => {
  const draw = drawFrom(7);
  for (const nodes of [3, 4, 6]) {
    const cluster = new SimulatedCluster(clusterOf(nodes, 8));
    const leaving = nodeId(1);
    assert(cluster.apply({ kind: "leaveMember", nodeId: leaving }));
    settle(cluster, draw);
    assertEquals(cluster.loads().get(leaving), 0);
    assert(cluster.apply({ kind: "removeMember", nodeId: leaving }));
    settle(cluster, draw);
    assertEquals(cluster.map.partitions[0].dropping, []);
    assertEquals(
      cluster.map.partitions[0].replicas.length,
      nodes === 6 ? 5 : Math.min(3, nodes - 1),
    );
  }
});

Deno.test("a drain moves no replica but those on the node", () => {
  const cluster = new SimulatedCluster(clusterOf(7, 35));
  const held = cluster.loads().get(nodeId(3))!;
  assert(cluster.apply({ kind: "leaveMember", nodeId: nodeId(3) }));
  settle(cluster, drawFrom(11));
  // A target may hold the partition already; evening that out takes a move more now and then.
  assertLessOrEqual(cluster.added.length, held + 2);
});

Deno.test("replicas spread over zones as they come, and balance keeps them so", () => {
  const zoneOf = (map: ClusterMap, id: string) => map.members.find((m) => m.nodeId === id)!.zone;
  const draw = drawFrom(3);
  const cluster = new SimulatedCluster(
    clusterOf(4, 24, 3, (n) => genesisMember(n, { zone: `z${n % 2}` })),
  );
  for (let n = 5; n <= 7; n++) {
    const details = memberDetails(n, { zone: "z2" });
    assert(cluster.apply({ kind: "addMember", nodeId: nodeId(n), details }));
    settle(cluster, draw);
  }
  for (const entry of cluster.map.partitions) {
    const zones = new Set(entry.replicas.map((ref) => zoneOf(cluster.map, ref.nodeId)));
    assertEquals(zones.size, 3, `partition ${entry.partition}`);
  }
  const loads = cluster.loads();
  for (const zone of ["z0", "z1", "z2"]) {
    const members = cluster.map.members.filter((member) => member.zone === zone);
    assertLessOrEqual(spreadOf(members.map((member) => loads.get(member.nodeId)!)), 1, zone);
  }
});

Deno.test("two replicas share a machine only while there is no other", () => {
  const draw = drawFrom(5);
  const twoMachines = (n: number) => genesisMember(n, { host: `h${n % 2}` });
  const cluster = new SimulatedCluster(clusterOf(4, 8, 3, twoMachines));
  const details = memberDetails(5, { host: "h2" });
  assert(cluster.apply({ kind: "addMember", nodeId: nodeId(5), details }));
  settle(cluster, draw);
  for (const entry of cluster.map.partitions.slice(1)) {
    const hosts = entry.replicas.map((ref) =>
      cluster.map.members.find((member) => member.nodeId === ref.nodeId)!.host
    );
    assertEquals(new Set(hosts).size, 3);
  }
});

Deno.test("a stalled move is cancelled and another node takes over", () => {
  const draw = drawFrom(9);
  const cluster = new SimulatedCluster(clusterOf(3, 4));
  join(cluster, 4);
  const { steps } = planMoves(cluster.map, cluster.status);
  const step = steps.find(({ command }) => command.partition > 0)!;
  assert(cluster.apply(step.command));
  cluster.stepGroup(step.command.partition, draw);
  cluster.dead.add(nodeId(4));
  const [cancel] = planMoves(cluster.map, cluster.status).steps;
  assertEquals(cancel.reason, "stalled");
  join(cluster, 5);
  settle(cluster, draw);
  for (const entry of cluster.map.partitions.slice(1)) {
    assert(entry.replicas.every((ref) => ref.nodeId !== nodeId(4)));
  }
});

Deno.test("admitSteps() bounds moves in all and per receiving node, but never cancellations", () => {
  let map = clusterOf(4, 30);
  map = mustApply(map, { kind: "addMember", nodeId: nodeId(5), details: memberDetails(5) });
  const { steps } = planMoves(map, ALL_WELL);
  const wide = { movesMax: 9, addingPerNodeMax: 9, calmAddingPerNodeMax: 9 };
  assertEquals(admitSteps(map, steps, { ...wide, movesMax: 3 }).length, 3);
  const few = admitSteps(map, steps, { ...wide, calmAddingPerNodeMax: 2 });
  const toNew = few.filter(({ command }) =>
    command.kind === "beginMove" && command.add.includes(nodeId(5))
  );
  assertEquals(toNew.length, 2);
  const data = few.find(({ command }) => command.partition > 0)!;
  map = mustApply(map, data.command);
  const cancel = {
    reason: "stalled",
    command: { kind: "cancelMove", partition: 1, beganEpoch: 3 },
  } as const;
  const narrow = { movesMax: 1, addingPerNodeMax: 1, calmAddingPerNodeMax: 1 };
  assertEquals(admitSteps(map, [cancel], narrow), [cancel]);
  assertEquals(admitSteps(map, [...planMoves(map, ALL_WELL).steps], narrow), []);
});

Deno.test("admitSteps() takes its time only where nothing becomes safer", () => {
  const limits = { movesMax: 9, addingPerNodeMax: 2, calmAddingPerNodeMax: 1 };
  const joined = mustApply(clusterOf(4, 30), {
    kind: "addMember",
    nodeId: nodeId(5),
    details: memberDetails(5),
  });
  const calm = planMoves(joined, ALL_WELL).steps.filter(({ reason }) => reason === "balance");
  assert(calm.length > 2);
  assertEquals(admitSteps(joined, calm, limits).length, 1);
  const resting = new Set([nodeId(5)]);
  assertEquals(admitSteps(joined, calm, limits, resting), []);
  const dead = { ...ALL_WELL, down: new Set([nodeId(2)]), dead: new Set([nodeId(2)]) };
  const urgent = planMoves(joined, dead).steps.filter(({ reason }) => reason === "repair");
  const perNode = new Map<string, number>();
  for (const { command } of admitSteps(joined, urgent, limits, resting)) {
    assert(command.kind === "beginMove");
    for (const id of command.add) perNode.set(id, (perNode.get(id) ?? 0) + 1);
  }
  assertEquals(Math.max(...perNode.values()), 2);
});

Deno.test("bounds hold for the largest cluster: 1024 partitions on 100 nodes", () => {
  let map = clusterOf(100, 1024);
  map = mustApply(map, { kind: "addMember", nodeId: nodeId(101), details: memberDetails(101) });
  const joined = planMoves(map, ALL_WELL).steps;
  assertLessOrEqual(joined.length, Math.ceil(1024 * 3 / 101) + 1);
  const dead = new Set([nodeId(7)]);
  const repaired = planMoves(map, status({ dead })).steps.filter((step) =>
    step.reason === "repair"
  );
  const lost = map.partitions.filter((entry) => entry.replicas.some((ref) => dead.has(ref.nodeId)));
  assertEquals(repaired.length, lost.length);
});
