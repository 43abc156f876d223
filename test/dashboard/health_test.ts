// The health sentence: what stands first for each state of a cluster, and that everything else is said behind it.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { healthOf, type Tone } from "../../src/dashboard/health.ts";
import type { DashboardView } from "../../src/dashboard/view.ts";
import { viewOf, withMember, withPartitions } from "./views.ts";

const HEALTHY = viewOf(3, 8);
const DEAD = { reachable: false, status: "dead", statusForMs: 12_000 } as const;
const of = (partition: number) => (row: { partition: number }) => row.partition === partition;

/** n2 dead, and others elected where it led. */
const SURVIVED = withPartitions(
  withMember(HEALTHY, "n2", DEAD),
  ({ leader }) => leader === 1,
  (row) => ({ leader: 0, replicas: row.replicas.map((cell) => ({ ...cell, role: "voter" })) }),
);

const CASES: readonly {
  readonly name: string;
  readonly view: DashboardView;
  readonly tone: Tone;
  readonly sentence: string;
  readonly doing: string;
  readonly forMs?: number;
  readonly more?: readonly string[];
}[] = [
  {
    name: "healthy",
    view: HEALTHY,
    tone: "well",
    sentence: "All is well.",
    doing: "3 nodes and 8 partitions",
  },
  {
    name: "no cluster yet",
    view: { ...HEALTHY, members: [], partitions: [] },
    tone: "busy",
    sentence: "This node belongs to no cluster yet.",
    doing: "waits",
  },
  {
    name: "a leader has just been killed, and nobody is elected yet",
    view: withMember(HEALTHY, "n2", { reachable: false }),
    tone: "broken",
    sentence: "n2 stopped answering and led partitions 1, 4 and 7.",
    doing: "electing new leaders",
    more: ["n2 does not answer."],
  },
  {
    name: "an election is under way",
    view: withPartitions(
      HEALTHY,
      of(3),
      () => ({ leader: undefined, leaderlessMs: 900 }),
    ),
    tone: "broken",
    sentence: "Partition 3 has no leader.",
    doing: "electing a new leader",
    forMs: 900,
  },
  {
    name: "a leadership is being handed over",
    view: withPartitions(HEALTHY, of(3), () => ({ leader: undefined, leaderlessMs: 4 })),
    tone: "busy",
    sentence: "Partition 3 changes its leader.",
    doing: "some milliseconds",
  },
  {
    name: "a leader has just gone and a replica's node with it",
    view: withPartitions(
      withMember(HEALTHY, "n2", { reachable: false }),
      ({ leader }) => leader === 1,
      () => ({ leader: undefined, leaderlessMs: 4 }),
    ),
    tone: "broken",
    sentence: "Partitions 1, 4 and 7 have no leader.",
    doing: "electing new leaders",
  },
  {
    name: "the meta group has no leader",
    view: withPartitions(HEALTHY, of(0), () => ({ leader: undefined })),
    tone: "broken",
    sentence: "The meta group has no leader.",
    doing: "electing a new leader",
  },
  {
    name: "the majority is gone",
    view: withPartitions(
      withMember(withMember(HEALTHY, "n2", DEAD), "n3", DEAD),
      of(5),
      () => ({ leader: undefined, leaderlessMs: 60_000 }),
    ),
    tone: "broken",
    sentence: "Partition 5 has lost the majority of replicas and can’t be used.",
    doing: "as soon as enough of n2 and n3 answer again",
    forMs: 60_000,
  },
  {
    name: "a node is dead, and no other can take its replicas",
    view: SURVIVED,
    tone: "degraded",
    sentence: "n2 does not answer.",
    doing: "another failure would stop 8 partitions. There is no other node to put its replicas on",
    forMs: 12_000,
  },
  {
    name: "a node is dead, and its replicas can be built anew",
    view: withPartitions(
      withMember(viewOf(5, 8), "n2", DEAD),
      ({ leader }) => leader === 1,
      ({ replicas }) => ({ leader: replicas.find((one) => one.member !== 1)!.member }),
    ),
    tone: "degraded",
    sentence: "n2 does not answer.",
    doing: "Unless it returns within 4\u00a0min 48\u00a0s, its replicas are built anew",
    forMs: 12_000,
  },
  {
    name: "a disk is full where partitions are led",
    view: withMember(
      {
        ...HEALTHY,
        happenings: [{
          atMs: HEALTHY.atMs - 4000,
          kind: "disk-low",
          member: "n3",
          count: 1,
          partitions: [],
        }],
      },
      "n3",
      { diskLow: true, diskFreeBytes: 12e6 },
    ),
    tone: "broken",
    sentence: "The disk of n3 is full (12.0\u00a0MB left).",
    doing: "are refused with “disk-full”, and nothing is lost; reads go on",
    forMs: 4000,
  },
  {
    name: "a disk is full, and others lead",
    view: withMember(HEALTHY, "n3", { diskLow: true, leads: 0 }),
    tone: "degraded",
    sentence: "The disk of n3 is full (70.0\u00a0GB left).",
    doing: "Its partitions are led elsewhere",
  },
  {
    name: "a replica is corrupt",
    view: withPartitions(HEALTHY, of(2), ({ replicas }) => ({
      replicas: replicas.map((cell) =>
        cell.member === 0 ? { ...cell, trouble: "corrupt: x" } : cell
      ),
    })),
    tone: "degraded",
    sentence: "n1 lost acknowledged data of partition 2.",
    doing: "no longer vote",
  },
  {
    name: "a disk is slow",
    view: {
      ...HEALTHY,
      happenings: [{
        atMs: HEALTHY.atMs - 5000,
        kind: "disk-slow",
        member: "n2",
        count: 3,
        partitions: [],
        durationMs: 1700,
      }],
    },
    tone: "degraded",
    sentence: "The disk of n2 is slow: a sync took 2\u00a0s.",
    doing: "majority",
    forMs: 5000,
  },
  {
    name: "a disk was slow long ago",
    view: {
      ...HEALTHY,
      happenings: [{
        atMs: HEALTHY.atMs - 500_000,
        kind: "disk-slow",
        member: "n2",
        count: 3,
        partitions: [],
        durationMs: 1700,
      }],
    },
    tone: "well",
    sentence: "All is well.",
    doing: "",
  },
  {
    name: "a node is being drained",
    view: {
      ...withMember(HEALTHY, "n3", { state: "draining", replicas: 5 }),
      plan: { waiting: 3, blocked: [{ partition: 2, reason: "no node has room" }] },
    },
    tone: "busy",
    sentence: "n3 is being drained: 5 replicas still to go.",
    doing: "Not possible yet: no node has room.",
  },
  {
    name: "a node is drained",
    view: withMember(HEALTHY, "n3", { state: "drained", replicas: 0 }),
    tone: "well",
    sentence: "All is well.",
    doing: "3 nodes",
    more: ["n3 is drained: it holds no replica."],
  },
  {
    name: "a partition has begun to move",
    view: {
      ...HEALTHY,
      moves: [{
        partition: 3,
        beganEpoch: 14,
        to: ["n4"],
        from: ["n1"],
        phase: "learning",
        cancelled: false,
        behind: 253,
        empty: true,
      }],
    },
    tone: "busy",
    sentence: "Partition 3 is moving from n1 to n4.",
    doing: "Its leader prepares a snapshot to send. All requests are served meanwhile.",
  },
  {
    name: "a partition is moving",
    view: {
      ...HEALTHY,
      moves: [{
        partition: 3,
        beganEpoch: 14,
        to: ["n4"],
        from: ["n1"],
        phase: "learning",
        cancelled: false,
        sentBytes: 3_000_000,
        sizeBytes: 12_000_000,
      }],
      plan: { waiting: 2, blocked: [] },
    },
    tone: "busy",
    sentence: "Partition 3 is moving from n1 to n4.",
    doing: "3.0\u00a0MB of 12.0\u00a0MB are there. 2 more steps wait.",
  },
  {
    name: "a replica catches up",
    view: withPartitions(HEALTHY, of(6), ({ replicas }) => ({
      replicas: replicas.map((cell) => cell.role === "voter" ? { ...cell, behind: 50_000 } : cell),
    })),
    tone: "busy",
    sentence: "A replica of partition 6 is catching up.",
    doing: "requests are served",
  },
  {
    name: "a clock is wrong",
    view: withMember(HEALTHY, "n2", { clockErrorMs: -86_400_000 }),
    tone: "well",
    sentence: "All is well.",
    doing: "",
    more: ["The clock of n2 is 1\u00a0day behind."],
  },
  {
    name: "versions differ",
    view: withMember(HEALTHY, "n2", { version: "0.2.0" }),
    tone: "well",
    sentence: "All is well.",
    doing: "",
    more: ["The nodes run different versions: 0.1.0 and 0.2.0."],
  },
  {
    name: "one node",
    view: viewOf(1, 4),
    tone: "well",
    sentence: "All is well.",
    doing: "1 node and 4 partitions",
    more: ["There is one node only."],
  },
];

for (const { name, view, tone, sentence, doing, forMs, more } of CASES) {
  Deno.test(`healthOf() finds the words when ${name}`, () => {
    const health = healthOf(view);
    assertEquals([health.sentence, health.tone], [sentence, tone]);
    assertStringIncludes(health.doing, doing);
    if (forMs !== undefined) assertEquals(health.forMs, forMs);
    for (const words of more ?? []) {
      assert(health.more.some(({ what }) => what === words), JSON.stringify(health.more));
    }
  });
}

Deno.test("healthOf() says the worst first, and everything else behind it", () => {
  let view = withMember(HEALTHY, "n3", { diskLow: true });
  view = withMember(view, "n2", { ...DEAD, clockErrorMs: 5000 });
  view = { ...view, members: view.members.map((one) => ({ ...one, leads: 0 })) };
  const { tone, more } = healthOf(view);
  assertEquals(tone, "broken");
  const order: Tone[] = ["broken", "degraded", "busy", "note"];
  const ranks = more.map((finding) => order.indexOf(finding.tone));
  assertEquals(ranks, ranks.toSorted());
  assertEquals(more.length, 3);
});
