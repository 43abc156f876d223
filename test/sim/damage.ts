// Where a simulated disk may be damaged so that the product must notice: the log before its durable mark, and
// snapshot files. Damage behind the mark can't be told from a torn tail (RULES 2), so it promises nothing.

import { readMark } from "../../src/wal/mark.ts";
import { segmentName, segmentSequence } from "../../src/wal/format.ts";
import type { SimDisk } from "./disk.ts";

const LOG_FOLDER = "wal";
const SNAPSHOT_FOLDER = "snapshots";

/** A write of the log that landed elsewhere. */
export interface Misdirected {
  readonly segment: number;
  /** First byte behind the place where it should be. */
  readonly end: number;
}

interface Span {
  readonly path: string;
  readonly bytes: number;
}

/** The parts of the log that its mark proves durable. */
function durableSpans(disk: SimDisk): Span[] {
  const reading = readMark(disk, LOG_FOLDER);
  if (reading.kind !== "ok") return [];
  const { mark } = reading;
  const spans: Span[] = [];
  for (const name of disk.list(LOG_FOLDER)) {
    const segment = segmentSequence(name);
    if (segment === undefined || segment > mark.segment) continue;
    const path = `${LOG_FOLDER}/${name}`;
    const bytes = segment < mark.segment ? disk.open(path).sizeSync() : mark.offset;
    if (bytes > 0) spans.push({ path, bytes });
  }
  return spans;
}

/** Flips a bit at each of `places` (0 to 1) in the log before its mark; says where. */
export function rotLog(disk: SimDisk, places: readonly number[]): string[] {
  return rotSpans(disk, durableSpans(disk), places);
}

/** Flips a bit at each of `places` (0 to 1) in the newest snapshot files; says where. */
export function rotSnapshots(disk: SimDisk, places: readonly number[]): string[] {
  const spans = disk.list(SNAPSHOT_FOLDER).filter((name) => name.endsWith(".snap"))
    .map((name) => `${SNAPSHOT_FOLDER}/${name}`)
    .map((path) => ({ path, bytes: disk.open(path).sizeSync() }));
  return rotSpans(disk, spans, places);
}

function rotSpans(disk: SimDisk, spans: readonly Span[], places: readonly number[]): string[] {
  const total = spans.reduce((sum, { bytes }) => sum + bytes, 0);
  const flipped: string[] = [];
  for (const place of places) {
    let at = Math.floor(place * total);
    for (const { path, bytes } of spans) {
      if (at < bytes) {
        disk.rot(path, at, 1 << Math.floor(place * 1e6) % 8);
        flipped.push(`${path}@${at}`);
        break;
      }
      at -= bytes;
    }
  }
  return flipped;
}

/** Sends the next write of the log's newest segment to `place` (0 to 1) of it; tells when it is done. */
export function misdirectLogWrite(
  disk: SimDisk,
  place: number,
  onDone: (misdirected: Misdirected, landing: number) => void,
): void {
  disk.misdirectNextWrite = (path, offset, lengthBytes) => {
    const segment = segmentSequence(path.slice(LOG_FOLDER.length + 1));
    if (segment === undefined || offset === 0) return undefined;
    const sizeBytes = disk.open(path).sizeSync();
    const landing = Math.floor(place * (sizeBytes - lengthBytes) / 512) * 512;
    // On top of itself, or where the end of the log would seem to be: no misdirection that could show.
    if (landing < 0 || Math.abs(landing - offset) < lengthBytes + 4096) return undefined;
    onDone({ segment, end: offset + lengthBytes }, landing);
    return landing;
  };
}

/** Whether the mark says that what was misdirected had been durable, so that recovery must notice. */
export function isProvenDurable(disk: SimDisk, { segment, end }: Misdirected): boolean {
  const reading = readMark(disk, LOG_FOLDER);
  if (reading.kind !== "ok") return false;
  const { mark } = reading;
  return mark.segment > segment || (mark.segment === segment && mark.offset >= end) ||
    !disk.exists(`${LOG_FOLDER}/${segmentName(segment)}`);
}
