import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { crc32 } from "node:zlib";
import { bytesEqual } from "../../src/base/bytes.ts";
import { DiskError } from "../../src/platform/ports.ts";
import { SnapshotError } from "../../src/snapshot/mod.ts";
import { chunksOf, confState, readAll, SnapshotRig, source } from "./rig.ts";

/** assertEquals would print megabytes. */
function same(a: Uint8Array[] | undefined, b: Uint8Array[]): boolean {
  return a?.length === b.length && b.every((chunk, i) => bytesEqual(chunk, a[i]));
}

const SIZES = [0, 1, 100, 300_000, 17, 1_200_000, 3];
const PATH = "snapshots/1-0000000000000010-2.snap";

Deno.test("SnapshotStore.write() gives back the same chunks, also after a restart", async () => {
  const rig = new SnapshotRig("round trip");
  const store = rig.open();
  const chunks = chunksOf(10, SIZES);
  const file = await rig.scheduler.settle(store.write(source(10, chunks)));
  assertEquals(file.path, PATH);
  assertEquals(await rig.scheduler.settle(readAll(store)), chunks);
  rig.kill({ powerCut: true });
  const again = rig.open();
  assertEquals(again.latest(1), file);
  assertEquals(again.latest(1)!.metadata.confState, confState);
  assertEquals(again.latest(2), undefined);
  assertEquals(await rig.scheduler.settle(readAll(again)), chunks);
  assert(await rig.scheduler.settle(again.verify(file)));
});

Deno.test("SnapshotStore.removeOlder() and removeGroup() leave nothing behind", async () => {
  const rig = new SnapshotRig("remove");
  const store = rig.open();
  for (const index of [10, 20, 30]) {
    await rig.scheduler.settle(store.write(source(index, chunksOf(index, [5]))));
  }
  assertEquals(store.latest(1)!.metadata.index, 30);
  assertEquals(store.find(1, 20)!.metadata.index, 20);
  store.removeOlder(1, 20);
  assertEquals(rig.disk.list("snapshots").length, 2);
  assertEquals(store.find(1, 10), undefined);
  store.removeGroup(1);
  assertEquals(rig.disk.list("snapshots"), []);
  assertEquals(store.latest(1), undefined);
});

Deno.test("SnapshotStore never takes a flipped or cut file for a whole one", async () => {
  const rig = new SnapshotRig("flip");
  await rig.scheduler.settle(rig.open().write(source(10, chunksOf(10, [40, 0, 25]))));
  const sizeBytes = rig.disk.dump().get(PATH)!.length;
  for (let offset = 0; offset < sizeBytes; offset++) {
    rig.disk.rot(PATH, offset, 1 << (offset % 8));
    const store = rig.open();
    if (store.latest(1) !== undefined) {
      const error = await assertRejects(() => rig.scheduler.settle(readAll(store)), SnapshotError);
      assertEquals(error.code, "damaged", `byte ${offset}`);
    }
    rig.disk.rot(PATH, offset, 1 << (offset % 8));
  }
  assertEquals((await rig.scheduler.settle(readAll(rig.open())))!.length, 3);
  for (let length = sizeBytes - 1; length >= 0; length--) {
    rig.disk.open(PATH).truncateSync(length);
    assertEquals(rig.open().latest(1), undefined, `cut to ${length}`);
  }
});

Deno.test("SnapshotStore.markDamaged() falls back to the file before", async () => {
  const rig = new SnapshotRig("fall back");
  const store = rig.open();
  await rig.scheduler.settle(store.write(source(10, chunksOf(10, [50]))));
  const newer = await rig.scheduler.settle(store.write(source(20, chunksOf(20, [50]))));
  rig.disk.rot(newer.path, newer.sizeBytes - 60, 4);
  assertEquals(await rig.scheduler.settle(store.verify(newer)), false);
  store.markDamaged(newer);
  assertEquals(store.latest(1)!.metadata.index, 10);
});

Deno.test("SnapshotStore.open() refuses a newer format by name", async () => {
  const rig = new SnapshotRig("version");
  await rig.scheduler.settle(rig.open().write(source(10, chunksOf(10, [5]))));
  const file = rig.disk.open(PATH);
  const preamble = new Uint8Array(16);
  file.readSync(preamble, 0);
  new DataView(preamble.buffer).setUint32(8, 9, true);
  new DataView(preamble.buffer).setUint32(12, crc32(preamble.subarray(0, 12)), true);
  file.writeSync(preamble, 0);
  const error = assertThrows(() => rig.open(), SnapshotError);
  assertEquals(error.code, "newer-version");
  assert(error.message.includes(PATH) && error.message.includes("version 9"), error.message);
});

Deno.test("SnapshotStore.write() survives a crash at every disk call", async () => {
  for (const powerCut of [false, true]) {
    for (let call = 1;; call++) {
      const rig = new SnapshotRig(`crash ${powerCut} ${call}`);
      const store = rig.open();
      const old = chunksOf(10, [3000, 10]);
      const young = chunksOf(20, [1_300_000, 10]);
      await rig.scheduler.settle(store.write(source(10, old)));
      let calls = 0;
      let finished = false;
      rig.disk.onCall = () => {
        if (++calls === call) rig.kill({ powerCut });
        return undefined;
      };
      store.write(source(20, young)).then(() => finished = true, () => {});
      await rig.scheduler.runFor(500);
      rig.disk.onCall = undefined;
      const again = rig.open();
      const found = await rig.scheduler.settle(readAll(again));
      if (finished) {
        assert(same(found, young));
        break;
      }
      const { index } = again.latest(1)!.metadata;
      assert(same(found, index === 20 ? young : old), `crash at call ${call}`);
      assertEquals(rig.disk.list("snapshots").filter((name) => name.endsWith(".tmp")), []);
    }
  }
});

Deno.test("SnapshotStore.write() keeps to its byte rate and leaves time to others", async () => {
  const rig = new SnapshotRig("rate");
  const store = rig.open(1024 * 1024);
  let ticks = 0;
  const tick = () => {
    ticks++;
    rig.clock.setTimer(10, tick);
  };
  tick();
  const startedMs = rig.clock.monotonicMs();
  await rig.scheduler.settle(store.write(source(10, chunksOf(10, Array(40).fill(100_000)))));
  const tookMs = rig.clock.monotonicMs() - startedMs;
  assert(tookMs > 3_500 && tookMs < 4_500, `${tookMs} ms`);
  assert(ticks > 300, `${ticks}`);
});

Deno.test("SnapshotStore.write() leaves nothing behind on a full disk, and is fatal on a failed sync", async () => {
  const rig = new SnapshotRig("full", undefined, { quotaBytes: 64 * 1024 });
  const store = rig.open();
  const write = store.write(source(10, chunksOf(10, [200_000])));
  const error = await assertRejects(() => rig.scheduler.settle(write), DiskError);
  assertEquals(error.code, "no-space");
  assertEquals(rig.disk.list("snapshots"), []);
  rig.disk.onCall = ({ kind }) => kind === "sync" ? "io" : undefined;
  let settled = false;
  store.write(source(10, chunksOf(10, [200]))).finally(() => settled = true);
  await rig.scheduler.runFor(1000);
  assertEquals(rig.ends.length, 1);
  assertEquals(settled, false);
  assertEquals(store.latest(1), undefined);
});
