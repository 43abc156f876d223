// The durable mark (RULES 1): a small file beside the segments that says up to where the log had been
// synced, in two slots written in turn, so that a torn write leaves the other one. Owns file "wal/mark".
//
// Each slot is 64 bytes, at offset 0 and 4096:
//
// | offset | bytes | field                                                              |
// | ------ | ----- | ------------------------------------------------------------------ |
// | 0      | 8     | magic "PONTMARK"                                                   |
// | 8      | 4, 4  | format version; crc32 of bytes 0..12                               |
// | 16     | 8     | counter; the valid slot with the higher one holds                  |
// | 24     | 8, 8  | segment, offset: all before it is durable                          |
// | 40     | 4     | chain checksum there                                               |
// | 44     | 16    | zero                                                               |
// | 60     | 4     | crc32 of bytes 0..60                                               |

import { crc32 } from "node:zlib";
import { DiskError } from "../platform/ports.ts";
import type { Disk, DiskFile } from "../platform/ports.ts";
import { getU64, readPreamble, setU64, viewOf, WAL_FORMAT_VERSION } from "./format.ts";
import { type LogPosition, WalError } from "./types.ts";

export const MARK_FILE = "mark";
const SLOT_SPACING_BYTES = 4096;
const SLOT_BYTES = 64;
const MAGIC = [0x50, 0x4f, 0x4e, 0x54, 0x4d, 0x41, 0x52, 0x4b];

export interface Mark extends LogPosition {
  readonly counter: number;
  readonly chain: number;
}

/** `damaged`: the file is there, or should be, and neither slot holds. */
export type MarkReading =
  | { readonly kind: "ok"; readonly mark: Mark; readonly badSlots: number }
  | { readonly kind: "absent" }
  | { readonly kind: "damaged" };

function encodeSlot(mark: Mark): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SLOT_BYTES);
  const view = viewOf(bytes);
  bytes.set(MAGIC);
  view.setUint32(8, WAL_FORMAT_VERSION, true);
  view.setUint32(12, crc32(bytes.subarray(0, 12)), true);
  setU64(view, 16, mark.counter);
  setU64(view, 24, mark.segment);
  setU64(view, 32, mark.offset);
  view.setUint32(40, mark.chain, true);
  view.setUint32(60, crc32(bytes.subarray(0, 60)), true);
  return bytes;
}

function decodeSlot(bytes: Uint8Array, path: string): Mark | undefined {
  const preamble = readPreamble(bytes, MAGIC, WAL_FORMAT_VERSION);
  if (preamble.kind === "newer") throw newerVersion(path, preamble.version);
  if (preamble.kind !== "ok" || bytes.length < SLOT_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(60, true) !== crc32(bytes.subarray(0, 60))) return undefined;
  return {
    counter: getU64(view, 16),
    segment: getU64(view, 24),
    offset: getU64(view, 32),
    chain: view.getUint32(40, true),
  };
}

export function newerVersion(path: string, version: number): WalError {
  return new WalError(
    "newer-version",
    `Cannot read ${path}: it has format version ${version}, this program knows ${WAL_FORMAT_VERSION}; ` +
      "start the newer program on this directory",
  );
}

/** Reads the mark in folder `folder` without changing anything. Throws WalError `newer-version`. */
export function readMark(disk: Disk, folder: string): MarkReading {
  const path = `${folder}/${MARK_FILE}`;
  let file: DiskFile;
  try {
    file = disk.open(path);
  } catch (error) {
    if (error instanceof DiskError && error.code === "not-found") return { kind: "absent" };
    throw error;
  }
  try {
    const marks = [0, 1].map((slot) => {
      const bytes = new Uint8Array(SLOT_BYTES);
      const read = file.readSync(bytes, slot * SLOT_SPACING_BYTES);
      return decodeSlot(bytes.subarray(0, read), path);
    }).filter((mark) => mark !== undefined);
    if (marks.length === 0) return { kind: "damaged" };
    const mark = marks.reduce((a, b) => b.counter > a.counter ? b : a);
    return { kind: "ok", mark, badSlots: 2 - marks.length };
  } finally {
    file.close();
  }
}

/** Writes the mark. One write may be in flight. */
export class MarkFile {
  readonly #file: DiskFile;
  #counter: number;

  private constructor(file: DiskFile, counter: number) {
    this.#file = file;
    this.#counter = counter;
  }

  /** Opens or creates the file; creation is durable when this returns. */
  static open(disk: Disk, folder: string, found: MarkReading): MarkFile {
    const file = disk.open(`${folder}/${MARK_FILE}`, { create: true });
    const mark = new MarkFile(file, found.kind === "ok" ? found.mark.counter : 0);
    if (found.kind !== "ok") {
      // Both slots, so that from now on a bad pair is damage and never a beginning.
      for (let slot = 0; slot < 2; slot++) mark.write({ segment: 0, offset: 0 }, 0);
      file.syncSync();
      disk.syncDirectorySync(folder);
    }
    return mark;
  }

  /** Durable after `sync`. */
  write(position: LogPosition, chain: number): void {
    this.#counter++;
    const slot = encodeSlot({ ...position, chain, counter: this.#counter });
    this.#file.writeSync(slot, (this.#counter & 1) * SLOT_SPACING_BYTES);
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  syncSync(): void {
    this.#file.syncSync();
  }

  close(): void {
    this.#file.close();
  }
}
