// Which appends go at once, which wait, and that none that matters gets lost.

import { assertEquals } from "@std/assert";
import { type Message, MessageType, newMessage } from "../../src/raft/mod.ts";
import { CommitNotices, NoticeBoard } from "../../src/replica/commit_notices.ts";
import { Incarnation, Scheduler, SimClock } from "../sim/clock.ts";

function append(to: number, commit: number, entries: number): Message {
  const message = newMessage(MessageType.Append, to, 1);
  message.commit = commit;
  message.entries = Array.from({ length: entries }, (_, i) => ({
    term: 1,
    index: commit + 1 + i,
    type: 0,
    data: new Uint8Array(0),
  }));
  return message;
}

function rig() {
  const scheduler = new Scheduler();
  const sent: [to: number, commit: number][] = [];
  const board = new NoticeBoard(new SimClock(new Incarnation(scheduler, "a")));
  const group = () => new CommitNotices(board, ({ to, commit }) => void sent.push([to, commit]));
  return { scheduler, sent, notices: group(), other: group() };
}

Deno.test("an append with entries goes at once", () => {
  const { sent, notices } = rig();
  notices.take(append(2, 5, 1));
  assertEquals(sent, [[2, 5]]);
});

Deno.test("a notice goes to each follower by itself when no entries come", async () => {
  const { scheduler, sent, notices } = rig();
  notices.take(append(2, 5, 0));
  notices.take(append(3, 5, 0));
  assertEquals(sent, []);
  await scheduler.runFor(10);
  assertEquals(sent, [[2, 5], [3, 5]]);
});

Deno.test("entries take the place of their receiver's notice only", async () => {
  const { scheduler, sent, notices } = rig();
  notices.take(append(2, 5, 0));
  notices.take(append(3, 5, 0));
  notices.take(append(2, 6, 1));
  await scheduler.runFor(10);
  assertEquals(sent, [[2, 6], [3, 5]]);
});

Deno.test("a newer notice takes the place of an older one without waiting longer", async () => {
  const { scheduler, sent, notices } = rig();
  notices.take(append(2, 5, 0));
  await scheduler.runFor(1.5);
  notices.take(append(2, 6, 0));
  await scheduler.runFor(1);
  assertEquals(sent, [[2, 6]]);
  notices.take(append(2, 7, 0));
  await scheduler.runFor(10);
  assertEquals(sent, [[2, 6], [2, 7]]);
});

Deno.test("nothing is sent after the stop", async () => {
  const { scheduler, sent, notices } = rig();
  notices.take(append(2, 5, 0));
  notices.stop();
  await scheduler.runFor(10);
  assertEquals(sent, []);
});

Deno.test("the notices of all groups go in one go", async () => {
  const { scheduler, sent, notices, other } = rig();
  notices.take(append(2, 5, 0));
  await scheduler.runFor(1.5);
  other.take(append(3, 8, 0));
  await scheduler.runFor(0.6);
  assertEquals(sent, [[2, 5], [3, 8]]);
});

Deno.test("another group's entries take a notice along that has waited for a while", async () => {
  const { scheduler, sent, notices, other } = rig();
  notices.take(append(2, 5, 0));
  other.take(append(3, 8, 1));
  assertEquals(sent, [[3, 8]]);
  await scheduler.runFor(1.2);
  other.take(append(3, 9, 1));
  assertEquals(sent, [[3, 8], [3, 9], [2, 5]]);
  await scheduler.runFor(10);
  assertEquals(sent.length, 3);
});

Deno.test("a group that ends takes nobody else's notices with it", async () => {
  const { scheduler, sent, notices, other } = rig();
  notices.take(append(2, 5, 0));
  other.take(append(3, 8, 0));
  other.stop();
  await scheduler.runFor(10);
  assertEquals(sent, [[2, 5]]);
});
