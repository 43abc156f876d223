import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DiskError } from "../../src/platform/ports.ts";
import { SimDisk } from "./disk.ts";
import { SeededRandom } from "./random.ts";

const ones = (length: number) => new Uint8Array(length).fill(1);

/** Outcomes of `body` over many seeds. */
function outcomes(body: (random: SeededRandom) => string, count = 200): Set<string> {
  const seen = new Set<string>();
  for (let seed = 0; seed < count; seed++) seen.add(body(new SeededRandom(seed)));
  return seen;
}

Deno.test("SimDisk.powerCut() keeps synced bytes and tears unsynced ones by sector", () => {
  const seen = outcomes((random) => {
    const disk = new SimDisk();
    const file = disk.open("a", { create: true });
    file.writeSync(ones(1024), 0);
    file.syncSync();
    disk.syncDirectorySync("");
    file.writeSync(new Uint8Array(1024).fill(2), 512);
    disk.powerCut(random);
    const content = disk.dump().get("a")!;
    for (let sector = 0; sector < content.length; sector += 512) {
      assertEquals(new Set(content.subarray(sector, sector + 512)).size, 1);
    }
    return Array.from({ length: content.length / 512 }, (_, i) => content[i * 512]).join("");
  });
  // First sector synced; second old or new; third there or not, written or zero.
  assertEquals([...seen].sort(), ["11", "110", "112", "12", "120", "122"]);
});

Deno.test("SimDisk.powerCut() may lose or keep unsynced directory entries, renames as a whole", () => {
  const created = outcomes((random) => {
    const disk = new SimDisk();
    disk.open("a", { create: true }).syncSync();
    disk.powerCut(random);
    return String(disk.exists("a"));
  });
  assertEquals(created, new Set(["true", "false"]));
  const renamed = outcomes((random) => {
    const disk = new SimDisk();
    disk.open("a", { create: true });
    disk.open("b", { create: true });
    disk.syncDirectorySync("");
    disk.rename("a", "b");
    disk.powerCut(random);
    return disk.list("").join();
  });
  assertEquals(renamed, new Set(["a,b", "b"]));
});

Deno.test("SimDisk.crashProcess() keeps everything written and kills the incarnation", () => {
  const disk = new SimDisk();
  const mount = disk.mount();
  mount.lock();
  assertThrows(() => disk.mount().lock(), DiskError);
  const file = mount.open("a", { create: true });
  file.writeSync(ones(10), 0);
  disk.crashProcess();
  assertThrows(() => file.writeSync(ones(1), 0), DiskError);
  assertThrows(() => mount.exists("a"), DiskError);
  disk.mount().lock();
  assertEquals(disk.dump().get("a"), ones(10));
});

Deno.test("SimDisk: what a failed sync covered is not durable, whatever syncs later", async () => {
  const seen = new Set<number>();
  for (let seed = 0; seed < 100; seed++) {
    const disk = new SimDisk();
    const file = disk.open("a", { create: true });
    file.writeSync(new Uint8Array(512), 0);
    file.syncSync();
    disk.syncDirectorySync("");
    file.writeSync(ones(512), 0);
    disk.onCall = ({ kind }) => kind === "sync" ? "io" : undefined;
    await assertRejects(() => file.sync(), DiskError);
    disk.onCall = undefined;
    await file.sync();
    disk.powerCut(new SeededRandom(seed));
    seen.add(disk.dump().get("a")![0]);
  }
  assertEquals(seen, new Set([0, 1]));
});

Deno.test("SimDisk: a sync covers what was written before it began, not after", async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    let finish = () => {};
    const disk = new SimDisk({ schedule: (_delayMs, callback) => finish = callback });
    const file = disk.open("a", { create: true });
    disk.syncDirectorySync("");
    file.writeSync(ones(512), 0);
    const sync = file.sync();
    file.writeSync(ones(512), 512);
    finish();
    await sync;
    disk.powerCut(new SeededRandom(seed));
    seen.add([...disk.dump().get("a")!].filter((_, i) => i % 512 === 0).join(""));
  }
  assertEquals([...seen].sort(), ["1", "10", "11"]);
});

Deno.test("SimDisk counts its quota in pages and refuses what does not fit", () => {
  const disk = new SimDisk({ quotaBytes: 8192 });
  const file = disk.open("a", { create: true });
  file.writeSync(new Uint8Array(8192), 0);
  assertEquals(disk.freeBytes(), 0);
  file.writeSync(ones(100), 8000);
  const error = assertThrows(() => file.writeSync(ones(1), 8192), DiskError);
  assertEquals(error.code, "no-space");
  disk.remove("a");
  assertEquals(disk.freeBytes(), 8192);
});

Deno.test("SimDisk.rot() and misdirected writes change what is read", () => {
  const disk = new SimDisk();
  const file = disk.open("d", { create: true });
  file.writeSync(ones(4), 0);
  disk.rot("d", 2, 0x80);
  disk.misdirectNextWrite = (_path, offset) => offset + 4;
  file.writeSync(new Uint8Array([7]), 0);
  file.writeSync(new Uint8Array([9]), 1);
  assertEquals([...disk.dump().get("d")!], [1, 9, 0x81, 1, 7]);
  const copy = disk.clone();
  copy.rot("d", 0, 1);
  assert(disk.dump().get("d")![0] === 1 && copy.dump().get("d")![0] === 0);
});
