// The faulty disk against the simulator's, which keeps apart what is synced by other means: after the same calls and
// a power cut that takes everything, both hold the same. And what partial losses may never do.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DenoDisk } from "../../src/platform/deno/mod.ts";
import { type Disk, DiskError, type DiskFile } from "../../src/platform/ports.ts";
import { SimDisk } from "../sim/disk.ts";
import { SeededRandom } from "../sim/random.ts";
import { FaultyDisk } from "./faulty_disk.ts";
import { Machine, type MachineSettings } from "./machine.ts";
import { cutPower } from "./power_cut.ts";
import { UndoJournal, unsyncedDirectory } from "./undo_journal.ts";
import { testSeed } from "../support/seed.ts";

const SEED = testSeed();
const LOSE_ALL = () => 0;

function tempDir(): string {
  return `${Deno.makeTempDirSync({ prefix: "pontoon-faulty-" })}/data`;
}

function removeTempDir(dir: string): void {
  Deno.removeSync(dir.replace(/\/data$/, ""), { recursive: true });
}

interface Opened extends Disposable {
  readonly disk: FaultyDisk;
  readonly machine: Machine;
}

function openDisk(dir: string): Opened {
  const real = new DenoDisk(dir);
  const machine = new Machine(dir);
  const journal = new UndoJournal(dir);
  const disk = new FaultyDisk(real, dir, machine, journal);
  return { disk, machine, [Symbol.dispose]: () => journal.close() };
}

/** Every file with its content. */
function dump(dir: string, folder = ""): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of Deno.readDirSync(`${dir}/${folder}`)) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory) dump(dir, path).forEach((text, name) => files.set(name, text));
    else files.set(path, Deno.readFileSync(`${dir}/${path}`).toBase64());
  }
  return new Map([...files].sort());
}

const NAMES = ["a/x", "a/y", "a/z", "b/x"];

/** One random call on both disks. */
function act(random: SeededRandom, disks: readonly Disk[]): Promise<unknown> | void {
  const name = NAMES[random.int(NAMES.length)]!;
  const each = (call: (file: DiskFile, disk: Disk) => void) => {
    for (const disk of disks) {
      const file = disk.open(name, { create: true });
      call(file, disk);
      file.close();
    }
  };
  switch (random.int(9)) {
    case 0:
    case 1:
    case 2: {
      const [offset, length, value] = [random.int(3000), 1 + random.int(1500), 1 + random.int(255)];
      return each((file) => file.writeSync(new Uint8Array(length).fill(value), offset));
    }
    case 3:
      return each((file) => file.syncSync());
    case 4: {
      const sizeBytes = random.int(4000);
      return each((file) => file.truncateSync(sizeBytes));
    }
    case 5: {
      const to = NAMES[random.int(NAMES.length)]!;
      if (to === name || to[0] !== name[0] || !disks[0]!.exists(name)) return;
      return disks.forEach((disk) => disk.rename(name, to));
    }
    case 6:
      return disks.forEach((disk) => disk.remove(name));
    case 7: {
      const folder = random.int(2) === 0 ? "a" : "b";
      return disks.forEach((disk) => disk.syncDirectorySync(folder));
    }
    default:
      return Promise.all(disks.map(async (disk) => {
        await disk.syncDirectory("b");
        await disk.syncDirectory("a");
      }));
  }
}

Deno.test("a power cut that takes everything leaves what the simulator's disk keeps", async () => {
  for (let round = 0; round < 60; round++) {
    const random = new SeededRandom(`${SEED}-${round}`);
    const dir = tempDir();
    const sim = new SimDisk();
    try {
      let opened = openDisk(dir);
      for (const disk of [opened.disk, sim]) {
        disk.mkdir("a");
        disk.mkdir("b");
        disk.syncDirectorySync("");
      }
      for (let i = 0; i < 40; i++) {
        await act(random, [opened.disk, sim]);
        if (random.int(15) === 0) {
          // The process dies and starts again: what it had not synced may still be lost.
          opened[Symbol.dispose]();
          opened = openDisk(dir);
        }
      }
      opened[Symbol.dispose]();
      cutPower(dir, LOSE_ALL);
      sim.powerCut({ float: () => 0, int: () => 0, bytes: (length) => new Uint8Array(length) });
      const kept = new Map([...sim.dump()].map(([path, bytes]) => [path, bytes.toBase64()]));
      assertEquals(dump(dir), new Map([...kept].sort()), `round ${round}`);
      assertEquals([...Deno.readDirSync(unsyncedDirectory(dir))].map(({ name }) => name), [
        "journal",
      ]);
    } finally {
      removeTempDir(dir);
    }
  }
});

Deno.test("whatever persists, synced bytes stay and every sector holds one of its versions", () => {
  let partial = 0;
  for (let round = 0; round < 40; round++) {
    const random = new SeededRandom(`${SEED}-partial-${round}`);
    const dir = tempDir();
    try {
      using opened = openDisk(dir);
      const { disk } = opened;
      const file = disk.open("log", { create: true });
      file.writeSync(new Uint8Array(8192).fill(1), 0);
      file.syncSync();
      disk.syncDirectorySync("");
      file.writeSync(new Uint8Array(2048).fill(2), 4096);
      file.writeSync(new Uint8Array(2048).fill(3), 5120);
      const loss = cutPower(dir, () => random.float());
      assertEquals(loss.writes, 2);
      const bytes = Deno.readFileSync(`${dir}/log`);
      assertEquals(bytes.length, 8192);
      assert(bytes.subarray(0, 4096).every((byte) => byte === 1), "synced and not written since");
      for (let at = 4096; at < 8192; at += 512) {
        const sector = bytes.subarray(at, at + 512);
        assert(sector.every((byte) => byte === sector[0]), "a sector is whole");
        const written = [[4096, 6144, 2], [5120, 7168, 3]].filter(([from, to]) =>
          at >= from! && at < to!
        ).map(([, , value]) => value!);
        assert([1, ...written].includes(sector[0]!), `${sector[0]} at ${at}`);
        if (sector[0] !== 1) partial++;
      }
      file.close();
    } finally {
      removeTempDir(dir);
    }
  }
  assert(partial > 0, "no cut was partial");
});

Deno.test("a write under way is not covered by a sync that began before it ended", async () => {
  const dir = tempDir();
  try {
    using opened = openDisk(dir);
    const { disk } = opened;
    const file = disk.open("f", { create: true });
    disk.syncDirectorySync("");
    const writing = file.write(new Uint8Array(4096).fill(7), 0);
    await Promise.all([writing, file.sync()]);
    file.close();
    cutPower(dir, LOSE_ALL);
    assertEquals(Deno.statSync(`${dir}/f`).size, 0);
  } finally {
    removeTempDir(dir);
  }
});

function steered(settings: MachineSettings, check: (opened: Opened) => void | Promise<void>) {
  return async () => {
    const dir = tempDir();
    try {
      using opened = openDisk(dir);
      opened.machine.settings = settings;
      await check(opened);
    } finally {
      removeTempDir(dir);
    }
  };
}

Deno.test(
  "a quota refuses growth, and only growth",
  steered({ quotaBytes: 1000 }, ({ disk, machine }) => {
    const file = disk.open("f", { create: true });
    file.writeSync(new Uint8Array(900), 0);
    assertEquals(disk.freeBytes(), 100);
    const cause = assertThrows(() => file.writeSync(new Uint8Array(200), 900), DiskError);
    assertEquals(cause.code, "no-space");
    file.writeSync(new Uint8Array(500), 100);
    assertEquals(machine.noSpaceAnswers, 1);
    machine.settings = {};
    file.writeSync(new Uint8Array(200), 900);
    file.close();
  }),
);

Deno.test(
  "syncs can be slow",
  steered({ syncDelayMs: 30 }, async ({ disk, machine }) => {
    const file = disk.open("f", { create: true });
    const startMs = performance.now();
    await file.sync();
    assert(performance.now() - startMs >= 29);
    assertEquals(machine.delayedSyncs, 1);
    file.close();
  }),
);

Deno.test(
  "syncs can fail, and then nothing is durable",
  steered({ syncFails: true }, async ({ disk, machine }) => {
    const file = disk.open("f", { create: true });
    const cause = await assertRejects(() => file.sync(), DiskError);
    assertEquals(cause.code, "io");
    assertThrows(() => file.syncSync(), DiskError);
    await assertRejects(() => disk.syncDirectory(""), DiskError);
    assertEquals(machine.failedSyncs, 3);
    assertEquals(disk.journal.changes.length, 1);
    file.close();
  }),
);
