// A clock that stands still until it is told otherwise, and then runs what has come due, in order.

import type { Clock } from "../../src/platform/ports.ts";

export class HandClock implements Clock {
  nowMs = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  monotonicMs = () => this.nowMs;
  wallMs = () => 1_000_000 + this.nowMs;

  setTimer = (delayMs: number, callback: () => void) => {
    const timer = { atMs: this.nowMs + delayMs, callback };
    this.#timers.push(timer);
    return { cancel: () => void (this.#timers = this.#timers.filter((one) => one !== timer)) };
  };

  defer = (callback: () => void) => this.setTimer(0, callback);

  get pending(): number {
    return this.#timers.length;
  }

  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= endMs)
        .toSorted((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== due);
      this.nowMs = Math.max(this.nowMs, due.atMs);
      due.callback();
    }
    this.nowMs = endMs;
  }
}
