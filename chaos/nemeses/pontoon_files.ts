// Damage to the files of a stopped Pontoon node, by the layout that src/PROTOCOL.md gives: only before the durable mark,
// where it can be told from a torn tail (RULES 2). Says what it did; undefined if there was nothing to do it to.

import * as fs from "node:fs";
import { crc32 } from "node:zlib";
import { pick } from "../random.ts";
import type { Random } from "../types.ts";

/** A place in the log: everything before it is proven durable. */
export interface Mark {
  readonly segment: number;
  readonly offset: number;
}

const SLOT_OFFSETS = [0, 4096] as const;
const SLOT_BYTES = 64;
const SLOT_MAGIC = "PONTMARK";
/** Where a segment's batches begin. */
const BATCHES_OFFSET = 4096;

function readSlot(bytes: Uint8Array, offset: number): (Mark & { counter: number }) | undefined {
  if (bytes.length < offset + SLOT_BYTES) return undefined;
  const slot = bytes.subarray(offset, offset + SLOT_BYTES);
  const view = new DataView(slot.buffer, slot.byteOffset, SLOT_BYTES);
  const magic = new TextDecoder().decode(slot.subarray(0, SLOT_MAGIC.length));
  if (magic !== SLOT_MAGIC || view.getUint32(60, true) !== crc32(slot.subarray(0, 60))) {
    return undefined;
  }
  return {
    counter: Number(view.getBigUint64(16, true)),
    segment: Number(view.getBigUint64(24, true)),
    offset: Number(view.getBigUint64(32, true)),
  };
}

/** The durable mark of a data directory; undefined if neither slot of it holds. */
export function readMark(dataDir: string): Mark | undefined {
  const bytes = fs.readFileSync(`${dataDir}/wal/mark`);
  const slots = SLOT_OFFSETS.flatMap((offset) => readSlot(bytes, offset) ?? []);
  return slots.sort((a, b) => b.counter - a.counter)[0];
}

interface Segment {
  readonly sequence: number;
  readonly path: string;
  /** Bytes that the mark covers, zeros at the end left out. */
  readonly coveredBytes: number;
}

function usedBytes(path: string): number {
  const bytes = fs.readFileSync(path);
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}

/** The segments that hold something before the mark, oldest first. */
function coveredSegments(dataDir: string): Segment[] {
  const mark = readMark(dataDir);
  if (mark === undefined) return [];
  return fs.readdirSync(`${dataDir}/wal`).filter((name) => /^\d{16}\.wal$/.test(name)).sort()
    .map((name) => ({ sequence: Number(name.slice(0, 16)), path: `${dataDir}/wal/${name}` }))
    .filter(({ sequence }) => sequence <= mark.segment)
    .map(({ sequence, path }) => {
      const used = usedBytes(path);
      const coveredBytes = sequence === mark.segment ? Math.min(used, mark.offset) : used;
      return { sequence, path, coveredBytes };
    })
    .filter(({ coveredBytes }) => coveredBytes > BATCHES_OFFSET);
}

function snapshots(dataDir: string): string[] {
  if (!fs.existsSync(`${dataDir}/snapshots`)) return [];
  return fs.readdirSync(`${dataDir}/snapshots`).filter((name) => name.endsWith(".snap"))
    .map((name) => `${dataDir}/snapshots/${name}`);
}

function flip(path: string, offset: number, random: Random): void {
  const file = fs.openSync(path, "r+");
  const byte = new Uint8Array(1);
  fs.readSync(file, byte, 0, 1, offset);
  byte[0]! ^= 1 << Math.floor(random() * 8);
  fs.writeSync(file, byte, 0, 1, offset);
  fs.closeSync(file);
}

function placeIn(segment: Segment, random: Random): number {
  return BATCHES_OFFSET + Math.floor(random() * (segment.coveredBytes - BATCHES_OFFSET));
}

/** The ways of damaging, by name. */
export const DAMAGES: Readonly<
  Record<string, (dataDir: string, random: Random) => string | undefined>
> = {
  flip(dataDir, random) {
    const segments = coveredSegments(dataDir);
    if (segments.length === 0) return undefined;
    const segment = pick(random, segments);
    const offset = placeIn(segment, random);
    flip(segment.path, offset, random);
    return `a bit flipped at ${offset} of segment ${segment.sequence}`;
  },
  truncate(dataDir, random) {
    const segments = coveredSegments(dataDir);
    if (segments.length === 0) return undefined;
    const segment = pick(random, segments);
    const offset = placeIn(segment, random);
    fs.truncateSync(segment.path, offset);
    return `segment ${segment.sequence} cut to ${offset} bytes`;
  },
  "delete-segment"(dataDir, random) {
    const segments = coveredSegments(dataDir);
    // A log whose every segment is gone is refused, and an operator's matter.
    if (segments.length < 2) return undefined;
    const segment = pick(random, segments);
    fs.rmSync(segment.path);
    return `segment ${segment.sequence} deleted`;
  },
  "flip-snapshot"(dataDir, random) {
    const files = snapshots(dataDir);
    if (files.length === 0) return undefined;
    const path = pick(random, files);
    const offset = Math.floor(random() * fs.statSync(path).size);
    flip(path, offset, random);
    return `a bit flipped at ${offset} of ${path.slice(path.lastIndexOf("/") + 1)}`;
  },
  "delete-snapshot"(dataDir, random) {
    const files = snapshots(dataDir);
    if (files.length === 0) return undefined;
    const path = pick(random, files);
    fs.rmSync(path);
    return `${path.slice(path.lastIndexOf("/") + 1)} deleted`;
  },
};
