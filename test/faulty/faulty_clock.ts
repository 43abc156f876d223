// A clock that can be set and run fast or slow. Monotonic time never runs back or jumps, whatever the settings.

import type { Clock, TimerHandle } from "../../src/platform/ports.ts";
import type { Machine } from "./machine.ts";

export class FaultyClock implements Clock {
  readonly #clock: Clock;
  readonly #machine: Machine;
  #rate = 1;
  #realMs: number;
  #shownMs: number;
  /** What a wrong rate has added since it was set; a new setting sets the wall clock right first. */
  #driftFromMs = 0;

  constructor(clock: Clock, machine: Machine) {
    this.#clock = clock;
    this.#machine = machine;
    this.#realMs = this.#shownMs = clock.monotonicMs();
    machine.wallErrorMs = () => this.wallMs() - clock.wallMs();
    machine.onSettings(() => this.#steer());
    this.#steer();
  }

  monotonicMs(): number {
    return this.#shownMs + (this.#clock.monotonicMs() - this.#realMs) * this.#rate;
  }

  wallMs(): number {
    const driftMs = this.monotonicMs() - this.#clock.monotonicMs() + this.#driftFromMs;
    return Math.round(this.#clock.wallMs() + (this.#machine.settings.wallOffsetMs ?? 0) + driftMs);
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    return this.#clock.setTimer(delayMs / this.#rate, callback);
  }

  defer(callback: () => void): TimerHandle {
    return this.#clock.defer(callback);
  }

  #steer(): void {
    this.#shownMs = this.monotonicMs();
    this.#realMs = this.#clock.monotonicMs();
    this.#rate = this.#machine.settings.clockRate ?? 1;
    this.#driftFromMs = this.#realMs - this.#shownMs;
  }
}
