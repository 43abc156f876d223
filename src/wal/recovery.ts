// Reads a whole log and decides what it says: which batches hold, where acknowledged data is damaged,
// where a torn tail begins (RULES 2 and 4). Read-only; the inspector runs the same code.
//
// Evidence that a place had been durable: the durable mark behind it, or a later valid commit frame whose
// "durable before" lies behind it. Without evidence a break is a torn tail.

import type { NodeId, PartitionId } from "../base/ids.ts";
import type { Disk } from "../platform/ports.ts";
import {
  type BatchContent,
  frameBytes,
  SEGMENT_HEADER_BYTES,
  segmentName,
  segmentSequence,
} from "./format.ts";
import { LogState } from "./log_state.ts";
import { type MarkReading, newerVersion, readMark } from "./mark.ts";
import { type BadBatch, type Batch, SegmentReader } from "./segment_reader.ts";
import {
  comparePositions,
  type Damage,
  type LogPosition,
  type TornTail,
  WalError,
} from "./types.ts";

/** A segment file as found. */
export interface ScannedSegment {
  readonly sequence: number;
  readonly path: string;
  readonly reader: SegmentReader;
  /** "durable before" of the first readable commit frame; undefined if there is none. */
  readonly statement: LogPosition | undefined;
  /** That frame ends the segment's first batch: what it says of earlier segments is where they end. */
  readonly isLink: boolean;
}

/** A batch that holds but that nothing proves durable: only the page cache may have it. */
export interface PendingBatch {
  readonly reader: SegmentReader;
  readonly segment: number;
  readonly batch: Batch;
}

export interface Scan {
  /** Undefined when no segment holds a batch: the log is yet to be created. */
  readonly nodeId: NodeId | undefined;
  readonly segments: readonly ScannedSegment[];
  /** Highest sequence that holds a batch; 0 if none does. */
  readonly lastUsed: number;
  readonly mark: MarkReading;
  /** The log's content up to `durable`. */
  readonly state: LogState;
  /** Up to here the log is proven durable, the damages excepted. */
  readonly durable: LogPosition;
  readonly chain: number;
  readonly batchNumber: number;
  readonly pending: readonly PendingBatch[];
  readonly damages: readonly Damage[];
  readonly tail: TornTail;
  /** What was read where the last used segment breaks off. */
  readonly firstBad: BadBatch | undefined;
}

export interface ScanObserver {
  /** A batch that holds; its frames are in the reader's window. */
  onBatch?(segment: number, reader: SegmentReader, batch: Batch): void;
}

function* sequencesIn(disk: Disk, folder: string): Generator<number> {
  for (const name of disk.list(folder)) {
    const sequence = segmentSequence(name);
    if (sequence !== undefined && sequence > 0) yield sequence;
  }
}

function openSegment(disk: Disk, folder: string, sequence: number): ScannedSegment {
  const path = `${folder}/${segmentName(sequence)}`;
  const reader = new SegmentReader(disk, path);
  if (reader.header.kind === "newer") throw newerVersion(path, reader.header.version);
  const base = { sequence, path, reader };
  if (reader.header.kind !== "ok" || reader.header.header.sequence !== sequence) {
    return { ...base, statement: undefined, isLink: false };
  }
  const head = reader.batchAt(SEGMENT_HEADER_BYTES, reader.sizeBytes, undefined);
  const found = "commit" in head ? head : reader.findCommit(SEGMENT_HEADER_BYTES, reader.sizeBytes);
  if (found === undefined) return { ...base, statement: undefined, isLink: false };
  const { durableSegment, durableOffset } = found.commit;
  reader.release();
  return {
    ...base,
    statement: { segment: durableSegment, offset: durableOffset },
    isLink: found.start === SEGMENT_HEADER_BYTES,
  };
}

class Scanner {
  readonly #segments: readonly ScannedSegment[];
  readonly #mark: MarkReading;
  readonly #observer: ScanObserver;
  readonly #state = new LogState();
  readonly #damages: Damage[] = [];
  #pending: PendingBatch[] = [];
  /** Everything before it had been synced, as far as is known. */
  #proven: LogPosition = { segment: 0, offset: 0 };
  #durable: LogPosition = { segment: 0, offset: 0 };
  #durableChain = 0;
  #durableNumber = 0;
  /** Chain at the place reached; undefined behind damage. */
  #chain: number | undefined;
  #end: LogPosition = { segment: 0, offset: 0 };
  #markMatched = false;
  #firstBad: BadBatch | undefined;

  constructor(segments: readonly ScannedSegment[], mark: MarkReading, observer: ScanObserver) {
    this.#segments = segments;
    this.#mark = mark;
    this.#observer = observer;
    if (mark.kind === "ok") this.#prove(mark.mark);
    for (const { statement } of segments) if (statement !== undefined) this.#prove(statement);
  }

  run(): Scan {
    const used = this.#segments.findLastIndex((segment) => segment.statement !== undefined);
    for (let i = 0; i <= used; i++) {
      const previous = this.#segments[i - 1];
      const { sequence } = this.#segments[i];
      if (previous !== undefined && sequence !== previous.sequence + 1) {
        const from = { segment: previous.sequence + 1, offset: 0 };
        this.#damage(from, { segment: sequence, offset: 0 }, "segments are missing", null);
      }
      this.#walk(i, used);
      for (const { reader } of this.#segments.slice(0, i)) {
        if (!this.#pending.some((pending) => pending.reader === reader)) reader.release();
      }
    }
    const lastUsed = used === -1 ? 0 : this.#segments[used].sequence;
    if (lastUsed > 0) this.#checkMark();
    else this.#checkNeverUsed();
    const torn = this.#firstBad !== undefined && !this.#firstBad.blank;
    return {
      nodeId: lastUsed === 0 ? undefined : nodeIdOf(this.#segments),
      segments: this.#segments,
      lastUsed,
      mark: this.#mark,
      state: this.#state,
      durable: this.#durable,
      chain: this.#durableChain,
      batchNumber: this.#durableNumber,
      pending: this.#pending,
      damages: this.#damages,
      tail: { at: this.#end, torn },
      firstBad: this.#firstBad,
    };
  }

  /** Where the segment's content ends, as a later segment says; its size if none does. */
  #limit(i: number): { readonly limit: number; readonly stated: boolean } {
    const { sequence, reader } = this.#segments[i];
    const next = this.#segments[i + 1];
    if (next?.statement === undefined || !next.isLink || next.statement.segment > sequence) {
      return { limit: reader.sizeBytes, stated: false };
    }
    const { segment, offset } = next.statement;
    // Recovery re-copied what an unproven segment held: nothing in it counts.
    return { limit: segment === sequence ? offset : SEGMENT_HEADER_BYTES, stated: true };
  }

  #walk(i: number, lastUsed: number): void {
    const { sequence, reader } = this.#segments[i];
    const { limit, stated } = this.#limit(i);
    let offset = SEGMENT_HEADER_BYTES;
    while (offset < limit) {
      const batch = reader.batchAt(offset, limit, this.#chain);
      if ("commit" in batch) {
        this.#take(sequence, reader, batch);
        offset = batch.end;
        continue;
      }
      const here = { segment: sequence, offset };
      if ("commit" in reader.batchAt(offset, limit, undefined)) {
        this.#damage(here, here, "the log before is not the one this batch continues", null);
        continue;
      }
      const next = reader.findCommit(offset, limit);
      if (next === undefined || !this.#provenBehind(reader, here, limit)) {
        if (i === lastUsed) this.#firstBad = batch;
        break;
      }
      const words = `${batch.reason} at byte ${batch.badOffset} of segment ${sequence}`;
      if (next.start === offset) {
        this.#damage(here, { segment: sequence, offset: next.end }, words, next.commit.groups);
        this.#chain = next.commit.chainAfter;
        this.#setDurable(sequence, next);
        offset = next.end;
      } else {
        this.#damage(here, { segment: sequence, offset: next.start }, words, null);
        offset = next.start;
      }
    }
    this.#end = { segment: sequence, offset };
    if (stated && offset < limit) {
      const to = { segment: sequence, offset: limit };
      this.#damage(this.#end, to, `segment ${sequence} breaks off at byte ${offset}`, null);
    }
  }

  #take(segment: number, reader: SegmentReader, batch: Batch): void {
    const { commit, end } = batch;
    this.#chain = commit.chainAfter;
    this.#prove({ segment: commit.durableSegment, offset: commit.durableOffset });
    this.#settle();
    this.#observer.onBatch?.(segment, reader, batch);
    this.#pending.push({ segment, reader, batch });
    this.#settle();
    if (this.#mark.kind !== "ok") return;
    const { mark } = this.#mark;
    if (mark.segment === segment && mark.offset === end && mark.chain === commit.chainAfter) {
      this.#markMatched = true;
    }
  }

  #prove(position: LogPosition): void {
    if (comparePositions(position, this.#proven) > 0) this.#proven = position;
  }

  /** Applies the pending batches that are proven by now. */
  #settle(): void {
    let settled = 0;
    for (const pending of this.#pending) {
      const { segment, batch } = pending;
      if (comparePositions({ segment, offset: batch.end }, this.#proven) > 0) break;
      this.#apply(pending);
      settled++;
    }
    if (settled > 0) this.#pending = this.#pending.slice(settled);
  }

  #apply({ segment, reader, batch }: PendingBatch): void {
    reader.ensure(batch.start, batch.end - batch.start);
    for (let offset = batch.start; offset < batch.commitOffset;) {
      const at = reader.at(offset);
      this.#state.apply(reader.view, at, segment, offset);
      offset += frameBytes(reader.view, at);
    }
    this.#state.endBatch(batch.commit);
    this.#setDurable(segment, batch);
  }

  #setDurable(segment: number, batch: Batch): void {
    this.#durable = { segment, offset: batch.end };
    this.#durableChain = batch.commit.chainAfter;
    this.#durableNumber = batch.commit.batchNumber;
  }

  #provenBehind(reader: SegmentReader, here: LogPosition, limit: number): boolean {
    if (comparePositions(this.#proven, here) > 0) return true;
    for (let from = here.offset;;) {
      const found = reader.findCommit(from, limit);
      if (found === undefined) return false;
      const { durableSegment, durableOffset } = found.commit;
      const statement = { segment: durableSegment, offset: durableOffset };
      if (comparePositions(statement, here) > 0) return true;
      from = found.end;
    }
  }

  /** Acknowledged data is lost between `from` and `to`. What came before it is durable. */
  #damage(
    from: LogPosition,
    to: LogPosition,
    reason: string,
    contents: ReadonlyMap<PartitionId, BatchContent> | null,
  ): void {
    this.#prove(from);
    this.#settle();
    this.#chain = undefined;
    this.#state.recordDamage(contents, reason);
    this.#damages.push({
      from,
      to,
      reason,
      groups: contents === null ? null : [...contents.keys()],
    });
  }

  /** No segment holds a batch: that is a log yet to be created, unless something proves otherwise. */
  #checkNeverUsed(): void {
    const everDurable = comparePositions(this.#proven, { segment: 0, offset: 0 }) > 0;
    // The mark is synced before the first segment is created.
    const markLost = this.#mark.kind !== "ok" && this.#segments.length > 0;
    if (!everDurable && !markLost) return;
    throw new WalError(
      "identity-lost",
      "Cannot recover: the log had been in use, and no segment of it can be read; move the data " +
        "directory away and let the node join as a new one",
    );
  }

  #checkMark(): void {
    if (this.#mark.kind !== "ok") {
      this.#damage(this.#end, this.#end, "the durable mark can't be read", null);
      return;
    }
    const { mark } = this.#mark;
    if (comparePositions(mark, this.#end) > 0) {
      const reason = `the log ends before byte ${mark.offset} of segment ${mark.segment}, ` +
        "up to where it had been durable";
      this.#damage(this.#end, mark, reason, null);
      return;
    }
    if (this.#markMatched || mark.segment < this.#segments[0].sequence) return;
    const within = this.#damages.some(({ from, to }) =>
      comparePositions(from, mark) <= 0 && comparePositions(mark, to) <= 0
    );
    if (!within) {
      this.#damage(mark, mark, "the log is not the one that the durable mark speaks of", null);
    }
  }
}

function nodeIdOf(segments: readonly ScannedSegment[]): NodeId {
  let nodeId: NodeId | undefined;
  for (const { reader, path, statement } of segments) {
    if (statement === undefined || reader.header.kind !== "ok") continue;
    const found = reader.header.header.nodeId;
    nodeId ??= found;
    if (nodeId !== found) {
      throw new WalError(
        "foreign-segment",
        `Cannot recover: ${path} belongs to node ${found}, the others to node ${nodeId}`,
      );
    }
  }
  return nodeId!;
}

/**
 * Scans the log in `folder`. The readers stay open for the caller, who closes them.
 *
 * @throws WalError when the log can't be used at all; DiskError as the disk does.
 */
export function scanLog(disk: Disk, folder: string, observer: ScanObserver = {}): Scan {
  const mark = readMark(disk, folder);
  const sequences = [...sequencesIn(disk, folder)].sort((a, b) => a - b);
  const segments = sequences.map((sequence) => openSegment(disk, folder, sequence));
  return new Scanner(segments, mark, observer).run();
}
