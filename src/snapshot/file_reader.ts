// Reads a snapshot file and believes nothing that its checksums don't cover: whole chunks for loading,
// whole frames from an offset for sending. Off the event loop; one read at a time.

import { concatBytes } from "../base/bytes.ts";
import type { Disk, DiskFile } from "../platform/ports.ts";
import {
  decodeHeader,
  FOOTER_BYTES,
  FRAME_HEADER_BYTES,
  type FrameAt,
  frameAt,
  FrameChain,
  type Header,
  HEADER_FIXED_BYTES,
  isFooter,
  SNAPSHOT_FORMAT_VERSION,
} from "./format.ts";
import { SnapshotError } from "./types.ts";

const WINDOW_BYTES = 1024 * 1024;

/** Reads and verifies the header, blocking; it is small. Throws SnapshotError. */
export function readHeaderSync(file: DiskFile, path: string): Header {
  let bytes = new Uint8Array(HEADER_FIXED_BYTES);
  for (;;) {
    const read = file.readSync(bytes, 0);
    const reading = decodeHeader(bytes.subarray(0, read));
    if (reading.kind === "ok") return reading.header;
    if (reading.kind === "newer") {
      throw new SnapshotError(
        "newer-version",
        `Cannot read ${path}: it has format version ${reading.version}, this program knows ` +
          `${SNAPSHOT_FORMAT_VERSION}; start the newer program on this directory`,
      );
    }
    if (reading.kind === "damaged" || read < bytes.length) {
      throw new SnapshotError("damaged", `Cannot read ${path}: its header is damaged`);
    }
    bytes = new Uint8Array(reading.neededBytes);
  }
}

/** True when the file ends in a footer of its own; says nothing about the frames between. */
export function hasFooterSync(file: DiskFile, header: Header): boolean {
  const sizeBytes = file.sizeSync();
  if (sizeBytes < header.sizeBytes + FOOTER_BYTES) return false;
  const bytes = new Uint8Array(FOOTER_BYTES);
  return file.readSync(bytes, sizeBytes - FOOTER_BYTES) === FOOTER_BYTES &&
    isFooter(bytes, header.seed);
}

/** What lies at a frame boundary. */
type Found =
  | {
    readonly kind: "frame";
    readonly frame: FrameAt;
    /** The frame as it is in the file, header included. */
    readonly raw: Uint8Array<ArrayBuffer>;
    readonly data: Uint8Array<ArrayBuffer>;
  }
  | { readonly kind: "footer" }
  | { readonly kind: "damaged"; readonly reason: string };

export class SnapshotFileReader {
  readonly path: string;
  readonly header: Header;
  readonly sizeBytes: number;
  readonly #file: DiskFile;
  #chain: FrameChain;
  /** Offset of the next frame. */
  #offset: number;
  #window: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #windowStart = 0;

  /** Throws DiskError, or SnapshotError for a header that can't be read. */
  constructor(disk: Disk, path: string) {
    this.path = path;
    this.#file = disk.open(path);
    this.sizeBytes = this.#file.sizeSync();
    this.header = readHeaderSync(this.#file, path);
    this.#offset = this.header.sizeBytes;
    this.#chain = new FrameChain(this.header.seed);
  }

  close(): void {
    this.#file.close();
  }

  /** Offset of the next frame; everything before it has been verified. */
  get offset(): number {
    return this.#offset;
  }

  get chain(): FrameChain {
    return this.#chain;
  }

  /** The state's chunks as they were written, each verified. Throws SnapshotError `damaged`. */
  async *chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    let parts: Uint8Array<ArrayBuffer>[] = [];
    for (;;) {
      const found = await this.next();
      if (found.kind === "damaged") throw this.#damaged(found.reason);
      if (found.kind === "footer") {
        if (parts.length > 0) throw this.#damaged("it ends within a chunk");
        return;
      }
      parts.push(found.data);
      if (found.frame.continues) continue;
      yield parts.length === 1 ? parts[0] : concatBytes(parts);
      parts = [];
    }
  }

  /** Reads, verifies and moves behind the next frame, or verifies the footer. */
  async next(): Promise<Found> {
    const head = await this.#at(this.#offset, FRAME_HEADER_BYTES);
    if (head === undefined) return { kind: "damaged", reason: "it ends without a footer" };
    const frame = frameAt(head, 0);
    if (frame === undefined) return { kind: "damaged", reason: "a frame has no valid length" };
    if (frame === "footer") {
      const footer = await this.#at(this.#offset, FOOTER_BYTES);
      const whole = footer !== undefined && this.#chain.closedBy(footer) &&
        this.#offset + FOOTER_BYTES === this.sizeBytes;
      return whole ? { kind: "footer" } : { kind: "damaged", reason: "its footer does not fit" };
    }
    const raw = await this.#at(this.#offset, FRAME_HEADER_BYTES + frame.dataBytes);
    if (raw === undefined) return { kind: "damaged", reason: "it ends within a frame" };
    const data = raw.subarray(FRAME_HEADER_BYTES);
    if (!this.#chain.accept(frame, data)) {
      return { kind: "damaged", reason: `the frame at byte ${this.#offset} has a wrong checksum` };
    }
    this.#offset += FRAME_HEADER_BYTES + frame.dataBytes;
    return { kind: "frame", frame, raw, data };
  }

  /** Verifies frames up to `offset`; false if no frame ends exactly there. */
  async skipTo(offset: number): Promise<boolean> {
    while (this.#offset < offset) {
      if ((await this.next()).kind !== "frame") return false;
    }
    return this.#offset === offset;
  }

  /**
   * The next verified whole frames as raw file bytes, at most `bytesMax` (one frame at least); the
   * footer comes alone, and last. Throws SnapshotError `damaged`.
   */
  async piece(bytesMax: number): Promise<{ bytes: Uint8Array<ArrayBuffer>; last: boolean }> {
    const start = this.#offset;
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (;;) {
      const head = await this.#at(this.#offset, FRAME_HEADER_BYTES);
      const frame = head === undefined ? undefined : frameAt(head, 0);
      const lengthBytes = frame === undefined || frame === "footer"
        ? 0
        : FRAME_HEADER_BYTES + frame.dataBytes;
      const full = this.#offset + lengthBytes - start > bytesMax || frame === "footer";
      if (full && parts.length > 0) return { bytes: concatBytes(parts), last: false };
      const at = this.#offset;
      const found = await this.next();
      if (found.kind === "damaged") throw this.#damaged(found.reason);
      if (found.kind === "footer") {
        return { bytes: (await this.#at(at, FOOTER_BYTES))!, last: true };
      }
      parts.push(found.raw);
    }
  }

  /** `length` bytes at `offset`, a view that stays valid; undefined where the file ends before. */
  async #at(offset: number, length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    let at = offset - this.#windowStart;
    if (at < 0 || at + length > this.#window.length) {
      if (offset + length > this.sizeBytes) return undefined;
      const window = new Uint8Array(
        Math.min(Math.max(WINDOW_BYTES, length), this.sizeBytes - offset),
      );
      const read = await this.#file.read(window, offset);
      this.#window = window.subarray(0, read);
      this.#windowStart = offset;
      at = 0;
      if (length > read) return undefined;
    }
    return this.#window.subarray(at, at + length);
  }

  #damaged(reason: string): SnapshotError {
    return new SnapshotError("damaged", `Cannot read ${this.path}: ${reason}`);
  }
}
