// Turns: what wakes a group is gathered, and done at the end of the round or of the gathered work.

import { assertEquals } from "@std/assert";
import { Scheduler } from "../../src/node/scheduler.ts";
import { Incarnation, Scheduler as Events, SimClock } from "../sim/clock.ts";

function rig() {
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
  const { events, done, scheduler } = rig();
  for (const group of [1, 2, 1]) scheduler.wake(group);
  assertEquals(done, []);
  await events.runFor(1);
  assertEquals(done, ["turn 1", "turn 2", "flush"]);
});

Deno.test("gather() runs the turn right behind the work, with what was due before", async () => {
  const { events, done, scheduler } = rig();
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
  const { events, done, scheduler } = rig();
  scheduler.wake(2);
  scheduler.gather(() => done.push("work"));
  assertEquals(done, ["work"]);
  await events.runFor(1);
  assertEquals(done, ["work", "turn 2", "flush"]);
});

Deno.test("a group that wakes itself in its turn gets the next one", async () => {
  const { events, done, scheduler } = rig();
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
