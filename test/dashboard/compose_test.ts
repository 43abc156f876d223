// A view made of what one node knows and what others report: who leads, who lags, whose clock is wrong.

import { assertEquals } from "@std/assert";
import { composeView, type ViewParts } from "../../src/http/dashboard/compose.ts";
import type { ReplicaReport } from "../../src/node/node_report.ts";
import type { ClusterView } from "../../src/node/service.ts";

const NODES = ["a", "b", "c"];

function clusterOf(change: Partial<ClusterView> = {}): ClusterView {
  return {
    clusterId: "c",
    nodeId: "a",
    name: "n1",
    version: "1",
    epoch: 5,
    members: [...NODES, "k"].map((nodeId, i) => ({
      nodeId,
      name: nodeId === "k" ? "n10" : `n${i + 1}`,
      http: "h:1",
      peer: "h:2",
      state: "active" as const,
      replicas: 1,
      weight: 1,
      reachable: true,
      ...(nodeId === "a" ? {} : { gossip: "alive" as const, gossipForMs: 50 }),
    })).reverse(),
    partitions: [],
    routing: [{ partition: 1, slots: [[0, 16384]], replicas: NODES, leader: "a" }],
    moves: [],
    ...change,
  };
}

function replica(change: Partial<ReplicaReport> = {}): ReplicaReport {
  return {
    partition: 1,
    replicaId: 1,
    role: "voter",
    term: 2,
    commitIndex: 10,
    unapplied: 0,
    ...change,
  };
}

function partsOf(
  replicas: Readonly<Record<string, ReplicaReport>>,
  change: Partial<ClusterView> = {},
  ages: Readonly<Record<string, number>> = {},
): ViewParts {
  const reports = new Map(
    Object.entries(replicas).map(([nodeId, one]) => [nodeId, {
      ageMs: ages[nodeId] ?? 0,
      report: { replicas: [one], sends: [], deadAfterMs: 60_000, uptimeMs: 9.5 },
    }]),
  );
  return {
    cluster: clusterOf(change),
    figures: {
      requestsInFlight: 0,
      logBytes: 1,
      diskFreeBytes: 2,
      diskLow: false,
      links: [],
      partitions: [],
    },
    reports: reports as unknown as ViewParts["reports"],
    happenings: [],
    nowMs: 77,
  };
}

Deno.test("composeView() orders members as people count, and says who serves the page", () => {
  const { members, atMs } = composeView(partsOf({}));
  assertEquals(members.map(({ name }) => name), ["n1", "n2", "n3", "n10"]);
  assertEquals(members.map(({ isSelf }) => isSelf), [true, false, false, false]);
  assertEquals([atMs, members[0].uptimeMs, members[0].leads], [77, undefined, 1]);
});

Deno.test("composeView() believes the leader of the latest term, and takes the lag from it", () => {
  const { partitions: [row], members } = composeView(partsOf({
    a: replica({ role: "leader", term: 2, behind: { b: 99 } }),
    b: replica({ role: "leader", term: 3, behind: { a: 7 }, commitIndex: 12 }),
    c: replica({ unapplied: 4, term: 3 }),
  }));
  assertEquals([row.leader, row.term, row.commitIndex], [1, 3, 12]);
  assertEquals(row.replicas.map(({ role, behind }) => [role, behind]), [
    ["voter", 7],
    ["leader", 0],
    ["voter", 0],
  ]);
  assertEquals(row.replicas[2].unapplied, 4);
  assertEquals(members.map(({ leads }) => leads), [0, 1, 0, 0]);
});

Deno.test("composeView() leaves out what nobody has told lately", () => {
  const { partitions: [row], members } = composeView(partsOf(
    { a: replica(), b: replica({ role: "leader", term: 9 }) },
    { routing: [{ partition: 1, slots: [[0, 16384]], replicas: NODES }] },
    { b: 6000 },
  ));
  assertEquals([row.leader, row.replicas[1].behind, row.replicas[1].unapplied], [
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals([members[0].uptimeMs, members[1].uptimeMs], [10, undefined]);
});

Deno.test("composeView() shows a move with what its snapshot has left", () => {
  const parts = partsOf({ a: replica({ role: "leader", behind: { k: 500 } }) }, {
    moves: [{
      partition: 1,
      beganEpoch: 4,
      adding: ["k"],
      removing: ["c"],
      phase: "learning",
      cancelled: false,
    }],
  });
  const { report } = parts.reports.get("a")!;
  const sends = [{ partition: 1, to: "k", sentBytes: 5, sizeBytes: 20 }];
  const reports = new Map([["a", { ageMs: 0, report: { ...report, sends } }]]);
  // It lacks more than was ever committed: nothing of it is there, nor on its way.
  const { moves: [waiting] } = composeView(parts);
  assertEquals([waiting.empty, waiting.behind], [true, 500]);
  const { moves: [move], partitions: [row] } = composeView({ ...parts, reports });
  assertEquals(
    [move.to, move.from, move.sentBytes, move.sizeBytes, move.behind, move.empty],
    [["n10"], ["n3"], 5, 20, 500, undefined],
  );
  assertEquals(row.replicas.map(({ change }) => change), [
    undefined,
    undefined,
    "removing",
    "adding",
  ]);
  assertEquals(row.replicas[3].role, "learner");
});

Deno.test("composeView() calls a clock wrong by the median of at least three", () => {
  const parts = partsOf({});
  const link = (to: string, wallOffsetMs: number | null) => ({
    to,
    up: true,
    queuedBytes: 0,
    writtenBytes: 0,
    readBytes: 0,
    droppedMessages: 0,
    roundTripMs: 1,
    wallOffsetMs,
  });
  const errors = (...links: ReturnType<typeof link>[]) =>
    composeView({ ...parts, figures: { ...parts.figures, links } }).members
      .map(({ clockErrorMs }) => clockErrorMs);
  // The one that serves the page is the one that is wrong.
  assertEquals(errors(link("n2", 60_000), link("n3", 60_010)), [-60_000, 0, 10, undefined]);
  assertEquals(errors(link("n2", 60_000), link("n3", null)), [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
