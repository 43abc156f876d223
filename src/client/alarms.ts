// Deadlines of everything under way, on one coarse timer that runs only while something waits: a timer a
// request costs more than the rest of the client's bookkeeping.

const TICK_MS = 10;

/** One deadline; `atMs` on the clock of performance.now(). */
export interface Alarm {
  readonly atMs: number;
  readonly ring: () => void;
}

/** Rings each alarm once, at its time or up to a tick later, unless it is cancelled before. */
export class Alarms {
  readonly #pending = new Set<Alarm>();
  #timer: ReturnType<typeof setInterval> | undefined;

  set(atMs: number, ring: () => void): Alarm {
    const alarm = { atMs, ring };
    this.#pending.add(alarm);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return alarm;
  }

  cancel(alarm: Alarm): void {
    // The timer stops at its next tick: calls come in quick succession.
    this.#pending.delete(alarm);
  }

  /** Rejects with the signal's reason if it is aborted before. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = () => {
        this.cancel(alarm);
        reject(signal?.reason);
      };
      const alarm = this.set(performance.now() + durationMs, () => {
        signal?.removeEventListener("abort", aborted);
        resolve();
      });
      if (signal?.aborted) aborted();
      else signal?.addEventListener("abort", aborted, { once: true });
    });
  }

  /** Stops the timer now rather than at its next tick, if nothing waits. */
  rest(): void {
    if (this.#pending.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    if (this.#pending.size === 0) return this.rest();
    const nowMs = performance.now();
    for (const alarm of this.#pending) {
      if (alarm.atMs > nowMs) continue;
      this.#pending.delete(alarm);
      alarm.ring();
    }
  }
}
