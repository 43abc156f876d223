// A group sleeps only when nobody in it lacks anything, and anything wakes it (RULES 12).

import { assert, assertEquals } from "@std/assert";
import { ConfChangeTransition, ConfChangeType, MessageType, Role } from "../../src/raft/mod.ts";
import { bytes, Cluster, ELECTION_TICKS, message } from "./harness.ts";

const OPTIONS = {
  checkQuorum: true,
  preVote: true,
  disableProposalForwarding: true,
};

/** Three replicas led by 1, everyone with everything. */
function settled(learners: number[] = []): Cluster {
  const cluster = new Cluster([1, 2, 3], OPTIONS, learners);
  cluster.elect(1);
  cluster.propose(1, "x");
  cluster.pump();
  cluster.tick(1);
  return cluster;
}

function asleep(learners: number[] = []): Cluster {
  const cluster = settled(learners);
  assert(cluster.raw(1).quiesce());
  cluster.pump();
  assertEquals(sleepers(cluster), [1, 2, 3, ...learners]);
  return cluster;
}

function sleepers(cluster: Cluster): number[] {
  return [...cluster.members.values()].filter(({ raw }) => raw.quiescent).map(({ id }) => id);
}

Deno.test("quiesce() puts leader, followers and learners to sleep, and nobody answers", () => {
  const cluster = settled([4]);
  const types: MessageType[] = [];
  cluster.filter = ({ type }) => types.push(type) > 0;
  assert(cluster.raw(1).quiesce());
  cluster.pump();
  assertEquals(types, [MessageType.Quiesce, MessageType.Quiesce, MessageType.Quiesce]);
  assertEquals(sleepers(cluster), [1, 2, 3, 4]);
});

Deno.test("quiesce() is refused while a member lacks an entry, voter or learner", () => {
  for (const behind of [3, 4]) {
    const cluster = settled([4]);
    cluster.isolate(behind);
    cluster.propose(1, "y");
    cluster.pump();
    assertEquals(cluster.raw(1).quiesce(), false);
    assertEquals(sleepers(cluster), []);
  }
});

Deno.test("quiesce() is refused while a member has not answered since the last quorum check", () => {
  const cluster = settled();
  cluster.isolate(3);
  cluster.tick(1, 2 * ELECTION_TICKS);
  assertEquals(cluster.raw(1).role, Role.Leader);
  assertEquals(cluster.raw(1).quiesce(), false);
});

Deno.test("quiesce() is refused while an entry is not applied", () => {
  const cluster = settled();
  cluster.filter = () => false;
  cluster.propose(1, "y");
  cluster.pump();
  assertEquals(cluster.raw(1).quiesce(), false);
});

Deno.test("quiesce() is refused during a transfer, by a follower and by a candidate", () => {
  const cluster = settled();
  assertEquals(cluster.raw(2).quiesce(), false);
  cluster.filter = () => false;
  cluster.raw(1).transferLeader(2);
  assertEquals(cluster.raw(1).quiesce(), false);
  cluster.raw(3).forgetLeader();
  cluster.raw(3).campaign();
  assertEquals(cluster.raw(3).quiesce(), false);
});

Deno.test("quiesce() is refused while a read waits for its quorum", () => {
  const cluster = settled();
  cluster.filter = () => false;
  assert(cluster.raw(1).readIndex(7));
  assertEquals(cluster.raw(1).quiesce(), false);
});

Deno.test("quiesce() is refused in a joint configuration", () => {
  const cluster = settled();
  cluster.raw(1).proposeConfChange({
    kind: "v2",
    transition: ConfChangeTransition.JointExplicit,
    changes: [{ type: ConfChangeType.AddLearner, replicaId: 3 }],
    context: new Uint8Array(),
  });
  cluster.pump();
  cluster.tick(1, 2);
  assertEquals(cluster.raw(1).quiesce(), false);
});

Deno.test("a follower whose log does not end where the leader's does answers, which wakes the leader", () => {
  const cluster = settled();
  assert(cluster.raw(1).quiesce());
  const told = cluster.get(1).drain();
  assert(cluster.raw(1).quiescent);
  const [first, second] = told;
  // Between the leader's decision and its arrival the follower lost nothing, but suppose it had.
  cluster.raw(first.to).step({ ...first, index: first.index + 1 });
  cluster.raw(second.to).step(second);
  cluster.pump();
  assertEquals(sleepers(cluster), [second.to]);
});

Deno.test("a follower is not put to sleep by a leader of an older term, which learns of the newer", () => {
  const cluster = settled();
  const { term, lastIndex } = cluster.raw(1);
  cluster.isolate(1);
  cluster.raw(2).forgetLeader();
  cluster.raw(3).forgetLeader();
  cluster.elect(2);
  cluster.heal();
  const stale = message(MessageType.Quiesce, 3, 1, {
    term,
    logTerm: term,
    index: lastIndex,
    commit: lastIndex,
  });
  cluster.raw(3).step(stale);
  cluster.pump();
  assertEquals(cluster.raw(3).quiescent, false);
  assertEquals(cluster.raw(1).role, Role.Follower);
});

Deno.test("a proposal wakes the leader, its entries the followers", () => {
  const cluster = asleep();
  cluster.propose(1, "y");
  cluster.pump();
  assertEquals(sleepers(cluster), []);
  assertEquals(cluster.get(3).appliedText(), ["x", "y"]);
});

Deno.test("a read of a sleeping group still asks a quorum", () => {
  const cluster = asleep();
  cluster.isolate(1);
  assert(cluster.raw(1).readIndex(7));
  cluster.pump();
  assertEquals(cluster.get(1).reads, []);
  cluster.heal();
  assert(cluster.raw(1).readIndex(8));
  cluster.pump();
  assertEquals(cluster.get(1).reads.map(({ context }) => context), [7, 8]);
});

Deno.test("a leader that wakes keeps its place for an election timeout, then needs its quorum", () => {
  const cluster = asleep();
  cluster.isolate(1);
  cluster.raw(1).wake();
  cluster.tick(1, 2 * ELECTION_TICKS - 1);
  assertEquals(cluster.raw(1).role, Role.Leader);
  cluster.tick(1);
  assertEquals(cluster.raw(1).role, Role.Follower);
});

Deno.test("a leader that wakes says so at its next tick", () => {
  const cluster = asleep();
  cluster.raw(1).wake();
  cluster.tick(1);
  assertEquals(sleepers(cluster), []);
  assertEquals(cluster.raw(2).leader, 1);
});

Deno.test("a follower that wakes tells its leader, and nobody campaigns", () => {
  const cluster = asleep();
  cluster.raw(2).wake();
  cluster.pump();
  assertEquals(sleepers(cluster), [3]);
  cluster.tick(1);
  assertEquals(sleepers(cluster), []);
  assertEquals(cluster.leaders(), [1]);
  assertEquals(cluster.raw(1).term, cluster.raw(2).term);
});

Deno.test("a late word from another follower wakes the leader too, and nobody campaigns", () => {
  const cluster = asleep();
  const { term } = cluster.raw(2);
  // An append of an older term, come again: it is answered, which wakes its sender as well.
  const late = message(MessageType.Append, 2, 3, { term: term - 1, logTerm: 1, index: 1 });
  cluster.raw(2).step(late);
  cluster.pump();
  assertEquals(sleepers(cluster), []);
  cluster.tick(1);
  cluster.pump();
  assertEquals(cluster.raw(1).term, term);
  assertEquals(cluster.leaders(), [1]);
});

Deno.test("a group whose leader died in its sleep elects another once the survivors forget it", () => {
  const cluster = asleep();
  cluster.isolate(1);
  for (const id of [2, 3]) {
    cluster.raw(id).forgetLeader();
    assertEquals(cluster.raw(id).quiescent, false);
  }
  cluster.tick(2, 2 * ELECTION_TICKS);
  assertEquals(cluster.raw(2).role, Role.Leader);
  cluster.propose(2, "y");
  cluster.pump();
  assertEquals(cluster.get(3).appliedText(), ["x", "y"]);
});

Deno.test("a restarted follower that campaigns wakes the leader and does not depose it", () => {
  const cluster = asleep();
  const { storage } = cluster.get(3);
  cluster.add(3, storage, { ...OPTIONS, applied: 1 });
  cluster.tick(3, 2 * ELECTION_TICKS);
  cluster.tick(1);
  assertEquals(cluster.leaders(), [1]);
  assertEquals(cluster.raw(3).leader, 1);
  cluster.tick(1);
  assert(cluster.raw(1).quiesce());
  cluster.pump();
  assertEquals(sleepers(cluster), [1, 2, 3]);
});

Deno.test("the only voter of a group sleeps and wakes by itself", () => {
  const cluster = new Cluster([1], OPTIONS);
  cluster.elect(1);
  assert(cluster.raw(1).quiesce());
  cluster.get(1).raw.propose(bytes("x"));
  cluster.pump();
  assertEquals(cluster.get(1).appliedText(), ["x"]);
});
