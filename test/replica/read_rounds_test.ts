// Groups that ask their followers together: how many joint rounds there are, who comes along, and that a
// group without an answer keeps nobody waiting.

import { assertEquals } from "@std/assert";
import type { RoundMember } from "../../src/replica/proposal_rounds.ts";
import { ReadRounds } from "../../src/replica/read_rounds.ts";
import { Incarnation, Scheduler, SimClock } from "../sim/clock.ts";

const PATIENCE_MS = 10;

function rig() {
  const scheduler = new Scheduler();
  const rounds = new ReadRounds(new SimClock(new Incarnation(scheduler, "a")));
  const asked: string[] = [];
  const member = (name: string): RoundMember => ({
    join: () => void asked.push(name),
    wake: () => void asked.push(name),
  });
  return { scheduler, rounds, asked, member };
}

/** Begins as many rounds as may be in flight; returns what ends each. */
function fillUp(rounds: ReadRounds, member: (name: string) => RoundMember): (() => void)[] {
  const ends: (() => void)[] = [];
  for (let over = rounds.begin(member("x")); over !== undefined; over = rounds.begin(member("y"))) {
    ends.push(over);
  }
  return ends;
}

Deno.test("three joint rounds are in flight; the end of one lets the next begin, with all who wait", () => {
  const { rounds, asked, member } = rig();
  const ends = fillUp(rounds, () => member("filler"));
  assertEquals(ends.length, 3);
  const [a, b] = [member("a"), member("b")];
  assertEquals(rounds.begin(a), undefined);
  rounds.want(b);
  asked.length = 0;
  ends[1]();
  assertEquals(asked.filter((name) => name !== "filler"), ["a", "b"]);
  asked.length = 0;
  const overA = rounds.begin(a)!;
  assertEquals(asked.includes("b"), true, "b is invited");
  const overB = rounds.begin(b)!;
  // Both are one joint round: it is over when both are.
  asked.length = 0;
  rounds.want(a);
  overA();
  assertEquals(asked, []);
  overB();
  assertEquals(asked.includes("a"), true);
});

Deno.test("a joint round without an answer counts no more after a while", async () => {
  const { scheduler, rounds, asked, member } = rig();
  const ends = fillUp(rounds, member);
  const late = member("late");
  assertEquals(rounds.begin(late), undefined);
  asked.length = 0;
  await scheduler.runFor(PATIENCE_MS - 1);
  assertEquals(asked, []);
  await scheduler.runFor(2);
  assertEquals(asked.includes("late"), true);
  assertEquals(typeof rounds.begin(late), "function");
  // Its late answer neither counts twice nor wakes anybody.
  rounds.leave(late);
  asked.length = 0;
  ends[0]();
  assertEquals(asked, []);
});

Deno.test("who comes after the round that it was invited to begins one that counts", () => {
  const { rounds, member } = rig();
  const [a, b] = [member("a"), member("b")];
  rounds.want(b);
  rounds.begin(a)!();
  assertEquals(typeof rounds.begin(b), "function");
  assertEquals(fillUp(rounds, member).length, 2);
});
