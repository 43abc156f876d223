// What a node remembers of what happened: rows of one kind, bounds, what of it it tells others, and in which words.

import { assert, assertEquals } from "@std/assert";
import { happeningWords } from "../../src/dashboard/happening_words.ts";
import { HAPPENINGS_KEPT_MAX, Journal } from "../../src/node/journal.ts";
import { noteMapChange } from "../../src/node/map_news.ts";
import { type ClusterMap, initialMap, type Move } from "../../src/partition/mod.ts";
import { HandClock } from "./hand_clock.ts";

function journalAt() {
  const clock = new HandClock();
  return { clock, journal: new Journal(clock) };
}

Deno.test("Journal keeps elections that come together as one entry", () => {
  const { clock, journal } = journalAt();
  for (let partition = 1; partition <= 20; partition++) {
    journal.note("elected", "a", { partition, term: 2 });
    clock.pass(50);
  }
  journal.note("elected", "b", { partition: 3, term: 4 });
  const [row, other] = journal.since(0);
  assertEquals([row.nodeId, row.count, row.partitions.length], ["a", 20, 8]);
  assertEquals([other.nodeId, other.count, other.partitions], ["b", 1, [3]]);
  clock.pass(3000);
  journal.note("elected", "a", { partition: 9, term: 7 });
  assertEquals(journal.since(0).length, 3, "after a pause it is another entry");
});

Deno.test("Journal keeps the worst of a row of slow syncs, and ends the row in time", () => {
  const { clock, journal } = journalAt();
  for (let i = 0; i < 30; i++) {
    journal.note("disk-slow", "a", { durationMs: i === 4 ? 2500 : 600 });
    clock.pass(1000);
  }
  const rows = journal.since(0);
  assertEquals(rows[0].durationMs, 2500);
  assertEquals(rows.reduce((sum, { count }) => sum + count, 0), 30);
  assert(rows.length >= 3);
});

Deno.test("Journal.since() gives what is new or has grown, and ownSince() what others can't see", () => {
  const { journal } = journalAt();
  journal.note("started", "a");
  journal.note("elected", "a", { partition: 1, term: 2 });
  const seen = journal.changes;
  assertEquals(journal.since(seen), []);
  journal.note("elected", "a", { partition: 2, term: 2 });
  journal.note("joined", "d");
  assertEquals(journal.since(seen).map(({ kind }) => kind), ["elected", "joined"]);
  assertEquals(journal.ownSince(seen).map(({ partitions }) => partitions), [[1, 2]]);
});

Deno.test("Journal forgets the oldest beyond its bound", () => {
  const { journal } = journalAt();
  for (let i = 0; i < HAPPENINGS_KEPT_MAX + 50; i++) journal.note("joined", `n${i}`);
  const kept = journal.since(0);
  assertEquals([kept.length, kept[0].nodeId], [HAPPENINGS_KEPT_MAX, "n50"]);
});

function mapOf(): ClusterMap {
  const members = ["a", "b", "c"].map((letter, i) => ({
    nodeId: letter.repeat(32),
    name: `n${i + 1}`,
    peer: `h${i}:1`,
    http: `h${i}:2`,
    weight: 1,
  }));
  return initialMap({ clusterId: "0".repeat(32), replication: 3, partitionCount: 2, members });
}

Deno.test("noteMapChange() tells of members and moves, and not of the first map", () => {
  const { journal } = journalAt();
  const first = mapOf();
  noteMapChange(journal, { ...first, members: [] }, first);
  assertEquals(journal.since(0), []);
  const [a, b, c] = first.members;
  const joined = { ...c, nodeId: "d".repeat(32), name: "n4" };
  const drained: ClusterMap = {
    ...first,
    members: [a, { ...b, state: "draining" }, c, joined],
  };
  noteMapChange(journal, first, drained);
  const move: Move = {
    beganEpoch: 9,
    adding: [{ replicaId: 9, nodeId: joined.nodeId }],
    removing: [first.partitions[1].replicas[0]],
    demoting: [],
    phase: "learning",
  };
  const withMove = (entry: Partial<ClusterMap["partitions"][number]>): ClusterMap => ({
    ...drained,
    partitions: drained.partitions.map((one) => one.partition === 1 ? { ...one, ...entry } : one),
  });
  const moving = withMove({ move });
  noteMapChange(journal, drained, moving);
  noteMapChange(journal, moving, withMove({ replicas: move.adding }));
  noteMapChange(journal, moving, drained);
  noteMapChange(journal, drained, first);
  assertEquals(journal.since(0).map(({ kind }) => kind), [
    "draining",
    "joined",
    "move-began",
    "move-done",
    "move-cancelled",
    "active",
    "left",
  ]);
});

Deno.test("happeningWords() has words for every kind, also for one of a later version", () => {
  const base = { atMs: 0, member: "n1", count: 1, partitions: [3], to: ["n4"], from: ["n2"] };
  const text = (kind: string, more = {}) => happeningWords({ ...base, kind, ...more }).text;
  assertEquals(text("elected", { term: 7 }), "n1 was elected leader of partition 3, term 7");
  assertEquals(
    text("elected", { count: 40, partitions: [1, 2], term: 7 }),
    "n1 was elected leader of 40 partitions",
  );
  assertEquals(text("move-began"), "Partition 3 moves from n2 to n4");
  assertEquals(text("move-done", { from: [] }), "Partition 3 moved to n4");
  assertEquals(
    text("disk-slow", { durationMs: 1500, count: 3 }),
    "n1’s disk was slow: a sync took 2\u00a0s, the worst of 3",
  );
  assertEquals(text("from-the-future"), "n1: from-the-future");
});
