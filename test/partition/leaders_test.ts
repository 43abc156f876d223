// Leader balancing: one apart wherever replicas are, weights, drains, and peace when all is even.

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import {
  ALL_WELL,
  type ClusterMap,
  type ClusterStatus,
  MapIndex,
  planLeaders,
} from "../../src/partition/mod.ts";
import { clusterOf, genesisMember, mustApply, nodeId, testSeed } from "./support.ts";
import { drawFrom } from "./simulated_cluster.ts";

/** Leaders after the transfers. */
function carryOut(
  map: ClusterMap,
  leaders: ReadonlyMap<number, string>,
  status: ClusterStatus = ALL_WELL,
): Map<number, string> {
  const index = new MapIndex(map);
  const after = new Map(leaders);
  for (const { partition, from, to } of planLeaders(map, leaders, status)) {
    assertEquals(leaders.get(partition), from);
    const target = index.nodeOf(partition, to)!;
    assert(target !== from);
    after.set(partition, target);
  }
  return after;
}

function counts(map: ClusterMap, leaders: ReadonlyMap<number, string>): number[] {
  const led = [...leaders.values()];
  return map.members.map((member) => led.filter((id) => id === member.nodeId).length);
}

function firstReplicas(map: ClusterMap): Map<number, string> {
  return new Map(
    map.partitions.slice(1).map((entry) => [entry.partition, entry.replicas[0].nodeId]),
  );
}

Deno.test("planLeaders() ends at most one apart from any start, and then rests", () => {
  const seed = testSeed();
  const property = fc.property(
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 1, max: 5 }),
    fc.integer(),
    (nodes, partitions, replication, drawSeed) => {
      const draw = drawFrom(drawSeed);
      const map = clusterOf(nodes, partitions, replication);
      const leaders = new Map(
        map.partitions.slice(1).map((entry) => [
          entry.partition,
          entry.replicas[draw(entry.replicas.length)].nodeId,
        ]),
      );
      const after = carryOut(map, leaders);
      const led = counts(map, after);
      assertLessOrEqual(Math.max(...led) - Math.min(...led), 1);
      assertEquals(planLeaders(map, after, ALL_WELL), []);
    },
  );
  fc.assert(property, { seed, numRuns: 200 });
});

Deno.test("planLeaders() leaves leaders alone that are one apart", () => {
  const map = clusterOf(3, 4);
  const leaders = new Map([[1, nodeId(1)], [2, nodeId(1)], [3, nodeId(2)], [4, nodeId(3)]]);
  assertEquals(planLeaders(map, leaders, ALL_WELL), []);
});

Deno.test("planLeaders() follows weights", () => {
  const map = clusterOf(3, 80, 3, (n) => genesisMember(n, {}, n === 1 ? 2 : 1));
  assertEquals(counts(map, carryOut(map, firstReplicas(map))), [40, 20, 20]);
});

Deno.test("planLeaders() moves leaders off a draining node and never to one that is down", () => {
  let map = clusterOf(4, 24);
  map = mustApply(map, { kind: "leaveMember", nodeId: nodeId(1) });
  const leaders = firstReplicas(map);
  const down = new Set([nodeId(2)]);
  const before = counts(map, leaders);
  const after = counts(map, carryOut(map, leaders, { ...ALL_WELL, down }));
  assertEquals(after[0], 0);
  assertLessOrEqual(after[1], before[1]);
});

Deno.test("planLeaders() moves leaders off a full node while there are others, and lets them be otherwise", () => {
  const map = clusterOf(3, 12);
  const leaders = firstReplicas(map);
  const one = { ...ALL_WELL, full: new Set([nodeId(2)]) };
  assertEquals(counts(map, carryOut(map, leaders, one)), [6, 0, 6]);
  const all = { ...ALL_WELL, full: new Set([1, 2, 3].map(nodeId)) };
  assertEquals(planLeaders(map, leaders, all), []);
});

Deno.test("planLeaders() passes over partitions in a move, unknown leaders and suspect replicas", () => {
  let map = clusterOf(3, 6);
  const all = new Map(map.partitions.slice(1).map((entry) => [entry.partition, nodeId(1)]));
  map = mustApply(map, {
    kind: "beginMove",
    partition: 1,
    add: [],
    remove: [1],
    replace: [],
    expected: [1, 2, 3],
  });
  all.delete(2);
  const suspects = new Map(
    map.partitions.slice(1).map((entry) => [
      entry.partition,
      new Set(entry.replicas.filter((ref) => ref.nodeId === nodeId(3)).map((ref) => ref.replicaId)),
    ]),
  );
  const transfers = planLeaders(map, all, { ...ALL_WELL, suspects });
  assert(transfers.length > 0);
  const index = new MapIndex(map);
  for (const { partition, to } of transfers) {
    assert(partition > 2);
    assertEquals(index.nodeOf(partition, to), nodeId(2));
  }
});

Deno.test("planLeaders() leads where it is preferred, if a voter is there, and evens out the rest", () => {
  const seed = testSeed();
  const property = fc.property(
    fc.integer({ min: 3, max: 9 }),
    fc.integer({ min: 1, max: 30 }),
    fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 20 }),
    (nodes, partitions, wished) => {
      const plain = clusterOf(nodes, partitions, 3);
      const members = plain.members.map((member, i) => ({
        ...member,
        zone: i % 3 === 0 ? "a" : "b",
      }));
      let map: ClusterMap = { ...plain, members };
      for (const partition of wished) {
        if (partition > partitions) continue;
        map = mustApply(map, { kind: "preferZone", partition, zone: "a" });
      }
      const after = carryOut(map, firstReplicas(map));
      const zoneOf = (id: string) => map.members.find((member) => member.nodeId === id)!.zone;
      for (const entry of map.partitions.slice(1)) {
        if (entry.preferredZone === undefined) continue;
        const possible = entry.replicas.some((ref) => zoneOf(ref.nodeId) === "a");
        assertEquals(zoneOf(after.get(entry.partition)!) === "a" || !possible, true);
      }
      assertEquals(planLeaders(map, after, ALL_WELL), []);
    },
  );
  fc.assert(property, { seed, numRuns: 200 });
});
