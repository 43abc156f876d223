// What a power cut does to a stopped node's data directory: takes back what no sync had covered, all of it or, as
// disks do, parts: any sector may have reached the medium in any of its versions, names persist in order up to a point.

import * as fs from "node:fs";
import {
  type DataChange,
  type EntryChange,
  gravePath,
  isData,
  UndoJournal,
  unsyncedDirectory,
} from "./undo_journal.ts";

/** What was taken away. */
export interface PowerCutLoss {
  readonly writes: number;
  readonly bytes: number;
  readonly directoryEntries: number;
}

const SECTOR_BYTES = 512;

/** Path of every file below `folder`, by inode. */
function filesByInode(folder: string, found = new Map<number, string>()): Map<number, string> {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) filesByInode(path, found);
    else found.set(fs.lstatSync(path).ino, path);
  }
  return found;
}

/** Takes back unsynced writes of one file, newest first. */
class FileUndo {
  readonly #descriptor: number;
  readonly #persists: () => boolean;
  /** Sectors that have reached the medium in a later version: earlier ones don't matter any more. */
  readonly #settled = new Set<number>();
  #sizeSettled = false;
  lostBytes = 0;

  constructor(path: string, persists: () => boolean) {
    this.#descriptor = fs.openSync(path, "r+");
    this.#persists = persists;
  }

  undo({ op, offset, lengthBytes, before, sizeBefore }: DataChange): void {
    if (op === "write") this.#undoSectors(before, offset, lengthBytes);
    if (this.#sizeSettled || this.#size === sizeBefore) return;
    if (this.#persists()) {
      this.#sizeSettled = true;
      return;
    }
    fs.ftruncateSync(this.#descriptor, sizeBefore);
    if (op === "truncate") this.#restore(before, offset, lengthBytes);
  }

  #undoSectors(before: Uint8Array, offset: number, lengthBytes: number): void {
    const end = offset + lengthBytes;
    for (let at = offset; at < end;) {
      const sector = Math.floor(at / SECTOR_BYTES);
      const next = Math.min(end, (sector + 1) * SECTOR_BYTES);
      if (!this.#settled.has(sector)) {
        if (this.#persists()) this.#settled.add(sector);
        else this.#restore(before.subarray(at - offset, next - offset), at, next - at);
      }
      at = next;
    }
  }

  #restore(before: Uint8Array, offset: number, lengthBytes: number): void {
    const bytes = new Uint8Array(Math.max(0, Math.min(lengthBytes, this.#size - offset)));
    bytes.set(before.subarray(0, bytes.length));
    fs.writeSync(this.#descriptor, bytes, 0, bytes.length, offset);
    this.lostBytes += bytes.length;
  }

  get #size(): number {
    return fs.fstatSync(this.#descriptor).size;
  }

  close(): void {
    fs.fsyncSync(this.#descriptor);
    fs.closeSync(this.#descriptor);
  }
}

function undoEntry(dataDir: string, { op, path, from, buried }: EntryChange): void {
  const full = `${dataDir}/${path}`;
  if (op === "create" || op === "mkdir") {
    fs.rmSync(full, { recursive: true, force: true });
    return;
  }
  if (op === "rename" && !fs.existsSync(`${dataDir}/${from}`)) {
    fs.renameSync(full, `${dataDir}/${from}`);
  }
  if (buried !== undefined && fs.existsSync(gravePath(dataDir, buried))) {
    fs.renameSync(gravePath(dataDir, buried), full);
  }
}

/**
 * Cuts the power of a node that has been killed. `random` decides what persists all the same.
 *
 * @returns what was lost; nothing if the directory was not that of a faulty node
 */
export function cutPower(dataDir: string, random: () => number): PowerCutLoss {
  if (!fs.existsSync(unsyncedDirectory(dataDir))) {
    return { writes: 0, bytes: 0, directoryEntries: 0 };
  }
  const journal = new UndoJournal(dataDir);
  const everythingGoes = random() < 0.4;
  const persists = () => !everythingGoes && random() < 0.5;
  const paths = filesByInode(dataDir);
  for (const [inode, path] of filesByInode(unsyncedDirectory(dataDir))) paths.set(inode, path);
  const undos = new Map<number, FileUndo>();
  const data = journal.changes.filter(isData);
  for (const change of data.toReversed()) {
    const path = paths.get(change.file);
    if (path === undefined) continue;
    let undo = undos.get(change.file);
    if (undo === undefined) undos.set(change.file, undo = new FileUndo(path, persists));
    undo.undo(change);
  }
  let bytes = 0;
  for (const undo of undos.values()) {
    bytes += undo.lostBytes;
    undo.close();
  }
  const entries = journal.changes.filter((change) => !isData(change)) as EntryChange[];
  const kept = everythingGoes ? 0 : Math.floor(random() * (entries.length + 1));
  for (const change of entries.slice(kept).reverse()) undoEntry(dataDir, change);
  journal.clear();
  journal.close();
  return { writes: data.length, bytes, directoryEntries: entries.length - kept };
}
