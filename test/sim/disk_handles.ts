// What a process has of a simulated disk: the mounted directory and open files. Every call of a process that
// has died fails, whoever still makes it.

import type { Disk, DiskFile, OpenOptions } from "../../src/platform/ports.ts";
import type { SimDisk } from "./disk.ts";
import type { SimFile, SyncRound } from "./disk_image.ts";

/** One incarnation's disk: every call of a dead process fails, whoever still makes it. */
export class Mount implements Disk {
  readonly #disk: SimDisk;
  readonly #incarnation: number;

  constructor(disk: SimDisk, incarnation: number) {
    this.#disk = disk;
    this.#incarnation = incarnation;
  }

  get #alive(): SimDisk {
    this.#disk.check(this.#incarnation);
    return this.#disk;
  }

  open(path: string, options?: OpenOptions): DiskFile {
    return this.#alive.open(path, options);
  }

  mkdir(path: string): void {
    this.#alive.mkdir(path);
  }

  list(path: string): string[] {
    return this.#alive.list(path);
  }

  exists(path: string): boolean {
    return this.#alive.exists(path);
  }

  rename(from: string, to: string): void {
    this.#alive.rename(from, to);
  }

  remove(path: string): void {
    this.#alive.remove(path);
  }

  syncDirectory(path: string): Promise<void> {
    return this.#alive.syncDirectory(path);
  }

  syncDirectorySync(path: string): void {
    this.#alive.syncDirectorySync(path);
  }

  lock(): void {
    this.#alive.lock();
  }

  freeBytes(): number {
    return this.#alive.freeBytes();
  }
}

export class SimHandle implements DiskFile {
  readonly path: string;
  readonly #disk: SimDisk;
  readonly #file: SimFile;
  readonly #incarnation: number;

  constructor(disk: SimDisk, path: string, file: SimFile, incarnation: number) {
    this.path = path;
    this.#disk = disk;
    this.#file = file;
    this.#incarnation = incarnation;
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    this.#disk.check(this.#incarnation);
    this.#disk.write(this.path, this.#file, bytes, offset);
  }

  readSync(into: Uint8Array, offset: number): number {
    this.#disk.check(this.#incarnation);
    return this.#file.read(into, offset);
  }

  read(into: Uint8Array, offset: number): Promise<number> {
    return this.#disk.complete(0, () => this.readSync(into, offset));
  }

  write(bytes: Uint8Array, offset: number): Promise<void> {
    return this.#disk.complete(0, () => this.writeSync(bytes, offset));
  }

  sync(): Promise<void> {
    this.#disk.check(this.#incarnation);
    const round = this.#file.beginSync();
    return this.#disk.complete(this.#disk.syncDelay(), () => this.#endSync(round));
  }

  syncSync(): void {
    this.#disk.check(this.#incarnation);
    this.#endSync(this.#file.beginSync());
  }

  #endSync(round: SyncRound): void {
    try {
      this.#disk.syncHook(this.path);
    } catch (error) {
      // A sync that was cut short by its process's death has not failed: a later one may cover it.
      if (this.#disk.isAlive(this.#incarnation)) this.#file.endSync(round, false);
      throw error;
    }
    this.#file.endSync(round, true);
  }

  sizeSync(): number {
    this.#disk.check(this.#incarnation);
    return this.#file.sizeBytes;
  }

  truncateSync(sizeBytes: number): void {
    this.#disk.check(this.#incarnation);
    this.#file.truncate(sizeBytes);
  }

  close(): void {
    // Nothing to give back; a closed file that is used again is a caller's bug that sync tests find.
  }
}
