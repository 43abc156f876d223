// Disk over node:fs and Deno's directory calls, rooted at one directory. A created or renamed file is durable
// only after `syncDirectory`, as on any POSIX system; nothing here syncs on its own.

import * as fs from "node:fs";
import type { Disk, DiskErrorCode, DiskFile, OpenOptions } from "../ports.ts";
import { DiskError } from "../ports.ts";

const LOCK_FILE = "LOCK";

const CODES: Readonly<Record<string, DiskErrorCode>> = {
  ENOENT: "not-found",
  EEXIST: "exists",
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EIO: "io",
};

function codeOf(cause: unknown): DiskErrorCode {
  if (cause instanceof Deno.errors.NotFound) return "not-found";
  if (cause instanceof Deno.errors.AlreadyExists) return "exists";
  return CODES[(cause as { code?: string } | undefined)?.code ?? ""] ?? "other";
}

function failure(action: string, path: string, cause: unknown): DiskError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DiskError(codeOf(cause), `Cannot ${action} ${path}: ${reason}`, { cause });
}

/** Runs a blocking call, turning what it throws into a DiskError. */
function attempt<T>(action: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw failure(action, path, cause);
  }
}

async function attemptAsync<T>(action: string, path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw failure(action, path, cause);
  }
}

/** The callback forms of node:fs as promises of the number of bytes moved. */
function moved(call: (done: (cause: Error | null, bytes: number) => void) => void) {
  return new Promise<number>((resolve, reject) => {
    call((cause, bytes) => cause === null ? resolve(bytes) : reject(cause));
  });
}

/**
 * Transfers are pread and pwrite of node:fs, so that no offset is shared between calls and a blocking
 * write may go on beside a sync or a bulk read in flight. Measured at 4 KiB: 1.5 us a write against
 * 1.9 us for seek and write of Deno.FsFile; its fdatasync is no slower either.
 */
class DenoFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;
  #closed = false;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    attempt("write", this.path, () => {
      let done = 0;
      while (done < bytes.length) {
        done += fs.writeSync(this.#descriptor, bytes, done, bytes.length - done, offset + done);
      }
    });
  }

  readSync(into: Uint8Array, offset: number): number {
    return attempt("read", this.path, () => {
      let done = 0;
      while (done < into.length) {
        const read = fs.readSync(this.#descriptor, into, done, into.length - done, offset + done);
        if (read === 0) break;
        done += read;
      }
      return done;
    });
  }

  read(into: Uint8Array, offset: number): Promise<number> {
    return attemptAsync("read", this.path, async () => {
      let done = 0;
      while (done < into.length) {
        const read = await moved((callback) =>
          fs.read(this.#descriptor, into, done, into.length - done, offset + done, callback)
        );
        if (read === 0) break;
        done += read;
      }
      return done;
    });
  }

  write(bytes: Uint8Array, offset: number): Promise<void> {
    return attemptAsync("write", this.path, async () => {
      let done = 0;
      while (done < bytes.length) {
        done += await moved((callback) =>
          fs.write(this.#descriptor, bytes, done, bytes.length - done, offset + done, callback)
        );
      }
    });
  }

  sync(): Promise<void> {
    return attemptAsync("sync", this.path, () =>
      new Promise<void>((resolve, reject) => {
        fs.fdatasync(this.#descriptor, (cause) => cause ? reject(cause) : resolve());
      }));
  }

  syncSync(): void {
    attempt("sync", this.path, () => fs.fdatasyncSync(this.#descriptor));
  }

  sizeSync(): number {
    return attempt("stat", this.path, () => fs.fstatSync(this.#descriptor).size);
  }

  truncateSync(sizeBytes: number): void {
    attempt("truncate", this.path, () => fs.ftruncateSync(this.#descriptor, sizeBytes));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    attempt("close", this.path, () => fs.closeSync(this.#descriptor));
  }
}

function openFlags({ create = false, exclusive = false, truncate = false }: OpenOptions): number {
  let flags = fs.constants.O_RDWR;
  if (create) flags |= fs.constants.O_CREAT;
  if (create && exclusive) flags |= fs.constants.O_EXCL;
  if (truncate) flags |= fs.constants.O_TRUNC;
  return flags;
}

/** The directory `root` of the machine's file system. Creates it if need be. */
export class DenoDisk implements Disk {
  readonly #root: string;
  /** Held open, and thereby locked, for the life of the process. */
  #lock: Deno.FsFile | undefined;

  constructor(root: string) {
    this.#root = root.replace(/\/+$/, "");
    attempt("create", root, () => Deno.mkdirSync(root, { recursive: true }));
  }

  #resolve(path: string): string {
    if (path.split("/").includes("..")) {
      throw new DiskError("other", `Cannot leave the data directory: got ${path}`);
    }
    return path === "" ? this.#root : `${this.#root}/${path}`;
  }

  open(path: string, options: OpenOptions = {}): DiskFile {
    const resolved = this.#resolve(path);
    return attempt(
      "open",
      resolved,
      () => new DenoFile(resolved, fs.openSync(resolved, openFlags(options), 0o644)),
    );
  }

  mkdir(path: string): void {
    const resolved = this.#resolve(path);
    attempt("create", resolved, () => Deno.mkdirSync(resolved, { recursive: true }));
  }

  list(path: string): string[] {
    const resolved = this.#resolve(path);
    try {
      return Array.from(Deno.readDirSync(resolved), (entry) => entry.name).sort();
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return [];
      throw failure("list", resolved, cause);
    }
  }

  exists(path: string): boolean {
    const resolved = this.#resolve(path);
    try {
      Deno.lstatSync(resolved);
      return true;
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return false;
      throw failure("stat", resolved, cause);
    }
  }

  rename(from: string, to: string): void {
    attempt("rename", from, () => Deno.renameSync(this.#resolve(from), this.#resolve(to)));
  }

  remove(path: string): void {
    const resolved = this.#resolve(path);
    try {
      Deno.removeSync(resolved);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw failure("remove", resolved, cause);
    }
  }

  async syncDirectory(path: string): Promise<void> {
    const resolved = this.#resolve(path);
    await attemptAsync("sync", resolved, async () => {
      using directory = Deno.openSync(resolved, { read: true });
      await directory.sync();
    });
  }

  syncDirectorySync(path: string): void {
    const resolved = this.#resolve(path);
    attempt("sync", resolved, () => {
      using directory = Deno.openSync(resolved, { read: true });
      directory.syncSync();
    });
  }

  lock(): void {
    if (this.#lock !== undefined) return;
    const path = this.#resolve(LOCK_FILE);
    const file = attempt("open", path, () => Deno.openSync(path, { create: true, write: true }));
    if (!attempt("lock", path, () => file.tryLockSync(true))) {
      file.close();
      throw new DiskError(
        "locked",
        `Cannot use data directory ${this.#root}: another process holds its lock`,
      );
    }
    this.#lock = file;
  }

  freeBytes(): number {
    return attempt("stat", this.#root, () => {
      const { bavail, bsize } = fs.statfsSync(this.#root);
      return bavail * bsize;
    });
  }
}
