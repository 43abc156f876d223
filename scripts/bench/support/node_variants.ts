// A node whose disk is weaker on purpose, for measuring what durability costs. Never for real data.
//   deno run … node_variants.ts no-sync|memory <flags of src/main.ts>

import { startNode } from "../../../src/main.ts";
import type { Disk, DiskFile, OpenOptions, Platform } from "../../../src/platform/ports.ts";

/** A file whose syncs return at once. */
function withoutSync(file: DiskFile): DiskFile {
  return {
    path: file.path,
    writeSync: (bytes, offset) => file.writeSync(bytes, offset),
    readSync: (into, offset) => file.readSync(into, offset),
    read: (into, offset) => file.read(into, offset),
    write: (bytes, offset) => file.write(bytes, offset),
    sync: () => Promise.resolve(),
    syncSync: () => {},
    sizeSync: () => file.sizeSync(),
    truncateSync: (sizeBytes) => file.truncateSync(sizeBytes),
    close: () => file.close(),
  };
}

/** Writes reach the page cache, nothing waits for the device. */
function noSyncDisk(disk: Disk): Disk {
  return {
    open: (path: string, options?: OpenOptions) => withoutSync(disk.open(path, options)),
    mkdir: (path) => disk.mkdir(path),
    list: (path) => disk.list(path),
    exists: (path) => disk.exists(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: () => Promise.resolve(),
    syncDirectorySync: () => {},
    lock: () => disk.lock(),
    freeBytes: () => disk.freeBytes(),
  };
}

/** Log writes go nowhere: only the start of each file, which recovery reads back, is kept. */
function noLogDisk(disk: Disk): Disk {
  const kept = 1024 * 1024;
  const base = noSyncDisk(disk);
  return {
    ...base,
    open: (path, options) => {
      const file = base.open(path, options);
      if (!path.startsWith("wal/")) return file;
      return {
        ...file,
        writeSync: (bytes, offset) => {
          if (offset < kept) file.writeSync(bytes, offset);
        },
      };
    },
  };
}

const [variant, ...flags] = Deno.args;
await startNode(flags, (platform: Platform): Platform => ({
  ...platform,
  disk: variant === "memory" ? noLogDisk(platform.disk) : noSyncDisk(platform.disk),
}));
