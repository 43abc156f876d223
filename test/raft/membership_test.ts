// Membership changes: Raft §6 and dissertation §4, through whole groups.

import { assertEquals, assertThrows } from "@std/assert";
import {
  type AnyConfChange,
  ConfChangeError,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  encodeConfChange,
  EntryType,
  MemoryStorage,
  MessageType,
  NO_DATA,
  Role,
} from "../../src/raft/mod.ts";
import { toConfState } from "../../src/raft/tracker.ts";
import { Cluster, ELECTION_TICKS, message } from "./harness.ts";

const { AddVoter, AddLearner, Remove } = ConfChangeType;

function v1(type: ConfChangeType, replicaId: number): AnyConfChange {
  return { kind: "v1", type, replicaId, context: NO_DATA };
}

function v2(
  changes: [ConfChangeType, number][],
  transition = ConfChangeTransition.Auto,
): AnyConfChange {
  const singles: ConfChangeSingle[] = changes.map(([type, replicaId]) => ({ type, replicaId }));
  return { kind: "v2", transition, changes: singles, context: NO_DATA };
}

/** Proposes at `id` and runs to the end. */
function change(cluster: Cluster, id: number, what: AnyConfChange): string {
  const result = cluster.raw(id).proposeConfChange(what);
  cluster.pump();
  return result.kind === "refused" ? result.reason : result.kind;
}

/** The configuration as `id` sees it. */
function config(cluster: Cluster, id: number) {
  const { incoming, outgoing, learners, learnersNext } = cluster.raw(id).status().config;
  return { incoming, outgoing, learners, learnersNext };
}

function simple(incoming: number[], learners: number[] = []) {
  return { incoming, outgoing: [], learners, learnersNext: [] };
}

/** Gives the leader a snapshot to send, as it would have in a running group. */
function snapshotFor(cluster: Cluster, leader: number): void {
  const { storage, raw } = cluster.get(leader);
  const index = raw.applied;
  const confState = toConfState(raw.status().config);
  const metadata = { index, term: storage.term(index), confState };
  storage.setSnapshot({ data: NO_DATA, metadata });
}

Deno.test("a learner is added, catches up by snapshot and entries, and is promoted", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.pump();
  cluster.add(4, new MemoryStorage());
  // A snapshot that it is not part of would be of no use to it.
  cluster.isolate(4);
  assertEquals(change(cluster, 1, v1(AddLearner, 4)), "appended");
  snapshotFor(cluster, 1);
  cluster.heal();
  cluster.tick(1, 2);
  cluster.propose(1, "b");
  cluster.pump();
  assertEquals(cluster.get(4).appliedText(), ["b"]);
  assertEquals(config(cluster, 4), simple([1, 2, 3], [4]));
  assertEquals(change(cluster, 1, v1(AddVoter, 4)), "appended");
  for (const id of [1, 2, 3, 4]) assertEquals(config(cluster, id), simple([1, 2, 3, 4]));
});

Deno.test("a learner does not count for committing", () => {
  const cluster = new Cluster([1, 2], {}, [3]);
  cluster.elect(1);
  cluster.filter = (m) => m.to !== 2;
  cluster.propose(1, "x");
  cluster.pump();
  assertEquals(cluster.get(1).appliedText(), []);
  cluster.heal();
  cluster.tick(1, 2);
  assertEquals(cluster.get(3).appliedText(), ["x"]);
});

Deno.test("§6 one change at a time: a second is refused until the first is applied", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  const raw = cluster.raw(1);
  assertEquals(raw.proposeConfChange(v1(AddVoter, 4)).kind, "appended");
  const second = raw.proposeConfChange(v1(AddVoter, 5));
  assertEquals(second.kind, "refused");
  cluster.pump();
  assertEquals(config(cluster, 1), simple([1, 2, 3, 4]));
  assertEquals(change(cluster, 1, v1(Remove, 4)), "appended");
});

Deno.test("a new leader takes no change before it has applied all it found in its log", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.raw(2).campaign();
  // Votes arrive, but nothing of the new term is committed yet.
  cluster.filter = (m) => m.type !== MessageType.AppendResponse;
  cluster.pump();
  assertEquals(cluster.raw(2).role, Role.Leader);
  cluster.propose(2, "uncommitted");
  cluster.pump();
  const result = cluster.raw(2).proposeConfChange(v1(AddVoter, 4));
  assertEquals(result.kind, "appended", "all of the old log was applied");

  // Now with an entry in the old log that the new leader has not applied.
  const other = new Cluster([1, 2, 3]);
  other.elect(1);
  other.filter = (m) => m.type !== MessageType.AppendResponse;
  other.propose(1, "unapplied");
  other.pump();
  other.raw(2).campaign();
  other.pump();
  assertEquals(other.raw(2).role, Role.Leader);
  assertEquals(other.raw(2).proposeConfChange(v1(AddVoter, 4)).kind, "refused");
});

Deno.test("D§4.3 a joint configuration needs both majorities, and is left by itself", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  for (const id of [4, 5]) cluster.add(id, new MemoryStorage());
  const swap = v2([[AddVoter, 4], [AddVoter, 5], [Remove, 2], [Remove, 3]]);
  // The newcomers are not reachable, so the joint configuration can't be left.
  cluster.isolate(4, 5);
  assertEquals(change(cluster, 1, swap), "appended");
  assertEquals(config(cluster, 1), {
    incoming: [1, 4, 5],
    outgoing: [1, 2, 3],
    learners: [],
    learnersNext: [],
  });
  cluster.propose(1, "x");
  cluster.pump();
  assertEquals(cluster.get(1).appliedText(), [], "1 2 3 alone can't commit");
  cluster.heal();
  snapshotFor(cluster, 1);
  cluster.tick(1, 3);
  assertEquals(cluster.get(1).appliedText(), ["x"]);
  assertEquals(config(cluster, 1), simple([1, 4, 5]));
  assertEquals(config(cluster, 4), simple([1, 4, 5]));
});

Deno.test("D§4.3 an explicit joint configuration stays until an empty change is proposed", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  change(cluster, 1, v2([[Remove, 3]], ConfChangeTransition.JointExplicit));
  cluster.tick(1, 3);
  assertEquals(config(cluster, 1).outgoing, [1, 2, 3]);
  const refused = change(cluster, 1, v1(AddVoter, 9));
  assertEquals(refused, "must transition out of joint config first");
  assertEquals(change(cluster, 1, v2([])), "appended");
  assertEquals(config(cluster, 1), simple([1, 2]));
  assertEquals(change(cluster, 1, v2([])), "not in joint state; refusing empty conf change");
});

Deno.test("a demoted voter votes in the outgoing majority until the joint one is left", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  change(cluster, 1, v2([[AddLearner, 3]], ConfChangeTransition.JointExplicit));
  assertEquals(config(cluster, 1), {
    incoming: [1, 2],
    outgoing: [1, 2, 3],
    learners: [],
    learnersNext: [3],
  });
  change(cluster, 1, v2([]));
  assertEquals(config(cluster, 1), simple([1, 2], [3]));
});

Deno.test("a change that would leave no voter is refused, not applied", () => {
  const cluster = new Cluster([1]);
  cluster.elect(1);
  assertEquals(change(cluster, 1, v1(Remove, 1)), "removed all voters");
  assertEquals(change(cluster, 1, v2([[AddLearner, 1]])), "removed all voters");
  assertEquals(config(cluster, 1), simple([1]));
  assertThrows(() => cluster.raw(1).applyConfChange(v1(Remove, 1), 9), ConfChangeError);
});

Deno.test("a forwarded change that can't be read or made leaves an empty entry", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  const propose = (data: Uint8Array) => {
    const entries = [{ term: 0, index: 0, type: EntryType.ConfChange, data }];
    leader.raw.step(message(MessageType.Propose, 1, 2, { entries }));
    cluster.pump();
    return leader.applied.at(-1)!;
  };
  assertEquals(propose(new Uint8Array(3)).type, EntryType.Normal);
  const fine = encodeConfChange(v1(AddLearner, 9));
  assertEquals(propose(fine).type, EntryType.ConfChange);
  assertEquals(config(cluster, 2), simple([1, 2, 3], [9]));
});

Deno.test("D§4.2.2 a removed leader that steps down leaves the group able to elect another", () => {
  const cluster = new Cluster([1, 2, 3], { stepDownOnRemoval: true });
  cluster.elect(1);
  change(cluster, 1, v1(Remove, 1));
  cluster.tick(2, 2);
  assertEquals(cluster.raw(1).role, Role.Follower);
  cluster.elect(2);
  cluster.propose(2, "x");
  cluster.pump();
  assertEquals(cluster.get(3).appliedText(), ["x"]);
  cluster.raw(1).campaign();
  assertEquals(cluster.raw(1).role, Role.Follower, "who is out does not campaign");
});

Deno.test("D§4.2.2 a leader that is removed does not count itself meanwhile", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  const leader = cluster.get(1);
  leader.raw.proposeConfChange(v1(Remove, 1));
  cluster.propose(1, "behind");
  cluster.filter = (m) => !(m.from === 3 && m.type === MessageType.AppendResponse);
  // 2 acknowledges everything; that is one of the two that are left.
  cluster.pump();
  cluster.tick(1, 2);
  const committed = leader.raw.committed;
  assertEquals(cluster.raw(1).propose(NO_DATA).kind, "dropped");
  cluster.heal();
  cluster.tick(1, 2);
  assertEquals(cluster.get(3).raw.committed >= committed, true);
  assertEquals(cluster.get(3).appliedText(), ["behind"]);
});

Deno.test("§6 removed replicas can't depose a leader that is in touch with its quorum", () => {
  const cluster = new Cluster([1, 2, 3, 4], { preVote: true, checkQuorum: true });
  cluster.elect(1);
  // 4 does not hear of its own removal.
  cluster.isolate(4);
  change(cluster, 1, v1(Remove, 4));
  cluster.heal();
  const { term } = cluster.raw(1);
  for (let i = 0; i < 3 * ELECTION_TICKS; i++) {
    cluster.tick(4);
    cluster.tick(1);
  }
  assertEquals([cluster.leaders(), cluster.raw(1).term], [[1], term]);
});

Deno.test("a transfer is called off when its target is removed", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.raw(1).proposeConfChange(v1(Remove, 3));
  cluster.filter = (m) => m.to !== 3;
  cluster.raw(1).transferLeader(3);
  cluster.pump();
  assertEquals(cluster.raw(1).leadTransferee, 0);
});

Deno.test("a joint configuration that could not be left during a transfer is left when that has failed", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.raw(1).proposeConfChange(v2([[AddLearner, 2], [AddLearner, 3]]));
  // The target never hears of its luck.
  cluster.filter = (m) => m.type !== MessageType.TimeoutNow;
  cluster.raw(1).transferLeader(3);
  cluster.pump();
  assertEquals(config(cluster, 1).outgoing, [1, 2, 3]);
  cluster.tick(1, ELECTION_TICKS);
  assertEquals(config(cluster, 1), simple([1], [2, 3]));
  assertEquals(config(cluster, 3), simple([1], [2, 3]));
});

Deno.test("a restarted replica has the configuration of its snapshot", () => {
  const state = {
    voters: [1, 2, 5],
    learners: [6],
    votersOutgoing: [1, 2, 3, 4],
    learnersNext: [3],
    autoLeave: true,
  };
  const storage = new MemoryStorage();
  storage.applySnapshot({ data: NO_DATA, metadata: { index: 9, term: 3, confState: state } });
  const cluster = new Cluster([]);
  const member = cluster.add(1, storage);
  const restored = member.raw.status().config;
  assertEquals(restored, {
    incoming: [1, 2, 5],
    outgoing: [1, 2, 3, 4],
    learners: [6],
    learnersNext: [3],
    autoLeave: true,
  });
});
