// What a data directory's files were before each write that no sync has covered yet: a journal beside the directory,
// written ahead of every change, so that whoever kills the process can take back what a power cut would have taken.
// It is never synced itself: it has to survive the process, not the machine.

import { Buffer } from "node:buffer";
import * as fs from "node:fs";

/** One change of a file or folder that is not durable. Files go by their inode, which outlives renames. */
export type Change = DataChange | EntryChange;

/** Bytes `offset` to `offset + lengthBytes` of a file were overwritten, or its size was set to `offset`. */
export interface DataChange {
  readonly op: "write" | "truncate";
  readonly sequence: number;
  readonly file: number;
  readonly offset: number;
  readonly lengthBytes: number;
  readonly sizeBefore: number;
  /** What was at `offset`; what it lacks of the length was zero, or behind the end. */
  readonly before: Uint8Array;
}

/** A name in a folder came, went, or moved. */
export interface EntryChange {
  readonly op: "create" | "mkdir" | "rename" | "remove";
  readonly sequence: number;
  readonly path: string;
  /** Of a rename: the old name. */
  readonly from?: string;
  /** Of a removal or a rename: the file that lost its name and lies in its grave. */
  readonly buried?: number;
  /** The folder whose sync makes it durable. */
  readonly folder: string;
}

export type NewChange = Omit<DataChange, "sequence"> | Omit<EntryChange, "sequence">;

/** A sync was done that covered these. */
interface Settled {
  readonly op: "settled";
  readonly sequences: readonly number[];
}

export function isData(change: Change): change is DataChange {
  return change.op === "write" || change.op === "truncate";
}

const HEAD_BYTES = 8;
/** A journal that holds nothing is cut back when it has grown to this. */
const IDLE_BYTES_MAX = 1024 * 1024;
/** A journal is rewritten without what has been settled when it has grown to this. */
const BYTES_MAX = 64 * 1024 * 1024;
const NO_BYTES = new Uint8Array(0);

/** Where the journal of a data directory lives. */
export function unsyncedDirectory(dataDir: string): string {
  return `${dataDir.replace(/\/+$/, "")}.unsynced`;
}

/** Where a file goes that was removed or replaced, until that is durable. */
export function gravePath(dataDir: string, file: number): string {
  return `${unsyncedDirectory(dataDir)}/grave-${file}`;
}

function encode(record: object, data: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(JSON.stringify(record));
  const bytes = new Uint8Array(HEAD_BYTES + head.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, head.length);
  view.setUint32(4, data.length);
  bytes.set(head, HEAD_BYTES);
  bytes.set(data, HEAD_BYTES + head.length);
  return bytes;
}

function encodeChange(change: Change): Uint8Array {
  if (!isData(change)) return encode(change, NO_BYTES);
  const { before, ...head } = change;
  return encode(head, before);
}

function* records(bytes: Uint8Array): Generator<{ head: Change | Settled; data: Uint8Array }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEAD_BYTES <= bytes.length;) {
    const headEnd = at + HEAD_BYTES + view.getUint32(at);
    const end = headEnd + view.getUint32(at + 4);
    // The process died while it wrote this one: the change itself was never begun.
    if (end > bytes.length) return;
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(at + HEAD_BYTES, headEnd)));
    yield { head, data: bytes.slice(headEnd, end) };
    at = end;
  }
}

/** The changes of one data directory that are not durable, oldest first, in memory and beside it. */
export class UndoJournal {
  readonly dataDir: string;
  readonly #path: string;
  #descriptor: number;
  #changes: Change[] = [];
  #sequence = 0;
  #sizeBytes = 0;
  #rewriteAtBytes = BYTES_MAX;

  /** Opens the journal and takes up what an earlier process left. */
  constructor(dataDir: string) {
    this.dataDir = dataDir;
    fs.mkdirSync(unsyncedDirectory(dataDir), { recursive: true });
    this.#path = `${unsyncedDirectory(dataDir)}/journal`;
    this.#descriptor = fs.openSync(this.#path, "a+");
    this.#load(fs.readFileSync(this.#path));
  }

  /** Oldest first. */
  get changes(): readonly Change[] {
    return this.#changes;
  }

  /** Writes a change down, before it is made. */
  add(change: NewChange): Change {
    const numbered = { ...change, sequence: ++this.#sequence } as Change;
    this.#changes.push(numbered);
    this.#append(encodeChange(numbered));
    return numbered;
  }

  /** A sync has covered `changes`. */
  settle(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    const sequences = changes.map(({ sequence }) => sequence);
    for (const file of this.#settle(new Set(sequences))) this.#dropGrave(file);
    if (this.#changes.length === 0 && this.#sizeBytes > IDLE_BYTES_MAX) {
      fs.ftruncateSync(this.#descriptor, 0);
      this.#sizeBytes = 0;
      return;
    }
    this.#append(encode({ op: "settled", sequences }, NO_BYTES));
    if (this.#sizeBytes > this.#rewriteAtBytes) this.#rewrite();
  }

  /** Forgets everything: the directory is as the power cut left it. */
  clear(): void {
    this.#changes = [];
    this.#dropGraves();
    this.#rewrite();
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }

  #load(bytes: Uint8Array): void {
    for (const { head, data } of records(bytes)) {
      if (head.op === "settled") this.#settle(new Set(head.sequences));
      else {
        this.#changes.push(isData(head) ? { ...head, before: data } : head);
        this.#sequence = head.sequence;
      }
    }
    this.#dropGraves();
    this.#rewrite();
  }

  /** Returns the files that are gone for good. */
  #settle(sequences: ReadonlySet<number>): Set<number> {
    const gone = new Set<number>();
    for (const change of this.#changes) {
      if (isData(change) || change.buried === undefined) continue;
      if (sequences.has(change.sequence)) gone.add(change.buried);
    }
    // What had been written to those does not matter any more, and their inodes may become other files'.
    this.#changes = this.#changes.filter((change) =>
      !sequences.has(change.sequence) && !(isData(change) && gone.has(change.file))
    );
    return gone;
  }

  #dropGrave(file: number): void {
    fs.rmSync(gravePath(this.dataDir, file), { force: true });
  }

  /** Drops the graves that no change speaks of any more. */
  #dropGraves(): void {
    const kept = new Set(this.#changes.map((change) => isData(change) ? undefined : change.buried));
    for (const name of fs.readdirSync(unsyncedDirectory(this.dataDir))) {
      const file = /^grave-(\d+)$/.exec(name)?.[1];
      if (file !== undefined && !kept.has(Number(file))) this.#dropGrave(Number(file));
    }
  }

  /** Never in place: until the rename the old journal holds. */
  #rewrite(): void {
    const whole = Buffer.concat(this.#changes.map(encodeChange));
    fs.writeFileSync(`${this.#path}.new`, whole);
    fs.renameSync(`${this.#path}.new`, this.#path);
    fs.closeSync(this.#descriptor);
    this.#descriptor = fs.openSync(this.#path, "a+");
    this.#sizeBytes = whole.length;
    this.#rewriteAtBytes = Math.max(BYTES_MAX, 2 * whole.length);
  }

  #append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      done += fs.writeSync(this.#descriptor, bytes, done, bytes.length - done);
    }
    this.#sizeBytes += bytes.length;
  }
}
