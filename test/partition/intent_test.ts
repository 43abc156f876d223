// The leader's next step for every state a move can be in, and moves resumed by leaders with maps of
// any age.

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import {
  CATCH_UP_LAG_ENTRIES_MAX,
  CHANGES_PER_ENTRY_MAX,
  type ClusterMap,
  decodeEpoch,
  encodeEpoch,
  type GroupConfiguration,
  type GroupStatus,
  type IntentStep,
  type Move,
  nextStep,
  type PartitionEntry,
  planMoves,
  type ReplicaRef,
} from "../../src/partition/mod.ts";
import { clusterOf, memberDetails, nodeId, testSeed } from "./support.ts";
import { applyChanges, drawFrom, leaveJoint, SimulatedCluster } from "./simulated_cluster.ts";

const EPOCH = 20;
const COMMIT = 100_000;

function ref(replicaId: number): ReplicaRef {
  return { replicaId, nodeId: nodeId(replicaId) };
}

/** Replica n is on node n. */
function entryOf(change: Partial<PartitionEntry>): PartitionEntry {
  return {
    partition: 1,
    slots: [{ start: 0, end: 16384 }],
    replicas: [ref(1), ref(2), ref(3)],
    learners: [],
    dropping: [],
    retired: [],
    nextReplicaId: 10,
    confIndex: 1,
    ...change,
  };
}

function moveOf(change: Partial<Move>): Move {
  return {
    beganEpoch: EPOCH,
    adding: [],
    removing: [],
    demoting: [],
    phase: "learning",
    ...change,
  };
}

function confOf(change: Partial<GroupConfiguration>): GroupConfiguration {
  return {
    voters: [1, 2, 3],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
    confIndex: 5,
    confEpoch: EPOCH,
    ...change,
  };
}

interface Situation {
  readonly leader?: number;
  readonly busy?: boolean;
  readonly lagging?: readonly number[];
  readonly empty?: readonly number[];
  readonly commit?: number;
  readonly committedBefore?: number;
  readonly silent?: readonly number[];
}

function groupOf(conf: GroupConfiguration, situation: Situation = {}): GroupStatus {
  const { leader = 1, busy = false, lagging = [], empty = [], silent = [] } = situation;
  const { commit = COMMIT, committedBefore } = situation;
  const ids = [...conf.voters, ...conf.votersOutgoing, ...conf.learners];
  return {
    self: leader,
    configuration: conf,
    busy,
    commitIndex: commit,
    committedBefore,
    progress: new Map(ids.map((id) => [id, {
      matchIndex: empty.includes(id)
        ? 0
        : lagging.includes(id)
        ? commit - CATCH_UP_LAG_ENTRIES_MAX - 1
        : commit - id,
      recentActive: !silent.includes(id),
    }])),
  };
}

/** A step in few words: `+4 -2 ~1` promotes 4, removes 2, makes 1 a learner. */
function words(step: IntentStep | null): string {
  if (step === null) return "nothing";
  if (step.kind === "transfer") return `transfer to ${step.to}`;
  if (step.kind !== "change") return step.kind;
  assertEquals(step.epoch, EPOCH);
  const sign = { addVoter: "+", remove: "-", addLearner: "~" };
  return step.changes.map(({ type, replicaId }) => `${sign[type]}${replicaId}`).join(" ");
}

const replace = moveOf({ adding: [ref(4)], removing: [ref(2)] });
const replaceLeader = moveOf({ adding: [ref(4)], removing: [ref(1)] });
const replaceAll = moveOf({ adding: [ref(4), ref(5), ref(6)], removing: [ref(1), ref(2), ref(3)] });
const grow = moveOf({ adding: [ref(4), ref(5)] });
const shrink = moveOf({ removing: [ref(2)] });
const cancelled = moveOf({ ...replace, cancelEpoch: EPOCH });
const withLearner = confOf({ learners: [4] });
const joint = confOf({ voters: [1, 3, 4], votersOutgoing: [1, 2, 3], autoLeave: true });

type Row = [what: string, step: string, Partial<PartitionEntry>, GroupConfiguration, Situation?];

const dataRows: Row[] = [
  ["at rest", "nothing", {}, confOf({})],
  ["the map is older than the configuration", "wait", { move: replace }, confOf({ confEpoch: 21 })],
  ["a change is pending", "wait", { move: replace }, confOf({}), { busy: true }],
  ["voters that the map does not explain", "wait", {}, confOf({ voters: [1, 2] })],
  ["a learner that the map does not name", "-7", {}, confOf({ learners: [7] })],

  ["begun", "~4", { move: replace }, confOf({})],
  ["catching up", "wait", { move: replace }, withLearner, { lagging: [4] }],
  ["behind a short log", "wait", { move: replace }, withLearner, { commit: 900, empty: [4] }],
  ["empty, as the log nearly is", "wait", { move: replace }, withLearner, {
    commit: 9,
    empty: [4],
    committedBefore: 0,
  }],
  ["behind what is old", "wait", { move: replace }, withLearner, {
    lagging: [4],
    committedBefore: COMMIT - CATCH_UP_LAG_ENTRIES_MAX,
  }],
  ["behind what is new", "+4 -2", { move: replace }, withLearner, {
    lagging: [4],
    committedBefore: COMMIT - CATCH_UP_LAG_ENTRIES_MAX - 1,
  }],
  ["the learner is silent", "wait", { move: replace }, withLearner, { silent: [4] }],
  ["caught up", "+4 -2", { move: replace }, withLearner],
  ["caught up, under another leader", "+4 -2", { move: replace }, withLearner, { leader: 3 }],
  ["the leader is to go", "transfer to 3", { move: replace }, withLearner, {
    leader: 2,
    silent: [1],
  }],
  ["joint", "wait", { move: replace }, joint],
  ["joint, left by hand", "leaveJoint", { move: replace }, { ...joint, autoLeave: false }],
  ["final", "record", { move: replace }, confOf({ voters: [1, 3, 4] })],
  ["promoted but not removed", "-2", { move: replace }, confOf({ voters: [1, 2, 3, 4] })],
  ["left as a learner", "-2", { move: replace }, confOf({ voters: [1, 3, 4], learners: [2] })],

  ["leader to go, catching up", "wait", { move: replaceLeader }, withLearner, { lagging: [4] }],
  ["leader to go, caught up", "transfer to 2", { move: replaceLeader }, withLearner],
  ["all to go: begun", "~4 ~5 ~6", { move: replaceAll }, confOf({})],
  ["all to go: promote first", "+4 +5 +6", { move: replaceAll }, confOf({ learners: [4, 5, 6] })],
  [
    "all to go: hand over",
    "transfer to 4",
    { move: replaceAll },
    confOf({ voters: [1, 2, 3, 4, 5, 6] }),
  ],
  [
    "all to go: take out",
    "-1 -2 -3",
    { move: replaceAll },
    confOf({ voters: [1, 2, 3, 4, 5, 6] }),
    { leader: 4 },
  ],
  ["all to go: final", "record", { move: replaceAll }, confOf({ voters: [4, 5, 6] }), {
    leader: 5,
  }],
  [
    "the only copy moves",
    "+4",
    { replicas: [ref(1)], move: replaceLeader },
    confOf({ voters: [1], learners: [4] }),
  ],

  ["grow: begun", "~4 ~5", { move: grow }, confOf({})],
  ["grow: half begun", "~5", { move: grow }, withLearner],
  ["grow: caught up", "+4 +5", { move: grow }, confOf({ learners: [4, 5] })],
  ["grow: one lags", "wait", { move: grow }, confOf({ learners: [4, 5] }), { lagging: [5] }],
  ["shrink", "-2", { move: shrink }, confOf({})],
  ["shrink: no quorum would be left", "wait", { move: shrink }, confOf({}), { silent: [3] }],
  ["shrink: final", "record", { move: shrink }, confOf({ voters: [1, 3] })],

  ["cancelled before it began: a fence", "+1", { move: cancelled }, confOf({ confEpoch: 19 })],
  ["cancelled, fenced", "record", { move: cancelled }, confOf({})],
  ["cancelled while learning", "-4", { move: cancelled }, confOf({ confEpoch: 19, learners: [4] })],
  ["cancelled too late: joint", "wait", { move: cancelled }, { ...joint, confEpoch: 19 }],
  ["cancelled too late: final", "record", { move: cancelled }, confOf({ voters: [1, 3, 4] })],
  [
    "a cancelled shrink: a fence",
    "+1",
    { move: { ...shrink, cancelEpoch: EPOCH } },
    confOf({ confEpoch: 19 }),
  ],
];

const swap = moveOf({ adding: [ref(4)], demoting: [ref(2)] });
const meta = { partition: 0, slots: [], learners: [ref(4), ref(5)] };
const both = confOf({ learners: [4, 5] });

const metaRows: Row[] = [
  ["at rest", "nothing", meta, both],
  ["a member joined", "~5", meta, withLearner],
  ["members joined", "~4 ~5", meta, confOf({})],
  ["swap", "+4 ~2", { ...meta, move: swap }, both],
  ["swap: the leader is to be demoted", "transfer to 1", { ...meta, move: swap }, both, {
    leader: 2,
  }],
  [
    "swap: final",
    "record",
    { ...meta, move: swap },
    confOf({ voters: [1, 3, 4], learners: [2, 5] }),
  ],
  [
    "swap cancelled: a fence, the learner stays",
    "+1",
    { ...meta, move: { ...swap, cancelEpoch: EPOCH } },
    { ...both, confEpoch: 19 },
  ],
  ["swap cancelled, fenced", "record", { ...meta, move: { ...swap, cancelEpoch: EPOCH } }, both],
  [
    "a member was removed",
    "-5",
    { ...meta, learners: [ref(4)], dropping: [{ ...ref(5), sinceEpoch: EPOCH }] },
    { ...both, confEpoch: 19 },
  ],
  [
    "a member was removed before its learner was added: a fence",
    "+1",
    { ...meta, learners: [ref(4)], dropping: [{ ...ref(5), sinceEpoch: EPOCH }] },
    { ...withLearner, confEpoch: 19 },
  ],
  [
    "a member was removed and is out",
    "record",
    { ...meta, learners: [ref(4)], dropping: [{ ...ref(5), sinceEpoch: EPOCH }] },
    withLearner,
  ],
];

for (const [group, rows] of [["data", dataRows], ["meta", metaRows]] as const) {
  for (const [what, expected, entry, conf, situation] of rows) {
    Deno.test(`nextStep() of a ${group} group: ${what} -> ${expected}`, () => {
      assertEquals(words(nextStep(entryOf(entry), EPOCH, groupOf(conf, situation))), expected);
    });
  }
}

Deno.test("nextStep() bounds the changes of one entry", () => {
  const learners = Array.from({ length: 40 }, (_, i) => ref(4 + i));
  const entry = entryOf({ ...meta, learners, nextReplicaId: 44 });
  const step = nextStep(entry, EPOCH, groupOf(confOf({})));
  assert(step?.kind === "change");
  assertEquals(step.changes.length, CHANGES_PER_ENTRY_MAX);
});

Deno.test("decodeEpoch() reads back what encodeEpoch() wrote and nothing else", () => {
  for (const epoch of [1, 255, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    assertEquals(decodeEpoch(encodeEpoch(epoch)), epoch);
  }
  assertEquals(decodeEpoch(new Uint8Array(0)), undefined);
  assertEquals(decodeEpoch(new Uint8Array(9)), undefined);
  assertEquals(decodeEpoch(new Uint8Array(8).fill(255)), undefined);
});

Deno.test("a replaced voter passes through learner, joint and final configurations", () => {
  const entry = entryOf({ move: replace });
  const seen: string[] = [];
  let conf = confOf({ confEpoch: 1 });
  for (let i = 0; i < 8; i++) {
    const step = nextStep(entry, EPOCH, groupOf(conf));
    seen.push(words(step));
    if (step?.kind === "change") conf = applyChanges(conf, step.changes, step.epoch);
    else if (conf.votersOutgoing.length > 0) conf = leaveJoint(conf);
    else break;
  }
  assertEquals(seen, ["~4", "+4 -2", "wait", "record"]);
  assertEquals([...conf.voters].sort(), [1, 3, 4]);
});

/**
 * The heart of RULES 10 under failures: leaders change at any moment and see maps of any age, moves are
 * cancelled at any moment, records arrive late. The simulated cluster checks after every step that no
 * configuration names a replica which the map gives free for deletion, and that ids are never reused.
 */
Deno.test("no replica is given free while any leader may still bring it in", () => {
  const seed = testSeed();
  const property = fc.property(fc.integer(), fc.integer({ min: 1, max: 8 }), (drawSeed, ageMax) => {
    const draw = drawFrom(drawSeed);
    const cluster = new SimulatedCluster(clusterOf(4, 2));
    let nextNode = 5;
    for (let i = 0; i < 250; i++) {
      const partition = draw(3);
      const { move } = cluster.map.partitions[partition];
      const dice = draw(20);
      if (dice === 0 && nextNode < 9) {
        const id = nodeId(nextNode);
        cluster.apply({ kind: "addMember", nodeId: id, details: memberDetails(nextNode++) });
      } else if (dice <= 2 && move !== undefined) {
        cluster.apply({ kind: "cancelMove", partition, beganEpoch: move.beganEpoch });
      } else if (dice <= 5) {
        beginRandomMove(cluster, partition, draw);
      } else if (dice === 6) {
        const { members } = cluster.map;
        cluster.apply({ kind: "removeMember", nodeId: members[draw(members.length)].nodeId });
      } else if (dice <= 8) {
        cluster.elect(partition, draw);
      } else {
        if (draw(2) === 0) cluster.catchUp(partition);
        cluster.stepGroup(partition, draw, draw(ageMax));
      }
    }
    finish(cluster, draw);
  });
  fc.assert(property, { seed, numRuns: 250 });
});

function beginRandomMove(
  cluster: SimulatedCluster,
  partition: number,
  draw: (bound: number) => number,
): void {
  const { map } = cluster;
  const entry = map.partitions[partition];
  const spare = map.members.filter((m) => !entry.replicas.some((r) => r.nodeId === m.nodeId));
  const add = spare.length === 0 ? [] : [spare[draw(spare.length)].nodeId];
  const remove = entry.replicas.filter(() => draw(3) === 0).map((r) => r.replicaId);
  const expected = entry.replicas.map((r) => r.replicaId);
  cluster.apply({ kind: "beginMove", partition, add, remove, replace: [], expected });
}

/** With fresh maps from here on, everything under way comes to its end. */
function finish(cluster: SimulatedCluster, draw: (bound: number) => number): void {
  for (let round = 0; round < 200; round++) {
    let idle = true;
    for (const { partition } of cluster.map.partitions) {
      cluster.catchUp(partition);
      if (cluster.stepGroup(partition, draw) !== null) idle = false;
    }
    if (idle) return assertSettled(cluster);
  }
  throw new Error("moves do not come to an end");
}

function assertSettled(cluster: SimulatedCluster): void {
  for (const entry of cluster.map.partitions) {
    assertEquals(entry.move, undefined);
    assertEquals(entry.dropping, []);
    const conf = cluster.configuration(entry.partition);
    const ids = (refs: readonly ReplicaRef[]) => refs.map((r) => r.replicaId);
    assertEquals([...conf.voters].sort((a, b) => a - b), ids(entry.replicas));
    assertEquals([...conf.learners].sort((a, b) => a - b), ids(entry.learners));
  }
  const onMeta = new Set(metaNodes(cluster.map));
  assertEquals(onMeta.size, cluster.map.members.length);
}

function metaNodes(map: ClusterMap): string[] {
  const { replicas, learners } = map.partitions[0];
  return [...replicas, ...learners].map((r) => r.nodeId);
}

Deno.test("a move resumed after any number of steps ends as it would have", () => {
  for (let interruptAt = 0; interruptAt < 12; interruptAt++) {
    const draw = drawFrom(interruptAt + 1);
    const cluster = new SimulatedCluster(clusterOf(3, 1));
    cluster.apply({ kind: "addMember", nodeId: nodeId(4), details: memberDetails(4) });
    cluster.apply({ kind: "leaveMember", nodeId: nodeId(1) });
    for (const { command } of planMoves(cluster.map, cluster.status).steps) cluster.apply(command);
    for (let i = 0; i < interruptAt; i++) {
      cluster.catchUp(1);
      cluster.stepGroup(1, draw);
    }
    cluster.elect(1, draw);
    // The plan of a new meta leader adds nothing to a move that is on.
    const again = planMoves(cluster.map, cluster.status).steps;
    assertLessOrEqual(again.filter(({ command }) => command.partition === 1).length, 0);
    finish(cluster, draw);
    assertEquals(
      cluster.map.partitions[1].replicas.map((r) => r.nodeId).sort(),
      [nodeId(2), nodeId(3), nodeId(4)],
    );
  }
});
