// A disk over a real one that writes down, before each change, how to take it back until a sync has covered it, and
// that can be full, slow, or fail its syncs. What it loses is decided later, by whoever cuts the power.

import * as fs from "node:fs";
import { assert } from "../../src/base/assert.ts";
import { type Disk, DiskError, type DiskFile, type OpenOptions } from "../../src/platform/ports.ts";
import type { Machine } from "./machine.ts";
import { type Change, gravePath, isData, type UndoJournal } from "./undo_journal.ts";

function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

function usedBytes(folder: string): number {
  let sum = 0;
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    sum += entry.isDirectory()
      ? usedBytes(path)
      : fs.lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }
  return sum;
}

/** Without the zeros at its end: those need no writing down. */
function trimmed(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.slice(0, end);
}

export class FaultyDisk implements Disk {
  readonly #disk: Disk;
  readonly #root: string;
  readonly machine: Machine;
  readonly journal: UndoJournal;
  /** Writes under way: no sync that begins before they end covers them. */
  readonly pending = new Set<Change>();

  /** `disk` is rooted at `root`. */
  constructor(disk: Disk, root: string, machine: Machine, journal: UndoJournal) {
    this.#disk = disk;
    this.#root = root;
    this.machine = machine;
    this.journal = journal;
  }

  open(path: string, options: OpenOptions = {}): DiskFile {
    const isNew = !this.#disk.exists(path);
    if (isNew && options.create) this.#enter("create", path);
    const { truncate = false, ...rest } = options;
    const real = this.#disk.open(path, rest);
    const file = new FaultyFile(real, this, this.#inode(path));
    if (truncate && !isNew) file.truncateSync(0);
    return file;
  }

  mkdir(path: string): void {
    const names = path.split("/");
    names.forEach((_, i) => {
      const folder = names.slice(0, i + 1).join("/");
      if (!this.#disk.exists(folder)) this.#enter("mkdir", folder);
    });
    this.#disk.mkdir(path);
  }

  list(path: string): string[] {
    return this.#disk.list(path);
  }

  exists(path: string): boolean {
    return this.#disk.exists(path);
  }

  rename(from: string, to: string): void {
    const buried = this.#disk.exists(to) ? this.#bury(to) : undefined;
    const folder = folderOf(to);
    assert(
      folder === folderOf(from),
      "what half of a rename across folders leaves is not modelled",
    );
    this.journal.add({ op: "rename", path: to, from, folder, ...(buried && { buried }) });
    this.#disk.rename(from, to);
  }

  remove(path: string): void {
    if (!this.#disk.exists(path)) return;
    const buried = this.#bury(path);
    this.journal.add({ op: "remove", path, folder: folderOf(path), buried });
    this.#disk.remove(path);
  }

  async syncDirectory(path: string): Promise<void> {
    const changes = this.#changesIn(path);
    await this.delaySync();
    await this.#disk.syncDirectory(path);
    this.journal.settle(changes);
  }

  syncDirectorySync(path: string): void {
    const changes = this.#changesIn(path);
    this.failSync(path);
    this.#disk.syncDirectorySync(path);
    this.journal.settle(changes);
  }

  lock(): void {
    this.#disk.lock();
  }

  freeBytes(): number {
    const { quotaBytes } = this.machine.settings;
    const freeBytes = this.#disk.freeBytes();
    if (quotaBytes === undefined) return freeBytes;
    const leftBytes = Math.max(0, quotaBytes - usedBytes(this.#root));
    if (leftBytes === 0) this.machine.noSpaceAnswers++;
    return Math.min(freeBytes, leftBytes);
  }

  // ----------------------------------------------------------------------------------- for the files

  /** Throws DiskError `no-space` if there is no room for so much more. */
  grow(path: string, growthBytes: number): void {
    const { quotaBytes } = this.machine.settings;
    if (quotaBytes === undefined || growthBytes <= 0) return;
    if (usedBytes(this.#root) + growthBytes <= quotaBytes) return;
    this.machine.noSpaceAnswers++;
    throw new DiskError("no-space", `Cannot write ${path}: no space left on device (quota)`);
  }

  /** Throws DiskError `io` if syncs fail. */
  failSync(path: string): void {
    if (!this.machine.settings.syncFails) return;
    this.machine.failedSyncs++;
    throw new DiskError("io", `Cannot sync ${path}: input/output error (injected)`);
  }

  /** Takes as long as syncs take; rejects with DiskError `io` if they fail. */
  async delaySync(path = ""): Promise<void> {
    this.failSync(path);
    const { syncDelayMs = 0 } = this.machine.settings;
    if (syncDelayMs <= 0) return;
    this.machine.delayedSyncs++;
    await new Promise((resolve) => setTimeout(resolve, syncDelayMs));
    this.failSync(path);
  }

  #enter(op: "create" | "mkdir", path: string): void {
    this.journal.add({ op, path, folder: folderOf(path) });
  }

  /** Keeps a file that is about to lose its name. */
  #bury(path: string): number {
    const inode = this.#inode(path);
    const grave = gravePath(this.#root, inode);
    fs.rmSync(grave, { force: true });
    fs.linkSync(`${this.#root}/${path}`, grave);
    return inode;
  }

  #inode(path: string): number {
    return fs.lstatSync(`${this.#root}/${path}`).ino;
  }

  #changesIn(folder: string): Change[] {
    return this.journal.changes.filter((change) => !isData(change) && change.folder === folder);
  }
}

class FaultyFile implements DiskFile {
  readonly path: string;
  readonly #file: DiskFile;
  readonly #disk: FaultyDisk;
  readonly #inode: number;

  constructor(file: DiskFile, disk: FaultyDisk, inode: number) {
    this.path = file.path;
    this.#file = file;
    this.#disk = disk;
    this.#inode = inode;
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    this.#note(bytes.length, offset);
    this.#file.writeSync(bytes, offset);
  }

  readSync(into: Uint8Array, offset: number): number {
    return this.#file.readSync(into, offset);
  }

  read(into: Uint8Array, offset: number): Promise<number> {
    return this.#file.read(into, offset);
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    const change = this.#note(bytes.length, offset);
    this.#disk.pending.add(change);
    try {
      await this.#file.write(bytes, offset);
    } finally {
      this.#disk.pending.delete(change);
    }
  }

  async sync(): Promise<void> {
    const covered = this.#covered();
    await this.#disk.delaySync(this.path);
    await this.#file.sync();
    this.#disk.journal.settle(covered);
  }

  syncSync(): void {
    const covered = this.#covered();
    this.#disk.failSync(this.path);
    this.#file.syncSync();
    this.#disk.journal.settle(covered);
  }

  sizeSync(): number {
    return this.#file.sizeSync();
  }

  truncateSync(sizeBytes: number): void {
    const sizeBefore = this.#file.sizeSync();
    this.#disk.grow(this.path, sizeBytes - sizeBefore);
    const cutBytes = Math.max(0, sizeBefore - sizeBytes);
    this.#disk.journal.add({
      op: "truncate",
      file: this.#inode,
      offset: sizeBytes,
      lengthBytes: cutBytes,
      sizeBefore,
      before: this.#readBefore(sizeBytes, cutBytes),
    });
    this.#file.truncateSync(sizeBytes);
  }

  close(): void {
    this.#file.close();
  }

  #note(lengthBytes: number, offset: number): Change {
    const sizeBefore = this.#file.sizeSync();
    this.#disk.grow(this.path, offset + lengthBytes - sizeBefore);
    return this.#disk.journal.add({
      op: "write",
      file: this.#inode,
      offset,
      lengthBytes,
      sizeBefore,
      before: this.#readBefore(offset, Math.min(lengthBytes, sizeBefore - offset)),
    });
  }

  #readBefore(offset: number, lengthBytes: number): Uint8Array {
    if (lengthBytes <= 0) return new Uint8Array(0);
    const bytes = new Uint8Array(lengthBytes);
    return trimmed(bytes.subarray(0, this.#file.readSync(bytes, offset)));
  }

  #covered(): Change[] {
    return this.#disk.journal.changes.filter((change) =>
      isData(change) && change.file === this.#inode && !this.#disk.pending.has(change)
    );
  }
}
