// The log and its parts: RaftLog over MemoryStorage, Unstable, sizes.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { RaftLog } from "../../src/raft/log.ts";
import { MemoryStorage, NO_DATA, UNKNOWN_TERM } from "../../src/raft/mod.ts";
import { entriesSizeBytes, entrySizeBytes, limitedEnd } from "../../src/raft/size.ts";
import { Unstable } from "../../src/raft/unstable.ts";
import { confState, entry, newStorage } from "./harness.ts";

const STATE = confState([1, 2, 3]);

/** A log with stable entries of these terms from index 2 on, and unstable ones behind them. */
function log(stable: number[], unstable: number[] = []): RaftLog {
  const result = new RaftLog(newStorage(STATE, stable.map((t, i) => entry(t, i + 2))), Infinity);
  result.append(unstable.map((t, i) => entry(t, i + 2 + stable.length)));
  return result;
}

function terms(of: RaftLog): number[] {
  const all = of.slice(of.firstIndex(), of.lastIndex() + 1, Infinity);
  assert(all !== null);
  return all.map((e) => e.term);
}

Deno.test("RaftLog.term() knows the snapshot's index, the log, and nothing beyond", () => {
  const l = log([1, 2], [3, 3]);
  assertEquals([0, 1, 2, 3, 4, 5, 6].map((i) => l.term(i)), [
    UNKNOWN_TERM,
    1,
    1,
    2,
    3,
    3,
    UNKNOWN_TERM,
  ]);
  assertEquals([l.firstIndex(), l.lastIndex(), l.lastTerm()], [2, 5, 3]);
});

Deno.test("RaftLog.isUpToDate() compares terms before lengths", () => {
  const l = log([1, 2, 2]);
  const cases: [index: number, term: number, upToDate: boolean][] = [
    [4, 2, true],
    [5, 2, true],
    [3, 2, false],
    [1, 3, true],
    [9, 1, false],
  ];
  for (const [index, term, expected] of cases) {
    assertEquals(l.isUpToDate(index, term), expected, `${term}/${index}`);
  }
});

Deno.test("RaftLog.maybeAppend() appends what is new and replaces what conflicts", () => {
  const cases: [prev: [number, number], terms: number[], result: number, log: number[]][] = [
    [[4, 2], [], 4, [1, 2, 2]],
    [[4, 2], [3], 5, [1, 2, 2, 3]],
    [[3, 2], [2, 3], 5, [1, 2, 2, 3]],
    [[2, 1], [3], 3, [1, 3]],
    [[2, 1], [2], 3, [1, 2, 2]],
    [[1, 1], [3, 3], 3, [3, 3]],
    [[4, 1], [3], -1, [1, 2, 2]],
    [[5, 2], [3], -1, [1, 2, 2]],
  ];
  for (const stable of [[1, 2, 2], [1], []]) {
    for (const [[index, term], entries, result, expected] of cases) {
      const l = log(stable, [1, 2, 2].slice(stable.length));
      const given = entries.map((t, i) => entry(t, index + 1 + i));
      assertEquals(l.maybeAppend(index, term, given, 1), result);
      assertEquals(terms(l), expected);
    }
  }
});

Deno.test("RaftLog.maybeAppend() never replaces what is committed", () => {
  const l = log([1, 1, 1]);
  l.commitTo(3);
  assertThrows(() => l.maybeAppend(1, 1, [entry(2, 2)], 1), Error, "committed");
});

Deno.test("RaftLog.commitTo() never runs back and never beyond the log", () => {
  const l = log([1, 1], [1]);
  l.commitTo(3);
  l.commitTo(2);
  assertEquals(l.committed, 3);
  assertThrows(() => l.commitTo(5), Error, "truncated or lost");
});

Deno.test("RaftLog.maybeCommit() commits entries of the given term only", () => {
  const l = log([1, 2, 2]);
  assertEquals(l.maybeCommit(2, 2), false);
  assertEquals(l.maybeCommit(3, 2), true);
  assertEquals(l.maybeCommit(3, 2), false);
  assertEquals(l.maybeCommit(9, 2), false);
  assertEquals(l.maybeCommit(Infinity, 0), false);
});

Deno.test("RaftLog.findConflictByTerm() goes back to the last entry of no higher term", () => {
  const l = log([2, 2, 5, 5, 5]);
  const cases: [index: number, term: number, at: number, found: number][] = [
    [6, 5, 6, 5],
    [6, 4, 3, 2],
    [6, 1, 1, 1],
    [3, 3, 3, 2],
    [9, 5, 9, 0],
    [0, 1, 0, 0],
  ];
  for (const [index, term, at, found] of cases) {
    assertEquals(l.findConflictByTerm(index, term), { index: at, term: found });
  }
  assertEquals(log([9, 9]).findConflictByTerm(3, 0), { index: 0, term: 0 });
});

Deno.test("RaftLog.slice() lays the unstable end over storage, within a byte limit", () => {
  const size = entrySizeBytes(entry(1, 2));
  const indexes = (l: RaftLog, lo: number, hi: number, max: number) =>
    l.slice(lo, hi, max)!.map((e) => e.index);
  const l = log([1, 1, 1], [1, 1, 1]);
  assertEquals(indexes(l, 2, 8, Infinity), [2, 3, 4, 5, 6, 7]);
  assertEquals(indexes(l, 3, 6, Infinity), [3, 4, 5]);
  assertEquals(indexes(l, 2, 8, 0), [2]);
  assertEquals(indexes(l, 2, 8, 3 * size), [2, 3, 4]);
  assertEquals(indexes(l, 2, 8, 4 * size - 1), [2, 3, 4]);
  assertEquals(indexes(l, 2, 8, 4 * size), [2, 3, 4, 5]);
  assertEquals(indexes(l, 5, 8, 2 * size), [5, 6]);
  assertEquals(indexes(l, 4, 4, 0), []);
  assertEquals(l.slice(1, 3, Infinity), null, "compacted");
  assertThrows(() => l.slice(2, 9, Infinity));
});

Deno.test("RaftLog.some() finds entries across pages", () => {
  const storage = newStorage(STATE, Array.from({ length: 50 }, (_, i) => entry(1, i + 2, `${i}`)));
  const l = new RaftLog(storage, 30);
  const seen: number[] = [];
  assertEquals(l.some(2, 52, (e) => seen.push(e.index) === 0), false);
  assertEquals(seen.length, 50);
  assertEquals(l.some(2, 52, (e) => e.index === 51), true);
});

Deno.test("RaftLog hands out committed entries once, and pauses when its budget is spent", () => {
  const size = entrySizeBytes(entry(1, 2));
  const storage = newStorage(STATE, [2, 3, 4, 5, 6].map((i) => entry(1, i)));
  const l = new RaftLog(storage, 3 * size);
  l.commitTo(6);
  const take = () => {
    const entries = l.nextCommitted(true);
    if (entries.length > 0) {
      l.acceptApplying(entries.at(-1)!.index, entriesSizeBytes(entries), true);
    }
    return entries.map((e) => e.index);
  };
  assertEquals([take(), take()], [[2, 3, 4], []]);
  l.appliedTo(2, size);
  assertEquals(take(), [5]);
  l.appliedTo(5, 3 * size);
  assertEquals([take(), l.applied, l.applying], [[6], 5, 6]);
  assertThrows(() => l.appliedTo(7, 0));
});

Deno.test("RaftLog.restore() replaces everything, and nothing is applied before the snapshot is", () => {
  const l = log([1, 1], [1]);
  const metadata = { index: 9, term: 4, confState: STATE };
  l.restore({ data: NO_DATA, metadata });
  assertEquals([l.firstIndex(), l.lastIndex(), l.committed, l.term(9)], [10, 9, 9, 4]);
  l.append([entry(4, 10)]);
  l.commitTo(10);
  assertEquals(l.hasNextCommitted(true), false);
});

Deno.test("Unstable hands out each entry and snapshot once for writing", () => {
  const u = new Unstable(5);
  u.truncateAndAppend([entry(1, 5), entry(1, 6)]);
  assertEquals(u.nextEntries().map((e) => e.index), [5, 6]);
  u.acceptInProgress();
  assertEquals([u.hasNextEntries(), u.nextEntries()], [false, []]);
  u.append(entry(1, 7));
  assertEquals(u.nextEntries().map((e) => e.index), [7]);
  u.stableTo(6, 1);
  assertEquals([u.offset, u.length, u.inProgressEnd], [7, 1, 7]);
});

Deno.test("Unstable.stableTo() ignores entries that were replaced or are gone", () => {
  const u = new Unstable(5);
  u.truncateAndAppend([entry(1, 5), entry(1, 6)]);
  u.acceptInProgress();
  u.truncateAndAppend([entry(2, 6)]);
  assertEquals(u.inProgressEnd, 6);
  u.stableTo(6, 1);
  assertEquals(u.offset, 5, "another entry is at 6 now");
  u.stableTo(9, 1);
  u.stableTo(5, 1);
  assertEquals([u.offset, u.length], [6, 1]);
  u.stableTo(5, 1);
  assertEquals([u.offset, u.length], [6, 1]);
});

Deno.test("Unstable.truncateAndAppend() replaces from before its start, or from within", () => {
  const u = new Unstable(5);
  u.truncateAndAppend([entry(1, 5), entry(1, 6), entry(1, 7)]);
  u.acceptInProgress();
  const handedOut = u.slice(5, 8);
  u.truncateAndAppend([entry(2, 7)]);
  assertEquals(u.slice(5, 8).map((e) => e.term), [1, 1, 2]);
  u.truncateAndAppend([entry(3, 3), entry(3, 4)]);
  assertEquals([u.offset, u.length, u.inProgressEnd, u.lastIndex()], [3, 2, 3, 4]);
  assertEquals(handedOut.map((e) => e.term), [1, 1, 1], "what was handed out does not change");
  assertThrows(() => u.truncateAndAppend([entry(3, 9)]), Error, "gap");
});

Deno.test("Unstable keeps a snapshot until that very one is installed", () => {
  const u = new Unstable(5);
  const snapshot = (index: number) => ({
    data: NO_DATA,
    metadata: { index, term: 2, confState: STATE },
  });
  u.restore(snapshot(9));
  assertEquals([u.term(9), u.lastIndex(), u.nextSnapshot()?.metadata.index], [2, 9, 9]);
  u.acceptInProgress();
  assertEquals(u.nextSnapshot(), null);
  // A second one in quick succession.
  u.restore(snapshot(12));
  u.stableSnapshotTo(9);
  assertEquals([u.nextSnapshot()?.metadata.index, u.offset], [12, 13]);
  u.stableSnapshotTo(12);
  assertEquals(u.snapshot, null);
});

Deno.test("MemoryStorage.append() replaces, skips what is compacted and refuses gaps", () => {
  const storage = newStorage(STATE, [entry(1, 2), entry(1, 3), entry(1, 4)]);
  storage.append([entry(2, 3)]);
  assertEquals([storage.lastIndex(), storage.term(3)], [3, 2]);
  storage.compact(2);
  storage.append([entry(1, 2), entry(2, 3), entry(2, 4)]);
  assertEquals([storage.firstIndex(), storage.lastIndex(), storage.term(2)], [3, 4, 1]);
  assertThrows(() => storage.append([entry(2, 6)]), Error, "gap");
});

Deno.test("MemoryStorage.compact() forgets entries and their bytes, in whatever steps", () => {
  const storage = new MemoryStorage();
  const empty = storage.heldBytes;
  for (let i = 1; i <= 100; i++) storage.append([entry(1, i, "x".repeat(50))]);
  const full = storage.heldBytes;
  assert(full >= 100 * 50);
  for (const index of [1, 10, 40, 70, 71, 99]) {
    assertEquals(storage.compact(index), true);
    assertEquals([storage.firstIndex(), storage.lastIndex()], [index + 1, 100]);
    assertEquals([storage.term(index), storage.term(index - 1)], [1, UNKNOWN_TERM]);
    const rest = storage.entries(index + 1, 101, Infinity)!;
    assertEquals(
      rest.map((e) => e.index),
      Array.from({ length: 100 - index }, (_, i) => index + 1 + i),
    );
    assertEquals(storage.heldBytes, full / 100 * (100 - index));
    assertEquals(storage.entries(index, 101, Infinity), null);
  }
  assertEquals(storage.compact(50), false);
  storage.compact(100);
  assertEquals(storage.heldBytes, empty);
  storage.append([entry(2, 101)]);
  assertEquals(storage.term(101), 2);
  assertThrows(() => storage.compact(102));
});

Deno.test("MemoryStorage.applySnapshot() takes newer ones only", () => {
  const storage = newStorage(STATE, [entry(1, 2)]);
  const at = (index: number) => ({ data: NO_DATA, metadata: { index, term: 3, confState: STATE } });
  assertEquals([storage.applySnapshot(at(1)), storage.applySnapshot(at(8))], [false, true]);
  assertEquals([storage.firstIndex(), storage.lastIndex(), storage.term(8)], [9, 8, 3]);
  assertEquals(storage.heldBytes, 0);
});

Deno.test("sizes are those of the protocol buffer form", () => {
  // 08 00 | 10 01 | 18 02
  assertEquals(entrySizeBytes(entry(1, 2)), 6);
  // … | 22 03 'a' 'b' 'c'
  assertEquals(entrySizeBytes(entry(1, 2, "abc")), 11);
  const lengths = [127, 128, 16383, 16384, 2 ** 21, 2 ** 28, 2 ** 35, 2 ** 49, 2 ** 53 - 1];
  const varints = lengths.map((index) => entrySizeBytes(entry(1, index)) - 5);
  assertEquals(varints, [1, 2, 2, 3, 4, 5, 6, 8, 8]);
});

Deno.test("limitedEnd() takes one entry at least and cuts at the limit", () => {
  const entries = [2, 3, 4].map((i) => entry(1, i));
  assertEquals([0, 6, 11, 12, 18, Infinity].map((max) => limitedEnd(entries, 0, 3, max)), [
    1,
    1,
    1,
    2,
    3,
    3,
  ]);
  assertEquals(limitedEnd(entries, 3, 3, 0), 3);
});
