// Disk over Deno.open and its relatives, rooted at one directory. A created or renamed file is durable
// only after `syncDirectory`, as on any POSIX system; nothing here syncs on its own.

import { statfsSync } from "node:fs";
import type { Disk, DiskErrorCode, DiskFile, OpenOptions } from "../ports.ts";
import { DiskError } from "../ports.ts";

const LOCK_FILE = "LOCK";

function codeOf(cause: unknown): DiskErrorCode {
  if (cause instanceof Deno.errors.NotFound) return "not-found";
  if (cause instanceof Deno.errors.AlreadyExists) return "exists";
  const code = (cause as { code?: string } | undefined)?.code;
  if (code === "ENOSPC" || code === "EDQUOT") return "no-space";
  if (code === "EIO") return "io";
  if (cause instanceof Error) {
    if (/no space left|os error 28|os error 122|disk quota/i.test(cause.message)) return "no-space";
    if (/os error 5\)/.test(cause.message)) return "io";
  }
  return "other";
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

/** Blocking and asynchronous transfers share the file's offset: a user keeps to one kind at a time. */
class DenoFile implements DiskFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  /** The file offset is shared by all calls, so asynchronous transfers run one after the other. */
  #transfers: Promise<unknown> = Promise.resolve();

  constructor(path: string, file: Deno.FsFile) {
    this.path = path;
    this.#file = file;
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    attempt("write", this.path, () => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      let written = 0;
      while (written < bytes.length) {
        written += this.#file.writeSync(written === 0 ? bytes : bytes.subarray(written));
      }
    });
  }

  readSync(into: Uint8Array, offset: number): number {
    return attempt("read", this.path, () => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      let filled = 0;
      while (filled < into.length) {
        const read = this.#file.readSync(into.subarray(filled));
        if (read === null || read === 0) break;
        filled += read;
      }
      return filled;
    });
  }

  read(into: Uint8Array, offset: number): Promise<number> {
    return this.#inTurn("read", async () => {
      let filled = 0;
      await this.#file.seek(offset, Deno.SeekMode.Start);
      while (filled < into.length) {
        const read = await this.#file.read(into.subarray(filled));
        if (read === null || read === 0) break;
        filled += read;
      }
      return filled;
    });
  }

  write(bytes: Uint8Array, offset: number): Promise<void> {
    return this.#inTurn("write", async () => {
      await this.#file.seek(offset, Deno.SeekMode.Start);
      let written = 0;
      while (written < bytes.length) written += await this.#file.write(bytes.subarray(written));
    });
  }

  #inTurn<T>(action: string, call: () => Promise<T>): Promise<T> {
    const transfer = this.#transfers.then(() => attemptAsync(action, this.path, call));
    this.#transfers = transfer.catch(() => {});
    return transfer;
  }

  sync(): Promise<void> {
    return attemptAsync("sync", this.path, () => this.#file.syncData());
  }

  syncSync(): void {
    attempt("sync", this.path, () => this.#file.syncDataSync());
  }

  sizeSync(): number {
    return attempt("stat", this.path, () => this.#file.statSync().size);
  }

  truncateSync(sizeBytes: number): void {
    attempt("truncate", this.path, () => this.#file.truncateSync(sizeBytes));
  }

  close(): void {
    try {
      this.#file.close();
    } catch {
      // Closing twice is allowed.
    }
  }
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
    const { create = false, exclusive = false, truncate = false } = options;
    return attempt("open", resolved, () =>
      new DenoFile(
        resolved,
        Deno.openSync(resolved, {
          read: true,
          write: true,
          create: create && !exclusive,
          createNew: create && exclusive,
          truncate,
        }),
      ));
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
      const { bavail, bsize } = statfsSync(this.#root);
      return bavail * bsize;
    });
  }
}
