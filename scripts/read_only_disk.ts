// A data directory that can only be looked at: the process needs no right to write, and a bug in an
// inspector can't harm what it inspects.

import { type Disk, DiskError, type DiskFile } from "../src/platform/ports.ts";

function refuse(): never {
  throw new DiskError("other", "Cannot change a directory that is only inspected");
}

function openReadOnly(path: string): DiskFile {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true });
  } catch (cause) {
    const code = cause instanceof Deno.errors.NotFound ? "not-found" : "other";
    throw new DiskError(code, `Cannot open ${path}: ${cause}`, { cause });
  }
  const readSync = (into: Uint8Array, offset: number): number => {
    file.seekSync(offset, Deno.SeekMode.Start);
    let filled = 0;
    while (filled < into.length) {
      const read = file.readSync(into.subarray(filled));
      if (read === null || read === 0) break;
      filled += read;
    }
    return filled;
  };
  return {
    path,
    readSync,
    read: (into, offset) => Promise.resolve(readSync(into, offset)),
    sizeSync: () => file.statSync().size,
    close: () => file.close(),
    writeSync: refuse,
    write: refuse,
    sync: refuse,
    syncSync: refuse,
    truncateSync: refuse,
  };
}

/** The folder `root`, which must exist. */
export function readOnlyDisk(root: string): Disk {
  const resolve = (path: string) => path === "" ? root : `${root}/${path}`;
  return {
    open: (path) => openReadOnly(resolve(path)),
    list(path) {
      try {
        return Array.from(Deno.readDirSync(resolve(path)), ({ name }) => name).sort();
      } catch (cause) {
        if (cause instanceof Deno.errors.NotFound) return [];
        throw cause;
      }
    },
    exists(path) {
      try {
        Deno.lstatSync(resolve(path));
        return true;
      } catch (cause) {
        if (cause instanceof Deno.errors.NotFound) return false;
        throw cause;
      }
    },
    mkdir: refuse,
    rename: refuse,
    remove: refuse,
    syncDirectory: refuse,
    syncDirectorySync: refuse,
    lock: refuse,
    freeBytes: refuse,
  };
}
