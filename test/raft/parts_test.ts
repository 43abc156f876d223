// The small parts: in-flight window, progress, quorums, configuration changes and their encoding.

import { assertEquals, assertThrows } from "@std/assert";
import { Changer, ConfChangeError, restoreMembership } from "../../src/raft/changer.ts";
import { Inflights } from "../../src/raft/inflights.ts";
import {
  type AnyConfChange,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  decodeConfChange,
  decodeConfChangeV2,
  encodeConfChange,
  NO_DATA,
  RawNode,
} from "../../src/raft/mod.ts";
import { Progress, ProgressState } from "../../src/raft/progress.ts";
import {
  jointCommittedIndex,
  jointVoteResult,
  majorityCommittedIndex,
  majorityVoteResult,
  VoteResult,
} from "../../src/raft/quorum.ts";
import { Tracker } from "../../src/raft/tracker.ts";
import { bytes, confState, newStorage } from "./harness.ts";

const { AddVoter, AddLearner, Remove } = ConfChangeType;

Deno.test("Inflights frees in order, through wrap-around and growth", () => {
  for (const max of [1, 3, 16, 100]) {
    const window = new Inflights(max, Infinity);
    let next = 1;
    let freed = 0;
    for (let round = 0; round < 50; round++) {
      while (!window.full() && next - freed <= max) window.add(next++, 10);
      assertEquals([window.count, window.bytes], [next - 1 - freed, 10 * (next - 1 - freed)]);
      freed = Math.min(next - 1, freed + 1 + (round % 7));
      window.freeThrough(freed);
      assertEquals(window.count, next - 1 - freed);
    }
    window.reset();
    assertEquals([window.count, window.bytes, window.full()], [0, 0, false]);
  }
});

Deno.test("Inflights is full by messages or by bytes", () => {
  const window = new Inflights(10, 100);
  window.add(1, 99);
  assertEquals(window.full(), false);
  window.add(2, 50);
  assertEquals(window.full(), true);
  assertThrows(() => window.add(3, 1), Error, "full");
  window.freeThrough(1);
  assertEquals([window.full(), window.bytes], [false, 50]);
});

function progress(state: ProgressState, match: number, next: number): Progress {
  const p = new Progress(2, next, false, new Inflights(4, Infinity));
  p.state = state;
  p.match = match;
  return p;
}

Deno.test("Progress.maybeUpdate() moves match and next forward only", () => {
  const p = progress(ProgressState.Replicate, 3, 5);
  assertEquals([p.maybeUpdate(3), p.match, p.next], [false, 3, 5]);
  assertEquals([p.maybeUpdate(4), p.match, p.next], [true, 4, 5]);
  assertEquals([p.maybeUpdate(9), p.match, p.next], [true, 9, 10]);
});

Deno.test("Progress.maybeDecrease() ignores stale rejections", () => {
  const cases: [
    ProgressState,
    match: number,
    next: number,
    rejected: number,
    hint: number,
    number,
  ][] = [
    [ProgressState.Replicate, 5, 10, 5, 5, 10],
    [ProgressState.Replicate, 5, 10, 9, 9, 6],
    [ProgressState.Probe, 0, 10, 5, 5, 10],
    [ProgressState.Probe, 0, 10, 9, 2, 3],
    [ProgressState.Probe, 0, 10, 9, 20, 9],
    [ProgressState.Probe, 0, 1, 0, 0, 1],
    [ProgressState.Probe, 4, 10, 9, 1, 5],
  ];
  for (const [state, match, next, rejected, hint, expected] of cases) {
    const p = progress(state, match, next);
    p.maybeDecrease(rejected, hint);
    assertEquals(p.next, expected, `${state} ${match} ${next} ${rejected} ${hint}`);
  }
});

Deno.test("Progress goes through its states with the right next index", () => {
  const p = progress(ProgressState.Probe, 0, 6);
  p.sentEntries(2, 10);
  assertEquals([p.paused(), p.next], [true, 6]);
  p.maybeUpdate(7);
  p.becomeReplicate();
  assertEquals([p.paused(), p.next], [false, 8]);
  p.sentEntries(3, 10);
  assertEquals([p.next, p.inflights.count], [11, 1]);
  p.becomeSnapshot(20);
  assertEquals([p.paused(), p.next, p.pendingSnapshot, p.inflights.count], [true, 21, 20, 0]);
  p.becomeProbe();
  assertEquals([p.paused(), p.next, p.pendingSnapshot], [false, 21, 0]);
  p.becomeSnapshot(30);
  p.pendingSnapshot = 0;
  p.becomeProbe();
  assertEquals(p.next, 8, "after a failure from the last match on");
});

Deno.test("Progress.canBumpCommit() is false once the follower was told all it can use", () => {
  const p = progress(ProgressState.Replicate, 5, 8);
  assertEquals([p.canBumpCommit(0), p.canBumpCommit(5)], [false, true]);
  p.sentCommit = 5;
  assertEquals([p.canBumpCommit(5), p.canBumpCommit(6)], [false, true]);
  p.sentCommit = 7;
  assertEquals(p.canBumpCommit(9), false);
});

Deno.test("a majority commits what more than half of it has; the empty one everything", () => {
  const acked = new Map([[1, 10], [2, 8], [3, 5], [4, 7]]);
  const of = (...ids: number[]) => majorityCommittedIndex(ids, (id) => acked.get(id));
  assertEquals([of(), of(1), of(1, 2), of(1, 2, 3), of(1, 2, 3, 4), of(1, 2, 9), of(1, 8, 9)], [
    Infinity,
    10,
    8,
    8,
    7,
    8,
    0,
  ]);
  const joint = { incoming: [1, 2, 3], outgoing: [3, 4] };
  assertEquals(jointCommittedIndex(joint, (id) => acked.get(id)), 5);
});

Deno.test("a joint vote is won in both majorities, and lost in either", () => {
  const { Won, Lost, Pending } = VoteResult;
  const config = { incoming: [1, 2, 3], outgoing: [3, 4, 5] };
  const cases: [yes: number[], no: number[], VoteResult][] = [
    [[], [], Pending],
    [[1, 2], [], Pending],
    [[1, 2, 4, 5], [3], Won],
    [[1, 3, 4], [], Won],
    [[1, 2], [4, 5], Lost],
    [[4, 5], [1, 2], Lost],
    [[1, 2], [4], Pending],
  ];
  for (const [yes, no, expected] of cases) {
    const votes = new Map([...yes.map((id) => [id, true]), ...no.map((id) => [id, false])] as [
      number,
      boolean,
    ][]);
    assertEquals(jointVoteResult(config, votes), expected, `${yes} for, ${no} against`);
    const mirrored = { incoming: config.outgoing, outgoing: config.incoming };
    assertEquals(jointVoteResult(mirrored, votes), expected);
  }
  assertEquals(majorityVoteResult([], new Map()), Won);
});

Deno.test("Tracker commits by both majorities, and hears of a quorum in both", () => {
  const tracker = new Tracker(1, Infinity);
  const state = { ...confState([1, 2, 3]), votersOutgoing: [3, 4, 5], autoLeave: true };
  const { config, members } = restoreMembership(state, tracker, 1);
  tracker.install(config, members);
  [10, 9, 2, 8, 4].forEach((match, i) => members[i].match = match);
  assertEquals(tracker.committedIndex(), 4);
  for (const p of members) p.recentActive = p.id <= 2;
  assertEquals(tracker.quorumActive(), false);
  members[3].recentActive = members[4].recentActive = true;
  assertEquals(tracker.quorumActive(), true);
  [3, 3, 0, 2, 1].forEach((ack, i) => members[i].readAck = ack);
  assertEquals(tracker.confirmedRead(), 1);
});

function steps(...list: [ConfChangeType, number][]): ConfChangeSingle[] {
  return list.map(([type, replicaId]) => ({ type, replicaId }));
}

Deno.test("Changer refuses what would break a quorum's overlap, and changes nothing then", () => {
  const tracker = new Tracker(1, Infinity);
  const from = restoreMembership(confState([1, 2, 3]), tracker, 1);
  const changer = new Changer(from, tracker, 5);
  const joint = new Changer(changer.enterJoint(false, steps([Remove, 3])), tracker, 5);
  const refused: [string, () => unknown][] = [
    ["more than one voter", () => changer.simple(steps([AddVoter, 4], [AddVoter, 5]))],
    ["more than one voter", () => changer.simple(steps([AddVoter, 4], [Remove, 1]))],
    ["removed all voters", () => changer.simple(steps([Remove, 1], [Remove, 2], [Remove, 3]))],
    ["non-joint", () => changer.leaveJoint()],
    ["already joint", () => joint.enterJoint(true, steps([AddVoter, 4]))],
    ["in joint config", () => joint.simple(steps([AddVoter, 4]))],
  ];
  for (const [words, attempt] of refused) assertThrows(attempt, ConfChangeError, words);
  assertEquals(from.config.incoming, [1, 2, 3]);
  assertEquals(from.members.map((p) => p.id), [1, 2, 3]);
});

Deno.test("Changer keeps the progress of who stays, and probes who is new from the log's end", () => {
  const tracker = new Tracker(1, Infinity);
  const from = restoreMembership(confState([1, 2]), tracker, 1);
  from.members[1].match = 40;
  const { members } = new Changer(from, tracker, 50).enterJoint(
    true,
    steps([AddLearner, 2], [AddVoter, 3]),
  );
  assertEquals(members.map((p) => [p.id, p.match, p.next, p.isLearner]), [
    [1, 0, 1, false],
    [2, 40, 1, false],
    [3, 0, 50, false],
  ]);
});

Deno.test("restoreMembership() gives back every configuration that changes can make", () => {
  const tracker = new Tracker(1, Infinity);
  let from = restoreMembership(confState([1, 2, 3], [4]), tracker, 1);
  const walk: ((changer: Changer) => typeof from)[] = [
    (c) => c.simple(steps([AddVoter, 4])),
    (c) => c.enterJoint(true, steps([Remove, 1], [AddLearner, 2], [AddVoter, 5], [AddLearner, 6])),
    (c) => c.leaveJoint(),
    (c) => c.enterJoint(false, steps([AddVoter, 1], [AddVoter, 2], [Remove, 3])),
    (c) => c.leaveJoint(),
  ];
  for (const step of walk) {
    from = step(new Changer(from, tracker, 1));
    const { incoming, outgoing, learners, learnersNext, autoLeave } = from.config;
    const state = { voters: incoming, votersOutgoing: outgoing, learners, learnersNext, autoLeave };
    const restored = restoreMembership(state, tracker, 1);
    assertEquals(restored.config, from.config);
    assertEquals(
      restored.members.map((p) => [p.id, p.isLearner]),
      from.members.map((p) => [p.id, p.isLearner]),
    );
  }
});

Deno.test("membership changes survive encoding", () => {
  const big = 2 ** 53 - 1;
  const changes: AnyConfChange[] = [
    { kind: "v1", type: Remove, replicaId: big, context: bytes("why") },
    {
      kind: "v2",
      transition: ConfChangeTransition.JointExplicit,
      changes: steps([AddVoter, 1], [AddLearner, 2 ** 32], [Remove, big]),
      context: bytes("ctx"),
    },
    { kind: "v2", transition: ConfChangeTransition.Auto, changes: [], context: NO_DATA },
    { kind: "v2", transition: ConfChangeTransition.Auto, changes: [], context: bytes("c") },
  ];
  for (const change of changes) {
    const data = encodeConfChange(change);
    const decoded = change.kind === "v1" ? decodeConfChange(data) : decodeConfChangeV2(data);
    assertEquals(decoded, change);
  }
  assertEquals(encodeConfChange(changes[2]).length, 0);
});

Deno.test("bytes that are no membership change are refused, whatever they are", () => {
  const full = encodeConfChange({
    kind: "v2",
    transition: ConfChangeTransition.Auto,
    changes: steps([AddVoter, 1], [AddVoter, 2]),
    context: NO_DATA,
  });
  for (let length = 1; length < full.length; length++) {
    assertThrows(() => decodeConfChangeV2(full.subarray(0, length)), RangeError);
  }
  for (let length = 0; length < 9; length++) {
    assertThrows(() => decodeConfChange(new Uint8Array(length)), RangeError);
  }
  assertThrows(() => decodeConfChange(new Uint8Array(9).fill(255)), RangeError, "type");
  assertThrows(() => decodeConfChangeV2(new Uint8Array([9, 0, 0])), RangeError, "transition");
});

Deno.test("a replica refuses a configuration whose limits contradict each other", () => {
  const good = {
    id: 1,
    storage: newStorage(confState([1])),
    random: () => 0,
    electionTicks: 10,
    heartbeatTicks: 1,
    maxInflightMessages: 1,
  };
  new RawNode(good);
  const bad = [
    { id: 0 },
    { id: Number.MAX_SAFE_INTEGER },
    { electionTicks: 1 },
    { heartbeatTicks: 0 },
    { maxInflightMessages: 0 },
    { maxMessageBytes: 100, maxInflightBytes: 99 },
    { maxPendingReads: 0 },
    { readOnly: "lease-based" as const },
  ];
  for (const change of bad) assertThrows(() => new RawNode({ ...good, ...change }), RangeError);
});
