// How late a frame came, told without a common clock.

/**
 * How long one estimate of the fastest passage lasts. Short, because clocks that go at different speeds
 * drift apart meanwhile; a link without a sign of life is closed before it ends anyway.
 */
const TRANSIT_WINDOW_MS = 1_000;

/**
 * How much longer than the fastest of the last seconds a frame was on its way. Needs no common clock: the
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
