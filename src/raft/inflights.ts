// The window of AppendEntries that are on their way to one follower: a ring of (last index, bytes).
// Never sends or counts anything that carries no entries.

import type { LogIndex } from "../base/ids.ts";
import { assert } from "../base/assert.ts";

/** Slots allocated at first; the ring doubles up to its limit as it fills. */
const INITIAL_SLOTS = 16;

/** A bounded first-in first-out window, limited in messages and in bytes. */
export class Inflights {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  #start = 0;
  #count = 0;
  #bytes = 0;
  #indexes: LogIndex[] = [];
  #sizes: number[] = [];

  /** `maxBytes` may be Infinity. One message may overshoot it; none is added after that. */
  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether nothing more may be sent until something is freed. */
  full(): boolean {
    return this.#count >= this.#maxMessages || this.#bytes >= this.#maxBytes;
  }

  /** Notes a message whose last entry is `lastIndex`. Indexes must ascend. */
  add(lastIndex: LogIndex, sizeBytes: number): void {
    assert(!this.full(), "cannot add to a full in-flight window");
    if (this.#count === this.#indexes.length) this.#grow();
    const slot = (this.#start + this.#count) % this.#indexes.length;
    this.#indexes[slot] = lastIndex;
    this.#sizes[slot] = sizeBytes;
    this.#count++;
    this.#bytes += sizeBytes;
  }

  /** Frees every message that ends at or below `index`. */
  freeThrough(index: LogIndex): void {
    const slots = this.#indexes.length;
    while (this.#count > 0 && this.#indexes[this.#start] <= index) {
      this.#bytes -= this.#sizes[this.#start];
      this.#count--;
      this.#start = this.#start + 1 === slots ? 0 : this.#start + 1;
    }
  }

  /** Forgets everything. */
  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const old = this.#indexes.length;
    const slots = Math.min(old === 0 ? INITIAL_SLOTS : old * 2, this.#maxMessages);
    const indexes = new Array<LogIndex>(slots).fill(0);
    const sizes = new Array<number>(slots).fill(0);
    for (let i = 0; i < this.#count; i++) {
      indexes[i] = this.#indexes[(this.#start + i) % old];
      sizes[i] = this.#sizes[(this.#start + i) % old];
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }
}
