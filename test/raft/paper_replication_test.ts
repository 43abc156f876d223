// What the Raft paper claims about replication, commitment, restarts and snapshots, a test per claim.

import { assert, assertEquals } from "@std/assert";
import { type Entry, MessageType, ProgressState, Role } from "../../src/raft/mod.ts";
import {
  bytes,
  Cluster,
  confState,
  ELECTION_TICKS,
  entry,
  Member,
  message,
  newStorage,
} from "./harness.ts";

/** A follower in term 1 over the given log (from index 2 on). */
function follower(entries: Entry[], commit = 1, term = 3): Member {
  const storage = newStorage(confState([1, 2, 3]), entries);
  storage.setHardState({ term, vote: 0, commit });
  return new Member(1, storage);
}

Deno.test("§5.3 a leader appends a proposal to its log and sends it to all", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  cluster.propose(1, "x");
  const sent = leader.process();
  assertEquals(leader.storage.lastIndex(), 3);
  const appends = sent.filter((m) => m.type === MessageType.Append);
  assertEquals(appends.map((m) => [m.to, m.index, m.logTerm, m.entries.length]), [
    [2, 2, 2, 1],
    [3, 2, 2, 1],
  ]);
});

Deno.test("§5.3 an entry commits when a majority has it", () => {
  const cases: [size: number, acks: number[], committed: boolean][] = [
    [3, [], false],
    [3, [2], true],
    [5, [2], false],
    [5, [2, 3], true],
    [1, [], true],
  ];
  for (const [size, acks, committed] of cases) {
    const ids = Array.from({ length: size }, (_, i) => i + 1);
    const cluster = new Cluster(ids);
    const leader = cluster.elect(1);
    cluster.filter = () => false;
    cluster.propose(1, "x");
    cluster.pump();
    for (const id of acks) {
      leader.raw.step(message(MessageType.AppendResponse, 1, id, { term: 2, index: 3 }));
    }
    cluster.pump();
    assertEquals(leader.appliedText(), committed ? ["x"] : [], `${size} voters, acks of ${acks}`);
  }
});

Deno.test("§5.3 committing an entry commits those before it, of earlier terms too", () => {
  const storage = newStorage(confState([1, 2, 3]), [entry(1, 2, "a"), entry(1, 3, "b")]);
  const member = new Member(1, storage);
  member.raw.campaign();
  member.drain();
  member.raw.step(message(MessageType.VoteResponse, 1, 2, { term: 2 }));
  member.drain();
  member.raw.step(message(MessageType.AppendResponse, 1, 2, { term: 2, index: 4 }));
  member.drain();
  assertEquals(member.appliedText(), ["a", "b"]);
});

Deno.test("§5.4.2 counting replicas never commits an entry of an earlier term alone", () => {
  const storage = newStorage(confState([1, 2, 3]), [entry(1, 2, "a")]);
  const member = new Member(1, storage);
  member.raw.campaign();
  member.drain();
  member.raw.step(message(MessageType.VoteResponse, 1, 2, { term: 2 }));
  member.drain();
  // Index 2 is of term 1 and now on a majority; index 3 is of term 2.
  member.raw.step(message(MessageType.AppendResponse, 1, 2, { term: 2, index: 2 }));
  member.drain();
  assertEquals(member.raw.committed, 1);
  member.raw.step(message(MessageType.AppendResponse, 1, 2, { term: 2, index: 3 }));
  member.drain();
  assertEquals(member.raw.committed, 3);
});

Deno.test("§5.3 a follower applies what its leader says is committed, in order", () => {
  const member = follower([]);
  const entries = [entry(3, 2, "a"), entry(3, 3, "b")];
  member.raw.step(
    message(MessageType.Append, 1, 2, { term: 3, index: 1, logTerm: 1, commit: 2, entries }),
  );
  member.drain();
  assertEquals(member.appliedText(), ["a"]);
  member.raw.step(message(MessageType.Heartbeat, 1, 2, { term: 3, commit: 3 }));
  member.drain();
  assertEquals(member.appliedText(), ["a", "b"]);
});

Deno.test("§5.3 the commit index of an append counts up to its last entry only", () => {
  const member = follower([entry(1, 2), entry(1, 3), entry(1, 4)]);
  const entries = [entry(1, 2)];
  member.raw.step(
    message(MessageType.Append, 1, 2, { term: 3, index: 1, logTerm: 1, commit: 4, entries }),
  );
  assertEquals(member.raw.committed, 2);
});

Deno.test("§5.3 a follower refuses an append that does not meet its log", () => {
  const cases: [index: number, logTerm: number, reject: boolean, hint: number][] = [
    [1, 1, false, 0],
    [3, 2, false, 0],
    [3, 3, true, 3],
    [3, 1, true, 2],
    [9, 3, true, 3],
  ];
  for (const [index, logTerm, reject, hint] of cases) {
    const member = follower([entry(1, 2), entry(2, 3)]);
    member.raw.step(message(MessageType.Append, 1, 2, { term: 3, index, logTerm }));
    const [response] = member.drain();
    assertEquals(
      [response.reject, response.rejectHint],
      [reject, hint],
      `append after ${logTerm}/${index}`,
    );
  }
});

Deno.test("§5.3 a follower deletes what conflicts with its leader, and only that", () => {
  const log = [entry(1, 2), entry(2, 3), entry(2, 4)];
  const cases: [index: number, logTerm: number, entries: Entry[], terms: number[]][] = [
    [3, 2, [entry(3, 4)], [1, 2, 3]],
    [1, 1, [entry(3, 2), entry(3, 3)], [3, 3]],
    // A stale append that our log holds already must not cut it.
    [1, 1, [entry(1, 2)], [1, 2, 2]],
    [2, 1, [entry(2, 3), entry(2, 4), entry(3, 5)], [1, 2, 2, 3]],
    [4, 2, [], [1, 2, 2]],
  ];
  for (const [index, logTerm, entries, terms] of cases) {
    const member = follower(log);
    member.raw.step(message(MessageType.Append, 1, 2, { term: 3, index, logTerm, entries }));
    member.drain();
    assertEquals(member.terms(), terms);
  }
});

Deno.test("§5.3 a committed entry is never replaced", () => {
  const member = follower([entry(1, 2), entry(1, 3)], 3);
  const entries = [entry(2, 2)];
  // Anchored below the commit index, so it is stale; the answer says how far the logs agree.
  member.raw.step(message(MessageType.Append, 1, 2, { term: 3, index: 1, logTerm: 1, entries }));
  const [response] = member.drain();
  assertEquals([response.reject, response.index], [false, 3]);
  assertEquals(member.terms(), [1, 1]);
});

Deno.test("§5.3 figure 7: a leader brings every kind of log into line with its own", () => {
  const leaderTerms = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  const followers: Record<string, number[]> = {
    a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
    b: [1, 1, 1, 4],
    c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    e: [1, 1, 1, 4, 4, 4, 4],
    f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  };
  const log = (terms: number[]) => terms.map((term, i) => entry(term, i + 2));
  for (const [name, terms] of Object.entries(followers)) {
    const cluster = new Cluster([]);
    const state = confState([1, 2, 3]);
    cluster.add(1, newStorage(state, log(leaderTerms), 7));
    cluster.add(2, newStorage(state, log(terms), 7));
    cluster.add(3, newStorage(state, [], 7));
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.pump();
    assertEquals(cluster.get(2).terms(), [...leaderTerms, 8, 8], name);
  }
});

Deno.test("§5.3 finding where two logs meet takes a round per term, not per entry", () => {
  const state = confState([1, 2, 3]);
  const cluster = new Cluster([]);
  const log = (terms: number[]) => terms.map((term, i) => entry(term, i + 2));
  cluster.add(1, newStorage(state, log([...Array(50).fill(1), ...Array(50).fill(4)]), 4));
  cluster.add(2, newStorage(state, log([...Array(50).fill(1), ...Array(90).fill(3)]), 4));
  cluster.add(3, newStorage(state, [], 4));
  let rejections = 0;
  cluster.filter = (m) => {
    if (m.from === 2 && m.type === MessageType.AppendResponse && m.reject) rejections++;
    return true;
  };
  cluster.elect(1);
  assertEquals(cluster.get(2).terms(), cluster.get(1).terms());
  assert(rejections <= 2, `${rejections} rejections`);
});

Deno.test("§5.3 a leader never deletes or replaces entries of its own", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  for (let i = 0; i < 5; i++) {
    const before = leader.terms();
    cluster.propose(1, `${i}`);
    cluster.pump();
    assertEquals(leader.terms().slice(0, before.length), before);
  }
});

Deno.test("§5.5 appends and votes are idempotent", () => {
  const member = follower([]);
  const append = { term: 3, index: 1, logTerm: 1, entries: [entry(3, 2, "a")] };
  for (let i = 0; i < 3; i++) {
    member.raw.step(message(MessageType.Append, 1, 2, append));
    assertEquals(member.drain().map((m) => [m.index, m.reject]), [[2, false]]);
    assertEquals(member.terms(), [3]);
  }
});

Deno.test("§5.5 a follower that was away is brought up to date by retries", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.isolate(3);
  for (const data of ["a", "b", "c"]) {
    cluster.propose(1, data);
    cluster.pump();
  }
  cluster.heal();
  cluster.tick(1, 2);
  assertEquals(cluster.get(3).appliedText(), ["a", "b", "c"]);
});

Deno.test("§3.8D a replica restarts with term, vote and log, and applies nothing twice", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.pump();
  const { storage } = cluster.get(2);
  const { hardState } = storage.initialState();
  const applied = hardState.commit;
  const again = new Member(2, storage, { applied });
  assertEquals(again.raw.hasReady(), false);
  assertEquals([again.raw.term, again.raw.committed, again.raw.applied], [2, applied, applied]);
  again.raw.step(message(MessageType.Vote, 2, 3, { term: 2, index: 9, logTerm: 2 }));
  assertEquals(again.drain()[0].reject, true, "it remembers having voted for 1");
});

Deno.test("§7 a follower too far behind gets a snapshot, then entries", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  cluster.isolate(3);
  for (const data of ["a", "b", "c"]) {
    cluster.propose(1, data);
    cluster.pump();
  }
  const index = leader.raw.applied;
  const metadata = { index, term: leader.storage.term(index), confState: confState([1, 2, 3]) };
  leader.storage.setSnapshot({ data: bytes("abc"), metadata });
  leader.storage.compact(index);
  cluster.heal();
  cluster.tick(1, 2);
  assertEquals(text3(cluster), "abc");
  cluster.propose(1, "d");
  cluster.pump();
  assertEquals(cluster.get(3).appliedText(), ["d"]);
  const progress = leader.raw.status().progress[2];
  assertEquals([progress.state, progress.match], [
    ProgressState.Replicate,
    leader.raw.lastIndex,
  ]);
});

function text3(cluster: Cluster): string {
  return new TextDecoder().decode(cluster.get(3).storage.snapshot()!.data);
}

Deno.test("§7 a snapshot that says nothing new is refused, and so is one for another group", () => {
  const member = follower([entry(1, 2), entry(1, 3)], 2);
  const snapshot = (index: number, voters: number[]) => ({
    term: 3,
    snapshot: { data: bytes("s"), metadata: { index, term: 1, confState: confState(voters) } },
  });
  // Older than our commit index.
  member.raw.step(message(MessageType.Snapshot, 1, 2, snapshot(2, [1, 2, 3])));
  // Contained in our log: only the commit index moves.
  member.raw.step(message(MessageType.Snapshot, 1, 2, snapshot(3, [1, 2, 3])));
  // We are no member of it.
  member.raw.step(message(MessageType.Snapshot, 1, 2, snapshot(9, [2, 3])));
  const sent = member.drain();
  assertEquals(sent.map((m) => [m.type, m.index]), [
    [MessageType.AppendResponse, 2],
    [MessageType.AppendResponse, 3],
    [MessageType.AppendResponse, 3],
  ]);
  assertEquals([member.raw.committed, member.raw.lastIndex], [3, 3]);
});

Deno.test("§7 nothing is sent to a follower while a snapshot is on its way", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "a");
  cluster.pump();
  const index = leader.raw.applied;
  const metadata = { index, term: 2, confState: confState([1, 2, 3]) };
  leader.storage.setSnapshot({ data: bytes("a"), metadata });
  leader.storage.compact(index);
  let snapshots = 0;
  cluster.filter = (m) => {
    if (m.type === MessageType.Snapshot) snapshots++;
    return m.type !== MessageType.Snapshot;
  };
  cluster.tick(1, 5);
  assertEquals([snapshots, leader.raw.status().progress[2].state], [1, ProgressState.Snapshot]);
  leader.raw.reportSnapshot(3, false);
  cluster.heal();
  cluster.tick(1, 5);
  assertEquals(cluster.get(3).raw.committed, leader.raw.committed);
});

Deno.test("§8 a new leader commits an entry of its own term at once", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  assertEquals(leader.applied.map((e) => [e.term, e.data.length]), [[2, 0]]);
  assertEquals(leader.raw.role, Role.Leader);
});

Deno.test("§8 a proposal without a leader is dropped, one at a follower forwarded if allowed", () => {
  const cluster = new Cluster([1, 2, 3]);
  assertEquals(cluster.raw(1).propose(bytes("x")).kind, "dropped");
  cluster.elect(1);
  assertEquals(cluster.raw(2).propose(bytes("y")).kind, "forwarded");
  cluster.pump();
  assertEquals(cluster.get(3).appliedText(), ["y"]);

  const strict = new Cluster([1, 2], { disableProposalForwarding: true });
  strict.elect(1);
  assertEquals(strict.raw(2).propose(bytes("z")).kind, "dropped");
});

Deno.test("a leader cut off commits nothing, and gives way to the majority's log", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.isolate(1);
  cluster.propose(1, "lost");
  cluster.pump();
  cluster.tick(2, 2 * ELECTION_TICKS);
  cluster.propose(2, "kept");
  cluster.pump();
  cluster.heal();
  cluster.tick(2, 2);
  assertEquals([...cluster.members.values()].map((m) => m.appliedText()), [
    ["kept"],
    ["kept"],
    ["kept"],
  ]);
});
