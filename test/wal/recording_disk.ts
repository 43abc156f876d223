// A disk that keeps a list of everything that changes it, so that a crash can be staged after any byte of
// any write.

import type { Disk, DiskFile, OpenOptions } from "../../src/platform/ports.ts";
import type { SimDisk } from "../sim/disk.ts";

/** One change; `bytes` only for writes. `durableCount` is the model's when it happened. */
export interface Change {
  readonly path: string;
  readonly bytes?: Uint8Array;
  readonly offset?: number;
  readonly durableCount: number;
  readonly recordCount: number;
  apply(disk: SimDisk): void;
}

export class RecordingDisk implements Disk {
  readonly changes: Change[] = [];
  readonly #inner: Disk;
  /** Where open files are by now: they stay the same files when they are renamed. */
  readonly #places: { path: string }[] = [];
  readonly #counts: () => { durableCount: number; recordCount: number };

  constructor(inner: Disk, counts: () => { durableCount: number; recordCount: number }) {
    this.#inner = inner;
    this.#counts = counts;
  }

  #note(change: Omit<Change, "durableCount" | "recordCount">): void {
    this.changes.push({ ...change, ...this.#counts() });
  }

  open(path: string, options: OpenOptions = {}): DiskFile {
    const file = this.#inner.open(path, options);
    if (options.create || options.truncate) {
      this.#note({ path, apply: (disk) => void disk.open(path, options) });
    }
    const place = { path };
    this.#places.push(place);
    const note = (bytes: Uint8Array, offset: number) => {
      const copy = bytes.slice();
      const { path } = place;
      this.#note({
        path,
        bytes: copy,
        offset,
        apply: (disk) => disk.open(path, { create: true }).writeSync(copy, offset),
      });
    };
    return {
      path,
      writeSync: (bytes, offset) => {
        note(bytes, offset);
        file.writeSync(bytes, offset);
      },
      write: (bytes, offset) => {
        note(bytes, offset);
        return file.write(bytes, offset);
      },
      truncateSync: (sizeBytes) => {
        const { path } = place;
        this.#note({ path, apply: (disk) => disk.open(path).truncateSync(sizeBytes) });
        file.truncateSync(sizeBytes);
      },
      readSync: (into, offset) => file.readSync(into, offset),
      read: (into, offset) => file.read(into, offset),
      sync: () => file.sync(),
      syncSync: () => file.syncSync(),
      sizeSync: () => file.sizeSync(),
      close: () => file.close(),
    };
  }

  mkdir(path: string): void {
    this.#note({ path, apply: (disk) => disk.mkdir(path) });
    this.#inner.mkdir(path);
  }

  rename(from: string, to: string): void {
    this.#note({ path: from, apply: (disk) => disk.rename(from, to) });
    for (const place of this.#places) if (place.path === from) place.path = to;
    this.#inner.rename(from, to);
  }

  remove(path: string): void {
    this.#note({ path, apply: (disk) => disk.remove(path) });
    this.#inner.remove(path);
  }

  list(path: string): string[] {
    return this.#inner.list(path);
  }

  exists(path: string): boolean {
    return this.#inner.exists(path);
  }

  syncDirectory(path: string): Promise<void> {
    return this.#inner.syncDirectory(path);
  }

  syncDirectorySync(path: string): void {
    this.#inner.syncDirectorySync(path);
  }

  lock(): void {
    this.#inner.lock();
  }

  freeBytes(): number {
    return this.#inner.freeBytes();
  }
}
