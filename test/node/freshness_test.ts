// How fresh a replica is known to be: by rounds that began here, never before their index is applied.

import { assertEquals } from "@std/assert";
import { Freshness } from "../../src/node/freshness.ts";
import { Incarnation, Scheduler, SimClock } from "../sim/clock.ts";

class Rig {
  readonly scheduler = new Scheduler();
  readonly clock = new SimClock(new Incarnation(this.scheduler, "n1"));
  applied = 10;
  /** What the leader would confirm, and how long that takes. */
  confirmed: number | undefined = 10;
  roundMs = 5;
  rounds = 0;
  readonly freshness = new Freshness({
    clock: this.clock,
    appliedIndex: () => this.applied,
    confirm: () => {
      this.rounds++;
      const { confirmed } = this;
      return new Promise((resolve) => this.clock.setTimer(this.roundMs, () => resolve(confirmed)));
    },
  });

  /** Time passes with the node's ticks. */
  async run(durationMs: number): Promise<void> {
    for (let ms = 0; ms < durationMs; ms += 10) {
      this.freshness.tick();
      await this.scheduler.runFor(10);
    }
  }
}

Deno.test("nothing is known before a round has ended", async () => {
  const rig = new Rig();
  assertEquals(rig.freshness.ageMs(), undefined);
  rig.freshness.demand(300);
  assertEquals(rig.freshness.ageMs(), undefined);
  await rig.run(10);
  // As old as the round's beginning, not its end.
  assertEquals(rig.freshness.ageMs(), 10);
});

Deno.test("a confirmed index that is not applied proves nothing yet", async () => {
  const rig = new Rig();
  rig.confirmed = 12;
  rig.freshness.demand(300);
  await rig.run(50);
  assertEquals(rig.freshness.ageMs(), undefined);
  rig.applied = 11;
  assertEquals(rig.freshness.ageMs(), undefined);
  rig.applied = 12;
  assertEquals(rig.freshness.ageMs(), 50);
});

Deno.test("rounds keep the state fresh while readers ask, and no longer", async () => {
  const rig = new Rig();
  rig.freshness.demand(300);
  await rig.run(1000);
  assertEquals(rig.freshness.ageMs()! <= 120, true);
  await rig.run(6000);
  const { rounds } = rig;
  await rig.run(5000);
  assertEquals(rig.rounds, rounds);
  assertEquals(rig.freshness.ageMs()! > 5000, true);
});

Deno.test("a round that fails leaves the age as it is", async () => {
  const rig = new Rig();
  rig.freshness.demand(300);
  await rig.run(20);
  rig.confirmed = undefined;
  await rig.run(1000);
  assertEquals(rig.freshness.ageMs()! > 900, true);
});

Deno.test("a replica that lags asks no further before it has caught up", async () => {
  const rig = new Rig();
  rig.confirmed = 99;
  for (let i = 0; i < 100; i++) {
    rig.freshness.demand(30);
    await rig.run(100);
  }
  assertEquals(rig.rounds, 32);
});
