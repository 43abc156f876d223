// Linearizable reads without log entries: dissertation §6.4.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { MessageType, Role } from "../../src/raft/mod.ts";
import { Cluster, confState, Member, message, newStorage } from "./harness.ts";

Deno.test("D§6.4 a read's index is the commit index at the time it arrives", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  cluster.propose(1, "a");
  cluster.pump();
  const { committed } = leader.raw;
  assert(leader.raw.readIndex(7));
  cluster.pump();
  assertEquals(leader.reads, [{ index: committed, context: 7 }]);
});

Deno.test("D§6.4 a read needs a heartbeat round answered by a quorum", () => {
  const cluster = new Cluster([1, 2, 3, 4, 5]);
  const leader = cluster.elect(1);
  cluster.filter = (m) => m.type !== MessageType.HeartbeatResponse || m.from === 2;
  leader.raw.readIndex(1);
  cluster.pump();
  assertEquals(leader.reads, []);
  cluster.heal();
  cluster.tick(1);
  assertEquals(leader.reads.map((r) => r.context), [1]);
});

Deno.test("D§6.4 an answer to an earlier round does not confirm a later read", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  leader.raw.readIndex(1);
  const first = leader.drain().filter((m) => m.type === MessageType.Heartbeat);
  leader.raw.readIndex(2);
  leader.drain();
  const { term } = leader.raw;
  const { context } = first[0];
  leader.raw.step(message(MessageType.HeartbeatResponse, 1, 2, { term, context }));
  leader.drain();
  assertEquals(leader.reads.map((r) => r.context), [1]);
  leader.raw.step(message(MessageType.HeartbeatResponse, 1, 3, { term, context: context + 1 }));
  leader.drain();
  assertEquals(leader.reads.map((r) => r.context), [1, 2]);
});

Deno.test("D§6.4 a later answer confirms all earlier reads", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  leader.raw.readIndex(1);
  leader.raw.readIndex(2);
  const rounds = leader.drain().filter((m) => m.to === 2).map((m) => m.context);
  const { term } = leader.raw;
  leader.raw.step(
    message(MessageType.HeartbeatResponse, 1, 2, { term, context: Math.max(...rounds) }),
  );
  leader.drain();
  assertEquals(leader.reads.map((r) => r.context), [1, 2]);
});

Deno.test("D§6.4 a read waits for the leader's first commit in its term", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.pump();
  cluster.filter = (m) => m.type !== MessageType.AppendResponse;
  const leader = cluster.elect(2);
  leader.raw.readIndex(5);
  cluster.pump();
  cluster.tick(2);
  assertEquals(leader.reads, []);
  cluster.heal();
  cluster.tick(2, 2);
  assertEquals(leader.reads, [{ index: leader.raw.committed, context: 5 }]);
});

Deno.test("a sole voter's read also waits for its first commit in the term", () => {
  const member = new Member(1, newStorage(confState([1])));
  member.raw.campaign();
  // The vote counts once it is durable; then the first entry has still to be written.
  member.process();
  assertEquals(member.raw.role, Role.Leader);
  member.raw.readIndex(3);
  member.process();
  assertEquals(member.reads, []);
  member.drain();
  assertEquals(member.reads.map((r) => r.context), [3]);
});

Deno.test("D§6.4 a deposed leader that does not know it serves no read", () => {
  const cluster = new Cluster([1, 2, 3]);
  const old = cluster.elect(1);
  cluster.isolate(1);
  cluster.elect(2);
  cluster.propose(2, "new");
  cluster.pump();
  old.raw.readIndex(1);
  cluster.pump();
  cluster.tick(1, 3);
  assertEquals([old.raw.role, old.reads], [Role.Leader, []]);
});

Deno.test("a follower's read is forwarded and comes back with its own context", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  // The same context from two followers must not be mixed up.
  assert(cluster.raw(2).readIndex(9));
  assert(cluster.raw(3).readIndex(9));
  cluster.pump();
  const expected = [{ index: leader.raw.committed, context: 9 }];
  assertEquals([cluster.get(2).reads, cluster.get(3).reads, leader.reads], [
    expected,
    expected,
    [],
  ]);
});

Deno.test("a read without a leader is refused at once, and so is one too many", () => {
  const cluster = new Cluster([1, 2, 3], { maxPendingReads: 2 });
  assertEquals(cluster.raw(1).readIndex(1), false);
  const leader = cluster.elect(1);
  cluster.isolate(1);
  const taken = [1, 2, 3].map((context) => leader.raw.readIndex(context));
  assertEquals(taken, [true, true, false]);
});

Deno.test("reads in waiting are forgotten when leadership is lost", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  cluster.isolate(1);
  leader.raw.readIndex(1);
  cluster.pump();
  cluster.heal();
  cluster.elect(2);
  cluster.elect(1);
  cluster.tick(1, 3);
  assertEquals(leader.reads, []);
});

Deno.test("lease-based reads are served without a round, and need checkQuorum", () => {
  assertThrows(() => new Cluster([1, 2, 3], { readOnly: "lease-based" }), RangeError);
  const cluster = new Cluster([1, 2, 3], { readOnly: "lease-based", checkQuorum: true });
  const leader = cluster.elect(1);
  leader.raw.readIndex(1);
  assertEquals(leader.drain(), []);
  assertEquals(leader.reads, [{ index: leader.raw.committed, context: 1 }]);
});

Deno.test("a read confirmed by a quorum in both majorities only, when the configuration is joint", () => {
  const cluster = new Cluster([]);
  const state = { ...confState([1, 4, 5]), votersOutgoing: [1, 2, 3] };
  for (const id of [1, 2, 3, 4, 5]) cluster.add(id, newStorage(state));
  const leader = cluster.elect(1);
  cluster.filter = (m) => m.type !== MessageType.HeartbeatResponse || m.from <= 3;
  leader.raw.readIndex(1);
  cluster.pump();
  assertEquals(leader.reads, []);
  cluster.heal();
  cluster.tick(1);
  assertEquals(leader.reads.length, 1);
});
