// How many requests may be on the way at once. Whoever comes later waits in line, at most until its
// deadline; a call that never left the line has certainly had no effect.

import type { Alarms } from "./alarms.ts";

interface Waiting {
  readonly enter: () => void;
}

export class Limiter {
  readonly #limit: number;
  readonly #alarms: Alarms;
  readonly #waiting = new Set<Waiting>();
  #inside = 0;
  #idle: (() => void)[] = [];

  constructor(limit: number, alarms: Alarms) {
    this.#limit = limit;
    this.#alarms = alarms;
  }

  get inside(): number {
    return this.#inside;
  }

  /** Whether there was room at once. Each true, and each true of `wait`, takes one `leave`. */
  tryEnter(): boolean {
    if (this.#inside >= this.#limit) return false;
    this.#inside++;
    return true;
  }

  /** True once it is this caller's turn; false if the deadline or the signal came first. */
  wait(deadlineMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.tryEnter()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (entered: boolean) => {
        this.#waiting.delete(waiting);
        this.#alarms.cancel(alarm);
        signal?.removeEventListener("abort", giveUp);
        resolve(entered);
      };
      const giveUp = () => end(false);
      const waiting = { enter: () => end(true) };
      const alarm = this.#alarms.set(deadlineMs, giveUp);
      this.#waiting.add(waiting);
      if (signal?.aborted) giveUp();
      else signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  leave(): void {
    for (const next of this.#waiting) return next.enter(); // the place goes over to the first in line
    this.#inside--;
    if (this.#inside > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  /** Resolves when nobody is inside. */
  whenIdle(): Promise<void> {
    if (this.#inside === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
