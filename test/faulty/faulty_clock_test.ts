// The faulty clock over one that the test turns by hand.

import { assertEquals } from "@std/assert";
import type { Clock } from "../../src/platform/ports.ts";
import { FaultyClock } from "./faulty_clock.ts";
import { Machine, machineFiles, readJson, writeJson } from "./machine.ts";

function setUp() {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-faulty-" });
  const hand = { monotonicMs: 1000, wallMs: 50_000, timers: [] as number[] };
  const clock: Clock = {
    monotonicMs: () => hand.monotonicMs,
    wallMs: () => hand.wallMs,
    setTimer: (delayMs) => {
      hand.timers.push(delayMs);
      return { cancel() {} };
    },
    defer: () => ({ cancel() {} }),
  };
  const pass = (ms: number) => {
    hand.monotonicMs += ms;
    hand.wallMs += ms;
  };
  return {
    dir,
    hand,
    clock,
    pass,
    [Symbol.dispose]: () => Deno.removeSync(dir, { recursive: true }),
  };
}

Deno.test("FaultyClock sets and drifts wall time, and monotonic time never jumps", () => {
  using set = setUp();
  const { control, status } = machineFiles(`${set.dir}/data`);
  writeJson(control, { generation: 1, settings: { wallOffsetMs: -86_400_000 } });
  const machine = new Machine(`${set.dir}/data`);
  const clock = new FaultyClock(set.clock, machine);
  const steer = (settings: Machine["settings"]) => {
    machine.settings = settings;
    machine.changed();
  };
  assertEquals(clock.wallMs(), 50_000 - 86_400_000);
  assertEquals(clock.monotonicMs(), 1000);
  assertEquals(readJson(status), {
    generation: 1,
    pid: Deno.pid,
    noSpaceAnswers: 0,
    delayedSyncs: 0,
    failedSyncs: 0,
    wallErrorMs: 0,
  });
  steer({ clockRate: 2 });
  assertEquals(clock.wallMs(), 50_000);
  assertEquals(clock.monotonicMs(), 1000);
  set.pass(100);
  assertEquals(clock.monotonicMs(), 1200);
  assertEquals(clock.wallMs(), 50_200);
  assertEquals(machine.wallErrorMs(), 100);
  clock.setTimer(50, () => {});
  assertEquals(set.hand.timers, [25]);
  steer({});
  assertEquals(clock.monotonicMs(), 1200);
  assertEquals(clock.wallMs(), 50_100);
  set.pass(10);
  assertEquals(clock.monotonicMs(), 1210);
});
