// Writes one snapshot's bytes into a temporary file in slices: a moment of encoding, a write off the event
// loop, a pause that leaves most of the event loop, and of the disk's budget, to others. Never makes the file visible; the store does.

import type { Clock, DiskFile } from "../platform/ports.ts";
import {
  encodeHeader,
  FOOTER_BYTES,
  FRAME_HEADER_BYTES,
  FrameChain,
  frameParts,
} from "./format.ts";
import type { SnapshotSource } from "./types.ts";

/** Longest stretch of encoding before requests get their turn. */
const SLICE_MS = 1;
/** Of each ms of encoding so many are left to others: snapshots are taken while requests come in. */
const PAUSE_RATIO = 3;
/** Bytes gathered for one write. */
const WRITE_BYTES = 1024 * 1024;
/** Bytes between two syncs, so that none of them has much to do beside the log's. */
const SYNC_EVERY_BYTES = 8 * 1024 * 1024;

export interface WritePace {
  readonly clock: Clock;
  /** Upper bound of the writing rate. */
  readonly bytesPerSecondMax: number;
}

export class SnapshotFileWriter {
  readonly #file: DiskFile;
  readonly #pace: WritePace;
  readonly #sync: () => Promise<void>;
  readonly #startedMs: number;
  #buffer = new Uint8Array(WRITE_BYTES + WRITE_BYTES / 2);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;
  #offset = 0;
  #unsyncedBytes = 0;

  /** `sync` syncs `file`, and does not return if that failed. */
  constructor(file: DiskFile, pace: WritePace, sync: () => Promise<void>) {
    this.#file = file;
    this.#pace = pace;
    this.#sync = sync;
    this.#startedMs = pace.clock.monotonicMs();
  }

  /**
   * Writes header, frames and footer and syncs them. `abandoned` is asked between slices.
   *
   * @returns the file's size in bytes, or undefined when it was abandoned.
   */
  async write(source: SnapshotSource, abandoned: () => boolean): Promise<number | undefined> {
    const { clock } = this.#pace;
    const header = encodeHeader(source.metadata);
    const chain = new FrameChain(new DataView(header.buffer).getUint32(header.length - 4, true));
    this.#put(header);
    const chunks = source.chunks();
    let workedMs = 0;
    let sinceMs = clock.monotonicMs();
    for (let next = chunks.next(); !next.done; next = chunks.next()) {
      for (const { data, last } of frameParts(next.value)) {
        this.#reserve(FRAME_HEADER_BYTES + data.length);
        chain.encodeFrame(this.#view, this.#length, data, !last);
        this.#length += FRAME_HEADER_BYTES + data.length;
        if (this.#length < WRITE_BYTES) continue;
        // Waiting for the disk is no work.
        workedMs += clock.monotonicMs() - sinceMs;
        await this.#flush();
        sinceMs = clock.monotonicMs();
      }
      workedMs += clock.monotonicMs() - sinceMs;
      if (workedMs >= SLICE_MS) {
        await this.#rest(PAUSE_RATIO * workedMs);
        if (abandoned()) return undefined;
        workedMs = 0;
      }
      sinceMs = clock.monotonicMs();
    }
    this.#reserve(FOOTER_BYTES);
    this.#put(chain.encodeFooter());
    await this.#flush();
    await this.#sync();
    return this.#offset;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = new Uint8Array(2 * (this.#length + bytes));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }

  #put(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  async #flush(): Promise<void> {
    await this.#file.write(this.#buffer.subarray(0, this.#length), this.#offset);
    this.#offset += this.#length;
    this.#unsyncedBytes += this.#length;
    this.#length = 0;
    if (this.#unsyncedBytes >= SYNC_EVERY_BYTES) {
      this.#unsyncedBytes = 0;
      await this.#sync();
    }
    const { clock, bytesPerSecondMax } = this.#pace;
    const dueMs = this.#startedMs + 1000 * this.#offset / bytesPerSecondMax;
    const aheadMs = dueMs - clock.monotonicMs();
    if (aheadMs > 1) await this.#rest(aheadMs);
  }

  #rest(durationMs: number): Promise<void> {
    return new Promise((resolve) => this.#pace.clock.setTimer(durationMs, resolve));
  }
}
