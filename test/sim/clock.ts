// One simulated process and its clock. A process runs nothing when it is dead and holds what is due while
// it is paused; its clock may be off and go at the wrong speed.

import { assert } from "../../src/base/assert.ts";
import type { Clock, TimerHandle } from "../../src/platform/ports.ts";
import type { EventOwner, Scheduler, SimEvent } from "./scheduler.ts";

export { drainMicrotasks, Scheduler } from "./scheduler.ts";

/**
 * One life of a simulated process. Everything that calls into a node's code goes through its
 * incarnation, so that a killed node never runs again and a paused one not until it is resumed.
 */
export class Incarnation implements EventOwner {
  readonly scheduler: Scheduler;
  readonly name: string;
  #state: "running" | "paused" | "dead" = "running";
  /** Events that came due while paused. */
  #held: SimEvent[] = [];
  readonly #onDeath: ((silently: boolean) => void)[] = [];
  /** Takes what the process's own code throws; without it that ends the simulation. */
  onUncaught: ((cause: unknown) => void) | null = null;
  /** Its code has run since somebody set this to false. */
  touched = false;

  constructor(scheduler: Scheduler, name: string) {
    this.scheduler = scheduler;
    this.name = name;
  }

  get isDead(): boolean {
    return this.#state === "dead";
  }

  get isPaused(): boolean {
    return this.#state === "paused";
  }

  /** Runs `callback` after `delayMs`, unless the process is dead by then. */
  schedule(delayMs: number, callback: () => void): TimerHandle {
    return this.scheduler.schedule(delayMs, callback, this);
  }

  /** Runs an event of this process, if it may run. */
  enter(event: SimEvent): void {
    if (this.#state === "dead") return;
    if (this.#state === "paused") return void this.#held.push(event);
    const { callback } = event;
    event.callback = null;
    if (callback !== null) this.#call(callback);
  }

  /** Runs `callback` within the current event; later if the process is paused, never if dead. */
  run(callback: () => void): void {
    if (this.#state === "running") this.#call(callback);
    else if (this.#state === "paused") this.schedule(0, callback);
  }

  #call(callback: () => void): void {
    this.touched = true;
    try {
      callback();
    } catch (cause) {
      if (this.onUncaught === null) throw cause;
      this.onUncaught(cause);
    }
  }

  /** As by SIGSTOP: nothing runs, nothing is lost. */
  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  /** As by SIGCONT: what was due meanwhile runs now, each as an event of its own. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    const held = this.#held;
    this.#held = [];
    for (const event of held) {
      this.schedule(0, () => {
        const { callback } = event;
        event.callback = null;
        callback?.();
      });
    }
  }

  /**
   * As by SIGKILL. `silently`: the machine died with it, so that no connection is reset and peers see
   * nothing but silence.
   */
  kill(options: { silently?: boolean } = {}): void {
    if (this.#state === "dead") return;
    this.#state = "dead";
    this.#held = [];
    for (const callback of this.#onDeath) callback(options.silently ?? false);
  }

  /** Called by simulated devices that have to notice the death. */
  onDeath(callback: (silently: boolean) => void): void {
    this.#onDeath.push(callback);
  }
}

/** The wall clock of a simulation's start: some day in 2026. */
const SIMULATION_EPOCH_MS = 1_780_000_000_000;

/** A node's Clock, which may be off and go at the wrong speed. */
export class SimClock implements Clock {
  readonly #incarnation: Incarnation;
  /** True time and this clock's own when the rate was last set. */
  #baseTrueMs: number;
  #baseOwnMs = 0;
  #rate = 1;
  readonly #startWallMs: number;
  /** Added to the wall clock; may be changed at any time. */
  wallOffsetMs = 0;

  constructor(incarnation: Incarnation) {
    this.#incarnation = incarnation;
    this.#baseTrueMs = incarnation.scheduler.nowMs;
    this.#startWallMs = SIMULATION_EPOCH_MS + this.#baseTrueMs;
  }

  /** Sets the speed of both clocks from now on (1 is right). Timers that are set already stay. */
  setRate(rate: number): void {
    assert(rate > 0, `clock rate out of range: ${rate}`);
    this.#baseOwnMs = this.monotonicMs();
    this.#baseTrueMs = this.#incarnation.scheduler.nowMs;
    this.#rate = rate;
  }

  monotonicMs(): number {
    return this.#baseOwnMs + (this.#incarnation.scheduler.nowMs - this.#baseTrueMs) * this.#rate;
  }

  wallMs(): number {
    return Math.floor(this.#startWallMs + this.monotonicMs() + this.wallOffsetMs);
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    return this.#incarnation.schedule(Math.max(0, delayMs) / this.#rate, callback);
  }

  defer(callback: () => void): TimerHandle {
    return this.#incarnation.schedule(0, callback);
  }
}
