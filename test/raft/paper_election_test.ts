// What the Raft paper claims about terms and elections, a test per claim.
// Sections of "In Search of an Understandable Consensus Algorithm" (extended version); those marked D
// of Ongaro's dissertation.

import { assert, assertEquals } from "@std/assert";
import {
  ConfChangeType,
  encodeConfChange,
  EntryType,
  MessageType,
  NO_DATA,
  Role,
} from "../../src/raft/mod.ts";
import {
  Cluster,
  confState,
  ELECTION_TICKS,
  entry,
  Member,
  message,
  newStorage,
} from "./harness.ts";

/** A member of a group of three in the given role and term, with nothing pending. */
function memberAs(role: Role, term: number): Member {
  const member = new Member(1, newStorage(confState([1, 2, 3]), [], term));
  if (role !== Role.Follower) {
    const storage = newStorage(confState([1, 2, 3]), [], term - 1);
    const candidate = new Member(1, storage);
    candidate.raw.campaign();
    candidate.drain();
    if (role === Role.Leader) {
      candidate.raw.step(message(MessageType.VoteResponse, 1, 2, { term }));
      candidate.drain();
    }
    assertEquals(candidate.raw.role, role);
    return candidate;
  }
  return member;
}

const NAMES = {
  [Role.Follower]: "follower",
  [Role.Candidate]: "candidate",
  [Role.Leader]: "leader",
};

for (const role of [Role.Follower, Role.Candidate, Role.Leader] as const) {
  const name = NAMES[role];
  Deno.test(`§5.1 a ${name} takes over a larger term and becomes follower`, () => {
    const member = memberAs(role, 2);
    member.raw.step(message(MessageType.Append, 1, 2, { term: 3, index: 1, logTerm: 1 }));
    assertEquals([member.raw.term, member.raw.role, member.raw.leader], [3, Role.Follower, 2]);
  });

  Deno.test(`§5.1 a ${name} ignores an append of a stale term`, () => {
    const member = memberAs(role, 2);
    const before = member.raw.lastIndex;
    const entries = [entry(1, 2, "stale")];
    member.raw.step(message(MessageType.Append, 1, 2, { term: 1, index: 1, logTerm: 1, entries }));
    assertEquals(member.drain(), []);
    assertEquals([member.raw.term, member.raw.role, member.raw.lastIndex], [2, role, before]);
  });
}

Deno.test("§5.2 a replica starts as follower", () => {
  const member = new Member(1, newStorage(confState([1, 2, 3])));
  assertEquals([member.raw.role, member.raw.leader], [Role.Follower, 0]);
});

Deno.test("§5.2 a leader sends heartbeats at every interval", () => {
  const leader = memberAs(Role.Leader, 2);
  leader.raw.tick();
  const sent = leader.drain();
  assertEquals(sent.map((m) => [m.type, m.to, m.term]), [
    [MessageType.Heartbeat, 2, 2],
    [MessageType.Heartbeat, 3, 2],
  ]);
});

for (const role of [Role.Follower, Role.Candidate] as const) {
  Deno.test(`§5.2 a ${NAMES[role]}'s election timeout starts a campaign in a new term`, () => {
    const member = memberAs(role, 2);
    for (let i = 0; i < ELECTION_TICKS; i++) member.raw.tick();
    assertEquals([member.raw.term, member.raw.role], [3, Role.Candidate]);
    assertEquals(
      member.drain().map((m) => [m.type, m.to, m.term]),
      [[MessageType.Vote, 2, 3], [MessageType.Vote, 3, 3]],
    );
    assertEquals(member.storage.initialState().hardState.vote, 1, "it votes for itself");
  });
}

Deno.test("§5.2 a candidate needs a majority, and stays candidate without one", () => {
  const grants: [size: number, grants: number[], denials: number[], role: Role][] = [
    [1, [], [], Role.Leader],
    [3, [2], [], Role.Leader],
    [3, [], [2], Role.Candidate],
    [3, [], [2, 3], Role.Follower],
    [5, [2, 3], [], Role.Leader],
    [5, [2], [3, 4], Role.Candidate],
    [5, [2], [3, 4, 5], Role.Follower],
    [5, [], [], Role.Candidate],
  ];
  for (const [size, granted, denied, role] of grants) {
    const ids = Array.from({ length: size }, (_, i) => i + 1);
    const member = new Member(1, newStorage(confState(ids)));
    member.raw.campaign();
    member.drain();
    const vote = (from: number, reject: boolean) =>
      member.raw.step(message(MessageType.VoteResponse, 1, from, { term: 2, reject }));
    for (const id of denied) vote(id, true);
    for (const id of granted) vote(id, false);
    assertEquals(member.raw.role, role, `${size} voters, ${granted} for, ${denied} against`);
    assertEquals(member.raw.term, 2);
  }
});

Deno.test("§5.2 a replica's second answer in one election does not count", () => {
  const member = new Member(1, newStorage(confState([1, 2, 3, 4, 5])));
  member.raw.campaign();
  member.drain();
  for (let i = 0; i < 3; i++) {
    member.raw.step(message(MessageType.VoteResponse, 1, 2, { term: 2 }));
  }
  assertEquals(member.raw.role, Role.Candidate);
});

Deno.test("§5.2 a replica votes once a term, first come first served", () => {
  for (const [votedFor, asking, reject] of [[0, 2, false], [2, 2, false], [2, 3, true]] as const) {
    const storage = newStorage(confState([1, 2, 3]));
    storage.setHardState({ term: 2, vote: votedFor, commit: 1 });
    const member = new Member(1, storage);
    member.raw.step(message(MessageType.Vote, 1, asking, { term: 2, index: 1, logTerm: 1 }));
    const [response] = member.drain();
    assertEquals([response.type, response.to, response.reject], [
      MessageType.VoteResponse,
      asking,
      reject,
    ]);
  }
});

Deno.test("§5.2 a candidate that hears of a leader of its term follows it", () => {
  const candidate = memberAs(Role.Candidate, 2);
  candidate.raw.step(message(MessageType.Append, 1, 2, { term: 2, index: 1, logTerm: 1 }));
  assertEquals([candidate.raw.role, candidate.raw.leader, candidate.raw.term], [
    Role.Follower,
    2,
    2,
  ]);
});

Deno.test("§5.2 election timeouts are drawn from [T, 2T) anew each time", () => {
  const seen = new Set<number>();
  for (let drawn = 0; drawn < ELECTION_TICKS; drawn++) {
    const member = new Member(1, newStorage(confState([1, 2, 3])), { random: () => drawn });
    let ticks = 0;
    while (member.raw.role === Role.Follower) {
      member.raw.tick();
      ticks++;
    }
    seen.add(ticks);
    assert(ticks >= ELECTION_TICKS && ticks < 2 * ELECTION_TICKS, `${ticks}`);
  }
  assertEquals(seen.size, ELECTION_TICKS);
});

Deno.test("§5.4.1 a vote goes only to a log at least as up to date", () => {
  // Own log: terms 1, 1, 2 at indexes 1..3.
  const cases: [logTerm: number, index: number, reject: boolean][] = [
    [2, 3, false],
    [2, 4, false],
    [3, 1, false],
    [2, 2, true],
    [1, 9, true],
  ];
  for (const [logTerm, index, reject] of cases) {
    const storage = newStorage(confState([1, 2]), [entry(1, 2), entry(2, 3)], 2);
    const member = new Member(1, storage);
    member.raw.step(message(MessageType.Vote, 1, 2, { term: 3, logTerm, index }));
    const [response] = member.drain();
    assertEquals(response.reject, reject, `log ending in ${logTerm}/${index}`);
  }
});

Deno.test("§5.4.1 a replica with a shorter log cannot win, one with the entries can", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "kept");
  cluster.pump();
  cluster.isolate(1);
  cluster.raw(3).campaign();
  cluster.pump();
  assert(cluster.raw(3).role !== Role.Leader);
  // Its higher term has been heard of, so the next election is of a higher one still.
  cluster.elect(2);
  cluster.heal();
  cluster.tick(2);
  assertEquals([...cluster.members.values()].map((m) => m.appliedText()), [
    ["kept"],
    ["kept"],
    ["kept"],
  ]);
});

Deno.test("§6 within an election timeout of a leader's word votes are ignored", () => {
  const cluster = new Cluster([1, 2, 3], { checkQuorum: true });
  cluster.elect(1);
  const { term } = cluster.raw(2);
  cluster.raw(2).step(message(MessageType.Vote, 2, 3, { term: term + 5, index: 99, logTerm: 99 }));
  assertEquals([cluster.raw(2).term, cluster.get(2).drain()], [term, []]);
});

Deno.test("D§6.2 a leader steps down when it hears of no quorum for an election timeout", () => {
  const cluster = new Cluster([1, 2, 3], { checkQuorum: true });
  cluster.elect(1);
  cluster.isolate(1);
  cluster.tick(1, 2 * ELECTION_TICKS);
  assertEquals(cluster.raw(1).role, Role.Follower);

  const alive = new Cluster([1, 2, 3], { checkQuorum: true });
  alive.elect(1);
  alive.tick(1, 5 * ELECTION_TICKS);
  assertEquals(alive.raw(1).role, Role.Leader);
});

Deno.test("D§9.6 a partitioned replica does not disturb with pre-vote", () => {
  const cluster = new Cluster([1, 2, 3], { preVote: true, checkQuorum: true });
  cluster.elect(1);
  const { term } = cluster.raw(1);
  cluster.isolate(3);
  cluster.propose(1, "behind its back");
  cluster.pump();
  cluster.tick(3, 5 * ELECTION_TICKS);
  assertEquals([cluster.raw(3).role, cluster.raw(3).term], [Role.PreCandidate, term]);
  cluster.heal();
  cluster.tick(3, ELECTION_TICKS);
  cluster.tick(1);
  assertEquals(cluster.leaders(), [1]);
  assertEquals([...cluster.members.values()].map((m) => m.raw.term), [term, term, term]);
});

Deno.test("D§9.6 a granted pre-vote changes neither term nor vote", () => {
  const member = new Member(1, newStorage(confState([1, 2, 3])), { preVote: true });
  member.raw.step(message(MessageType.PreVote, 1, 2, { term: 2, index: 1, logTerm: 1 }));
  const [response] = member.drain();
  assertEquals([response.type, response.term, response.reject], [
    MessageType.PreVoteResponse,
    2,
    false,
  ]);
  assertEquals(member.storage.initialState().hardState, { term: 1, vote: 0, commit: 1 });
});

Deno.test("D§3.10 leadership is handed over in one election, without waiting", () => {
  const cluster = new Cluster([1, 2, 3], { preVote: true, checkQuorum: true });
  cluster.elect(1);
  cluster.raw(1).transferLeader(3);
  cluster.pump();
  assertEquals(cluster.leaders(), [3]);
});

Deno.test("D§3.10 the target is brought up to date first, and proposals wait", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "a");
  cluster.pump();
  cluster.raw(1).transferLeader(3);
  cluster.pump();
  assertEquals(cluster.raw(1).propose(new Uint8Array(1)).kind, "dropped");
  cluster.heal();
  cluster.tick(1);
  assertEquals(cluster.leaders(), [3]);
  assertEquals(cluster.get(3).appliedText(), ["a"]);
});

Deno.test("D§3.10 a transfer that takes an election timeout is given up", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "a");
  cluster.raw(1).transferLeader(3);
  cluster.tick(1, ELECTION_TICKS);
  assertEquals(cluster.raw(1).leadTransferee, 0);
  cluster.propose(1, "b");
  cluster.pump();
  assertEquals(cluster.get(2).appliedText(), ["a", "b"]);
});

Deno.test("a transfer to a learner or to a stranger is ignored", () => {
  const cluster = new Cluster([1, 2], {}, [3]);
  cluster.elect(1);
  cluster.raw(1).transferLeader(3);
  cluster.raw(1).transferLeader(9);
  assertEquals(cluster.raw(1).leadTransferee, 0);
});

Deno.test("a learner answers votes but never campaigns", () => {
  const cluster = new Cluster([1, 2], {}, [3]);
  cluster.tick(3, 5 * ELECTION_TICKS);
  assertEquals(cluster.raw(3).role, Role.Follower);
  cluster.raw(3).step(message(MessageType.Vote, 3, 1, { term: 9, index: 1, logTerm: 1 }));
  const sent = cluster.get(3).drain();
  assertEquals(sent.map((m) => [m.type, m.reject]), [[MessageType.VoteResponse, false]]);
});

Deno.test("a replica with a committed, unapplied membership change does not campaign", () => {
  const change = { kind: "v1", type: ConfChangeType.AddVoter, replicaId: 4 } as const;
  const data = encodeConfChange({ ...change, context: NO_DATA });
  const storage = newStorage(confState([1, 2, 3]), [
    { term: 1, index: 2, type: EntryType.ConfChange, data },
  ]);
  storage.setHardState({ term: 1, vote: 0, commit: 2 });
  const member = new Member(1, storage);
  member.raw.campaign();
  assertEquals(member.raw.role, Role.Follower);
  member.drain();
  member.raw.campaign();
  assertEquals(member.raw.role, Role.Candidate);
});
