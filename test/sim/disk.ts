// A data directory in memory that keeps apart what was written from what was synced, so that a process
// crash and a power cut can be told apart: bytes by 512-byte sector, sizes, and directory entries.
// Deterministic: every choice comes from an injected Random, every delay from an injected scheduler.

import { assert } from "../../src/base/assert.ts";
import {
  type Disk,
  DiskError,
  type DiskErrorCode,
  type DiskFile,
  type OpenOptions,
  type Random,
} from "../../src/platform/ports.ts";
import { Mount, SimHandle } from "./disk_handles.ts";
import { SimDirectory, SimFile } from "./disk_image.ts";

/** Runs `callback` once, `delayMs` from now in the simulation's time. */
export type Schedule = (delayMs: number, callback: () => void) => void;

export interface SimDiskOptions {
  /** Default: a microtask, whatever the delay. */
  readonly schedule?: Schedule;
  /** Default: 0. Asked once per sync. */
  readonly syncDelayMs?: () => number;
  /** Bytes that files may take in whole pages; default: no bound to speak of. */
  readonly quotaBytes?: number;
}

/** What a disk call does, as a hook sees it before it happens. */
export interface DiskCall {
  readonly kind: "write" | "sync" | "sync-directory" | "create" | "rename" | "remove" | "truncate";
  readonly path: string;
}

/** No bound to speak of. */
export const NO_QUOTA_BYTES = 2 ** 50;

export class SimDisk implements Disk {
  #root: SimDirectory;
  readonly #schedule: Schedule;
  readonly #syncDelayMs: () => number;
  /** Open handles of earlier incarnations are dead. */
  #incarnation = 0;
  #locked = false;
  quotaBytes: number;
  /**
   * Looks at every call before it happens; returning a code makes the call fail with it. It may end the
   * incarnation: the call then does not happen.
   */
  onCall: ((call: DiskCall) => DiskErrorCode | undefined) | undefined;
  /** Asked for each write until it names an offset: there that one lands instead. */
  misdirectNextWrite:
    | ((path: string, offset: number, lengthBytes: number) => number | undefined)
    | undefined;
  syncCount = 0;

  constructor(options: SimDiskOptions = {}, root: SimDirectory = new SimDirectory()) {
    this.#schedule = options.schedule ?? ((_delayMs, callback) => queueMicrotask(callback));
    this.#syncDelayMs = options.syncDelayMs ?? (() => 0);
    this.quotaBytes = options.quotaBytes ?? NO_QUOTA_BYTES;
    this.#root = root;
  }

  // ------------------------------------------------------------------------------------------ faults

  /** The process dies: open files and the lock go, everything written stays. */
  crashProcess(): void {
    this.#incarnation++;
    this.#locked = false;
    this.onCall = undefined;
    this.misdirectNextWrite = undefined;
  }

  /** The machine dies: of what was not synced, `random` decides what stays. */
  powerCut(random: Random): void {
    this.crashProcess();
    this.#root.powerCut(random);
  }

  /** Flips the bits of `mask` in one stored byte, on the medium and in the cache. */
  rot(path: string, offset: number, mask: number): void {
    this.#file(path).rot(offset, mask);
  }

  /** An independent disk with the same content, nothing of it unsynced. */
  clone(options: SimDiskOptions = {}): SimDisk {
    return new SimDisk(options, this.#root.clone());
  }

  /** Every file with its content, for comparisons. */
  dump(): Map<string, Uint8Array> {
    const files = new Map<string, Uint8Array>();
    this.#root.walk("", (path, file) => files.set(path, file.content()));
    return files;
  }

  /** The disk as the process that runs now has it: dead when the incarnation ends. */
  mount(): Disk {
    return new Mount(this, this.#incarnation);
  }

  // -------------------------------------------------------------------------------------------- Disk

  open(path: string, options: OpenOptions = {}): DiskFile {
    const { parent, name } = this.#parentOf(path);
    const found = parent.get(name);
    if (found instanceof SimDirectory) {
      throw new DiskError("other", `Cannot open ${path}: a folder`);
    }
    let file = found;
    if (file === undefined) {
      if (!options.create) throw new DiskError("not-found", `Cannot open ${path}: no such file`);
      this.#hook("create", path);
      file = new SimFile();
      parent.set(name, file);
    } else if (options.create && options.exclusive) {
      throw new DiskError("exists", `Cannot create ${path}: it is there`);
    } else if (options.truncate) {
      this.#hook("truncate", path);
      file.truncate(0);
    }
    return new SimHandle(this, path, file, this.#incarnation);
  }

  mkdir(path: string): void {
    let folder = this.#root;
    for (const name of splitPath(path)) {
      let next = folder.get(name);
      if (next === undefined) {
        this.#hook("create", path);
        folder.set(name, next = new SimDirectory());
      }
      if (!(next instanceof SimDirectory)) throw new DiskError("exists", `${path} is a file`);
      folder = next;
    }
  }

  list(path: string): string[] {
    const folder = this.#lookup(path);
    return folder instanceof SimDirectory ? folder.names().sort() : [];
  }

  exists(path: string): boolean {
    return this.#lookup(path) !== undefined;
  }

  rename(from: string, to: string): void {
    const source = this.#parentOf(from);
    const target = this.#parentOf(to);
    const node = source.parent.get(source.name);
    if (node === undefined) throw new DiskError("not-found", `Cannot rename ${from}: no such file`);
    this.#hook("rename", from);
    SimDirectory.rename(source.parent, source.name, target.parent, target.name, node);
  }

  remove(path: string): void {
    const { parent, name } = this.#parentOf(path);
    if (parent.get(name) === undefined) return;
    this.#hook("remove", path);
    parent.set(name, undefined);
  }

  syncDirectory(path: string): Promise<void> {
    const folder = this.#folder(path);
    const count = folder.unsyncedCount;
    return this.complete(this.#syncDelayMs(), () => {
      this.#hook("sync-directory", path);
      folder.sync(Math.min(count, folder.unsyncedCount));
    });
  }

  syncDirectorySync(path: string): void {
    this.#hook("sync-directory", path);
    const folder = this.#folder(path);
    folder.sync(folder.unsyncedCount);
  }

  lock(): void {
    if (this.#locked) throw new DiskError("locked", "Cannot lock: another process holds the lock");
    this.#locked = true;
  }

  freeBytes(): number {
    return Math.max(0, this.quotaBytes - this.usedBytes());
  }

  usedBytes(): number {
    let sum = 0;
    this.#root.walk("", (_path, file) => sum += file.allocatedBytes);
    return sum;
  }

  // ----------------------------------------------------------------------------- for the file handles

  /** Runs `action` after `delayMs`, unless the incarnation has ended by then. */
  complete<T>(delayMs: number, action: () => T): Promise<T> {
    const incarnation = this.#incarnation;
    return new Promise((resolve, reject) => {
      this.#schedule(delayMs, () => {
        if (incarnation !== this.#incarnation) return;
        try {
          resolve(action());
        } catch (error) {
          if (incarnation === this.#incarnation) reject(error);
        }
      });
    });
  }

  syncDelay(): number {
    return this.#syncDelayMs();
  }

  isAlive(incarnation: number): boolean {
    return incarnation === this.#incarnation;
  }

  check(incarnation: number): void {
    if (!this.isAlive(incarnation)) {
      throw new DiskError("other", "Cannot use the disk: this incarnation has ended");
    }
  }

  write(path: string, file: SimFile, bytes: Uint8Array, offset: number): void {
    this.#hook("write", path);
    // A handle keeps the path it was opened with; the file may have another name by now.
    const misdirected = this.misdirectNextWrite?.(
      this.#pathOf(file) ?? path,
      offset,
      bytes.length,
    );
    if (misdirected !== undefined) this.misdirectNextWrite = undefined;
    const landing = misdirected ?? offset;
    const growth = file.growthBytes(landing + bytes.length);
    if (growth > 0 && growth > this.freeBytes()) {
      throw new DiskError("no-space", `Cannot write ${path}: no space left`);
    }
    file.write(bytes, landing);
  }

  #pathOf(file: SimFile): string | undefined {
    let found: string | undefined;
    this.#root.walk("", (path, other) => {
      if (other === file) found = path;
    });
    return found;
  }

  #hook(kind: DiskCall["kind"], path: string): void {
    const incarnation = this.#incarnation;
    const code = this.onCall?.({ kind, path });
    this.check(incarnation);
    if (code !== undefined) throw new DiskError(code, `Cannot ${kind} ${path}: injected ${code}`);
  }

  /** As `#hook`, for syncs, which report when they end. */
  syncHook(path: string): void {
    this.syncCount++;
    this.#hook("sync", path);
  }

  #lookup(path: string): SimDirectory | SimFile | undefined {
    let node: SimDirectory | SimFile | undefined = this.#root;
    for (const name of splitPath(path)) {
      if (!(node instanceof SimDirectory)) return undefined;
      node = node.get(name);
    }
    return node;
  }

  #folder(path: string): SimDirectory {
    const folder = this.#lookup(path);
    if (!(folder instanceof SimDirectory)) throw new DiskError("not-found", `No folder ${path}`);
    return folder;
  }

  #file(path: string): SimFile {
    const file = this.#lookup(path);
    assert(file instanceof SimFile, `${path} is a file`);
    return file;
  }

  #parentOf(path: string): { parent: SimDirectory; name: string } {
    const names = splitPath(path);
    const name = names.pop();
    if (name === undefined) throw new DiskError("other", "Cannot use the root as a file");
    const parent = this.#lookup(names.join("/"));
    if (!(parent instanceof SimDirectory)) {
      throw new DiskError("not-found", `Cannot reach ${path}: no such folder`);
    }
    return { parent, name };
  }
}

function splitPath(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "");
  if (names.includes("..")) throw new DiskError("other", `Cannot leave the directory: got ${path}`);
  return names;
}
