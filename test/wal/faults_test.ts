import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../src/base/assert.ts";
import { LogModel } from "./model.ts";
import { entriesFrom, indexes, WalRig } from "./rig.ts";

Deno.test("Wal ends the process when a sync fails, and calls nothing back", async () => {
  const rig = new WalRig("sync error", { syncDelayMs: () => 1 });
  const { wal } = await rig.open();
  await rig.scheduler.runFor(1000);
  let durable = 0;
  wal.createGroup(1, 1, () => durable++);
  await rig.settle(wal);
  assertEquals(durable, 1);
  rig.disk.onCall = ({ kind }) => kind === "sync" ? "io" : undefined;
  wal.append({ group: 1, entries: entriesFrom(1, 3, 1) }, () => durable++);
  await rig.settle(wal);
  assertEquals(rig.ends.length, 1);
  assert(rig.ends[0].startsWith("Cannot sync the log"), rig.ends[0]);
  rig.disk.onCall = undefined;
  wal.append({ group: 1, entries: entriesFrom(4, 3, 1) }, () => durable++);
  wal.flush();
  await rig.scheduler.runFor(5000);
  assertEquals(durable, 1, "a failed sync is never tried again");
  // What the failed sync left in the page cache is not on the disk, whoever syncs later.
  rig.kill({ powerCut: true });
  const again = await rig.open();
  assertEquals(again.recovered.damages, []);
  assertEquals(again.recovered.groups.get(1)!.replicaId, 1);
});

Deno.test("Wal ends the process when the mark, a new segment or a directory can't be synced", async () => {
  for (const [kind, part] of [["sync", "mark"], ["sync", "wal"], ["sync-directory", "wal"]]) {
    const rig = new WalRig(`${kind} ${part}`);
    const { wal } = await rig.open();
    rig.disk.onCall = (call) => call.kind === kind && call.path.endsWith(part) ? "io" : undefined;
    wal.createGroup(1, 1);
    await rig.settle(wal, 3000);
    assertEquals(rig.ends.length, 1, `${kind} ${part}`);
  }
});

Deno.test("Wal waits on a full disk, says so, keeps order, and goes on when there is room", async () => {
  const rig = new WalRig("no space");
  const low: boolean[] = [];
  const { wal } = await rig.open({
    freeBytesMin: 20 * 1024,
    onDiskLow: (value) => low.push(value),
  });
  await rig.scheduler.runFor(1500);
  assertEquals(wal.diskLow, false);
  wal.createGroup(1, 1);
  await rig.settle(wal);
  rig.disk.quotaBytes = rig.disk.usedBytes();
  await rig.scheduler.runFor(1500);
  assertEquals([wal.diskLow, low], [true, [true]]);
  const order: number[] = [];
  // The preallocated space is the reserve: some entries are still durable on a full disk.
  for (let i = 1; i <= 40; i++) {
    wal.append({ group: 1, entries: entriesFrom(i, 1, 1, 1000) }, () => order.push(i));
    await rig.settle(wal);
    if (i === 3) assertEquals(order, [1, 2, 3]);
  }
  await rig.scheduler.runFor(2000);
  assert(order.length >= 3 && order.length < 40, `${order.length} durable on a full disk`);
  assert(wal.queuedBytes > 0);
  assertEquals(rig.ends, []);
  rig.disk.quotaBytes += 200 * 1024;
  await rig.scheduler.runFor(3000);
  assertEquals(order, Array.from({ length: 40 }, (_, i) => i + 1));
  assertEquals([wal.diskLow, low], [false, [true, false]]);
  await rig.close(wal);
  rig.kill({ powerCut: true });
  const again = await rig.open();
  assertEquals(again.recovered.damages, []);
  assertEquals(indexes(again.entries.get(1)), order);
});

Deno.test("Wal killed on a full disk recovers when there is room", async () => {
  const rig = new WalRig("killed full");
  const model = new LogModel();
  let everLow = false;
  const { wal } = await rig.open({
    freeBytesMin: 20 * 1024,
    onDiskLow: (low) => everLow ||= low,
  });
  await rig.scheduler.runFor(1500);
  rig.disk.quotaBytes = rig.disk.usedBytes();
  for (let i = 0; i < 400; i++) {
    model.appendRandom(wal, rig.random, 300);
    if (i % 3 === 0) await rig.settle(wal, 2);
  }
  assert(everLow);
  await rig.close(wal);
  rig.kill({ powerCut: true });
  rig.disk.quotaBytes += 100 * 1024;
  model.matchRecovered(await rig.open(), "after the full disk");
});

Deno.test("Wal splits what gathered into batches of the allowed size", async () => {
  const rig = new WalRig("split", { syncDelayMs: () => 1 });
  const { wal } = await rig.open({ batchSizeBytesMax: 4096 });
  await rig.scheduler.runFor(100);
  wal.createGroup(1, 1);
  const order: number[] = [];
  for (let i = 1; i <= 60; i++) {
    // One in ten is larger than a batch: it goes alone.
    const size = i % 10 === 0 ? 6000 : 500;
    wal.append({ group: 1, entries: entriesFrom(i, 1, 1, size) }, () => order.push(i));
  }
  wal.flush();
  await rig.scheduler.runFor(1.5);
  assert(order.length > 0 && order.length < 10, `${order.length} in the first batch`);
  await rig.scheduler.runFor(500);
  assertEquals(order.length, 60);
  await rig.close(wal);
  rig.kill();
  assertEquals(indexes((await rig.open()).entries.get(1)), order);
});

Deno.test("Wal refuses a replica that a tombstone buries, and accepts a newer one", async () => {
  const rig = new WalRig("tombstone");
  const { wal } = await rig.open();
  wal.createGroup(7, 3);
  wal.append({ group: 7, entries: entriesFrom(1, 5, 1) }, () => {});
  await rig.settle(wal);
  wal.removeGroup(7, 3);
  await rig.close(wal);
  rig.kill();
  const again = await rig.open();
  assertEquals([...again.recovered.tombstones], [[7, 3]]);
  assertEquals(again.recovered.groups.has(7), false);
  assertThrows(() => again.wal.createGroup(7, 3), InvariantError);
  again.wal.createGroup(7, 4);
  await rig.close(again.wal);
  rig.kill();
  assertEquals((await rig.open()).recovered.groups.get(7)!.lastIndex, 0);
});

Deno.test("Wal asserts what every reader relies on", async () => {
  const rig = new WalRig("asserts");
  const { wal } = await rig.open();
  const append = (group: number, first: number, term?: number) =>
    wal.append({
      group,
      entries: first === 0 ? [] : entriesFrom(first, 1, 1),
      hardState: term === undefined ? null : { term, vote: 0, commit: 0 },
    }, () => {});
  assertThrows(() => append(1, 1), InvariantError, "never created");
  wal.createGroup(1, 1);
  assertThrows(() => wal.createGroup(1, 2), InvariantError, "there already");
  append(1, 1, 5);
  assertThrows(() => append(1, 3), InvariantError, "no gap");
  assertThrows(() => append(1, 0, 4), InvariantError, "never runs back");
  await rig.close(wal);
});
