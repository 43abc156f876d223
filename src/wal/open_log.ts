// Takes a scanned log into service: everything past the last proven-durable point is copied into a new
// segment, synced, and the old tail discarded, before anyone may vote on it (RULES 3). Blocking; runs
// once, at the start.

import { hexFromBytes } from "../base/bytes.ts";
import type { PartitionId } from "../base/ids.ts";
import { WAL_SEGMENT_SIZE_BYTES } from "../base/limits.ts";
import type { Clock, Disk, Log, Random } from "../platform/ports.ts";
import { BatchBuffer } from "./batch_buffer.ts";
import { FrameType } from "./format.ts";
import { LogWriter } from "./log_writer.ts";
import { MarkFile } from "./mark.ts";
import { MarkKeeper } from "./mark_keeper.ts";
import { type PendingBatch, type Scan, scanLog } from "./recovery.ts";
import { planReplay, Replay } from "./replay.ts";
import { createSegmentSync, type SegmentIdentity } from "./segment_preparer.ts";
import type { SegmentEntry } from "./segment_purger.ts";
import type { EntryVisitor, Recovered, RecoveredGroup } from "./types.ts";

/** The first segment after a start is small, so that the start need not wait for a long zero fill. */
const START_SEGMENT_BYTES = 4 * 1024 * 1024;
const TEMPORARY_NAME = "new.tmp";

export interface OpenLogOptions {
  readonly disk: Disk;
  readonly random: Random;
  readonly log: Log;
  readonly folder?: string;
  readonly segmentSizeBytes?: number;
}

export interface OpenedLog {
  readonly identity: SegmentIdentity;
  readonly writer: LogWriter;
  readonly segments: readonly SegmentEntry[];
  startMark(clock: Clock, onFailure: (cause: unknown) => void): MarkKeeper;
  recovered(clock: Clock, onReplayed: () => void): Recovered;
}

export function openLog(options: OpenLogOptions): OpenedLog {
  const { disk, random, log, folder = "wal" } = options;
  disk.mkdir(folder);
  disk.syncDirectorySync("");
  const scan = scanLog(disk, folder);
  try {
    return takeIntoService(scan, { ...options, folder }, {
      disk,
      folder,
      random,
      nodeId: scan.nodeId ?? hexFromBytes(random.bytes(16)),
    });
  } finally {
    for (const { reader } of scan.segments) reader.close();
    for (const damage of scan.damages) log.log("error", "acknowledged data is damaged", { damage });
  }
}

function takeIntoService(
  scan: Scan,
  options: OpenLogOptions & { readonly folder: string },
  identity: SegmentIdentity,
): OpenedLog {
  const { disk, folder } = identity;
  const fresh = scan.nodeId === undefined;
  // A new log's mark comes before its first segment; an old log's unreadable mark is replaced only when
  // the suspicion that it raised is durable.
  const freshMark = fresh ? MarkFile.open(disk, folder, scan.mark) : undefined;
  const writer = new LogWriter(scan.state, scan.durable, scan.chain, scan.batchNumber);
  const sequence = scan.lastUsed + 1;
  const capacityBytes = Math.min(
    START_SEGMENT_BYTES,
    options.segmentSizeBytes ?? WAL_SEGMENT_SIZE_BYTES,
  );
  const temporary = `${folder}/${TEMPORARY_NAME}`;
  const segment = createSegmentSync(identity, sequence, temporary, capacityBytes);
  writer.roll(segment);
  const tail = copyOfTail(scan.pending);
  if (tail.length > 0) writer.write(tail);
  // Only now: the tail may hold the very snapshot record that let earlier segments go.
  if (scan.state.checkComplete()) writer.checkpoint();
  segment.file.syncSync();
  disk.rename(temporary, segment.path);
  disk.syncDirectorySync(folder);
  writer.durable = writer.end;
  discardOldTail(disk, scan, sequence);

  const markFile = freshMark ?? MarkFile.open(disk, folder, scan.mark);
  markFile.write(writer.end, writer.chain);
  markFile.syncSync();
  const segments = [
    ...scan.segments.filter((old) => old.sequence < sequence).map((old) => ({
      sequence: old.sequence,
      sizeBytes: old.reader.sizeBytes,
    })),
    { sequence, sizeBytes: 0 },
  ];
  return {
    identity,
    writer,
    segments,
    startMark: (clock, onFailure) =>
      new MarkKeeper(markFile, clock, writer.end, writer.chain, onFailure),
    recovered: (clock, onReplayed) => recoveredView(scan, identity, fresh, clock, onReplayed),
  };
}

/**
 * The records of the unproven batches, a checkpoint's too: when earlier segments are gone already, it is
 * all there is of groups without entries.
 */
function copyOfTail(pending: readonly PendingBatch[]): BatchBuffer {
  const copy = new BatchBuffer();
  for (const { reader, batch } of pending) {
    reader.ensure(batch.start, batch.end - batch.start);
    for (const offset of reader.frames(batch.start, batch.commitOffset)) {
      const type = reader.view.getUint8(reader.at(offset) + 8) as FrameType;
      if (type === FrameType.CheckpointBegin) continue;
      copy.copyFrame(reader.frame(offset));
    }
  }
  return copy;
}

/** What the new segment repeats, or what was torn, goes. Readers ignore it even if this is cut short. */
function discardOldTail(disk: Disk, scan: Scan, sequence: number): void {
  for (const old of scan.segments) {
    if (old.sequence > sequence) disk.remove(old.path);
    if (old.sequence !== scan.durable.segment || old.sequence >= sequence) continue;
    if (old.reader.sizeBytes <= scan.durable.offset || scan.damages.length > 0) continue;
    const file = disk.open(old.path);
    file.truncateSync(scan.durable.offset);
    file.close();
  }
}

function recoveredView(
  scan: Scan,
  identity: SegmentIdentity,
  fresh: boolean,
  clock: Clock,
  onReplayed: () => void,
): Recovered {
  const { state } = scan;
  const groups = new Map<PartitionId, RecoveredGroup>();
  for (const record of state.groups.values()) groups.set(record.group, record.view());
  const plan = planReplay(state);
  let replayed = false;
  return {
    nodeId: identity.nodeId,
    fresh,
    groups,
    tombstones: new Map(state.tombstones),
    nodeRecords: new Map(state.nodeRecords),
    damages: scan.damages,
    tail: scan.tail,
    async replay(visitor: EntryVisitor): Promise<void> {
      if (replayed) throw new Error("Cannot replay twice: entries may be gone");
      replayed = true;
      await new Replay(identity.disk, identity.folder, clock, plan, visitor).run();
      onReplayed();
    },
  };
}
