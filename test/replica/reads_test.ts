// Batched ReadIndex: a read is served by a round that began after it came, from a state that has reached
// the round's index, and by nothing else.

import { assertEquals } from "@std/assert";
import { type ReadOutcome, Reads } from "../../src/replica/reads.ts";

function reader(reads: Reads, deadlineMs = 10_000): ReadOutcome[] {
  const outcomes: ReadOutcome[] = [];
  reads.enqueue(deadlineMs, (outcome) => outcomes.push(outcome));
  return outcomes;
}

/** The context of a round that began, or 0 if none is due. */
function round(reads: Reads, nowMs: number, over = () => {}): number {
  return reads.isRoundDue(nowMs) ? reads.beginRound(nowMs, over) : 0;
}

Deno.test("a read that comes after a round began waits for the next one", () => {
  const reads = new Reads(100);
  const early = reader(reads);
  const first = round(reads, 0);
  const late = reader(reads);
  reads.confirmed(first, 5, 5);
  assertEquals([early, late], [["ready"], []]);
  const second = round(reads, 0);
  reads.confirmed(second, 5, 5);
  assertEquals(late, ["ready"]);
  assertEquals(reads.pending, 0);
});

Deno.test("a confirmed read waits until the state has reached its index", () => {
  const reads = new Reads(100);
  const outcomes = reader(reads);
  reads.confirmed(round(reads, 0), 7, 5);
  reads.applied(6);
  assertEquals(outcomes, []);
  reads.applied(7);
  assertEquals(outcomes, ["ready"]);
});

Deno.test("a later round's confirmation confirms the rounds before it", () => {
  const reads = new Reads(100);
  const first = reader(reads);
  round(reads, 0);
  const second = reader(reads);
  const context = round(reads, 0);
  reads.confirmed(context, 3, 3);
  assertEquals([first, second], [["ready"], ["ready"]]);
});

Deno.test("no more than three rounds are in flight, until one is late", () => {
  const reads = new Reads(100);
  const early = [0, 1, 2].map(() => {
    const outcomes = reader(reads);
    assertEquals(round(reads, 0) > 0, true);
    return outcomes;
  });
  const waiting = reader(reads);
  assertEquals(round(reads, 99), 0);
  const retry = round(reads, 100);
  assertEquals(retry > 0, true);
  reads.confirmed(1, 1, 1); // late, but no less true
  assertEquals([...early, waiting], [["ready"], [], [], []]);
  reads.confirmed(retry, 1, 1);
  assertEquals(waiting, ["ready"]);
  assertEquals(reads.pending, 0);
});

Deno.test("reads are served though every answer takes longer than the time after which they are asked again", () => {
  const reads = new Reads(100);
  const outcomes = reader(reads);
  const roundTripMs = 730;
  const rounds: { context: number; atMs: number }[] = [];
  let doneMs = 0;
  for (let nowMs = 0; doneMs === 0 && nowMs < 5000; nowMs += 10) {
    const context = round(reads, nowMs);
    if (context !== 0) rounds.push({ context, atMs: nowMs });
    const answered = rounds.filter(({ atMs }) => nowMs - atMs === roundTripMs);
    for (const { context } of answered) reads.confirmed(context, 1, 1);
    if (outcomes.length > 0) doneMs = nowMs;
  }
  assertEquals(doneMs, roundTripMs);
});

Deno.test("rounds that nobody answers stay bounded, and lose no read", () => {
  const reads = new Reads(100);
  const outcomes: ReadOutcome[][] = [];
  let last = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs += 100) {
    if (outcomes.length < 50) outcomes.push(reader(reads, 1e9));
    last = round(reads, nowMs) || last;
  }
  assertEquals(reads.pending, 50);
  reads.confirmed(last - 15, 1, 1); // the oldest that is kept
  assertEquals(reads.pending, 0);
  assertEquals(outcomes.flat(), Array.from({ length: 50 }, () => "ready"));
});

Deno.test("lost leadership refuses what is not confirmed and keeps what is", () => {
  const reads = new Reads(100);
  const confirmed = reader(reads);
  reads.confirmed(round(reads, 0), 9, 5);
  const open = reader(reads);
  round(reads, 0);
  const queued = reader(reads);
  reads.lostLeadership();
  assertEquals([open, queued], [["not-leader"], ["not-leader"]]);
  reads.applied(9);
  assertEquals(confirmed, ["ready"]);
});

Deno.test("a read past its deadline is told so, wherever it waits", () => {
  const reads = new Reads(100);
  const outcomes = [reader(reads, 10)];
  reads.confirmed(round(reads, 0), 9, 5);
  outcomes.push(reader(reads, 10));
  round(reads, 0);
  outcomes.push(reader(reads, 10));
  reads.expire(10);
  assertEquals(outcomes, [["timeout"], ["timeout"], ["timeout"]]);
});

Deno.test("a full queue refuses, a stop ends every wait", () => {
  const reads = new Reads(1);
  const first = reader(reads);
  assertEquals(reader(reads), ["overloaded"]);
  reads.stop("stopping");
  assertEquals(first, ["not-leader"]);
});

Deno.test("every round is over once, whether it was answered, joined to a later one or refused", () => {
  const reads = new Reads(100);
  const over: number[] = [];
  let begun = 0;
  const begin = (nowMs: number) => {
    reader(reads, 1e9);
    const name = ++begun;
    return round(reads, nowMs, () => over.push(name));
  };
  const answered = begin(0);
  reads.confirmed(answered, 3, 3);
  reads.confirmed(answered, 3, 3);
  assertEquals(over, [1]);
  for (let i = 1; i <= 17; i++) begin(200 * i);
  assertEquals(over, [1, 2], "sixteen are kept");
  reads.lostLeadership();
  reads.stop("stopping");
  assertEquals(over, Array.from({ length: begun }, (_, i) => i + 1));
});
