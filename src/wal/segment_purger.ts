// Removes segments that no group needs any more, oldest first and each removal durable before the next, so
// that a gap in the sequence always means loss. Knows every segment of the log by sequence and size.

import type { PartitionId } from "../base/ids.ts";
import type { Disk } from "../platform/ports.ts";
import { segmentName } from "./format.ts";
import type { LogState } from "./log_state.ts";
import type { OpenSegment } from "./log_writer.ts";
import type { LogPosition } from "./types.ts";

export interface SegmentEntry {
  readonly sequence: number;
  readonly sizeBytes: number;
}

export class SegmentPurger {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #state: LogState;
  readonly #onFailure: (cause: unknown) => void;
  /** Oldest first; the last one is the segment being written. */
  #segments: SegmentEntry[];
  /** Recovered entries are still to be read. */
  #held = true;
  #removing: Promise<void> | undefined;

  constructor(
    disk: Disk,
    folder: string,
    segments: readonly SegmentEntry[],
    state: LogState,
    onFailure: (cause: unknown) => void,
  ) {
    this.#disk = disk;
    this.#folder = folder;
    this.#segments = [...segments];
    this.#state = state;
    this.#onFailure = onFailure;
  }

  sizeBytes(end: LogPosition): number {
    let sum = end.offset;
    for (const { sequence, sizeBytes } of this.#segments) {
      if (sequence < end.segment) sum += sizeBytes;
    }
    return sum;
  }

  oldestPins(): PartitionId[] {
    return this.#segments.length < 2 ? [] : this.#state.pins(this.#segments[0].sequence);
  }

  rolled(full: OpenSegment, next: OpenSegment): void {
    this.#segments[this.#segments.length - 1] = {
      sequence: full.sequence,
      sizeBytes: full.capacityBytes,
    };
    this.#segments.push({ sequence: next.sequence, sizeBytes: 0 });
  }

  /** Recovered entries have been read, or never will be. */
  release(): void {
    this.#held = false;
  }

  /**
   * Removes in the background what is not needed. Call it only while everything in the state is
   * durable; segments from `current` on are in use.
   */
  collect(current: number): void {
    if (this.#held || this.#removing !== undefined) return;
    let count = 0;
    while (count < this.#segments.length - 1) {
      const { sequence } = this.#segments[count];
      if (sequence >= current || this.#state.pins(sequence).length > 0) break;
      count++;
    }
    if (count === 0) return;
    const removable = this.#segments.splice(0, count);
    for (const { sequence } of removable) this.#state.forgetSegment(sequence);
    this.#removing = this.#remove(removable).catch(this.#onFailure).finally(() => {
      this.#removing = undefined;
    });
  }

  async #remove(segments: readonly SegmentEntry[]): Promise<void> {
    for (const { sequence } of segments) {
      this.#disk.remove(`${this.#folder}/${segmentName(sequence)}`);
      await this.#disk.syncDirectory(this.#folder);
    }
  }

  /** Resolves when no removal is under way. */
  async settled(): Promise<void> {
    await this.#removing;
  }
}
