// The genesis record and the map that every node makes of it.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { SLOT_COUNT } from "../../src/base/slot.ts";
import { utf8Bytes, utf8TextOrUndefined } from "../../src/base/bytes.ts";
import {
  decodeGenesis,
  decodeMap,
  encodeGenesis,
  encodeMap,
  type Genesis,
  initialMap,
  MapIndex,
  metaVoterTarget,
  PartitionFormatError,
  replicaFate,
  slotsOf,
} from "../../src/partition/mod.ts";
import { CLUSTER_ID, clusterOf, genesisMember, nodeId } from "./support.ts";

const genesis: Genesis = {
  clusterId: CLUSTER_ID,
  replication: 3,
  partitionCount: 8,
  members: [3, 1, 2].map((n) => genesisMember(n, { zone: `z${n}` })),
};

Deno.test("slotsOf() splits all slots evenly, in order and without gaps", () => {
  for (const count of [1, 2, 3, 7, 8, 16, 1000, 1024]) {
    const ranges = slotsOf(count);
    assertEquals(ranges.length, count);
    let next = 0;
    const sizes = new Set<number>();
    for (const { start, end } of ranges) {
      assertEquals(start, next);
      sizes.add(end - start);
      next = end;
    }
    assertEquals(next, SLOT_COUNT);
    assert(Math.max(...sizes) - Math.min(...sizes) <= 1);
  }
});

Deno.test("metaVoterTarget() is odd and at most five, but two of two", () => {
  assertEquals([1, 2, 3, 4, 5, 6, 100].map(metaVoterTarget), [1, 2, 3, 3, 5, 5, 5]);
});

Deno.test("decodeGenesis() reads back what encodeGenesis() wrote, whatever the members' order", () => {
  const bytes = encodeGenesis(genesis);
  assertEquals(bytes, encodeGenesis({ ...genesis, members: genesis.members.toReversed() }));
  assertEquals(encodeGenesis(decodeGenesis(bytes)), bytes);
});

Deno.test("decodeGenesis() refuses a newer version by name", () => {
  const text = utf8TextOrUndefined(encodeGenesis(genesis))!;
  assertThrows(
    () => decodeGenesis(utf8Bytes(text.replace('"formatVersion":1', '"formatVersion":2'))),
    PartitionFormatError,
    "version 2 is not known",
  );
});

Deno.test("decodeGenesis() refuses what no node would write", () => {
  const broken: [string, Partial<Record<string, unknown>>][] = [
    ["no members", { members: [] }],
    ["a repeated name", { members: [genesisMember(1), { ...genesisMember(2), name: "n1" }] }],
    ["a repeated node", { members: [genesisMember(1), genesisMember(1)] }],
    ["no partition", { partitionCount: 0 }],
    ["too many partitions", { partitionCount: 1025 }],
    ["an unknown field", { colour: "blue" }],
    ["a weight of nothing", { members: [{ ...genesisMember(1), weight: 0 }] }],
    ["a bad address", { members: [{ ...genesisMember(1), peer: "nowhere" }] }],
    ["a bad cluster id", { clusterId: "x" }],
  ];
  for (const [what, change] of broken) {
    const bytes = utf8Bytes(JSON.stringify({ formatVersion: 1, ...genesis, ...change }));
    assertThrows(() => decodeGenesis(bytes), PartitionFormatError, "Cannot", what);
  }
  for (const text of ["", "null", "[]", "{", "\u0000", "7"]) {
    assertThrows(() => decodeGenesis(utf8Bytes(text)), PartitionFormatError);
  }
  assertThrows(() => decodeGenesis(new Uint8Array([0xff, 0xfe])), PartitionFormatError);
});

Deno.test("initialMap() gives every group its first replicas, and the meta group everyone", () => {
  const map = initialMap({
    ...genesis,
    members: [1, 2, 3, 4, 5, 6, 7].map((n) => genesisMember(n)),
  });
  assertEquals(map.epoch, 1);
  const meta = map.partitions[0];
  assertEquals(meta.replicas.map((ref) => ref.replicaId), [1, 2, 3, 4, 5]);
  assertEquals(meta.learners.map((ref) => ref.replicaId), [6, 7]);
  assertEquals(
    [...meta.replicas, ...meta.learners].map((ref) => ref.nodeId).sort(),
    map.members.map((member) => member.nodeId),
  );
  for (const entry of map.partitions.slice(1)) {
    assertEquals(entry.replicas.map((ref) => ref.replicaId), [1, 2, 3]);
    assertEquals(entry.nextReplicaId, 4);
  }
});

/** The genesis map is part of the protocol: nodes of different versions compute it on their own. */
Deno.test("initialMap() places as it always did", () => {
  const map = clusterOf(5, 6);
  const placed = map.partitions.map((entry) =>
    entry.replicas.map((ref) => parseInt(ref.nodeId, 16)).join("")
  );
  assertEquals(placed, GOLDEN_PLACEMENT);
});

const GOLDEN_PLACEMENT = ["42315", "245", "132", "534", "123", "541", "235"];

Deno.test("MapIndex answers for slots, members and replicas", () => {
  const map = clusterOf(4, 8);
  const index = new MapIndex(map);
  for (const entry of map.partitions) {
    for (const { start, end } of entry.slots) {
      assertEquals(index.partitionOfSlot(start), entry.partition);
      assertEquals(index.partitionOfSlot(end - 1), entry.partition);
    }
    for (const ref of entry.replicas) {
      assertEquals(index.nodeOf(entry.partition, ref.replicaId), ref.nodeId);
      assert(index.hostedBy(ref.nodeId).some((hosted) => hosted.partition === entry.partition));
    }
    assertEquals(index.nodeOf(entry.partition, 99), undefined);
  }
  assertEquals(index.member(nodeId(2))?.name, "n2");
  assertEquals(index.member(nodeId(9)), undefined);
  assertEquals(index.hostedBy(nodeId(9)), []);
  const hosted = map.members.flatMap((member) => index.hostedBy(member.nodeId));
  assertEquals(hosted.length, 4 + 8 * 3);
});

Deno.test("replicaFate() says nothing of replicas newer than the map", () => {
  const map = clusterOf(4, 1);
  assertEquals(replicaFate(map, 1, 1), "keep");
  assertEquals(replicaFate(map, 1, 4), "unknown");
  assertEquals(replicaFate(map, 2, 1), "unknown");
});

Deno.test("decodeMap() reads back what encodeMap() wrote", () => {
  const map = clusterOf(5, 16);
  assertEquals(decodeMap(encodeMap(map)), map);
});

Deno.test("decodeMap() refuses a map that contradicts itself", () => {
  const map = clusterOf(3, 2);
  const [meta, one, two] = map.partitions;
  const stranger = { replicaId: 1, nodeId: nodeId(9) };
  const broken: [string, unknown][] = [
    ["slots missing", { ...map, partitions: [meta, one] }],
    ["slots twice", { ...map, partitions: [meta, one, { ...two, slots: one.slots }] }],
    ["out of order", { ...map, partitions: [meta, two, one] }],
    ["no data", { ...map, partitions: [meta] }],
    ["members out of order", { ...map, members: map.members.toReversed() }],
    ["no replica", { ...map, partitions: [meta, one, { ...two, replicas: [] }] }],
    ["no such member", { ...map, partitions: [meta, one, { ...two, replicas: [stranger] }] }],
    ["an id not handed out", { ...map, partitions: [meta, one, { ...two, nextReplicaId: 3 }] }],
    ["an unknown field", { ...map, colour: "blue" }],
  ];
  for (const [what, value] of broken) {
    const bytes = utf8Bytes(JSON.stringify({ formatVersion: 1, ...value as object }));
    assertThrows(() => decodeMap(bytes), PartitionFormatError, "Cannot read", what);
  }
});
