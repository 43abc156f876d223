// How many log lines of one kind a second are written: whatever makes everything worse must not be made worse still by
// telling so.

const LINES_PER_SECOND_MAX = 10;
const SECOND_MS = 1000;

export class LineAllowance {
  #secondFromMs = -Infinity;
  #lines = 0;
  #left = 0;

  /**
   * Whether a line may be written at `nowMs` (monotonic).
   *
   * @returns undefined if not; else how many were left out since the last one
   */
  take(nowMs: number): number | undefined {
    if (nowMs - this.#secondFromMs >= SECOND_MS) {
      this.#secondFromMs = nowMs;
      this.#lines = 0;
    }
    if (this.#lines >= LINES_PER_SECOND_MAX) {
      this.#left++;
      return undefined;
    }
    this.#lines++;
    const left = this.#left;
    this.#left = 0;
    return left;
  }
}
