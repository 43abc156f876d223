// Reads one segment file through a sliding window: verified frames, whole batches, and commit frames
// searched for behind damage. Never writes. What a finding means is recovery.ts's business.

import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import type { Disk, DiskFile } from "../platform/ports.ts";
import {
  aligned,
  type Commit,
  COMMIT_KIND_WORD,
  decodeCommit,
  decodeSegmentHeader,
  FRAME_HEADER_BYTES,
  frameBytes,
  frameChecksum,
  FrameType,
  frameTypeOf,
  type HeaderReading,
  viewOf,
} from "./format.ts";

const WINDOW_BYTES = 1024 * 1024;
/** Preallocated space is zeros: comparing with this is ten times as fast as a search in it. */
const ZEROS = Buffer.alloc(WINDOW_BYTES);

/** A batch whose every frame and whose chain hold. */
export interface Batch {
  readonly start: number;
  /** Offset of the commit frame. */
  readonly commitOffset: number;
  /** First byte behind the batch. */
  readonly end: number;
  readonly commit: Commit;
}

/** Why no whole batch starts somewhere. */
export interface BadBatch {
  /** Offset of the first frame that does not hold. */
  readonly badOffset: number;
  /** True when only zeros could be the reason: nothing was written there. */
  readonly blank: boolean;
  readonly reason: string;
}

export class SegmentReader {
  readonly path: string;
  readonly sizeBytes: number;
  readonly header: HeaderReading;
  readonly #file: DiskFile;
  readonly #seed: number;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #view: DataView = viewOf(this.#bytes);
  /** The window is bytes `#from .. #from + #filled` of the file. */
  #from = 0;
  #filled = 0;
  /** Give every load its own memory, so that views into earlier windows stay valid. */
  readonly #freshWindows: boolean;

  constructor(disk: Disk, path: string, options: { freshWindows?: boolean } = {}) {
    this.path = path;
    this.#freshWindows = options.freshWindows ?? false;
    this.#file = disk.open(path);
    this.sizeBytes = this.#file.sizeSync();
    const head = new Uint8Array(64);
    const read = this.#file.readSync(head, 0);
    this.header = decodeSegmentHeader(head.subarray(0, read));
    this.#seed = this.header.kind === "ok" ? this.header.header.seed : 0;
  }

  /** Gives the window's memory back; the next access loads it anew. */
  release(): void {
    this.#bytes = new Uint8Array(0);
    this.#filled = 0;
  }

  close(): void {
    this.release();
    this.#file.close();
  }

  get view(): DataView {
    return this.#view;
  }

  /** Where file offset `offset`, which must lie in the window, is in `view`. */
  at(offset: number): number {
    return offset - this.#from;
  }

  /** Brings `offset .. offset + length` into the window; false where the file ends before. */
  ensure(offset: number, length: number, keepFrom: number = offset): boolean {
    if (offset >= this.#from && offset + length <= this.#from + this.#filled) return true;
    if (offset + length > this.sizeBytes) return false;
    const wanted = Math.min(
      Math.max(WINDOW_BYTES, 2 * (offset + length - keepFrom)),
      this.sizeBytes - keepFrom,
    );
    if (this.#freshWindows || this.#bytes.length < wanted) {
      this.#bytes = new Uint8Array(Math.max(wanted, Math.min(WINDOW_BYTES, this.sizeBytes)));
      this.#view = viewOf(this.#bytes);
    }
    this.#from = keepFrom;
    this.#filled = this.#file.readSync(this.#bytes.subarray(0, wanted), keepFrom);
    return offset + length <= this.#from + this.#filled;
  }

  /** The type of the verified frame at `offset`, or the reason why there is none. */
  frameAt(offset: number, keepFrom: number = offset): FrameType | BadBatch {
    if (!this.ensure(offset, FRAME_HEADER_BYTES, keepFrom)) {
      return { badOffset: offset, blank: true, reason: "the file ends" };
    }
    let at = this.at(offset);
    const type = frameTypeOf(this.#view, at);
    if (type === 0) {
      const blank = this.#view.getUint32(at, true) === 0 &&
        this.#view.getUint32(at + 4, true) === 0 &&
        this.#view.getUint32(at + 8, true) === 0 && this.#view.getUint32(at + 12, true) === 0;
      return { badOffset: offset, blank, reason: blank ? "zeros" : "no frame header" };
    }
    const payloadBytes = this.#view.getUint32(at + 4, true);
    if (!this.ensure(offset, aligned(FRAME_HEADER_BYTES + payloadBytes), keepFrom)) {
      return { badOffset: offset, blank: false, reason: "a length beyond the file's end" };
    }
    at = this.at(offset);
    const checksum = frameChecksum(this.#bytes, at, payloadBytes, this.#seed);
    if (checksum !== this.#view.getUint32(at, true)) {
      return { badOffset: offset, blank: false, reason: "a wrong checksum" };
    }
    return type;
  }

  /**
   * Verifies the batch at `start`. The window then holds all of it.
   * `chainBefore` is undefined where the chain is not known; the commit frame's word is taken then.
   */
  batchAt(start: number, limit: number, chainBefore: number | undefined): Batch | BadBatch {
    let chain = chainBefore;
    let unchained: number | undefined;
    let offset = start;
    while (offset < limit) {
      const type = this.frameAt(offset, start);
      if (typeof type !== "number") return type;
      const at = this.at(offset);
      const end = offset + frameBytes(this.#view, at);
      if (type === FrameType.Commit) {
        const commit = decodeCommit(this.#view, at);
        const bad = (reason: string) => ({ badOffset: offset, blank: false, reason });
        if (commit === undefined) return bad("a malformed commit frame");
        if (commit.batchStart !== start || commit.segment !== this.#sequence) {
          return bad("a commit frame of another batch");
        }
        chain ??= commit.chainBefore;
        if (commit.chainBefore !== chain) return bad("a chain that does not continue the log");
        if (unchained !== undefined) {
          chain = crc32(this.#bytes.subarray(this.at(start), at), chain);
        }
        if (commit.chainAfter !== chain) return bad("a chain that its batch does not have");
        return { start, commitOffset: offset, end, commit };
      }
      unchained ??= offset;
      offset = end;
    }
    return { badOffset: offset, blank: false, reason: "no commit frame" };
  }

  get #sequence(): number {
    return this.header.kind === "ok" ? this.header.header.sequence : -1;
  }

  /** The first valid commit frame at or behind `from` whose batch begins at or behind `from`. */
  findCommit(from: number, limit: number): Batch | undefined {
    if (this.header.kind !== "ok") return undefined;
    const end = Math.min(limit, this.sizeBytes);
    const pattern = Buffer.alloc(4);
    pattern.writeUInt32LE(COMMIT_KIND_WORD);
    let offset = from;
    while (offset + FRAME_HEADER_BYTES <= end) {
      if (!this.ensure(offset, FRAME_HEADER_BYTES)) return undefined;
      const window = Buffer.from(this.#bytes.buffer, 0, this.#filled);
      const rest = window.subarray(this.at(offset));
      const blank = rest.length <= ZEROS.length && rest.equals(ZEROS.subarray(0, rest.length));
      const found = blank ? -1 : window.indexOf(pattern, this.at(offset) + 8);
      if (found === -1) {
        // The last bytes may hold the pattern's beginning: stay behind them, on a frame boundary.
        offset = Math.max(offset + 8, this.#from + (this.#filled - FRAME_HEADER_BYTES & ~7));
        if (this.#from + this.#filled >= end) return undefined;
        continue;
      }
      const candidate = this.#from + found - 8;
      if (candidate >= end) return undefined;
      if (candidate % 8 === 0 && this.frameAt(candidate) === FrameType.Commit) {
        const at = this.at(candidate);
        const commit = decodeCommit(this.#view, at);
        if (
          commit !== undefined && commit.segment === this.#sequence &&
          commit.batchStart >= from && commit.batchStart <= candidate
        ) {
          const commitEnd = candidate + frameBytes(this.#view, at);
          return { start: commit.batchStart, commitOffset: candidate, end: commitEnd, commit };
        }
      }
      offset = (candidate & ~7) + 8;
    }
    return undefined;
  }

  /** Walks the frames of a batch or run that was verified before. Bring it into the window first. */
  *frames(start: number, end: number): Generator<number> {
    for (let offset = start; offset < end;) {
      yield offset;
      offset += frameBytes(this.#view, this.at(offset));
    }
  }

  /** Bytes of a frame in the window, padding included. */
  frame(offset: number): Uint8Array<ArrayBuffer> {
    const at = this.at(offset);
    return this.#bytes.subarray(at, at + frameBytes(this.#view, at));
  }
}
