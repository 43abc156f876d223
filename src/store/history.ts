// The watch history of a partition: its latest changes in order, bounded in events and bytes (RULES 22).
// Replicated state: what is kept and what is dropped depends on the log alone.

import type { Revision } from "../base/ids.ts";
import { HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX } from "../base/limits.ts";
import type { StoredRecord } from "./records.ts";
import type { Key, WatchEvent, WatchFilter } from "./types.ts";
import { storedLength } from "./value.ts";

/** Events in a block; full blocks are shared with images, so a clone copies references only. */
const BLOCK_EVENTS_MAX = 256;
/** A block is full at this size, too: dropped events stay in memory until their block goes. */
const BLOCK_SIZE_BYTES = HISTORY_BYTES_MAX / 64;
/** What an event counts beside its key and value. */
const EVENT_OVERHEAD_BYTES = 64;

/** A place in the history: everything up to and including it was seen. */
export interface WatchPosition {
  readonly revision: Revision;
  readonly subIndex: number;
}

/** Sub-index of a position behind every change of its revision. */
export const WHOLE_REVISION = 0xffffffff;

/** What a `delete` or `expire` event is kept as. */
export interface Removal {
  readonly removed: "delete" | "expire";
  readonly key: Key;
  readonly revision: Revision;
}

/** A change as it is kept: a put is the record that it made, so it costs two references. */
export type Change = StoredRecord | Removal;

interface Block {
  readonly changes: Change[];
  readonly subIndexes: number[];
  sizeBytes: number;
}

function sizeOf(change: Change): number {
  const valueLength = "removed" in change ? 0 : storedLength(change.value);
  return EVENT_OVERHEAD_BYTES + change.key.length + valueLength;
}

/** The event that watchers are shown for a change. */
export function eventOf(change: Change, subIndex: number): WatchEvent {
  const { revision, key } = change;
  if ("removed" in change) return { revision, subIndex, kind: change.removed, key };
  const { value, contentType, createRevision, expiresAtMs } = change;
  return { revision, subIndex, kind: "put", key, value, contentType, createRevision, expiresAtMs };
}

/** What one read of the history is bounded by. */
export interface HistoryBounds {
  readonly eventsMax: number;
  /** Changes looked at, wanted or not. */
  readonly examinedMax: number;
  /** The read ends with the event whose key and value reach this size. */
  readonly sizeBytesMax: number;
}

/** One piece of the history. */
export interface HistoryPiece {
  readonly events: WatchEvent[];
  /** Everything up to it was looked at; undefined if everything kept was. */
  readonly resume: WatchPosition | undefined;
}

/** Whether `filter` wants changes of `key`. */
export function wants(filter: WatchFilter, key: Key): boolean {
  return filter.kind === "key" ? key === filter.key : key.startsWith(filter.prefix);
}

/** The latest changes and the position of the newest one that was dropped. */
export class History {
  /** *Invariant:* none is empty; only the last takes more; the first begins with `#skipped` dropped
   * changes; positions ascend strictly. */
  #blocks: Block[] = [];
  #skipped = 0;
  #count = 0;
  #sizeBytes = 0;
  #floorRevision: Revision = 0;
  #floorSubIndex = 0;

  get count(): number {
    return this.#count;
  }

  /** What the kept events count against the limit. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The newest dropped position: a watcher behind it has missed something. */
  get floor(): WatchPosition {
    return { revision: this.#floorRevision, subIndex: this.#floorSubIndex };
  }

  clone(): History {
    const copy = new History();
    copy.#blocks = this.#blocks.slice();
    const last = copy.#blocks.at(-1);
    if (last !== undefined) {
      copy.#blocks[copy.#blocks.length - 1] = {
        changes: last.changes.slice(),
        subIndexes: last.subIndexes.slice(),
        sizeBytes: last.sizeBytes,
      };
    }
    copy.#skipped = this.#skipped;
    copy.#count = this.#count;
    copy.#sizeBytes = this.#sizeBytes;
    copy.#floorRevision = this.#floorRevision;
    copy.#floorSubIndex = this.#floorSubIndex;
    return copy;
  }

  /** Restores the floor when a history is rebuilt from an image, before the first append. */
  resetFloor(floor: WatchPosition): void {
    this.#floorRevision = floor.revision;
    this.#floorSubIndex = floor.subIndex;
  }

  /** Adds a change, later than all before, and drops what goes beyond the bounds. */
  append(change: Change, subIndex: number): void {
    const size = sizeOf(change);
    let block = this.#blocks.at(-1);
    if (
      block === undefined || block.changes.length === BLOCK_EVENTS_MAX ||
      block.sizeBytes >= BLOCK_SIZE_BYTES
    ) this.#blocks.push(block = { changes: [], subIndexes: [], sizeBytes: 0 });
    block.changes.push(change);
    block.subIndexes.push(subIndex);
    block.sizeBytes += size;
    this.#count++;
    this.#sizeBytes += size;
    while (
      this.#count > HISTORY_EVENTS_MAX || (this.#sizeBytes > HISTORY_BYTES_MAX && this.#count > 1)
    ) this.#dropFirst();
  }

  #dropFirst(): void {
    const { changes, subIndexes } = this.#blocks[0];
    const change = changes[this.#skipped];
    this.#floorRevision = change.revision;
    this.#floorSubIndex = subIndexes[this.#skipped];
    this.#skipped++;
    this.#count--;
    this.#sizeBytes -= sizeOf(change);
    if (this.#skipped === changes.length) {
      this.#blocks.shift();
      this.#skipped = 0;
    }
  }

  /** Everything kept, oldest first. */
  *changes(): Generator<{ readonly change: Change; readonly subIndex: number }> {
    for (let b = 0; b < this.#blocks.length; b++) {
      const { changes, subIndexes } = this.#blocks[b];
      for (let i = b === 0 ? this.#skipped : 0; i < changes.length; i++) {
        yield { change: changes[i], subIndex: subIndexes[i] };
      }
    }
  }

  /**
   * Up to `limit` events after `position`, oldest first; undefined if some of them are gone.
   */
  after(position: WatchPosition, limit: number): WatchEvent[] | undefined {
    const bounds = { eventsMax: limit, examinedMax: Infinity, sizeBytesMax: Infinity };
    return this.read(position, undefined, bounds)?.events;
  }

  /**
   * Events after `position` that `filter` wants (undefined: all), oldest first, as far as `bounds`
   * allow; undefined if some events after `position` are gone, wanted or not.
   */
  read(
    position: WatchPosition,
    filter: WatchFilter | undefined,
    bounds: HistoryBounds,
  ): HistoryPiece | undefined {
    const { revision, subIndex } = position;
    if (
      revision < this.#floorRevision ||
      (revision === this.#floorRevision && subIndex < this.#floorSubIndex)
    ) return undefined;
    const events: WatchEvent[] = [];
    let examined = 0;
    let sizeBytes = 0;
    let resume = position;
    // The last block that begins at or before the position holds the first event after it, if any
    // block before its end does.
    let b = firstIndex(this.#blocks.length, (i) => isAfter(this.#blocks[i], 0, position)) - 1;
    if (b < 0) b = 0;
    for (; b < this.#blocks.length; b++) {
      const block = this.#blocks[b];
      const { changes, subIndexes } = block;
      // Dropped changes are at or before the floor, so none of them is after the position.
      let i = firstIndex(changes.length, (at) => isAfter(block, at, position));
      for (; i < changes.length; i++) {
        if (
          events.length >= bounds.eventsMax || examined >= bounds.examinedMax ||
          sizeBytes >= bounds.sizeBytesMax
        ) return { events, resume };
        examined++;
        const change = changes[i];
        resume = { revision: change.revision, subIndex: subIndexes[i] };
        if (filter !== undefined && !wants(filter, change.key)) continue;
        const event = eventOf(change, subIndexes[i]);
        events.push(event);
        sizeBytes += event.key.length + storedLength(event.value ?? "");
      }
    }
    return { events, resume: undefined };
  }
}

function isAfter(block: Block, i: number, position: WatchPosition): boolean {
  const { revision } = block.changes[i];
  return revision > position.revision ||
    (revision === position.revision && block.subIndexes[i] > position.subIndex);
}

/** The first index in [0, count) for which `holds`, which is false before it and true from it on. */
function firstIndex(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
