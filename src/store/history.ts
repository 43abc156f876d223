// The watch history of a partition: its latest changes in order, bounded in events and bytes (RULES 22).
// Replicated state: what is kept and what is dropped depends on the log alone.

import type { Revision } from "../base/ids.ts";
import { HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX } from "../base/limits.ts";
import type { WatchEvent } from "./types.ts";

/** Events in a block; full blocks are shared with images, so a clone copies references only. */
const BLOCK_EVENTS = 256;
/** What an event counts beside its key and value. */
const EVENT_OVERHEAD_BYTES = 64;

/** A place in the history: everything up to and including it was seen. */
export interface WatchPosition {
  readonly revision: Revision;
  readonly subIndex: number;
}

function sizeOf(event: WatchEvent): number {
  return EVENT_OVERHEAD_BYTES + event.key.length + (event.value?.length ?? 0);
}

function isAfter(event: WatchEvent, position: WatchPosition): boolean {
  return event.revision > position.revision ||
    (event.revision === position.revision && event.subIndex > position.subIndex);
}

/** The latest events and the position of the newest one that was dropped. */
export class History {
  /** *Invariant:* every block but the last is full; the first may have `#skipped` dropped events. */
  #blocks: WatchEvent[][] = [];
  #skipped = 0;
  #count = 0;
  #bytes = 0;
  #floor: WatchPosition = { revision: 0, subIndex: 0 };

  get count(): number {
    return this.#count;
  }

  /** The newest dropped position: a watcher behind it has missed something. */
  get floor(): WatchPosition {
    return this.#floor;
  }

  clone(): History {
    const copy = new History();
    copy.#blocks = this.#blocks.slice();
    const last = copy.#blocks.length - 1;
    if (last >= 0) copy.#blocks[last] = copy.#blocks[last].slice();
    copy.#skipped = this.#skipped;
    copy.#count = this.#count;
    copy.#bytes = this.#bytes;
    copy.#floor = this.#floor;
    return copy;
  }

  /** Restores the floor when a history is rebuilt from an image, before the first append. */
  resetFloor(floor: WatchPosition): void {
    this.#floor = floor;
  }

  append(event: WatchEvent): void {
    let block = this.#blocks.at(-1);
    if (block === undefined || block.length === BLOCK_EVENTS) this.#blocks.push(block = []);
    block.push(event);
    this.#count++;
    this.#bytes += sizeOf(event);
    while (
      this.#count > HISTORY_EVENTS_MAX || (this.#bytes > HISTORY_BYTES_MAX && this.#count > 1)
    ) this.#dropFirst();
  }

  #dropFirst(): void {
    const event = this.#blocks[0][this.#skipped++];
    this.#count--;
    this.#bytes -= sizeOf(event);
    this.#floor = { revision: event.revision, subIndex: event.subIndex };
    if (this.#skipped === BLOCK_EVENTS) {
      this.#blocks.shift();
      this.#skipped = 0;
    }
  }

  *events(): Generator<WatchEvent> {
    for (let b = 0; b < this.#blocks.length; b++) {
      const block = this.#blocks[b];
      for (let i = b === 0 ? this.#skipped : 0; i < block.length; i++) yield block[i];
    }
  }

  /**
   * Up to `limit` events after `position`, oldest first; undefined if some of them are gone.
   */
  after(position: WatchPosition, limit: number): WatchEvent[] | undefined {
    const { revision, subIndex } = this.#floor;
    if (
      position.revision < revision ||
      (position.revision === revision && position.subIndex < subIndex)
    ) return undefined;
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isAfter(this.#at(middle), position)) high = middle;
      else low = middle + 1;
    }
    const found: WatchEvent[] = [];
    for (let i = low; i < this.#count && found.length < limit; i++) found.push(this.#at(i));
    return found;
  }

  #at(ordinal: number): WatchEvent {
    const slot = this.#skipped + ordinal;
    return this.#blocks[Math.floor(slot / BLOCK_EVENTS)][slot % BLOCK_EVENTS];
  }
}
