// Limits on what a leader sends and holds: message size, in-flight window, uncommitted bytes, bytes
// being applied.

import { assert, assertEquals } from "@std/assert";
import { entriesSizeBytes, MessageType, ProgressState } from "../../src/raft/mod.ts";
import { bytes, Cluster, confState, message } from "./harness.ts";

Deno.test("an append holds no more than maxMessageBytes, but one entry at least", () => {
  const cluster = new Cluster([1, 2], { maxMessageBytes: 60 });
  const leader = cluster.elect(1);
  const sizes = [10, 10, 10, 10, 500, 10];
  const result = leader.raw.proposeBatch(sizes.map((size) => new Uint8Array(size)));
  assertEquals(result, { kind: "appended", term: 2, index: 3 });
  const counts: number[] = [];
  cluster.filter = (m) => {
    if (m.type === MessageType.Append && m.entries.length > 0) {
      counts.push(m.entries.length);
      assert(m.entries.length === 1 || entriesSizeBytes(m.entries) <= 60);
    }
    return true;
  };
  cluster.pump();
  assertEquals(counts, [3, 1, 1, 1]);
  assertEquals(cluster.get(2).raw.committed, leader.raw.committed);
});

Deno.test("no more than maxInflightMessages appends are under way", () => {
  const cluster = new Cluster([1, 2], { maxInflightMessages: 3 });
  const leader = cluster.elect(1);
  for (let i = 0; i < 10; i++) cluster.propose(1, `${i}`);
  const sent = leader.drain().filter((m) => m.type === MessageType.Append);
  assertEquals(sent.length, 3);
  const { paused, inflightMessages, inflightFull } = leader.raw.status().progress[1];
  assertEquals([paused, inflightMessages, inflightFull], [true, 3, true]);
  // An acknowledgement makes room.
  const { term } = leader.raw;
  leader.raw.step(message(MessageType.AppendResponse, 1, 2, { term, index: sent[0].index + 1 }));
  const more = leader.drain().filter((m) => m.entries.length > 0);
  assertEquals(more.map((m) => m.entries.length), [7]);
});

Deno.test("no more than maxInflightBytes, plus the message that reaches it, are under way", () => {
  const cluster = new Cluster([1, 2], { maxMessageBytes: 100, maxInflightBytes: 250 });
  const leader = cluster.elect(1);
  leader.raw.proposeBatch(Array.from({ length: 10 }, () => new Uint8Array(90)));
  leader.drain();
  const { term } = leader.raw;
  leader.raw.step(message(MessageType.AppendResponse, 1, 2, { term, index: 2 }));
  for (let i = 0; i < 3; i++) {
    leader.raw.step(message(MessageType.HeartbeatResponse, 1, 2, { term }));
  }
  const progress = leader.raw.status().progress[1];
  assert(progress.inflightMessages <= 3, `${progress.inflightMessages}`);
});

Deno.test("a window whose messages were all lost is recovered by heartbeats", () => {
  const cluster = new Cluster([1, 2, 3], { maxInflightMessages: 2 });
  const leader = cluster.elect(1);
  cluster.filter = (m) => m.to !== 2;
  for (let i = 0; i < 5; i++) {
    cluster.propose(1, `${i}`);
    cluster.pump();
  }
  cluster.heal();
  cluster.tick(1, 3);
  assertEquals(cluster.get(2).appliedText(), ["0", "1", "2", "3", "4"]);
  assertEquals(leader.raw.status().progress[1].state, ProgressState.Replicate);
});

Deno.test("an unreachable follower is probed, one append per heartbeat", () => {
  const cluster = new Cluster([1, 2, 3]);
  const leader = cluster.elect(1);
  leader.raw.reportUnreachable(2);
  assertEquals(leader.raw.status().progress[1].state, ProgressState.Probe);
  let appends = 0;
  cluster.filter = (m) => {
    if (m.to === 2 && m.type === MessageType.Append) appends++;
    return m.to !== 2;
  };
  for (let i = 0; i < 5; i++) cluster.propose(1, `${i}`);
  cluster.pump();
  assertEquals(appends, 1);
  cluster.heal();
  cluster.tick(1);
  assertEquals(leader.raw.status().progress[1].state, ProgressState.Replicate);
});

Deno.test("proposals beyond maxUncommittedBytes are dropped until entries are applied", () => {
  const cluster = new Cluster([1, 2, 3], { maxUncommittedBytes: 100 });
  const leader = cluster.elect(1);
  cluster.isolate(1);
  const kinds = [60, 40, 1, 0].map((size) => leader.raw.propose(new Uint8Array(size)).kind);
  assertEquals(kinds, ["appended", "appended", "dropped", "appended"]);
  assertEquals(leader.raw.uncommittedBytes, 100);
  cluster.heal();
  cluster.tick(1, 2);
  assertEquals(leader.raw.uncommittedBytes, 0);
  // With nothing uncommitted, anything goes.
  assertEquals(leader.raw.propose(new Uint8Array(1000)).kind, "appended");
});

Deno.test("a batch is taken whole or not at all", () => {
  const cluster = new Cluster([1, 2, 3], { maxUncommittedBytes: 100 });
  const leader = cluster.elect(1);
  leader.raw.propose(new Uint8Array(50));
  const before = leader.raw.lastIndex;
  const result = leader.raw.proposeBatch([new Uint8Array(30), new Uint8Array(30)]);
  assertEquals([result.kind, leader.raw.lastIndex], ["dropped", before]);
});

Deno.test("entries handed out to be applied stay within maxApplyingBytes", () => {
  const cluster = new Cluster([1], { maxApplyingBytes: 100 });
  const leader = cluster.elect(1);
  leader.raw.proposeBatch(Array.from({ length: 6 }, () => new Uint8Array(30)));
  const counts: number[] = [];
  while (leader.raw.hasReady()) {
    const ready = leader.raw.ready();
    leader.persist(ready);
    leader.apply(ready.committedEntries);
    if (ready.committedEntries.length > 0) counts.push(ready.committedEntries.length);
    leader.raw.advance();
  }
  assertEquals(counts, [2, 2, 2]);
});

Deno.test("a follower that reports nothing gets no snapshot", () => {
  const cluster = new Cluster([1, 2, 3], { checkQuorum: true });
  const leader = cluster.elect(1);
  cluster.isolate(3);
  for (let i = 0; i < 3; i++) cluster.propose(1, `${i}`);
  cluster.tick(1, 25);
  const index = leader.raw.applied;
  const metadata = { index, term: 2, confState: confState([1, 2, 3]) };
  leader.storage.setSnapshot({ data: bytes("s"), metadata });
  leader.storage.compact(index);
  let snapshots = 0;
  cluster.filter = (m) => {
    if (m.type === MessageType.Snapshot) snapshots++;
    return m.to !== 3 && m.from !== 3;
  };
  for (let i = 0; i < 3; i++) cluster.propose(1, `${i}`);
  cluster.tick(1, 3);
  assertEquals(snapshots, 0);
});
