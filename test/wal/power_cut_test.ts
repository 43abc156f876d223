import { assertEquals } from "@std/assert";
import { DiskError } from "../../src/platform/ports.ts";
import type { WalOptions } from "../../src/wal/mod.ts";
import { LogModel } from "./model.ts";
import { WalRig } from "./rig.ts";

const SEED_COUNT = 80;
const INCARNATIONS = 5;

async function cutStart(rig: WalRig, options: Partial<WalOptions>): Promise<void> {
  let calls = rig.random.int(30);
  rig.disk.onCall = () => {
    if (calls-- === 0) rig.kill({ powerCut: rig.random.int(3) > 0 });
    return undefined;
  };
  try {
    await rig.open(options);
    await rig.scheduler.runFor(10);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
  rig.disk.onCall = undefined;
  rig.kill({ powerCut: rig.random.int(2) > 0 });
  rig.ends.length = 0; // a dead process may still complain
}

/** Random work, then a crash of the process or the machine at a random moment, again and again. */
async function live(seed: string): Promise<void> {
  const rig: WalRig = new WalRig(seed, { syncDelayMs: () => rig.random.float() * 3 });
  const model = new LogModel();
  const options = { segmentSizeBytes: 6 * 1024, batchSizeBytesMax: 1024 };
  for (let incarnation = 0; incarnation < INCARNATIONS; incarnation++) {
    const context = `seed ${seed}, incarnation ${incarnation}`;
    // The start itself may be cut short, more than once.
    while (rig.random.int(3) === 0) await cutStart(rig, options);
    const opened = await rig.open(options);
    assertEquals(opened.recovered.damages, [], context);
    for (const group of opened.recovered.groups.values()) {
      assertEquals(group.suspect, null, context);
    }
    model.restartAt(model.matchRecovered(opened, context));
    const steps = rig.random.int(40);
    for (let i = 0; i < steps; i++) {
      const records = rig.random.int(8);
      for (let j = 0; j < records; j++) model.appendRandom(opened.wal, rig.random, 200);
      if (rig.random.int(3) > 0) opened.wal.flush();
      await rig.scheduler.runFor(rig.random.float() * (rig.random.int(10) === 0 ? 300 : 3));
    }
    const graceful = rig.random.int(5) === 0;
    if (graceful) await rig.close(opened.wal);
    if (graceful) assertEquals(model.durableCount, model.states.length - 1, context);
    rig.kill({ powerCut: rig.random.int(3) > 0 });
    assertEquals(rig.ends, [], context);
  }
}

Deno.test("power cuts and crashes lose nothing acknowledged, whatever the disk kept", async () => {
  const first = Deno.env.get("PONTOON_TEST_SEED");
  const seeds = first !== undefined
    ? [first]
    : Array.from({ length: SEED_COUNT }, (_, i) => `power cut ${i}`);
  for (const seed of seeds) {
    try {
      await live(seed);
    } catch (error) {
      console.log(`replay with PONTOON_TEST_SEED=${JSON.stringify(seed)}`);
      throw error;
    }
  }
});
