// A distribution of durations in fixed buckets: counting one costs a few comparisons and no memory. What
// reads it turns it into the form that its readers want.

/** Upper bounds in seconds: from a memory access behind HTTP to what every client has given up on. */
export const DURATION_BOUNDS_SECONDS: readonly number[] = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005],
  ...[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
];

export class DurationHistogram {
  /** One count a bound, and one for what is beyond all of them. Not cumulative. */
  readonly counts = new Float64Array(DURATION_BOUNDS_SECONDS.length + 1);
  #sumSeconds = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get sumSeconds(): number {
    return this.#sumSeconds;
  }

  observeMs(durationMs: number): void {
    const seconds = durationMs / 1000;
    let bucket = 0;
    while (
      bucket < DURATION_BOUNDS_SECONDS.length && seconds > DURATION_BOUNDS_SECONDS[bucket]
    ) bucket++;
    this.counts[bucket]++;
    this.#sumSeconds += seconds;
    this.#count++;
  }
}
