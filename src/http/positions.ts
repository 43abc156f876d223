// Places in partitions' histories as opaque text: what watch cursors are, and what scans hand on to a
// watch. Owns the layout; a text that this code did not make is refused, never guessed at.
//
//   bytes, in base64url: tag u8 | for a scan: what scan_cursor.ts puts here | count, then for each place
//   by ascending partition: its distance to the one before (first: to 0) - 1 | zigzag of its revision's
//   distance to the one before | sub-index + 1, or 0: the whole revision. Numbers are LEB128;
//   indexes of a log are below 2^52.

import type { PartitionId } from "../base/ids.ts";
import { type WatchPosition, WHOLE_REVISION } from "../store/mod.ts";
import { decodeBase64Url, encodeBase64Url } from "./base64url.ts";

/** Everything up to and including `position` was seen of `partition`. */
export interface PartitionPosition {
  readonly partition: PartitionId;
  readonly position: WatchPosition;
}

const WATCH_TAG = 1;
/** 1024 partitions take 7 KiB, 17 if every revision is far from the next; a key of a scan takes 5.5 more. */
export const CURSOR_LENGTH_MAX = 24 * 1024;

/** Appends numbers and byte strings to a latin1 text. */
export class CursorWriter {
  #text = "";

  /** A whole number from 0 to 2^53-1. */
  number(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.#text += String.fromCharCode(rest % 0x80 + 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#text += String.fromCharCode(rest);
    return this;
  }

  /** Bytes, one character each, with their length. */
  bytes(text: string): this {
    this.number(text.length);
    this.#text += text;
    return this;
  }

  positions(positions: readonly PartitionPosition[]): this {
    this.number(positions.length);
    let lastPartition = 0;
    let lastRevision = 0;
    for (const { partition, position: { revision, subIndex } } of positions) {
      this.number(partition - lastPartition);
      const distance = revision - lastRevision;
      this.number(distance < 0 ? -2 * distance - 1 : 2 * distance);
      this.number(subIndex === WHOLE_REVISION ? 0 : subIndex + 1);
      lastPartition = partition + 1;
      lastRevision = revision;
    }
    return this;
  }

  finish(): string {
    return encodeBase64Url(this.#text);
  }
}

class Malformed extends Error {}

/** Reads what {@linkcode CursorWriter} wrote. Its methods throw; use {@linkcode readCursor}. */
export class CursorReader {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  number(): number {
    let value = 0;
    for (let scale = 1;; scale *= 0x80) {
      if (this.#offset >= this.#text.length) throw new Malformed();
      const byte = this.#text.charCodeAt(this.#offset++);
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) throw new Malformed();
      if (byte < 0x80) return value;
    }
  }

  bytes(): string {
    const length = this.number();
    if (this.#offset + length > this.#text.length) throw new Malformed();
    return this.#text.slice(this.#offset, this.#offset += length);
  }

  positions(): PartitionPosition[] {
    const count = this.number();
    if (count > this.#text.length) throw new Malformed();
    const positions: PartitionPosition[] = [];
    let nextPartition = 0;
    let revision = 0;
    for (let i = 0; i < count; i++) {
      const partition = nextPartition + this.number();
      const distance = this.number();
      revision += distance % 2 === 1 ? -(distance + 1) / 2 : distance / 2;
      const subIndex = this.number() - 1;
      if (revision < 0 || !Number.isSafeInteger(revision) || partition > 0xffffffff) {
        throw new Malformed();
      }
      positions.push({
        partition,
        position: { revision, subIndex: subIndex < 0 ? WHOLE_REVISION : subIndex },
      });
      nextPartition = partition + 1;
    }
    return positions;
  }

  end(): void {
    if (this.#offset !== this.#text.length) throw new Malformed();
  }
}

/** What `read` makes of a cursor's text; undefined if it is none. */
export function readCursor<T>(text: string, read: (reader: CursorReader) => T): T | undefined {
  if (text.length > CURSOR_LENGTH_MAX) return undefined;
  const bytes = decodeBase64Url(text);
  if (bytes === undefined) return undefined;
  try {
    const reader = new CursorReader(bytes);
    const result = read(reader);
    reader.end();
    return result;
  } catch (cause) {
    if (cause instanceof Malformed) return undefined;
    throw cause;
  }
}

/** The cursor of a watch that has seen `positions`, which ascend by partition. */
export function watchCursor(positions: readonly PartitionPosition[]): string {
  return new CursorWriter().number(WATCH_TAG).positions(positions).finish();
}

/** The places in a watch's cursor; undefined if it is none. */
export function readWatchCursor(text: string): readonly PartitionPosition[] | undefined {
  return readCursor(text, (reader) => {
    if (reader.number() !== WATCH_TAG) throw new Malformed();
    return reader.positions();
  });
}
