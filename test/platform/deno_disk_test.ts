import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DenoDisk } from "../../src/platform/deno/mod.ts";
import { DiskError } from "../../src/platform/ports.ts";

function withDisk(
  body: (disk: DenoDisk, root: string) => Promise<void> | void,
): () => Promise<void> {
  return async () => {
    const root = Deno.makeTempDirSync({ prefix: "pontoon-disk-" });
    try {
      await body(new DenoDisk(root), root);
    } finally {
      Deno.removeSync(root, { recursive: true });
    }
  };
}

Deno.test(
  "DenoDisk reads back what was written at an offset, blocking and not",
  withDisk(async (disk) => {
    const file = disk.open("a", { create: true });
    file.writeSync(new Uint8Array([1, 2, 3]), 4);
    assertEquals(file.sizeSync(), 7);
    await file.write(new Uint8Array([9]), 0);
    const into = new Uint8Array(10);
    assertEquals(await file.read(into, 0), 7);
    assertEquals([...into.subarray(0, 7)], [9, 0, 0, 0, 1, 2, 3]);
    await file.sync();
    await disk.syncDirectory("");
    file.truncateSync(5);
    assertEquals(file.readSync(into, 0), 5);
    file.close();
    file.close();
  }),
);

Deno.test(
  "DenoDisk names what went wrong",
  withDisk((disk) => {
    const code = (call: () => unknown) => assertThrows(call, DiskError).code;
    assertEquals(code(() => disk.open("absent")), "not-found");
    disk.open("there", { create: true }).close();
    assertEquals(code(() => disk.open("there", { create: true, exclusive: true })), "exists");
    assertEquals(code(() => disk.open("../outside", { create: true })), "other");
    assertEquals(disk.list("nowhere"), []);
    disk.remove("nowhere");
  }),
);

Deno.test(
  "DenoDisk.lock() refuses a second user of the directory",
  withDisk((disk, root) => {
    disk.lock();
    const error = assertThrows(() => new DenoDisk(root).lock(), DiskError);
    assertEquals(error.code, "locked");
  }),
);

Deno.test(
  "DenoDisk.lock() is freed when its process dies",
  withDisk(async (disk, root) => {
    const module = new URL("../../src/platform/deno/mod.ts", import.meta.url).href;
    const holder = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `import { DenoDisk } from ${JSON.stringify(module)};
         const disk = new DenoDisk(${JSON.stringify(root)});
         disk.lock();
         console.log("locked");
         setInterval(() => {}, 1000);`,
      ],
      stdout: "piped",
    }).spawn();
    const output = holder.stdout.getReader();
    await output.read();
    assertEquals(assertThrows(() => disk.lock(), DiskError).code, "locked");
    holder.kill("SIGKILL");
    await holder.status;
    await output.cancel();
    disk.lock();
  }),
);

Deno.test({
  name: "DenoDisk reports a full disk as no-space",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const file = new DenoDisk("/dev").open("full");
    const blocking = assertThrows(() => file.writeSync(new Uint8Array(1), 0), DiskError);
    const bulk = await assertRejects(() => file.write(new Uint8Array(1), 0), DiskError);
    assertEquals([blocking.code, bulk.code], ["no-space", "no-space"]);
    file.close();
  },
});

Deno.test(
  "DenoFile writes while a sync is in flight, neither disturbing the other's place",
  withDisk(async (disk) => {
    const file = disk.open("a", { create: true });
    file.writeSync(new Uint8Array([1, 1, 1, 1]), 0);
    const syncing = file.sync();
    const reading = file.read(new Uint8Array(2), 0);
    file.writeSync(new Uint8Array([2, 2]), 4);
    await Promise.all([syncing, reading]);
    const into = new Uint8Array(6);
    assertEquals(file.readSync(into, 0), 6);
    assertEquals([...into], [1, 1, 1, 1, 2, 2]);
    file.close();
  }),
);

Deno.test(
  "DenoDisk.rename() replaces and list() sorts",
  withDisk((disk) => {
    disk.mkdir("d/e");
    for (const name of ["d/b", "d/a"]) disk.open(name, { create: true }).close();
    disk.rename("d/b", "d/a");
    assertEquals(disk.list("d"), ["a", "e"]);
    assertEquals(disk.exists("d/b"), false);
    assertEquals(disk.freeBytes() > 0, true);
  }),
);
