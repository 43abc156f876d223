// The node's snapshot files: written in the background, received from leaders, found again at start, and
// removed when a newer one is in the log. A file under its final name is complete and durable; anything
// else in the folder is a leftover. Never removes a file that the log may still point to.

import type { LogIndex, PartitionId, Term } from "../base/ids.ts";
import { type Clock, type Disk, type DiskFile, type Log, type Process } from "../platform/ports.ts";
import { hasFooterSync, readHeaderSync, SnapshotFileReader } from "./file_reader.ts";
import { SnapshotFileWriter } from "./file_writer.ts";
import { Gate } from "./gate.ts";
import {
  SnapshotError,
  type SnapshotFile,
  type SnapshotMetadata,
  type SnapshotSource,
} from "./types.ts";

/** Snapshots written at a time: a large one must not keep all small ones waiting. */
const SNAPSHOT_WRITES_MAX = 2;
/** Default bound of the rate at which each is written: the log's syncs share the disk. */
const WRITE_BYTES_PER_SECOND_MAX = 32 * 1024 * 1024;
const NAME = /^(\d+)-(\d{16})-(\d+)\.snap$/;

export interface SnapshotStoreOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly process: Process;
  /** Folder of the files within the data directory. */
  readonly folder?: string;
  readonly writeBytesPerSecondMax?: number;
  /** A snapshot of this node's own state has become durable; how long that took. */
  readonly onWritten?: (durationMs: number) => void;
}

/** Final and temporary names of one snapshot. */
function nameOf(group: PartitionId, index: LogIndex, term: Term): string {
  return `${group}-${String(index).padStart(16, "0")}-${term}`;
}

export class SnapshotStore {
  readonly #options: SnapshotStoreOptions;
  readonly #folder: string;
  /** Per group, oldest first. *Invariant:* every file here was durable when it was added. */
  readonly #files = new Map<PartitionId, SnapshotFile[]>();
  readonly #writing = new Set<PartitionId>();
  /** Groups whose snapshots fall due together take turns. */
  readonly #gate = new Gate(SNAPSHOT_WRITES_MAX);
  #closed = false;

  private constructor(options: SnapshotStoreOptions) {
    this.#options = options;
    this.#folder = options.folder ?? "snapshots";
  }

  /**
   * Finds the files of earlier runs and checks their headers and footers; their bodies are verified when
   * they are read. Unfinished writes are removed; unfinished transfers stay, to be resumed.
   *
   * @throws SnapshotError `newer-version`, naming the file; DiskError.
   */
  static open(options: SnapshotStoreOptions): SnapshotStore {
    const store = new SnapshotStore(options);
    const { disk, log } = options;
    disk.mkdir(store.#folder);
    disk.syncDirectorySync("");
    for (const name of disk.list(store.#folder)) {
      const path = `${store.#folder}/${name}`;
      if (name.endsWith(".tmp")) disk.remove(path);
      if (!NAME.test(name)) continue;
      const file = store.#inspect(path);
      if (file === undefined) log.log("error", "a snapshot file is damaged", { path });
      else store.#add(file);
    }
    // What was renamed right before a crash must not vanish in a later power cut.
    disk.syncDirectorySync(store.#folder);
    return store;
  }

  #inspect(path: string): SnapshotFile | undefined {
    const file = this.#options.disk.open(path);
    try {
      const header = readHeaderSync(file, path);
      if (!hasFooterSync(file, header)) return undefined;
      if (`${this.#folder}/${this.#name(header.metadata)}.snap` !== path) return undefined;
      return { metadata: header.metadata, path, sizeBytes: file.sizeSync() };
    } catch (error) {
      if (error instanceof SnapshotError && error.code === "damaged") return undefined;
      throw error;
    } finally {
      file.close();
    }
  }

  #name({ group, index, term }: SnapshotMetadata): string {
    return nameOf(group, index, term);
  }

  #add(file: SnapshotFile): void {
    const { group, index } = file.metadata;
    const files = (this.#files.get(group) ?? []).filter((old) => old.path !== file.path);
    files.push(file);
    files.sort((a, b) => a.metadata.index - b.metadata.index || a.metadata.term - b.metadata.term);
    this.#files.set(group, files);
    this.#options.log.log("debug", "snapshot file is there", { group, index });
  }

  /** The group's newest file that is not known to be damaged. */
  latest(group: PartitionId): SnapshotFile | undefined {
    return this.#files.get(group)?.at(-1);
  }

  /** The file of exactly this state, if it is there and not known to be damaged. */
  find(group: PartitionId, index: LogIndex): SnapshotFile | undefined {
    return this.#files.get(group)?.find((file) => file.metadata.index === index);
  }

  /**
   * Writes a state in the background; resolves when the file is durable under its final name. The log may
   * be told then, and only when the log's record is durable may older ones go (`removeOlder`).
   *
   * @throws DiskError `no-space`; SnapshotError `abandoned` when the store was closed meanwhile.
   */
  async write(source: SnapshotSource): Promise<SnapshotFile> {
    const { group } = source.metadata;
    if (this.#writing.has(group)) {
      throw new SnapshotError("abandoned", `Cannot write two snapshots of group ${group} at once`);
    }
    this.#writing.add(group);
    return await this.#gate.run(() => this.#write(source)).finally(() =>
      this.#writing.delete(group)
    );
  }

  async #write(source: SnapshotSource): Promise<SnapshotFile> {
    const temporary = `${this.#folder}/${this.#name(source.metadata)}.tmp`;
    const { disk, clock } = this.#options;
    const startedMs = clock.monotonicMs();
    let written = false;
    const file = disk.open(temporary, { create: true, truncate: true });
    try {
      const writer = new SnapshotFileWriter(file, {
        clock,
        bytesPerSecondMax: this.#options.writeBytesPerSecondMax ?? WRITE_BYTES_PER_SECOND_MAX,
      }, () => this.sync(file));
      const sizeBytes = await writer.write(source, () => this.#closed);
      if (sizeBytes === undefined) {
        throw new SnapshotError("abandoned", "Cannot finish the snapshot: the node is stopping");
      }
      written = true;
      const installed = await this.install(temporary, source.metadata, sizeBytes);
      this.#options.onWritten?.(clock.monotonicMs() - startedMs);
      return installed;
    } finally {
      file.close();
      if (!written) this.discard(temporary);
    }
  }

  /** Gives a complete, synced file its final name, durably, and makes it the group's newest. */
  async install(
    temporary: string,
    metadata: SnapshotMetadata,
    sizeBytes: number,
  ): Promise<SnapshotFile> {
    const path = `${this.#folder}/${this.#name(metadata)}.snap`;
    this.#options.disk.rename(temporary, path);
    await this.#orFatal(this.#options.disk.syncDirectory(this.#folder));
    const file = { metadata, path, sizeBytes };
    this.#add(file);
    return file;
  }

  /** Where a transfer gathers what it received of this snapshot. */
  partPath(metadata: SnapshotMetadata): string {
    return `${this.#folder}/${this.#name(metadata)}.part`;
  }

  /** Removes unfinished transfers of the group, `except` one. */
  removeParts(group: PartitionId, except?: string): void {
    for (const name of this.#options.disk.list(this.#folder)) {
      const path = `${this.#folder}/${name}`;
      if (name.startsWith(`${group}-`) && name.endsWith(".part") && path !== except) {
        this.#options.disk.remove(path);
      }
    }
  }

  /** Removes an unfinished file; one that can't be removed now is removed at the next start or offer. */
  discard(path: string): void {
    try {
      this.#options.disk.remove(path);
    } catch (error) {
      this.#options.log.log("warn", "a leftover stays", { path, error: String(error) });
    }
  }

  get disk(): Disk {
    return this.#options.disk;
  }

  /** Syncs a file; a failure ends the process (RULES 6). */
  sync(file: DiskFile): Promise<void> {
    return this.#orFatal(file.sync());
  }

  async #orFatal(sync: Promise<void>): Promise<void> {
    try {
      await sync;
    } catch (cause) {
      try {
        this.#options.process.fatal("Cannot sync a snapshot", cause);
      } catch {
        // A simulated process ends by throwing; nothing that waits here may go on.
        await new Promise<never>(() => {});
      }
    }
  }

  /** Reads the file's chunks, each verified. Throws SnapshotError `damaged`; then `markDamaged` it. */
  async *read(file: SnapshotFile): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const reader = new SnapshotFileReader(this.#options.disk, file.path);
    try {
      yield* reader.chunks();
    } finally {
      reader.close();
    }
  }

  /** Reads the whole file; false if it is damaged or gone. */
  async verify(file: SnapshotFile): Promise<boolean> {
    try {
      for await (const _chunk of this.read(file));
      return true;
    } catch {
      return false;
    }
  }

  /** The file turned out to be damaged: it is neither loaded nor sent any more. */
  markDamaged(file: SnapshotFile): void {
    const { group } = file.metadata;
    const files = this.#files.get(group) ?? [];
    this.#files.set(group, files.filter((other) => other.path !== file.path));
    this.#options.log.log("error", "a snapshot file is damaged", { path: file.path });
  }

  /** The log's record of the snapshot at `index` is durable: older files of the group go. */
  removeOlder(group: PartitionId, index: LogIndex): void {
    const { disk } = this.#options;
    const files = this.#files.get(group) ?? [];
    this.#files.set(group, files.filter((file) => file.metadata.index >= index));
    for (const name of disk.list(this.#folder)) {
      const match = NAME.exec(name);
      if (match !== null && Number(match[1]) === group && Number(match[2]) < index) {
        disk.remove(`${this.#folder}/${name}`);
      }
    }
  }

  /** The group's replica is gone: all its files go. */
  removeGroup(group: PartitionId): void {
    this.removeParts(group);
    this.#files.delete(group);
    for (const name of this.#options.disk.list(this.#folder)) {
      if (name.startsWith(`${group}-`)) this.#options.disk.remove(`${this.#folder}/${name}`);
    }
  }

  /** Writes under way are abandoned. */
  close(): void {
    this.#closed = true;
  }
}
