// Lets a bounded number of long jobs run at a time, in the order in which they came. Owns nothing but the
// waiting: a job that throws gives its place up like any other.

import { assert } from "../base/assert.ts";

export class Gate {
  readonly #runningMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(runningMax: number) {
    assert(runningMax > 0, "a gate lets at least one job through");
    this.#runningMax = runningMax;
  }

  /** Jobs that wait for a place. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Runs `job` when its turn comes, at once if there is a place. */
  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#running < this.#runningMax) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await job();
    } finally {
      // The place goes over to the next one, or is free.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
