// Partition time (RULES 18): a wrong wall clock neither rushes nor freezes it.

import { assertEquals } from "@std/assert";
import type { Clock } from "../../src/platform/ports.ts";
import { PartitionClock } from "../../src/replica/partition_clock.ts";

const DAY_MS = 86_400_000;
const NOW_MS = 1_800_000_000_000;

/** A clock whose monotonic time the test moves. */
class HandClock implements Clock {
  monotonic = 0;
  monotonicMs(): number {
    return this.monotonic;
  }
  wallMs(): number {
    throw new Error("partition time reads no wall clock of its own");
  }
  setTimer(): never {
    throw new Error("partition time sets no timer");
  }
  defer(): never {
    throw new Error("partition time sets no timer");
  }
}

Deno.test("a leader a day ahead steps only to the lowest clock of its quorum", () => {
  const time = new PartitionClock(new HandClock());
  time.elected(NOW_MS - 1000, [NOW_MS + DAY_MS, NOW_MS]);
  assertEquals(time.nowMs(NOW_MS - 1000), NOW_MS);
});

Deno.test("a leader a day behind goes on from the state's time by its monotonic clock", () => {
  const clock = new HandClock();
  const time = new PartitionClock(clock);
  time.elected(NOW_MS, [NOW_MS - DAY_MS, NOW_MS]);
  assertEquals(time.nowMs(NOW_MS), NOW_MS);
  clock.monotonic = 250;
  assertEquals(time.nowMs(NOW_MS), NOW_MS + 250);
});

Deno.test("partition time never runs behind the state's", () => {
  const time = new PartitionClock(new HandClock());
  time.elected(100, [50]);
  assertEquals(time.nowMs(400), 400);
});

Deno.test("partition time goes on from an earlier leader's entries that come in after the election", () => {
  const clock = new HandClock();
  const time = new PartitionClock(clock);
  time.elected(100, [50]);
  clock.monotonic = 10;
  assertEquals(time.nowMs(400), 400);
  clock.monotonic = 30;
  assertEquals(time.nowMs(400), 420);
});
