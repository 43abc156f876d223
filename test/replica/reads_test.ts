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

Deno.test("no more than three rounds are in flight, and one without an answer is given up", () => {
  const reads = new Reads(100);
  for (let i = 0; i < 3; i++) {
    reader(reads);
    assertEquals(round(reads, 0) > 0, true);
  }
  const waiting = reader(reads);
  assertEquals(round(reads, 99), 0);
  const retry = round(reads, 100);
  assertEquals(retry > 0, true);
  reads.confirmed(1, 1, 1); // the round that was given up
  assertEquals(waiting, []);
  reads.confirmed(retry, 1, 1);
  assertEquals(waiting, ["ready"]);
  assertEquals(reads.pending, 0);
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

Deno.test("every round is over once, whether it was answered, given up or refused", () => {
  const reads = new Reads(100);
  const over: string[] = [];
  const begin = (name: string, nowMs: number) => {
    reader(reads);
    return round(reads, nowMs, () => over.push(name));
  };
  const answered = begin("answered", 0);
  reads.confirmed(answered, 3, 3);
  reads.confirmed(answered, 3, 3);
  begin("given up", 0);
  begin("refused", 100);
  assertEquals(over, ["answered", "given up"]);
  reads.lostLeadership();
  reads.stop("stopping");
  assertEquals(over, ["answered", "given up", "refused"]);
});
