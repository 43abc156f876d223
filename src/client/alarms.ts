// Deadlines of everything under way, on one timer that runs only while something waits: a timer a request
// costs more than the rest of the client's bookkeeping.

/** The timer looks around at least so often, so that it does not outlive by much what it was set for. */
const STEP_MS_MAX = 100;

/** One deadline; `atMs` on the clock of performance.now(). */
export interface Alarm {
  readonly atMs: number;
  readonly ring: () => void;
}

/** Rings each alarm once, at its time, unless it is cancelled before. */
export class Alarms {
  readonly #pending = new Set<Alarm>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAtMs = Infinity;

  set(atMs: number, ring: () => void): Alarm {
    const alarm = { atMs, ring };
    this.#pending.add(alarm);
    if (atMs < this.#timerAtMs) this.#schedule(atMs);
    return alarm;
  }

  cancel(alarm: Alarm): void {
    // The timer stops by itself at its next step: calls come in quick succession.
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

  /** Stops the timer now rather than at its next step, if nothing waits. */
  rest(): void {
    if (this.#pending.size > 0) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = Infinity;
  }

  #schedule(atMs: number): void {
    clearTimeout(this.#timer);
    const nowMs = performance.now();
    const delayMs = Math.min(Math.max(0, atMs - nowMs), STEP_MS_MAX);
    this.#timerAtMs = nowMs + delayMs;
    this.#timer = setTimeout(() => this.#step(), delayMs);
  }

  #step(): void {
    this.#timerAtMs = Infinity;
    const nowMs = performance.now();
    let nextMs = Infinity;
    for (const alarm of this.#pending) {
      if (alarm.atMs > nowMs) {
        nextMs = Math.min(nextMs, alarm.atMs);
        continue;
      }
      this.#pending.delete(alarm);
      alarm.ring();
    }
    if (nextMs < this.#timerAtMs) this.#schedule(nextMs);
  }
}
