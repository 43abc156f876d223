// How late a frame came, told without a common clock.

/** How long one estimate of the fastest passage lasts, so that drifting clocks do no harm. */
const TRANSIT_WINDOW_MS = 30_000;

/**
 * How much longer than the fastest of the last minute a frame was on its way. Needs no common clock: the
 * least difference between receiver's and sender's clocks stands for an undelayed passage.
 */
export class TransitEstimate {
  #windowStartMs = -Infinity;
  #leastMs = Infinity;
  #previousLeastMs = Infinity;

  /** Notes a passage and returns its lateness in milliseconds, never negative. */
  latenessMs(sentMs: number, receivedMs: number): number {
    if (receivedMs - this.#windowStartMs > TRANSIT_WINDOW_MS) {
      this.#previousLeastMs = this.#leastMs;
      this.#leastMs = Infinity;
      this.#windowStartMs = receivedMs;
    }
    const differenceMs = receivedMs - sentMs;
    if (differenceMs < this.#leastMs) this.#leastMs = differenceMs;
    return differenceMs - Math.min(this.#leastMs, this.#previousLeastMs);
  }
}
