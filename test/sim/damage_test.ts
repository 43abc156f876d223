// Damage of what was durable, wherever it is: the node that suffered it may lose its copies, but never begins
// anew under an id that has voted, and the cluster goes on and mends itself (RULES 4).

import { assert, assertEquals } from "@std/assert";
import type { Fault } from "./faults.ts";
import { runSchedule } from "./run.ts";
import { drawSchedule, type SimSchedule } from "./schedule.ts";

function scheduleOf(seed: number, fault: Fault, safetyMs = 900): SimSchedule {
  const schedule = drawSchedule(seed, {
    nodes: 3,
    spares: 0,
    partitions: 2,
    clients: 4,
    keys: 3,
    operationsPerSecond: 60,
    networkDelayMsMean: 1,
    syncDelayMsMean: 1,
    safetyMs,
    lostNode: -1,
    snapshotLogBytes: 4 * 1024,
  });
  return { ...schedule, faults: [fault] };
}

Deno.test("a node whose log has rotted anywhere before its durable mark is mended", async () => {
  let noticed = 0;
  for (let i = 0; i < 8; i++) {
    const fault: Fault = {
      atMs: 700,
      kind: "rot",
      node: i % 3,
      file: "log",
      power: i % 2 === 0,
      downMs: 50,
      // What stands before is the segment's header, most of it empty; then the records of creation.
      places: [0.4 + 0.6 * (i + 0.5) / 8],
    };
    const result = await runSchedule(scheduleOf(100 + i, fault), { record: true });
    assertEquals(result.failure, undefined, `rot at ${fault.places}`);
    if (result.lines.some((line) => line.includes("acknowledged data is damaged"))) noticed++;
  }
  assert(noticed >= 6, `damage was noticed in ${noticed} runs`);
});

Deno.test("a node whose snapshot files have rotted gets new ones", async () => {
  for (const place of [0.01, 0.5, 0.99]) {
    const fault: Fault = {
      atMs: 700,
      kind: "rot",
      node: 1,
      file: "snapshot",
      power: true,
      downMs: 50,
      places: [place],
    };
    const result = await runSchedule(scheduleOf(200, fault));
    assertEquals(result.failure, undefined, `rot at ${place}`);
  }
});

Deno.test("a write of the log that landed elsewhere is noticed at the next start", async () => {
  let noticed = 0;
  for (const place of [0.02, 0.1, 0.6]) {
    const fault: Fault = { atMs: 200, kind: "misdirect", node: 2, place, downMs: 50 };
    const result = await runSchedule(scheduleOf(300, fault, 2500), { record: true });
    assertEquals(result.failure, undefined, `landing at ${place}`);
    if (result.lines.some((line) => line.includes("acknowledged data is damaged"))) noticed++;
  }
  assert(noticed > 0);
});
