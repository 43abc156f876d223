// Copies of Raft frames on their way to one node, to be delivered again later on a connection other than their own:
// a later one of the same link, or one of another node. Bounded; the oldest go first.

import type { Random } from "../types.ts";
import type { Lane } from "./lane.ts";

interface LateFrame {
  readonly origin: Lane;
  readonly bytes: Uint8Array;
  readonly dueMs: number;
}

const FRAMES_MAX = 256;
const BYTES_MAX = 4 * 1024 * 1024;
const LATENESS_MS_MAX = 3000;
/** Delivered together at most: a flood would be another fault. */
const BATCH_MAX = 8;

export class LateFrames {
  readonly #random: Random;
  #frames: LateFrame[] = [];
  #bytes = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Keeps a copy that came by `origin`. */
  keep(origin: Lane, bytes: Uint8Array): void {
    const dueMs = performance.now() + this.#random() * LATENESS_MS_MAX;
    this.#frames.push({ origin, bytes, dueMs });
    this.#bytes += bytes.length;
    while (this.#frames.length > FRAMES_MAX || this.#bytes > BYTES_MAX) {
      this.#bytes -= this.#frames.shift()!.bytes.length;
    }
  }

  /** Takes out what may be delivered on `lane` now. */
  dueFor(lane: Lane): Uint8Array[] {
    if (this.#frames.length === 0 || !lane.established) return [];
    const nowMs = performance.now();
    const due: Uint8Array[] = [];
    this.#frames = this.#frames.filter((frame) => {
      if (frame.origin === lane || frame.dueMs > nowMs || due.length === BATCH_MAX) return true;
      due.push(frame.bytes);
      this.#bytes -= frame.bytes.length;
      return false;
    });
    return due;
  }

  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
  }
}
