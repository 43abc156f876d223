// `deno task wal:inspect DIR`: what the write-ahead log in a stopped node's data directory holds, where its
// first bad frame is, and what recovery would decide. Reads only.

import { type Disk, DiskError } from "../src/platform/ports.ts";
import { SnapshotFileReader } from "../src/snapshot/file_reader.ts";
import { FrameType, getU64, NO_GROUP } from "../src/wal/format.ts";
import { type Scan, scanLog } from "../src/wal/recovery.ts";
import type { Batch, SegmentReader } from "../src/wal/segment_reader.ts";
import { readOnlyDisk } from "./read_only_disk.ts";

const WAL_FOLDER = "wal";
const SNAPSHOT_FOLDER = "snapshots";

/** Frames by type, and the entries' range, of one group in one segment. */
interface GroupTally {
  readonly frames: Map<FrameType, number>;
  firstIndex: number;
  lastIndex: number;
  entryCount: number;
}

interface SegmentTally {
  batches: number;
  end: number;
  readonly groups: Map<number, GroupTally>;
}

class Tally {
  readonly segments = new Map<number, SegmentTally>();

  addBatch(segment: number, reader: SegmentReader, batch: Batch): void {
    let tally = this.segments.get(segment);
    if (tally === undefined) {
      this.segments.set(segment, tally = { batches: 0, end: 0, groups: new Map() });
    }
    tally.batches++;
    tally.end = batch.end;
    for (const offset of reader.frames(batch.start, batch.end)) {
      addFrame(tally.groups, reader.view, reader.at(offset));
    }
  }
}

function addFrame(groups: Map<number, GroupTally>, view: DataView, at: number): void {
  const type = view.getUint8(at + 8) as FrameType;
  const group = view.getUint32(at + 12, true);
  let tally = groups.get(group);
  if (tally === undefined) {
    tally = { frames: new Map(), firstIndex: 0, lastIndex: 0, entryCount: 0 };
    groups.set(group, tally);
  }
  tally.frames.set(type, (tally.frames.get(type) ?? 0) + 1);
  const count = type === FrameType.Append ? view.getUint32(at + 20, true) : 0;
  if (count === 0) return;
  const first = getU64(view, at + 48);
  tally.firstIndex = tally.entryCount === 0 ? first : Math.min(tally.firstIndex, first);
  tally.lastIndex = Math.max(tally.lastIndex, first + count - 1);
  tally.entryCount += count;
}

/** The report, line by line. Throws WalError and DiskError as the log does. */
export function* inspectLog(disk: Disk): Generator<string> {
  const tally = new Tally();
  const scan = scanLog(disk, WAL_FOLDER, {
    onBatch: (segment, reader, batch) => tally.addBatch(segment, reader, batch),
  });
  try {
    yield `node ${scan.nodeId ?? "not yet drawn"}`;
    yield markLine(scan);
    yield "";
    for (const { sequence, path, reader } of scan.segments) {
      const found = tally.segments.get(sequence);
      const content = found === undefined
        ? (reader.header.kind === "ok"
          ? "prepared, holds no batch"
          : `header ${reader.header.kind}`)
        : `${found.batches} batches up to byte ${found.end}`;
      yield `segment ${sequence}  ${path}  ${reader.sizeBytes} bytes  ${content}`;
      for (const [group, groupTally] of found?.groups ?? []) {
        yield `  ${groupLine(group, groupTally)}`;
      }
    }
    yield "";
    yield* groupLines(scan);
    yield "";
    yield* decisionLines(scan);
  } finally {
    for (const { reader } of scan.segments) reader.close();
  }
}

function markLine({ mark }: Scan): string {
  if (mark.kind !== "ok") return `durable mark: ${mark.kind}`;
  const { segment, offset, chain } = mark.mark;
  const slots = mark.badSlots === 0 ? "" : `, ${mark.badSlots} damaged slot`;
  return `durable mark: segment ${segment} byte ${offset}, chain ${hex(chain)}${slots}`;
}

function groupLine(
  group: number,
  { frames, firstIndex, lastIndex, entryCount }: GroupTally,
): string {
  const counts = [...frames].sort(([a], [b]) => a - b)
    .map(([type, count]) => `${count} ${FrameType[type]}`).join(", ");
  const entries = entryCount === 0 ? "" : `; ${entryCount} entries, ${firstIndex}..${lastIndex}`;
  return `${group === NO_GROUP ? "no group" : `group ${group}`}: ${counts}${entries}`;
}

function* groupLines({ state, pending }: Scan): Generator<string> {
  const suffix = pending.length === 0 ? "" : " (before the unproven tail)";
  yield `groups${suffix}:${state.groups.size === 0 ? " none" : ""}`;
  for (const record of state.groups.values()) {
    const { term, vote, commit } = record.hardState;
    yield `  group ${record.group} replica ${record.replicaId}: term ${term} vote ${vote} ` +
      `commit ${commit}, snapshot ${record.snapshot?.index ?? "none"}, ` +
      `entries ${record.firstIndex}..${record.lastIndex}` +
      (record.suspect === null ? "" : `, SUSPECT: ${record.suspect}`);
  }
  for (const [group, replica] of state.tombstones) {
    yield `  group ${group}: replica ${replica} deleted`;
  }
}

function* decisionLines(scan: Scan): Generator<string> {
  const { damages, tail, firstBad, pending, durable } = scan;
  for (const { from, to, reason, groups } of damages) {
    yield `DAMAGED between segment ${from.segment} byte ${from.offset} and segment ${to.segment} ` +
      `byte ${to.offset}: ${reason}`;
    yield groups === null
      ? "  the list of groups is lost with it: all groups are suspect"
      : `  the lost batch names groups ${groups.join(", ")}: these are suspect`;
  }
  const bytes = pending.reduce((sum, { batch }) => sum + batch.end - batch.start, 0);
  if (pending.length > 0) {
    yield `the last ${pending.length} batches (${bytes} bytes) hold, but nothing proves them durable: ` +
      "a start copies them into a new segment";
  }
  if (firstBad === undefined || firstBad.blank) {
    yield `the log ends cleanly at segment ${tail.at.segment} byte ${tail.at.offset}`;
  } else {
    yield `first bad frame: segment ${tail.at.segment} byte ${firstBad.badOffset}, ${firstBad.reason}`;
    yield `  behind the last proof (segment ${durable.segment} byte ${durable.offset}): a torn tail, ` +
      `cut back to byte ${tail.at.offset}`;
  }
  if (damages.length > 0) {
    yield "decision: start, but suspect replicas never again vote or acknowledge";
  } else yield "decision: start, nothing acknowledged is lost";
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

/** A line per snapshot file, its whole body verified. */
export async function* inspectSnapshots(disk: Disk): AsyncGenerator<string> {
  for (const name of disk.list(SNAPSHOT_FOLDER)) {
    const path = `${SNAPSHOT_FOLDER}/${name}`;
    if (!name.endsWith(".snap")) {
      yield `${path}  unfinished`;
      continue;
    }
    try {
      const reader = new SnapshotFileReader(disk, path);
      let chunkCount = 0;
      for await (const _chunk of reader.chunks()) chunkCount++;
      yield `${path}  ${reader.sizeBytes} bytes  ${chunkCount} chunks  whole`;
      reader.close();
    } catch (error) {
      yield `${path}  ${error instanceof Error ? error.message : error}`;
    }
  }
}

if (import.meta.main) {
  const [folder] = Deno.args;
  if (folder === undefined || Deno.args.length > 1 || folder.startsWith("-")) {
    console.log("usage: deno task wal:inspect DIR   (a stopped node's data directory)");
    Deno.exit(folder === "--help" ? 0 : 2);
  }
  try {
    if (!Deno.statSync(folder).isDirectory) throw new DiskError("not-found", "not a directory");
    const disk = readOnlyDisk(folder);
    if (disk.list(WAL_FOLDER).length === 0) throw new DiskError("not-found", "no log in it");
    for (const line of inspectLog(disk)) console.log(line);
    for await (const line of inspectSnapshots(disk)) console.log(line);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(`Cannot inspect ${folder}: ${error.message}`);
    Deno.exit(1);
  }
}
