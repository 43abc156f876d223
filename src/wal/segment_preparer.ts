// Creates the next segment ahead of need: header, zero fill, sync, directory sync. A sync of preallocated,
// zero-filled space takes half the time of one that also has to record new blocks. Never touches a
// segment that is in use.

import { crc32 } from "node:zlib";
import { bytesFromHex } from "../base/bytes.ts";
import type { NodeId } from "../base/ids.ts";
import {
  type Clock,
  type Disk,
  DiskError,
  type Random,
  type TimerHandle,
} from "../platform/ports.ts";
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentName } from "./format.ts";
import type { OpenSegment } from "./log_writer.ts";

/**
 * Zero fill goes in slices, each synced, and in no hurry: it takes processor and disk from the batches, and the
 * segment is needed only when the one in use is full. Measured with 1 MiB every 20 ms: a tenth of the machine for
 * as long as it lasted, and every write of a slice held the event loop for up to 5 ms.
 */
const SLICE_BYTES = 256 * 1024;
const SLICE_PAUSE_MS = 50;
/** While the log grows faster than that. */
const SLICE_PAUSE_BEHIND_MS = 5;

export interface SegmentIdentity {
  readonly disk: Disk;
  readonly folder: string;
  readonly nodeId: NodeId;
  readonly random: Random;
}

/** A header page for a new segment, and the seed of its frames. */
function newHeader(
  { nodeId, random }: SegmentIdentity,
  sequence: number,
): { page: Uint8Array<ArrayBuffer>; seed: number } {
  const header = encodeSegmentHeader(bytesFromHex(nodeId)!, sequence, random.bytes(8));
  const page = new Uint8Array(SEGMENT_HEADER_BYTES);
  page.set(header);
  return { page, seed: crc32(header.subarray(0, 60)) };
}

/** Creates a segment under a name of the caller's choice, blocking, unsynced; for the start only. */
export function createSegmentSync(
  identity: SegmentIdentity,
  sequence: number,
  temporaryPath: string,
  capacityBytes: number,
): OpenSegment {
  const { page, seed } = newHeader(identity, sequence);
  const file = identity.disk.open(temporaryPath, { create: true, truncate: true });
  file.writeSync(page, 0);
  const zeros = new Uint8Array(Math.min(SLICE_BYTES, capacityBytes));
  for (let at = SEGMENT_HEADER_BYTES; at < capacityBytes; at += zeros.length) {
    file.writeSync(zeros.subarray(0, Math.min(zeros.length, capacityBytes - at)), at);
  }
  const path = `${identity.folder}/${segmentName(sequence)}`;
  return { sequence, path, file, seed, capacityBytes };
}

export interface PreparerHost {
  /** Share of the segment in use that is full, 0 to 1. */
  used(): number;
  /** A segment is ready to be taken. */
  onReady(): void;
  /** There is no room for one now; ask again later. */
  onNoSpace(): void;
  onFailure(cause: unknown): void;
}

export class SegmentPreparer {
  readonly #identity: SegmentIdentity;
  readonly #clock: Clock;
  /** Space left to others (snapshots above all, which free log space). */
  readonly #spareBytes: number;
  readonly #host: PreparerHost;
  #ready: OpenSegment | undefined;
  #working = false;
  #hurried = false;
  #closed = false;
  #pause: { readonly timer: TimerHandle; readonly resume: () => void } | undefined;

  constructor(
    identity: SegmentIdentity,
    clock: Clock,
    spareBytes: number,
    host: PreparerHost,
  ) {
    this.#identity = identity;
    this.#clock = clock;
    this.#spareBytes = spareBytes;
    this.#host = host;
  }

  get isReady(): boolean {
    return this.#ready !== undefined;
  }

  /** The prepared segment, which stays ready until `taken` is called. */
  get ready(): OpenSegment | undefined {
    return this.#ready;
  }

  taken(): void {
    this.#ready = undefined;
    this.#hurried = false;
  }

  /** Begins to prepare segment `sequence` unless one is ready or on its way. */
  start(sequence: number, capacityBytes: number): void {
    if (this.#ready !== undefined || this.#working || this.#closed) return;
    this.#working = true;
    this.#prepare(sequence, capacityBytes).then((segment) => {
      this.#working = false;
      if (this.#closed) return segment?.file.close();
      this.#ready = segment;
      if (segment === undefined) this.#host.onNoSpace();
      else this.#host.onReady();
    }, (cause) => {
      this.#working = false;
      if (!this.#closed) this.#host.onFailure(cause);
    });
  }

  /** A batch waits: finish with what is filled so far, without pauses. */
  hurry(): void {
    this.#hurried = true;
    this.#pause?.timer.cancel();
    this.#pause?.resume();
  }

  /** The file of an unfinished preparation is left behind; the next start replaces it. */
  close(): void {
    this.#closed = true;
    this.hurry();
    this.#ready?.file.close();
    this.#ready = undefined;
  }

  async #prepare(
    sequence: number,
    capacityBytes: number,
  ): Promise<OpenSegment | undefined> {
    const { disk, folder } = this.#identity;
    const roomy = disk.freeBytes() >= capacityBytes + this.#spareBytes;
    if (!roomy && !this.#hurried) return undefined;
    const path = `${folder}/${segmentName(sequence)}`;
    const { page, seed } = newHeader(this.#identity, sequence);
    const file = disk.open(path, { create: true, truncate: true });
    let filled = 0;
    try {
      await file.write(page, 0);
      filled = SEGMENT_HEADER_BYTES;
      if (roomy) {
        const zeros = new Uint8Array(Math.min(SLICE_BYTES, capacityBytes));
        while (filled < capacityBytes && !this.#hurried) {
          const slice = zeros.subarray(0, Math.min(zeros.length, capacityBytes - filled));
          await file.write(slice, filled);
          filled += slice.length;
          await file.sync();
          if (filled < capacityBytes) await this.#rest(filled / capacityBytes);
        }
      }
    } catch (error) {
      if (!(error instanceof DiskError && error.code === "no-space")) throw error;
      if (filled === 0) {
        file.close();
        disk.remove(path);
        return undefined;
      }
    }
    await file.sync();
    await disk.syncDirectory(folder);
    // A hurried segment goes on beyond what is filled; one that met a full disk does not.
    return { sequence, path, file, seed, capacityBytes: this.#hurried ? capacityBytes : filled };
  }

  #rest(filled: number): Promise<void> {
    if (this.#hurried) return Promise.resolve();
    const pauseMs = filled < this.#host.used() ? SLICE_PAUSE_BEHIND_MS : SLICE_PAUSE_MS;
    return new Promise((resolve) => {
      const resume = () => {
        this.#pause = undefined;
        resolve();
      };
      this.#pause = { timer: this.#clock.setTimer(pauseMs, resume), resume };
    });
  }
}
