import { assert, assertEquals } from "@std/assert";
import { SimDisk } from "../sim/disk.ts";
import { LogModel } from "./model.ts";
import { type Change, RecordingDisk } from "./recording_disk.ts";
import { WalRig } from "./rig.ts";

const SEGMENT_BYTES = 8 * 1024;

/** A log of several groups with rolls, snapshots, truncations and two starts, as a list of changes. */
async function recordLog(seed: string): Promise<{ changes: Change[]; model: LogModel }> {
  const model = new LogModel();
  const rig = new WalRig(seed);
  const changes: Change[] = [];
  for (let start = 0; start < 2; start++) {
    const disk = new RecordingDisk(rig.disk.mount(), () => ({
      durableCount: model.durableCount,
      recordCount: model.states.length - 1,
    }));
    const opened = await rig.open({ disk, segmentSizeBytes: SEGMENT_BYTES });
    for (let i = 0; i < 45; i++) {
      model.appendRandom(opened.wal, rig.random, 16);
      if (rig.random.int(3) > 0) continue;
      opened.wal.flush();
      await rig.scheduler.runFor(rig.random.int(4) === 0 ? 200 : 1);
    }
    await rig.settle(opened.wal);
    if (start === 0) rig.kill();
    else await rig.close(opened.wal);
    changes.push(...disk.changes);
  }
  return { changes, model };
}

Deno.test("a crash at every byte loses nothing acknowledged and invents nothing", async () => {
  const { changes, model } = await recordLog("every byte");
  const removed = changes.filter(({ bytes }) => bytes === undefined).length;
  assert(removed > 10, "the log rolls and purges");
  const disk = new SimDisk();
  let cuts = 0;
  const finalCount = model.states.length;
  for (const change of changes) {
    const { bytes, offset, path } = change;
    for (let length = 1; bytes !== undefined && length < bytes.length; length++) {
      // A cut behind a zero leaves the same content as the cut before it.
      if (bytes[length - 1] === 0) continue;
      const cut = disk.clone();
      cut.open(path, { create: true }).writeSync(bytes.subarray(0, length), offset!);
      await recoverAndCompare(cut, model, change, `byte ${length} of a write to ${path}`);
      cuts++;
    }
    change.apply(disk);
    await recoverAndCompare(disk.clone(), model, change, `after a change of ${path}`);
    cuts++;
  }
  assertEquals(model.states.length, finalCount);

  assert(cuts > 3_000, `${cuts} cuts`);
});

async function recoverAndCompare(
  disk: SimDisk,
  model: LogModel,
  { durableCount, recordCount }: Change,
  context: string,
): Promise<void> {
  const rig = new WalRig(context, {}, disk);
  const opened = await rig.open({ segmentSizeBytes: SEGMENT_BYTES });
  assertEquals(opened.recovered.damages, [], context);
  const prefix = new LogModel();
  prefix.states.length = 0;
  prefix.states.push(...model.states.slice(0, recordCount + 1));
  prefix.durableCount = durableCount;
  const found = prefix.matchRecovered(opened, context);
  if (found % 8 !== 0) return;
  // Killed right after the start, before anything else: the same again.
  rig.kill();
  const again = await rig.open({ segmentSizeBytes: SEGMENT_BYTES });
  assertEquals(again.recovered.damages, [], context);
  assertEquals(prefix.matchRecovered(again, `${context}, second start`), found);
}
