import { assertEquals, assertThrows } from "@std/assert";
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
