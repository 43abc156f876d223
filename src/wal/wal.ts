// The node's one write-ahead log, shared by all its groups: records gather in a batch while the batch
// before is being synced; one write and one sync make the whole batch durable. Owns when to write, roll,
// mark, prepare and purge. Never calls back before the sync that covers a record has succeeded.

import { assert } from "../base/assert.ts";
import type { LogIndex, NodeId, PartitionId, ReplicaId } from "../base/ids.ts";
import {
  DISK_FREE_BYTES_MIN,
  DISK_ROOM_MARGIN,
  WAL_BATCH_SIZE_BYTES_MAX,
  WAL_SEGMENT_SIZE_BYTES,
} from "../base/limits.ts";
import {
  type Clock,
  type Disk,
  DiskError,
  type Log,
  type Process,
  type Random,
  type TimerHandle,
} from "../platform/ports.ts";
import { AppendGuard } from "./append_guard.ts";
import { BatchBuffer } from "./batch_buffer.ts";
import { FrameType } from "./format.ts";
import type { LogWriter } from "./log_writer.ts";
import type { MarkKeeper } from "./mark_keeper.ts";
import { openLog } from "./open_log.ts";
import { SegmentPreparer } from "./segment_preparer.ts";
import { SegmentPurger } from "./segment_purger.ts";
import type { GroupAppend, LogPosition, Recovered, SnapshotMarker } from "./types.ts";

const NO_SPACE_RETRY_MS = 100;
const SPACE_CHECK_MS = 1000;

export interface WalOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly process: Process;
  /** Folder of the segments within the data directory. */
  readonly folder?: string;
  readonly segmentSizeBytes?: number;
  readonly batchSizeBytesMax?: number;
  /** Below this much free space `diskLow` is set. */
  readonly freeBytesMin?: number;
  /** `diskLow` changed. */
  readonly onDiskLow?: (low: boolean) => void;
  /** A batch has become durable; how long its sync took. */
  readonly onSynced?: (durationMs: number) => void;
}

export class Wal {
  readonly nodeId: NodeId;
  readonly #options: WalOptions;
  readonly #batchSizeBytesMax: number;
  readonly #freeBytesMin: number;
  readonly #writer: LogWriter;
  readonly #guard: AppendGuard;
  readonly #mark: MarkKeeper;
  readonly #preparer: SegmentPreparer;
  readonly #purger: SegmentPurger;
  #batch = new BatchBuffer();
  /** Parallel: for each record in the batch where it ends, and what to call when it is durable. */
  #recordEnds: number[] = [];
  #callbacks: (() => void)[] = [];
  #inFlight = false;
  /** What to call when the batch in flight is durable. */
  #inFlightCallbacks: (() => void)[] = [];
  /** The last attempt to write met a full disk. */
  #stalled = false;
  /** The batch does not fit the segment and there is no next one yet. */
  #waitsForSegment = false;
  #spaceLow = false;
  #reportedLow = false;
  #spaceTimer: TimerHandle | undefined;
  #retryTimer: TimerHandle | undefined;
  #closing = false;
  #dead = false;
  #idleWaiters: (() => void)[] = [];
  #gather: (callbacks: () => void) => void = (callbacks) => callbacks();

  private constructor(options: WalOptions, opened: ReturnType<typeof openLog>) {
    const { disk, clock } = options;
    this.#options = options;
    this.nodeId = opened.identity.nodeId;
    this.#batchSizeBytesMax = options.batchSizeBytesMax ?? WAL_BATCH_SIZE_BYTES_MAX;
    this.#freeBytesMin = options.freeBytesMin ?? DISK_FREE_BYTES_MIN;
    this.#writer = opened.writer;
    this.#guard = new AppendGuard(opened.writer.state);
    this.#mark = opened.startMark(
      clock,
      (cause) => this.#failLater("Cannot write the durable mark", cause),
    );
    this.#preparer = new SegmentPreparer(
      opened.identity,
      clock,
      this.#freeBytesMin / 4,
      {
        used: () => this.#writer.end.offset / this.#writer.segment.capacityBytes,
        onReady: () => this.#onPrepared(),
        onNoSpace: () => this.#onUnprepared(),
        onFailure: (cause) => this.#failLater("Cannot prepare a log segment", cause),
      },
    );
    this.#purger = new SegmentPurger(
      disk,
      opened.identity.folder,
      opened.segments,
      opened.writer.state,
      (cause) => this.#failLater("Cannot remove a log segment", cause),
    );
    this.#prepareNext();
    this.#checkSpace();
  }

  /**
   * Locks the data directory, recovers the log, and makes what was recovered durable (RULES 3) before
   * it returns. Draws the nodeId when there is no log yet.
   *
   * @throws DiskError `locked`; WalError when the log can't be used at all.
   */
  static open(options: WalOptions): Promise<{ wal: Wal; recovered: Recovered }> {
    return new Promise((resolve) => {
      options.disk.lock();
      const opened = openLog(options);
      const wal = new Wal(options, opened);
      const recovered = opened.recovered(options.clock, () => wal.#purger.release());
      resolve({ wal, recovered });
    });
  }

  /** The callbacks of each sync are run by `gather` from now on, so that what they wake is done in one go. */
  gatherBy(gather: (callbacks: () => void) => void): void {
    this.#gather = gather;
  }

  /** True when clients' writes should be refused: space is short, though the log itself still goes on. */
  get diskLow(): boolean {
    return this.#spaceLow || this.#stalled;
  }

  /** Bytes gathered and not yet handed to the disk. */
  get queuedBytes(): number {
    return this.#batch.length;
  }

  /** Bytes of all segment files up to the log's end. */
  get sizeBytes(): number {
    return this.#purger.sizeBytes(this.#writer.end);
  }

  /** Log bytes of the group's entries behind its newest snapshot (an estimate after a truncation). */
  bytesSinceSnapshot(group: PartitionId): number {
    return this.#writer.state.groups.get(group)?.bytesSinceSnapshot ?? 0;
  }

  /** Groups whose entries keep the oldest segment; a snapshot of each lets it go. */
  oldestPins(): PartitionId[] {
    return this.#purger.oldestPins();
  }

  /** Gathers one step of a group. Its bytes are copied before the call returns. */
  append(append: GroupAppend, onDurable: () => void): void {
    const { group, hardState, entries, snapshot } = append;
    this.#guard.append(append);
    if (snapshot) this.#batch.snapshot(group, "installed", snapshot);
    if (hardState || entries.length > 0) this.#batch.append(group, hardState ?? null, entries);
    this.#record(onDurable);
  }

  /** Calls back once everything appended so far is durable; writes and syncs nothing itself. */
  afterPending(callback: () => void): void {
    if (this.#recordEnds.length > 0) this.#record(callback);
    else if (this.#inFlight) this.#inFlightCallbacks.push(callback);
    else callback();
  }

  /** Calls back when the sync under way has ended, whatever was appended since; at once if there is none. */
  afterSync(callback: () => void): void {
    if (this.#inFlight) this.#inFlightCallbacks.push(callback);
    else callback();
  }

  /** Whether a sync is under way. */
  get isSyncing(): boolean {
    return this.#inFlight;
  }

  /** A configuration took effect at `index`. Durable with the batch it gathers in. */
  recordConfiguration(group: PartitionId, index: LogIndex, confState: Uint8Array): void {
    this.#guard.known(group);
    this.#batch.configuration(group, index, confState);
    this.#record(undefined);
  }

  /** The group's snapshot file up to `marker.index` is durable: entries up to it may go. */
  snapshotTaken(group: PartitionId, marker: SnapshotMarker, onDurable?: () => void): void {
    this.#guard.snapshotTaken(group, marker);
    this.#batch.snapshot(group, "taken", marker);
    this.#record(onDurable);
  }

  /** Whether `createGroup` would refuse the replica: it, or a later one, was deleted here. */
  isDeleted(group: PartitionId, replicaId: ReplicaId): boolean {
    return this.#guard.isBuried(group, replicaId);
  }

  /** Must come before anything else of a group. Throws if a tombstone refuses `replicaId`. */
  createGroup(group: PartitionId, replicaId: ReplicaId, onDurable?: () => void): void {
    this.#guard.created(group, replicaId);
    this.#batch.replica(FrameType.Created, group, replicaId);
    this.#record(onDurable);
  }

  /** Forgets the group's replica and refuses ids up to `replicaId` from now on. */
  removeGroup(group: PartitionId, replicaId: ReplicaId, onDurable?: () => void): void {
    this.#guard.removed(group, replicaId);
    this.#batch.replica(FrameType.Tombstone, group, replicaId);
    this.#record(onDurable);
  }

  /** Keeps an opaque record of the node itself, the newest per `kind`. */
  putNodeRecord(kind: number, record: Uint8Array, onDurable?: () => void): void {
    this.#batch.nodeRecord(kind, record);
    this.#record(onDurable);
  }

  /** Starts to write what has gathered, unless a batch is in flight; that one's end will do it then. */
  flush(): void {
    if (this.#inFlight || this.#stalled || this.#waitsForSegment || this.#dead) return;
    if (this.#recordEnds.length > 0) this.#start();
  }

  /** Writes and syncs everything, refreshes the mark and closes. A full disk makes it give up waiting. */
  async close(): Promise<void> {
    this.#closing = true;
    this.flush();
    while ((this.#inFlight || this.#recordEnds.length > 0) && !this.#stalled && !this.#dead) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
      this.flush();
    }
    this.#spaceTimer?.cancel();
    this.#retryTimer?.cancel();
    if (this.#dead) return;
    this.#dead = true;
    this.#preparer.close();
    await this.#purger.settled();
    this.#mark.close();
    this.#writer.segment.file.close();
  }

  #record(onDurable: (() => void) | undefined): void {
    assert(!this.#closing || this.#dead, "nothing is appended to a closing log");
    this.#recordEnds.push(this.#batch.length);
    this.#callbacks.push(onDurable ?? noop);
  }

  #start(): void {
    const rest = this.#splitOff();
    try {
      if (!this.#makeRoom()) {
        this.#rejoin(rest);
        return;
      }
      this.#writer.write(this.#batch);
    } catch (error) {
      this.#rejoin(rest);
      if (error instanceof DiskError && error.code === "no-space") return this.#stall();
      return this.#fail("Cannot write the log", error);
    }
    const callbacks = this.#callbacks;
    this.#batch.clear();
    this.#recordEnds = [];
    this.#callbacks = [];
    this.#rejoin(rest);
    const end = this.#writer.end;
    const chain = this.#writer.chain;
    this.#inFlight = true;
    this.#inFlightCallbacks = callbacks;
    const { clock, onSynced } = this.#options;
    const startedMs = clock.monotonicMs();
    this.#writer.segment.file.sync().then(
      () => {
        onSynced?.(clock.monotonicMs() - startedMs);
        this.#onSynced(end, chain, callbacks);
      },
      (cause) => this.#fail("Cannot sync the log", cause),
    ).catch((error) => this.#onEndOfProcess(error));
  }

  #onSynced(end: LogPosition, chain: number, callbacks: readonly (() => void)[]): void {
    if (this.#dead) return;
    this.#inFlight = false;
    this.#writer.durable = end;
    this.#mark.advance(end, chain);
    // Everything in the state is durable right now, and not any more once the next batch is written.
    this.#purger.collect(end.segment);
    if (this.#recordEnds.length > 0) this.#start();
    this.#gather(() => {
      for (const callback of callbacks) {
        if (this.#dead) return;
        callback();
      }
    });
    if (!this.#inFlight) { for (const resolve of this.#idleWaiters.splice(0)) resolve(); }
  }

  /** Rolls on when the segment is full; false if the batch has to wait for the next segment. */
  #makeRoom(): boolean {
    if (!this.#writer.isFull(this.#batch.length)) return true;
    const next = this.#preparer.ready;
    if (next === undefined) {
      this.#waitsForSegment = true;
      this.#preparer.hurry();
      this.#prepareNext();
      return false;
    }
    const full = this.#writer.segment;
    this.#writer.roll(next);
    this.#purger.rolled(full, next);
    full.file.close();
    this.#preparer.taken();
    this.#prepareNext();
    return true;
  }

  /** The first segment is small, so that the start need not wait; each is twice as long as the one before. */
  #prepareNext(): void {
    const { sequence, capacityBytes } = this.#writer.segment;
    const sizeBytesMax = this.#options.segmentSizeBytes ?? WAL_SEGMENT_SIZE_BYTES;
    this.#preparer.start(sequence + 1, Math.min(2 * capacityBytes, sizeBytesMax));
  }

  #onPrepared(): void {
    this.#waitsForSegment = false;
    this.flush();
  }

  #onUnprepared(): void {
    if (this.#dead) return;
    this.#checkSpace();
    if (this.#waitsForSegment && !this.#stalled) this.#stall();
  }

  /** When more has gathered than one batch may hold, the records beyond go into the next one. */
  #splitOff(): SplitRecords | undefined {
    if (this.#batch.length <= this.#batchSizeBytesMax) return undefined;
    let kept = 1;
    while (kept < this.#recordEnds.length && this.#recordEnds[kept] <= this.#batchSizeBytesMax) {
      kept++;
    }
    if (kept === this.#recordEnds.length) return undefined;
    const from = this.#recordEnds[kept - 1];
    const rest = {
      bytes: this.#batch.bytes.slice(from, this.#batch.length),
      ends: this.#recordEnds.splice(kept),
      callbacks: this.#callbacks.splice(kept),
      from,
    };
    this.#batch.length = from;
    return rest;
  }

  /** Puts split-off records behind what the batch holds now. */
  #rejoin(rest: SplitRecords | undefined): void {
    if (rest === undefined) return;
    const base = this.#batch.length;
    this.#batch.copyFrame(rest.bytes);
    for (const end of rest.ends) this.#recordEnds.push(end - rest.from + base);
    this.#callbacks.push(...rest.callbacks);
  }

  /** The disk is full: nothing was acknowledged, the batch stays and is written again later. */
  #stall(): void {
    if (!this.#stalled) {
      this.#options.log.log("error", "the disk is full: the log waits", {
        queuedBytes: this.#batch.length,
      });
    }
    this.#stalled = true;
    this.#reportSpace();
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
    this.#retryTimer = this.#options.clock.setTimer(NO_SPACE_RETRY_MS, () => {
      if (this.#dead) return;
      this.#stalled = false;
      this.#waitsForSegment = false;
      this.flush();
      this.#reportSpace();
    });
  }

  #checkSpace(): void {
    this.#spaceTimer?.cancel();
    if (this.#dead) return;
    const freeBytes = this.#options.disk.freeBytes();
    const needed = this.#spaceLow ? this.#freeBytesMin * DISK_ROOM_MARGIN : this.#freeBytesMin;
    this.#spaceLow = freeBytes < needed;
    this.#reportSpace();
    this.#spaceTimer = this.#options.clock.setTimer(SPACE_CHECK_MS, () => {
      this.#checkSpace();
      this.#prepareNext();
    });
  }

  #reportSpace(): void {
    if (this.diskLow === this.#reportedLow) return;
    this.#reportedLow = this.diskLow;
    const level = this.diskLow ? "warn" : "info";
    this.#options.log.log(level, this.diskLow ? "disk space is low" : "disk space is back");
    this.#options.onDiskLow?.(this.diskLow);
  }

  /** A failed sync is never tried again: what the disk holds is unknown from then on (RULES 6). */
  #fail(reason: string, cause: unknown): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#mark.abandon();
    this.#spaceTimer?.cancel();
    this.#retryTimer?.cancel();
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
    this.#options.process.fatal(reason, cause);
  }

  /** As `#fail`, from background work. */
  #failLater(reason: string, cause: unknown): void {
    try {
      this.#fail(reason, cause);
    } catch (error) {
      this.#onEndOfProcess(error);
    }
  }

  /** A simulated process ends by throwing: behind a promise there is nobody left to unwind to. */
  #onEndOfProcess(error: unknown): void {
    if (!this.#dead) throw error;
  }
}

interface SplitRecords {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ends: readonly number[];
  readonly callbacks: readonly (() => void)[];
  /** Offset in the old batch at which `bytes` began. */
  readonly from: number;
}

function noop(): void {}
