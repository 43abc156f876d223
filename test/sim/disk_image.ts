// What a simulated disk holds: files in pages with their unsynced past, folders with their unsynced
// entries. A page that was never written to, or only with zeros, takes no memory.

import { Buffer } from "node:buffer";
import type { Random } from "../../src/platform/ports.ts";

export const PAGE_BYTES = 4096;
export const SECTOR_BYTES = 512;
const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

type Page = Uint8Array | undefined;

/** What pages held before the writes since some sync, and the size then. */
interface Undo {
  readonly pages: Map<number, Page>;
  sizeBytes: number;
}

/** A sync under way. */
export interface SyncRound {
  readonly undo: Undo;
}

export class SimFile {
  #pages = new Map<number, Page>();
  sizeBytes = 0;
  /**
   * Newest last; each is what was there before a stretch of unsynced writes. The last one collects; the
   * others belong to syncs under way or to syncs that failed, whose writes may never reach the medium.
   */
  #undos: Undo[] = [{ pages: new Map(), sizeBytes: 0 }];
  readonly #failed = new Set<Undo>();

  get allocatedBytes(): number {
    return Math.ceil(this.sizeBytes / PAGE_BYTES) * PAGE_BYTES;
  }

  /** Further space a write up to `end` takes. */
  growthBytes(end: number): number {
    return Math.max(0, Math.ceil(end / PAGE_BYTES) * PAGE_BYTES - this.allocatedBytes);
  }

  read(into: Uint8Array, offset: number): number {
    const length = Math.max(0, Math.min(into.length, this.sizeBytes - offset));
    for (let done = 0; done < length;) {
      const at = (offset + done) % PAGE_BYTES;
      const part = Math.min(PAGE_BYTES - at, length - done);
      const page = this.#pages.get(Math.floor((offset + done) / PAGE_BYTES)) ?? ZERO_PAGE;
      into.set(page.subarray(at, at + part), done);
      done += part;
    }
    return length;
  }

  write(bytes: Uint8Array, offset: number): void {
    for (let done = 0; done < bytes.length;) {
      const number = Math.floor((offset + done) / PAGE_BYTES);
      const at = (offset + done) % PAGE_BYTES;
      const part = Math.min(PAGE_BYTES - at, bytes.length - done);
      const slice = bytes.subarray(done, done + part);
      done += part;
      const page = this.#pages.get(number);
      if (page === undefined && isZero(slice)) continue;
      this.#dirty(number);
      const changed = page === undefined ? new Uint8Array(PAGE_BYTES) : page.slice();
      changed.set(slice, at);
      this.#pages.set(number, changed);
    }
    this.sizeBytes = Math.max(this.sizeBytes, offset + bytes.length);
  }

  truncate(sizeBytes: number): void {
    for (const number of [...this.#pages.keys()]) {
      const start = number * PAGE_BYTES;
      if (start + PAGE_BYTES <= sizeBytes) continue;
      this.#dirty(number);
      const page = this.#pages.get(number);
      if (start >= sizeBytes || page === undefined) this.#pages.delete(number);
      else this.#pages.set(number, page.slice().fill(0, sizeBytes - start));
    }
    this.sizeBytes = sizeBytes;
  }

  content(): Uint8Array {
    const bytes = new Uint8Array(this.sizeBytes);
    this.read(bytes, 0);
    return bytes;
  }

  rot(offset: number, mask: number): void {
    const number = Math.floor(offset / PAGE_BYTES);
    const page = (this.#pages.get(number) ?? ZERO_PAGE).slice();
    page[offset % PAGE_BYTES] ^= mask;
    this.#pages.set(number, page);
  }

  /** Pages are never changed in place, so the past may share them. */
  #dirty(number: number): void {
    const { pages } = this.#undos[this.#undos.length - 1];
    if (!pages.has(number)) pages.set(number, this.#pages.get(number));
  }

  /** Covers what was written up to now. */
  beginSync(): SyncRound {
    const undo = this.#undos[this.#undos.length - 1];
    this.#undos.push({ pages: new Map(), sizeBytes: this.sizeBytes });
    return { undo };
  }

  /** Of a failed sync the writes stay unsynced for ever: a later sync does not bring them back. */
  endSync({ undo }: SyncRound, success: boolean): void {
    if (!success) {
      this.#failed.add(undo);
      return;
    }
    const done = this.#undos.indexOf(undo);
    if (done === -1) return;
    // A sync covers everything before it, but of what an earlier sync failed on only what has been
    // written anew.
    const covered = this.#undos.slice(0, done + 1);
    const failed = covered.filter((earlier) => this.#failed.has(earlier));
    for (const earlier of failed) {
      earlier.sizeBytes = this.#undos[done + 1].sizeBytes;
      for (const later of covered) {
        if (!this.#failed.has(later)) {
          for (const number of later.pages.keys()) earlier.pages.delete(number);
        }
      }
    }
    this.#undos = [...failed, ...this.#undos.slice(done + 1)];
  }

  /** Each sector of an unsynced page falls back to one of its earlier contents, or stays. */
  powerCut(random: Random): void {
    let { sizeBytes } = this;
    for (const undo of this.#undos.toReversed()) {
      for (const [number, before] of undo.pages) {
        if (before === this.#pages.get(number)) continue;
        const old = before ?? ZERO_PAGE;
        const page = (this.#pages.get(number) ?? ZERO_PAGE).slice();
        for (let at = 0; at < PAGE_BYTES; at += SECTOR_BYTES) {
          if (random.int(2) === 0) page.set(old.subarray(at, at + SECTOR_BYTES), at);
        }
        this.#pages.set(number, page);
      }
      if (undo.sizeBytes !== sizeBytes && random.int(2) === 0) sizeBytes = undo.sizeBytes;
    }
    this.#undos = [];
    if (sizeBytes !== this.sizeBytes) {
      this.#undos = [{ pages: new Map(), sizeBytes }];
      this.truncate(sizeBytes);
    }
    this.#settle();
  }

  /** Everything as it is now is on the medium. */
  #settle(): void {
    this.#undos = [{ pages: new Map(), sizeBytes: this.sizeBytes }];
    this.#failed.clear();
  }

  clone(): SimFile {
    const copy = new SimFile();
    copy.#pages = new Map(this.#pages);
    copy.sizeBytes = this.sizeBytes;
    copy.#settle();
    return copy;
  }
}

function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, ZERO_PAGE.subarray(0, bytes.length)) === 0;
}

type Node = SimDirectory | SimFile;

/** One change of a folder that no directory sync has covered. */
interface EntryChange {
  readonly name: string;
  readonly node: Node | undefined;
  /** The other half of a rename: both halves persist or neither. */
  readonly renameId: number;
}

let renames = 0;

export class SimDirectory {
  #entries = new Map<string, Node>();
  #durable = new Map<string, Node>();
  #changes: EntryChange[] = [];

  get(name: string): Node | undefined {
    return this.#entries.get(name);
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Sets or, with undefined, removes an entry. */
  set(name: string, node: Node | undefined, renameId = 0): void {
    setEntry(this.#entries, name, node);
    this.#changes.push({ name, node, renameId });
  }

  static rename(from: SimDirectory, name: string, to: SimDirectory, as: string, node: Node): void {
    const renameId = ++renames;
    to.set(as, node, renameId);
    from.set(name, undefined, renameId);
  }

  get unsyncedCount(): number {
    return this.#changes.length;
  }

  /** Makes the oldest `count` unsynced changes durable. */
  sync(count: number): void {
    for (const { name, node } of this.#changes.splice(0, count)) {
      setEntry(this.#durable, name, node);
    }
  }

  /** Of the unsynced changes a prefix persists, or any subset, as file systems differ. */
  powerCut(random: Random): void {
    const inOrder = random.int(2) === 0;
    const prefix = random.int(this.#changes.length + 1);
    const renamed = new Map<number, boolean>();
    const entries = new Map(this.#durable);
    this.#changes.forEach(({ name, node, renameId }, i) => {
      let persists = inOrder ? i < prefix : random.int(2) === 0;
      if (renameId !== 0) {
        persists = renamed.get(renameId) ?? persists;
        renamed.set(renameId, persists);
      }
      if (persists) setEntry(entries, name, node);
    });
    this.#entries = entries;
    this.#settle();
    for (const node of this.#entries.values()) node.powerCut(random);
  }

  walk(path: string, visit: (path: string, file: SimFile) => void): void {
    for (const [name, node] of this.#entries) {
      const child = path === "" ? name : `${path}/${name}`;
      if (node instanceof SimFile) visit(child, node);
      else node.walk(child, visit);
    }
  }

  clone(): SimDirectory {
    const copy = new SimDirectory();
    for (const [name, node] of this.#entries) copy.#entries.set(name, node.clone());
    copy.#settle();
    return copy;
  }

  #settle(): void {
    this.#durable = new Map(this.#entries);
    this.#changes = [];
  }
}

function setEntry(entries: Map<string, Node>, name: string, node: Node | undefined): void {
  if (node === undefined) entries.delete(name);
  else entries.set(name, node);
}
