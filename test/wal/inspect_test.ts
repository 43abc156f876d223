import { assert, assertEquals } from "@std/assert";
import { inspectLog, inspectSnapshots } from "../../scripts/wal_inspect.ts";
import { SnapshotStore } from "../../src/snapshot/mod.ts";
import { segmentName } from "../../src/wal/format.ts";
import { entriesFrom, silentLog, WalRig } from "./rig.ts";

async function exampleLog(): Promise<WalRig> {
  const rig = new WalRig("inspect");
  const { wal } = await rig.open();
  await rig.scheduler.runFor(200);
  wal.createGroup(3, 9);
  for (let batch = 0; batch < 3; batch++) {
    wal.append({ group: 3, entries: entriesFrom(batch * 5 + 1, 5, 1) }, () => {});
    await rig.settle(wal, 2);
  }
  return rig;
}

Deno.test("wal:inspect prints segments, frames per group, the mark and a clean end", async () => {
  const rig = await exampleLog();
  const before = rig.disk.dump();
  const report = [...inspectLog(rig.disk)].join("\n");
  assert(/durable mark: segment 1 byte \d+, chain [0-9a-f]{8}/.test(report), report);
  assert(report.includes("group 3: 3 Append, 1 Created; 15 entries, 1..15"), report);
  assert(
    /segment 1 {2}wal\/0+1\.wal {2}\d+ bytes {2}4 batches up to byte \d+/.test(report),
    report,
  );
  assert(report.includes("segment 2") && report.includes("prepared, holds no batch"), report);
  assert(report.includes("ends cleanly"), report);
  assert(report.includes("decision: start, nothing acknowledged is lost"), report);
  assertEquals(rig.disk.dump(), before, "nothing is changed");
});

Deno.test("wal:inspect names the first bad frame: a torn tail, or damage and whom it hits", async () => {
  const rig = await exampleLog();
  const path = `wal/${segmentName(1)}`;
  const end = Number(/batches up to byte (\d+)/.exec([...inspectLog(rig.disk)].join("\n"))![1]);
  const torn = rig.disk.clone();
  torn.rot(path, end - 200, 1);
  const tornReport = [...inspectLog(torn)].join("\n");
  assert(/first bad frame: segment 1 byte \d+, a wrong checksum/.test(tornReport), tornReport);
  assert(tornReport.includes("a torn tail"), tornReport);
  const damaged = rig.disk.clone();
  damaged.rot(path, 4096 + 200, 1);
  const report = [...inspectLog(damaged)].join("\n");
  assert(report.includes("DAMAGED between segment 1 byte"), report);
  assert(report.includes("the lost batch names groups 3: these are suspect"), report);
  assert(report.includes("SUSPECT"), report);
});

Deno.test("wal:inspect verifies snapshot bodies", async () => {
  const rig = new WalRig("inspect snapshots");
  const { disk, clock, process } = rig;
  const store = SnapshotStore.open({ disk, clock, process, log: silentLog });
  const metadata = { group: 1, index: 4, term: 1, confState: new Uint8Array() };
  const chunks = () => [new Uint8Array(100), new Uint8Array(50)][Symbol.iterator]();
  const file = await rig.scheduler.settle(store.write({ metadata, chunks }));
  const lines = async () => {
    const all: string[] = [];
    for await (const line of inspectSnapshots(disk)) all.push(line);
    return all;
  };
  const [whole] = await rig.scheduler.settle(lines());
  assert(whole.includes("2 chunks  whole"), whole);
  disk.rot(file.path, file.sizeBytes - 50, 1);
  const [bad] = await rig.scheduler.settle(lines());
  assert(bad.includes("wrong checksum"), bad);
});
