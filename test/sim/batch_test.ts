// A fixed batch of seeds through the whole simulation, and the proof that a run is a function of its seed.

import { assert, assertEquals } from "@std/assert";
import { FAULT_KINDS } from "./faults.ts";
import { runSchedule } from "./run.ts";
import { drawSchedule } from "./schedule.ts";

Deno.test("a run is a function of its seed", async () => {
  for (const seed of [3, 17]) {
    const first = await runSchedule(drawSchedule(seed));
    const second = await runSchedule(drawSchedule(seed));
    const recorded = await runSchedule(drawSchedule(seed), { record: true });
    for (const { traceHash, events } of [second, recorded]) {
      assertEquals(traceHash, first.traceHash, `seed ${seed}`);
      assertEquals(events, first.events, `seed ${seed}`);
    }
  }
});

Deno.test("no seed of the batch breaks a property", async () => {
  let operations = 0;
  const kinds = new Set<string>();
  for (let seed = 1; seed <= 24; seed++) {
    const schedule = drawSchedule(seed);
    const result = await runSchedule(schedule);
    assertEquals(result.failure, undefined, `replay: deno task sim --seed ${seed}`);
    operations += result.operations;
    for (const { kind } of schedule.faults) kinds.add(kind);
  }
  const missing = FAULT_KINDS.filter((kind) => !kinds.has(kind));
  assertEquals(missing, [], "the batch has every kind of fault");
  assert(operations > 1500, `only ${operations} operations were decided`);
});
