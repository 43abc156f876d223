import { assert, assertEquals, assertRejects } from "@std/assert";
import { DiskError } from "../../src/platform/ports.ts";
import { Wal } from "../../src/wal/mod.ts";
import { entriesFrom, indexes, WalRig } from "./rig.ts";

const conf = new Uint8Array([7, 7, 7]);

Deno.test("Wal.open() creates a log and finds it again with everything in it", async () => {
  const rig = new WalRig("create");
  const first = await rig.open();
  assert(first.recovered.fresh);
  const durable: string[] = [];
  const { wal } = first;
  wal.putNodeRecord(1, new Uint8Array([1, 2, 3]));
  wal.createGroup(1, 11, () => durable.push("created"));
  wal.append(
    { group: 1, hardState: { term: 2, vote: 11, commit: 0 }, entries: entriesFrom(1, 3, 2) },
    () => durable.push("appended"),
  );
  assertEquals(durable, []);
  await rig.settle(wal);
  assertEquals(durable, ["created", "appended"]);
  wal.append({ group: 1, entries: entriesFrom(3, 2, 3) }, () => durable.push("overwritten"));
  wal.recordConfiguration(1, 2, conf);
  await rig.close(wal);
  assertEquals(durable.length, 3);

  rig.kill();
  const second = await rig.open();
  assertEquals(second.recovered.fresh, false);
  assertEquals(second.recovered.nodeId, wal.nodeId);
  assertEquals(second.recovered.damages, []);
  assertEquals([...second.recovered.nodeRecords], [[1, new Uint8Array([1, 2, 3])]]);
  const group = second.recovered.groups.get(1)!;
  assertEquals(group.hardState, { term: 2, vote: 11, commit: 0 });
  assertEquals(group.replicaId, 11);
  assertEquals(group.configuration, { index: 2, confState: conf });
  assertEquals([group.firstIndex, group.lastIndex, group.lastTerm], [1, 4, 3]);
  assertEquals(group.suspect, null);
  assertEquals(second.entries.get(1)!.map(({ index, term }) => [index, term]), [
    [1, 2],
    [2, 2],
    [3, 3],
    [4, 3],
  ]);
  assertEquals(second.entries.get(1)![0].data, entriesFrom(1, 1, 2)[0].data);
  await rig.close(second.wal);
});

Deno.test("Wal.append() gathers while a sync is in flight and keeps the order of callbacks", async () => {
  const rig = new WalRig("gather", { syncDelayMs: () => 1 });
  const { wal } = await rig.open();
  await rig.scheduler.runFor(100);
  wal.createGroup(1, 1);
  await rig.settle(wal);
  const before = rig.disk.syncCount;
  const order: number[] = [];
  for (let i = 1; i <= 50; i++) {
    wal.append({ group: 1, entries: entriesFrom(i, 1, 1) }, () => order.push(i));
    wal.flush();
  }
  assertEquals(order, []);
  await rig.scheduler.runFor(1.5);
  assertEquals(order, [1]);
  await rig.scheduler.runFor(1);
  assertEquals(order, Array.from({ length: 50 }, (_, i) => i + 1));
  assertEquals(rig.disk.syncCount - before, 2);
  await rig.close(wal);
});

Deno.test("Wal.afterSync() waits for the sync under way and not for what was appended meanwhile", async () => {
  const rig = new WalRig("after", { syncDelayMs: () => 1 });
  const { wal } = await rig.open();
  wal.createGroup(1, 1);
  await rig.settle(wal);
  const order: string[] = [];
  wal.afterSync(() => order.push("at once"));
  wal.append({ group: 1, entries: entriesFrom(1, 1, 1) }, () => order.push("first"));
  wal.flush();
  wal.append({ group: 1, entries: entriesFrom(2, 1, 1) }, () => order.push("second"));
  wal.afterPending(() => order.push("after all"));
  wal.afterSync(() => order.push("after the sync"));
  await rig.settle(wal);
  assertEquals(order, ["at once", "first", "after the sync", "second", "after all"]);
  await rig.close(wal);
});

Deno.test("Wal rolls through segments and removes those that no group needs", async () => {
  const rig = new WalRig("roll");
  const { wal } = await rig.open();
  wal.createGroup(1, 1);
  wal.createGroup(2, 2);
  let last = 0;
  for (let round = 0; round < 40; round++) {
    wal.append({ group: 1, entries: entriesFrom(last + 1, 10, 1, 100) }, () => {});
    if (round === 3) wal.append({ group: 2, entries: entriesFrom(1, 1, 1) }, () => {});
    last += 10;
    await rig.settle(wal);
  }
  const segments = () => rig.disk.list("wal").filter((name) => name.endsWith(".wal"));
  const before = segments().length;
  assert(before > 3, `${before} segments`);
  wal.snapshotTaken(1, { index: last - 5, term: 1, confState: conf });
  await rig.settle(wal, 200);
  assertEquals(wal.oldestPins(), [2]);
  assertEquals(segments().length, before);
  wal.snapshotTaken(2, { index: 1, term: 1, confState: conf });
  await rig.settle(wal, 200);
  assert(segments().length < 4, `${segments()}`);
  rig.kill();
  const again = await rig.open();
  assertEquals(indexes(again.entries.get(1)), [last - 4, last - 3, last - 2, last - 1, last]);
  assertEquals(again.recovered.groups.get(2)!.snapshot!.index, 1);
  assertEquals(again.recovered.groups.get(2)!.suspect, null);
  assertEquals(again.recovered.groups.get(1)!.suspect, null);
  await rig.close(again.wal);
});

Deno.test("Wal.open() refuses a directory that another process holds", async () => {
  const rig = new WalRig("lock");
  const { wal } = await rig.open();
  const error = await assertRejects(() => Wal.open(rig.options()), DiskError);
  assertEquals(error.code, "locked");
  await rig.close(wal);
});
