import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { Incarnation, Scheduler, SimClock } from "./clock.ts";
import { SeededRandom } from "./random.ts";

Deno.test("Scheduler runs events by time, then by order of scheduling", async () => {
  const scheduler = new Scheduler();
  const random = new SeededRandom(7);
  const ran: [number, number][] = [];
  for (let i = 0; i < 500; i++) {
    const atMs = random.int(20);
    scheduler.schedule(atMs, () => ran.push([atMs, i]));
  }
  scheduler.schedule(3, () => ran.push([-1, 0])).cancel();
  await scheduler.runFor(100);
  const sorted = [...ran].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  assertEquals(ran, sorted);
  assertEquals(ran.length, 500);
  assertEquals(scheduler.nowMs, 100);
});

Deno.test("Scheduler runs all microtasks between two events", async () => {
  const scheduler = new Scheduler();
  const trace: string[] = [];
  scheduler.schedule(1, () => {
    (async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      trace.push("microtasks");
    })();
  });
  scheduler.schedule(1, () => trace.push("next event"));
  await scheduler.runFor(1);
  assertEquals(trace, ["microtasks", "next event"]);
});

Deno.test("Scheduler.runUntil() gives up at its limit and names what it waited for", async () => {
  const scheduler = new Scheduler();
  scheduler.schedule(10, () => {});
  await assertRejects(() => scheduler.runUntil("the moon", 100, () => false), Error, "the moon");
});

Deno.test("Incarnation holds callbacks while paused and drops them once dead", async () => {
  const scheduler = new Scheduler();
  const incarnation = new Incarnation(scheduler, "n1");
  const clock = new SimClock(incarnation);
  const ran: string[] = [];
  clock.setTimer(10, () => ran.push("held"));
  clock.setTimer(10, () => ran.push("cancelled")).cancel();
  clock.setTimer(50, () => ran.push("lost"));
  incarnation.pause();
  await scheduler.runFor(20);
  assertEquals(ran, []);
  incarnation.resume();
  await scheduler.runFor(0);
  assertEquals(ran, ["held"]);
  incarnation.kill();
  await scheduler.runFor(100);
  assertEquals(ran, ["held"]);
});

Deno.test("SimClock goes at its own rate and is off by its own offset", async () => {
  const scheduler = new Scheduler();
  const right = new SimClock(new Incarnation(scheduler, "n1"));
  const fast = new SimClock(new Incarnation(scheduler, "n2"));
  fast.setRate(2);
  fast.wallOffsetMs = 5000;
  let rang = -1;
  fast.setTimer(100, () => rang = scheduler.nowMs);
  await scheduler.runFor(200);
  assertEquals(rang, 50);
  assertEquals(fast.monotonicMs(), 400);
  assertEquals(fast.wallMs() - right.wallMs(), 5200);
  fast.setRate(0.5);
  assertEquals(fast.monotonicMs(), 400);
});

Deno.test("SeededRandom streams are independent of each other and repeat by seed", () => {
  const draw = (random: SeededRandom) => Array.from({ length: 8 }, () => random.uint32());
  const first = new SeededRandom("a");
  const stream = draw(first.stream("disk"));
  draw(first);
  assertEquals(draw(first.stream("disk")), stream);
  assertNotEquals(draw(first.stream("net")), stream);
  assertNotEquals(draw(new SeededRandom("b").stream("disk")), stream);
  const random = new SeededRandom(1);
  const counts = new Array(10).fill(0);
  for (let i = 0; i < 10_000; i++) counts[random.int(10)] += 1;
  for (const count of counts) assertEquals(Math.abs(count - 1000) < 150, true);
});
