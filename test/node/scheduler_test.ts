// Turns: what wakes groups is gathered and done at the end of the round or of the gathered work; a group
// with endless work delays the others by a place in the queue, no more.

import { assert, assertEquals } from "@std/assert";
import { Scheduler } from "../../src/node/scheduler.ts";
import type { Clock } from "../../src/platform/ports.ts";
import { Incarnation, Scheduler as Events, SimClock } from "../sim/clock.ts";

/** A clock that stands still but for `pass`, and runs what was deferred when told. */
class HandClock implements Clock {
  nowMs = 0;
  readonly #deferred: (() => void)[] = [];
  monotonicMs = () => this.nowMs;
  wallMs = () => this.nowMs;
  setTimer = () => ({ cancel: () => {} });
  defer = (callback: () => void) => {
    this.#deferred.push(callback);
    return { cancel: () => {} };
  };

  /** Runs one deferred callback; false if there is none. */
  step(): boolean {
    const callback = this.#deferred.shift();
    callback?.();
    return callback !== undefined;
  }
}

function rig() {
  const clock = new HandClock();
  const turns: number[] = [];
  let flushes = 0;
  const scheduler = new Scheduler(clock, () => flushes++);
  const add = (group: number, costMs: number, again: () => boolean) =>
    scheduler.add(group, {
      turn: () => {
        turns.push(group);
        clock.nowMs += costMs;
        if (again()) scheduler.wake(group);
      },
    });
  return { clock, scheduler, turns, add, flushes: () => flushes };
}

Deno.test("a group that never runs out of work takes turns with all others", () => {
  const { clock, scheduler, turns, add } = rig();
  add(1, 4, () => true);
  for (let group = 2; group <= 5; group++) {
    add(group, 0.1, () => false);
    scheduler.wake(1);
    scheduler.wake(group);
  }
  for (let i = 0; i < 3; i++) clock.step();
  assertEquals(turns.slice(0, 5), [1, 2, 3, 4, 5]);
  scheduler.wake(3);
  const before = turns.length;
  while (turns.length < before + 2) clock.step();
  assert(turns.slice(before).includes(3), "one turn of the hot group at most comes first");
});

Deno.test("who joins a turn has its own within it, before the flush", () => {
  const { clock, scheduler, turns, flushes } = rig();
  let joins = true;
  scheduler.add(1, {
    turn: () => {
      turns.push(1);
      if (joins) scheduler.join(2);
      joins = false;
    },
  });
  scheduler.add(2, { turn: () => void turns.push(2) });
  scheduler.wake(1);
  clock.step();
  assertEquals([turns, flushes()], [[1, 2], 1]);
  scheduler.join(2);
  assertEquals(turns.length, 2, "outside of a turn it is due in the next");
  clock.step();
  assertEquals([turns, flushes()], [[1, 2, 2], 2]);
});

Deno.test("many hot groups share evenly, and the log is flushed after each stretch", () => {
  const { clock, scheduler, turns, add, flushes } = rig();
  for (let group = 0; group < 64; group++) {
    add(group, 4, () => true);
    scheduler.wake(group);
  }
  while (turns.length < 640) {
    const startedMs = clock.nowMs;
    const flushed = flushes();
    clock.step();
    assert(clock.nowMs - startedMs <= 12, "a stretch is bounded");
    assertEquals(flushes(), flushed + 1);
  }
  for (let group = 0; group < 64; group++) {
    const count = turns.filter((one) => one === group).length;
    assert(count === 10, `group ${group} had ${count} of 640 turns`);
  }
});

Deno.test("a group removed while it waits gets no turn", () => {
  const { clock, scheduler, turns, add } = rig();
  add(1, 10, () => false);
  add(2, 1, () => false);
  scheduler.wake(1);
  scheduler.wake(2);
  clock.step();
  scheduler.remove(2);
  while (clock.step());
  assertEquals(turns, [1]);
});

/** A scheduler on simulated time, and what it does in order. */
function traced() {
  const events = new Events();
  const done: string[] = [];
  const scheduler = new Scheduler(
    new SimClock(new Incarnation(events, "a")),
    () => done.push("flush"),
  );
  for (const group of [1, 2]) scheduler.add(group, { turn: () => done.push(`turn ${group}`) });
  return { events, done, scheduler };
}

Deno.test("wake() gives each group one turn at the end of the round", async () => {
  const { events, done, scheduler } = traced();
  for (const group of [1, 2, 1]) scheduler.wake(group);
  assertEquals(done, []);
  await events.runFor(1);
  assertEquals(done, ["turn 1", "turn 2", "flush"]);
});

Deno.test("gather() runs the turn right behind the work, with what was due before", async () => {
  const { events, done, scheduler } = traced();
  scheduler.wake(2);
  scheduler.gather(() => {
    scheduler.wake(1);
    done.push("work");
  });
  assertEquals(done, ["work", "turn 2", "turn 1", "flush"]);
  await events.runFor(1);
  assertEquals(done.length, 4);
});

Deno.test("gather() runs no turn for work that woke nobody", async () => {
  const { events, done, scheduler } = traced();
  scheduler.wake(2);
  scheduler.gather(() => done.push("work"));
  assertEquals(done, ["work"]);
  await events.runFor(1);
  assertEquals(done, ["work", "turn 2", "flush"]);
});

Deno.test("a group that wakes itself in its turn gets the next one", async () => {
  const { events, done, scheduler } = traced();
  let again = true;
  scheduler.add(3, {
    turn: () => {
      done.push("turn 3");
      if (again) scheduler.wake(3);
      again = false;
    },
  });
  scheduler.gather(() => scheduler.wake(3));
  await events.runFor(1);
  assertEquals(done, ["turn 3", "flush", "turn 3", "flush"]);
});
