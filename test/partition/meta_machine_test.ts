// The meta group's state machine: every command's effect, refusals and repetitions, and the rule that a
// replica is retired only on proof.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodeMap, encodeMap } from "../../src/partition/map_codec.ts";
import { InvariantError } from "../../src/base/assert.ts";
import { utf8Bytes } from "../../src/base/bytes.ts";
import {
  type BeginMove,
  type ClusterMap,
  decodeCommand,
  encodeCommand,
  MapIndex,
  type MetaCommand,
  MetaMachine,
  PartitionFormatError,
  type RecordConfiguration,
  replicaFate,
  UNKNOWN_MAP,
} from "../../src/partition/mod.ts";
import {
  assertRefused,
  assertUnchanged,
  clusterOf,
  memberDetails,
  mustApply,
  nodeId,
} from "./support.ts";

function add(n: number): MetaCommand {
  return { kind: "addMember", nodeId: nodeId(n), details: memberDetails(n) };
}

function move(map: ClusterMap, partition: number, change: Partial<BeginMove>): BeginMove {
  const expected = map.partitions[partition].replicas.map((ref) => ref.replicaId);
  return { kind: "beginMove", partition, add: [], remove: [], replace: [], expected, ...change };
}

function record(partition: number, change: Partial<RecordConfiguration>): RecordConfiguration {
  return {
    kind: "recordConfiguration",
    partition,
    confIndex: 10,
    confEpoch: 1,
    voters: [1, 2, 3],
    votersOutgoing: [],
    learners: [],
    ...change,
  };
}

/** The node of 1..4 that holds no replica of partition 1 in a cluster of four. */
function spareNode(map: ClusterMap): string {
  const holders = map.partitions[1].replicas.map((ref) => ref.nodeId);
  return map.members.find((member) => !holders.includes(member.nodeId))!.nodeId;
}

Deno.test("addMember makes a learner of the meta group and is idempotent", () => {
  const map = mustApply(clusterOf(3, 2), add(4));
  assertEquals(map.members.length, 4);
  assertEquals(map.partitions[0].learners, [{ replicaId: 4, nodeId: nodeId(4) }]);
  assertEquals(new MapIndex(map).hostedBy(nodeId(4)), [{ partition: 0, replicaId: 4 }]);
  assertUnchanged(map, add(4));
  assertRefused(
    map,
    { kind: "addMember", nodeId: nodeId(4), details: memberDetails(5) },
    "conflict",
  );
  for (const taken of ["name", "peer", "http"] as const) {
    const details = { ...memberDetails(5), [taken]: memberDetails(2)[taken] };
    assertRefused(map, { kind: "addMember", nodeId: nodeId(5), details }, "conflict");
  }
});

Deno.test("updateMember changes addresses, never to another member's", () => {
  let map = clusterOf(3, 2);
  const details = { ...memberDetails(2), peer: "10.9.9.9:1", zone: "b" };
  map = mustApply(map, { kind: "updateMember", nodeId: nodeId(2), details });
  assertEquals(new MapIndex(map).member(nodeId(2)), {
    nodeId: nodeId(2),
    ...details,
    state: "active",
  });
  assertUnchanged(map, { kind: "updateMember", nodeId: nodeId(2), details });
  assertRefused(map, { kind: "updateMember", nodeId: nodeId(3), details }, "conflict");
  assertRefused(map, { kind: "updateMember", nodeId: nodeId(9), details }, "unknown-member");
});

Deno.test("leaveMember drains, stayMember takes it back, the last active member stays", () => {
  let map = clusterOf(2, 1);
  map = mustApply(map, { kind: "leaveMember", nodeId: nodeId(1) });
  assertEquals(map.members[0].state, "leaving");
  assertUnchanged(map, { kind: "leaveMember", nodeId: nodeId(1) });
  assertRefused(map, { kind: "leaveMember", nodeId: nodeId(2) }, "last-member");
  map = mustApply(map, { kind: "stayMember", nodeId: nodeId(1) });
  assertEquals(map.members[0].state, "active");
});

Deno.test("removeMember refuses holders of replicas and the last member", () => {
  const map = clusterOf(4, 1);
  for (const { nodeId } of map.partitions[1].replicas) {
    assertRefused(map, { kind: "removeMember", nodeId }, "holds-replicas");
  }
  for (const { nodeId } of map.partitions[0].replicas) {
    assertRefused(map, { kind: "removeMember", nodeId }, "holds-replicas");
  }
  assertUnchanged(map, { kind: "removeMember", nodeId: nodeId(9) });
  assertRefused(clusterOf(1, 1), { kind: "removeMember", nodeId: nodeId(1) }, "last-member");
});

Deno.test("a removed member's meta replica is retired once its group proves it out", () => {
  let map = mustApply(clusterOf(3, 1), add(4));
  map = mustApply(map, { kind: "removeMember", nodeId: nodeId(4) });
  const removedEpoch = map.epoch;
  assertEquals(replicaFate(map, 0, 4), "keep");
  // Proof from before the removal, then a configuration that still has the learner.
  map = mustApply(map, record(0, { confIndex: 10, confEpoch: removedEpoch - 1 }));
  assertEquals(replicaFate(map, 0, 4), "keep");
  map = mustApply(map, record(0, { confIndex: 11, confEpoch: removedEpoch, learners: [4] }));
  assertEquals(replicaFate(map, 0, 4), "keep");
  map = mustApply(map, record(0, { confIndex: 12, confEpoch: removedEpoch }));
  assertEquals(replicaFate(map, 0, 4), "delete");
  assertEquals(map.partitions[0].retired.map((ref) => ref.replicaId), [4]);
  // Back under a new replicaId: ids are never reused.
  map = mustApply(map, add(4));
  assertEquals(map.partitions[0].learners, [{ replicaId: 5, nodeId: nodeId(4) }]);
});

Deno.test("a move adds under a fresh id and settles on the group's final configuration", () => {
  let map = clusterOf(4, 2);
  const spare = spareNode(map);
  const begin = move(map, 1, { add: [spare], remove: [2] });
  map = mustApply(map, begin);
  const epoch = map.epoch;
  assertEquals(map.partitions[1].move, {
    beganEpoch: epoch,
    adding: [{ replicaId: 4, nodeId: spare }],
    removing: [clusterOf(4, 2).partitions[1].replicas[1]],
    demoting: [],
    phase: "learning",
  });
  assertUnchanged(map, begin);
  assertRefused(map, move(map, 1, { remove: [1] }), "move-in-progress");
  const hosted = new MapIndex(map).hostedBy(spare);
  assert(hosted.some((replica) => replica.partition === 1 && replica.replicaId === 4));

  map = mustApply(map, record(1, { confIndex: 5, confEpoch: epoch, learners: [4] }));
  assertEquals(map.partitions[1].move?.phase, "learning");
  const joint = { confIndex: 6, voters: [1, 3, 4], votersOutgoing: [1, 2, 3], confEpoch: epoch };
  map = mustApply(map, record(1, joint));
  assertEquals(map.partitions[1].move?.phase, "promoted");
  assertEquals(replicaFate(map, 1, 2), "keep");
  map = mustApply(map, record(1, { confIndex: 7, voters: [1, 3, 4], confEpoch: epoch }));
  assertEquals(map.partitions[1].move, undefined);
  assertEquals(map.partitions[1].replicas.map((ref) => ref.replicaId), [1, 3, 4]);
  assertEquals(replicaFate(map, 1, 2), "delete");
  assertEquals(map.partitions[1].retired.map((ref) => ref.replicaId), [2]);

  assertUnchanged(map, record(1, { confIndex: 7, voters: [1, 3, 4], confEpoch: epoch }));
  assertUnchanged(map, record(1, joint));
  assertRefused(map, begin, "stale");
});

Deno.test("an old configuration never settles a later move", () => {
  let map = clusterOf(1, 1);
  map = mustApply(map, add(2));
  map = mustApply(map, move(map, 1, { add: [nodeId(2)] }));
  map = mustApply(map, record(1, { confIndex: 8, voters: [1, 2], confEpoch: map.epoch }));
  map = mustApply(map, move(map, 1, { remove: [2] }));
  // {1} was the configuration once, before replica 2 came.
  assertUnchanged(map, record(1, { confIndex: 2, voters: [1] }));
  assertEquals(replicaFate(map, 1, 2), "keep");
  map = mustApply(map, record(1, { confIndex: 9, voters: [1], confEpoch: map.epoch }));
  assertEquals(replicaFate(map, 1, 2), "delete");
});

Deno.test("a cancelled move settles only on a configuration made after the cancellation", () => {
  let map = clusterOf(4, 1);
  map = mustApply(map, move(map, 1, { add: [spareNode(map)], remove: [2] }));
  const beganEpoch = map.epoch;
  map = mustApply(map, { kind: "cancelMove", partition: 1, beganEpoch });
  const cancelEpoch = map.epoch;
  assertUnchanged(map, { kind: "cancelMove", partition: 1, beganEpoch });
  // An older map's leader may yet promote: its configuration proves nothing.
  map = mustApply(map, record(1, { confIndex: 5, confEpoch: beganEpoch }));
  assertEquals(map.partitions[1].move?.cancelEpoch, cancelEpoch);
  map = mustApply(map, record(1, { confIndex: 6, confEpoch: cancelEpoch, learners: [4] }));
  assertEquals(replicaFate(map, 1, 4), "keep");
  map = mustApply(map, record(1, { confIndex: 7, confEpoch: cancelEpoch }));
  assertEquals(map.partitions[1].move, undefined);
  assertEquals(map.partitions[1].replicas.map((ref) => ref.replicaId), [1, 2, 3]);
  assertEquals(replicaFate(map, 1, 4), "delete");
});

Deno.test("a cancellation that comes after the promotion loses", () => {
  const start = clusterOf(4, 1);
  const begun = mustApply(start, move(start, 1, { add: [spareNode(start)], remove: [2] }));
  const cancel: MetaCommand = { kind: "cancelMove", partition: 1, beganEpoch: begun.epoch };
  const target = { confIndex: 7, voters: [1, 3, 4], confEpoch: begun.epoch };

  const promoted = mustApply(begun, record(1, { ...target, votersOutgoing: [1, 2, 3] }));
  assertRefused(promoted, cancel, "too-late");

  // The meta group did not know yet: the configuration decides.
  const done = mustApply(mustApply(begun, cancel), record(1, target));
  assertEquals(done.partitions[1].replicas.map((ref) => ref.replicaId), [1, 3, 4]);
  assertRefused(done, cancel, "no-such-move");
});

Deno.test("a suspect replica is replaced on its own node under a new id", () => {
  let map = clusterOf(3, 1);
  const [, suspect] = map.partitions[1].replicas;
  map = mustApply(map, move(map, 1, { replace: [2] }));
  assertEquals(map.partitions[1].move?.adding, [{ replicaId: 4, nodeId: suspect.nodeId }]);
  assertEquals(map.partitions[1].move?.removing, [suspect]);
  const hosted = new MapIndex(map).hostedBy(suspect.nodeId);
  assertEquals(hosted.filter((replica) => replica.partition === 1), [{
    partition: 1,
    replicaId: 4,
  }]);
  assertEquals(new MapIndex(map).nodeOf(1, 2), suspect.nodeId);
});

Deno.test("meta voters: promotion keeps the learner's id, the replaced voter becomes a learner", () => {
  let map = clusterOf(4, 1);
  const learner = map.partitions[0].learners[0];
  const [first] = map.partitions[0].replicas;
  map = mustApply(map, move(map, 0, { add: [learner.nodeId], remove: [first.replicaId] }));
  assertEquals(map.partitions[0].move?.adding, [learner]);
  assertEquals(map.partitions[0].move?.demoting, [first]);
  assertRefused(map, { kind: "removeMember", nodeId: learner.nodeId }, "holds-replicas");
  const after = [2, 3, learner.replicaId];
  map = mustApply(map, record(0, { voters: after, learners: [1], confEpoch: map.epoch }));
  assertEquals(map.partitions[0].replicas.map((ref) => ref.replicaId), after);
  assertEquals(map.partitions[0].learners, [first]);
  assertEquals(replicaFate(map, 0, first.replicaId), "keep");
});

Deno.test("meta voters: a suspect one is replaced through a fresh learner, kept if cancelled", () => {
  let map = clusterOf(3, 1);
  map = mustApply(map, move(map, 0, { replace: [2] }));
  const fresh = map.partitions[0].learners[0];
  assertEquals(fresh.replicaId, 4);
  assertEquals(map.partitions[0].move?.adding, [fresh]);
  map = mustApply(map, { kind: "cancelMove", partition: 0, beganEpoch: map.epoch });
  map = mustApply(map, record(0, { confEpoch: map.epoch, learners: [4] }));
  assertEquals(map.partitions[0].move, undefined);
  map = mustApply(map, move(map, 0, { replace: [2] }));
  assertEquals(map.partitions[0].move?.adding, [fresh]);
  map = mustApply(map, record(0, { confIndex: 20, voters: [1, 3, 4], confEpoch: map.epoch }));
  assertEquals(replicaFate(map, 0, 2), "delete");
});

Deno.test("meta learners: a suspect one is swapped without a move", () => {
  let map = clusterOf(4, 1);
  const suspect = map.partitions[0].learners[0];
  map = mustApply(map, move(map, 0, { replace: [suspect.replicaId] }));
  assertEquals(map.partitions[0].move, undefined);
  assertEquals(map.partitions[0].learners, [{ replicaId: 5, nodeId: suspect.nodeId }]);
  assertEquals(replicaFate(map, 0, 4), "keep");
  map = mustApply(map, record(0, { confEpoch: map.epoch, learners: [5] }));
  assertEquals(replicaFate(map, 0, 4), "delete");
});

Deno.test("beginMove refuses what makes no sense", () => {
  let map = mustApply(clusterOf(4, 1), add(5));
  const spare = spareNode(map);
  const [holder] = map.partitions[1].replicas;
  const cases: [string, Partial<BeginMove>][] = [
    ["nothing", {}],
    ["a stranger", { add: [nodeId(9)] }],
    ["the same node twice", { add: [spare, spare] }],
    ["a node that holds a voter", { add: [holder.nodeId] }],
    ["its own node, without suspicion", { add: [holder.nodeId], remove: [holder.replicaId] }],
    ["removal of an unknown replica", { remove: [9] }],
    ["replacement of an unknown replica", { replace: [9] }],
    ["removed and replaced", { remove: [1], replace: [1] }],
    ["the last copies", { remove: [1, 2, 3] }],
  ];
  for (const [what, change] of cases) {
    assertRefused(map, move(map, 1, change), "invalid-move", what);
  }
  assertRefused(map, { ...move(map, 1, {}), partition: 7 }, "unknown-partition");
  assertRefused(map, move(map, 1, { add: [spare], expected: [1, 2] }), "stale");
  map = mustApply(map, { kind: "leaveMember", nodeId: spare });
  assertRefused(map, move(map, 1, { add: [spare] }), "invalid-move");
});

Deno.test("recordConfiguration refuses replicas nobody handed out", () => {
  const map = clusterOf(3, 1);
  assertRefused(map, record(1, { voters: [1, 2, 4] }), "unexpected-configuration");
  assertRefused(map, record(1, { voters: [] }), "unexpected-configuration");
  assertRefused(map, record(5, {}), "unknown-partition");
});

Deno.test("decodeCommand() reads back every kind and refuses anything else", () => {
  const commands: MetaCommand[] = [
    add(4),
    {
      kind: "updateMember",
      nodeId: nodeId(4),
      details: memberDetails(4, { zone: "a", host: "h" }, 3),
    },
    { kind: "leaveMember", nodeId: nodeId(4) },
    { kind: "stayMember", nodeId: nodeId(4) },
    { kind: "removeMember", nodeId: nodeId(4) },
    move(clusterOf(3, 1), 1, { add: [nodeId(4)], remove: [1], replace: [2] }),
    { kind: "cancelMove", partition: 1, beganEpoch: 5 },
    record(1, { votersOutgoing: [1, 2], learners: [7] }),
  ];
  for (const command of commands) {
    const bytes = encodeCommand(command);
    assertEquals(decodeCommand(bytes), command);
    const text = JSON.stringify({ ...command, version: 1, extra: 1 });
    assertThrows(() => decodeCommand(utf8Bytes(text)), PartitionFormatError, "unknown field");
    for (const field of Object.keys(command)) {
      const lacking = { version: 1, ...command, [field]: undefined };
      assertThrows(() => decodeCommand(utf8Bytes(JSON.stringify(lacking))), PartitionFormatError);
    }
    const newer = JSON.stringify({ ...command, version: 2 });
    assertThrows(() => decodeCommand(utf8Bytes(newer)), PartitionFormatError, "2 is not known");
  }
  const twice = JSON.stringify({ version: 1, ...record(1, { voters: [1, 1] }) });
  assertThrows(() => decodeCommand(utf8Bytes(twice)), PartitionFormatError, "twice");
});

Deno.test("MetaMachine: snapshot equals replay, image is frozen, hash follows the state", () => {
  const machine = new MetaMachine(clusterOf(3, 1024));
  const first = machine.stateHash();
  const image = machine.image();
  assertEquals(machine.apply(2, 1, encodeCommand(add(4))), { ok: true, changed: true, epoch: 2 });
  assertEquals(machine.apply(5, 1, encodeCommand(add(4))), { ok: true, changed: false, epoch: 2 });
  const refused = machine.apply(6, 1, encodeCommand({ kind: "leaveMember", nodeId: nodeId(9) }));
  assertEquals(refused.ok, false);
  assertEquals(machine.map.epoch, 2);
  assert(machine.stateHash() !== first);

  const restored = new MetaMachine(UNKNOWN_MAP);
  assertThrows(() => restored.apply(2, 1, encodeCommand(add(4))), InvariantError);
  const loader = restored.beginLoad();
  for (const chunk of { [Symbol.iterator]: () => image.chunks() }) loader.push(chunk);
  loader.finish();
  assertEquals(restored.stateHash(), first);
  restored.apply(2, 1, encodeCommand(add(4)));
  assertEquals(restored.stateHash(), machine.stateHash());
});

Deno.test("MetaMachine ends the process on a committed entry that it can't read", () => {
  const machine = new MetaMachine(clusterOf(3, 1));
  assertThrows(() => machine.apply(2, 1, utf8Bytes("{}")), InvariantError, "Cannot apply");
  const newer = utf8Bytes('{"version":2,"kind":"later"}');
  assertThrows(() => machine.apply(2, 1, newer), InvariantError, "2 is not known");
});

Deno.test("preferZone sets and clears a wish, which the map's bytes carry", () => {
  const before = clusterOf(3, 2, 3);
  const map = mustApply(before, { kind: "preferZone", partition: 1, zone: "eu" });
  assertEquals(map.partitions[1].preferredZone, "eu");
  assertEquals(decodeMap(encodeMap(map)), map);
  assertUnchanged(map, { kind: "preferZone", partition: 1, zone: "eu" });
  const cleared = mustApply(map, { kind: "preferZone", partition: 1 });
  assertEquals("preferredZone" in cleared.partitions[1], false);
  for (const partition of [0, 9]) {
    assertRefused(map, { kind: "preferZone", partition, zone: "eu" }, "unknown-partition");
  }
  const command: MetaCommand = { kind: "preferZone", partition: 1, zone: "eu" };
  assertEquals(decodeCommand(encodeCommand(command)), command);
});
