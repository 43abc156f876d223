// Virtual time: one heap of events for everything that is simulated, and each node's own, possibly
// wrong, clock on top of it. It must never look at real time; a run is a function of its seed.

import { setImmediate } from "node:timers";
import { assert } from "../../src/base/assert.ts";
import type { Clock, TimerHandle } from "../../src/platform/ports.ts";

class Event implements TimerHandle {
  readonly atMs: number;
  /** Order of scheduling: events due at the same time run in it. */
  readonly sequence: number;
  callback: (() => void) | null;

  constructor(atMs: number, sequence: number, callback: () => void) {
    this.atMs = atMs;
    this.sequence = sequence;
    this.callback = callback;
  }

  cancel(): void {
    this.callback = null;
  }

  before(other: Event): boolean {
    return this.atMs < other.atMs || (this.atMs === other.atMs && this.sequence < other.sequence);
  }
}

/** Resolves when every microtask that is due has run (1.2 us). */
export function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * The order of everything that happens in a simulation.
 *
 * Time jumps from event to event. Between two events all microtasks run, so that code under test may
 * use promises freely as long as only events settle them.
 */
export class Scheduler {
  #nowMs = 0;
  #sequence = 0;
  readonly #heap: Event[] = [];
  #eventCount = 0;
  /** Runs after each event and its microtasks; what it throws ends the run. */
  afterEvent: (() => void) | null = null;

  /** True time of the simulation, in milliseconds from its start. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events run so far; two runs of one seed agree on it. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** Runs `callback` after `delayMs` of virtual time; 0 means after all that is due already. */
  schedule(delayMs: number, callback: () => void): TimerHandle {
    assert(delayMs >= 0, `delay out of range: ${delayMs}`);
    const event = new Event(this.#nowMs + delayMs, this.#sequence++, callback);
    this.#push(event);
    return event;
  }

  /** Runs the next event and the microtasks it causes; false if there is none up to `limitMs`. */
  async step(limitMs = Infinity): Promise<boolean> {
    const event = this.#nextDue(limitMs);
    if (event === undefined) return false;
    const { callback } = event;
    assert(callback !== null && event.atMs >= this.#nowMs, "time never runs back");
    this.#nowMs = event.atMs;
    event.callback = null;
    this.#eventCount += 1;
    callback();
    await drainMicrotasks();
    this.afterEvent?.();
    return true;
  }

  /** Lets `durationMs` of virtual time pass. */
  async runFor(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await drainMicrotasks();
    while (await this.step(untilMs));
    this.#nowMs = untilMs;
  }

  /**
   * Runs until `condition` holds, tested after each event; throws, naming `what`, when it does not
   * within `limitMs` of virtual time.
   */
  async runUntil(what: string, limitMs: number, condition: () => boolean): Promise<void> {
    const untilMs = this.#nowMs + limitMs;
    await drainMicrotasks();
    while (!condition()) {
      if (!await this.step(untilMs)) throw new Error(`not within ${limitMs} ms: ${what}`);
    }
  }

  /** Runs until `promise` is settled and returns what it is settled with. */
  async settle<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let settled = false;
    const mark = () => settled = true;
    promise.then(mark, mark);
    await this.runUntil("a promise to settle", limitMs, () => settled);
    return promise;
  }

  #nextDue(limitMs: number): Event | undefined {
    while (this.#heap.length > 0) {
      const first = this.#heap[0];
      if (first.callback === null) {
        this.#pop();
        continue;
      }
      if (first.atMs > limitMs) return undefined;
      this.#pop();
      return first;
    }
    return undefined;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!event.before(heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  /** Removes the first event. */
  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    assert(last !== undefined, "pop of an empty heap");
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1].before(heap[child])) child += 1;
      if (!heap[child].before(last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}

/**
 * One life of a simulated process. Everything that calls into a node's code goes through its
 * incarnation, so that a killed node never runs again and a paused one not until it is resumed.
 */
export class Incarnation {
  readonly scheduler: Scheduler;
  readonly name: string;
  #state: "running" | "paused" | "dead" = "running";
  #held: (() => void)[] = [];
  readonly #onDeath: ((silently: boolean) => void)[] = [];

  constructor(scheduler: Scheduler, name: string) {
    this.scheduler = scheduler;
    this.name = name;
  }

  get isDead(): boolean {
    return this.#state === "dead";
  }

  /** Runs `callback` after `delayMs`, unless the process is dead by then. */
  schedule(delayMs: number, callback: () => void): TimerHandle {
    let cancelled = false;
    const run = () => {
      if (cancelled || this.#state === "dead") return;
      if (this.#state === "paused") this.#held.push(run);
      else callback();
    };
    const timer = this.scheduler.schedule(delayMs, run);
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  /** Runs `callback` within the current event; later if the process is paused, never if dead. */
  run(callback: () => void): void {
    if (this.#state === "running") callback();
    else if (this.#state === "paused") this.#held.push(callback);
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
    for (const callback of held) this.schedule(0, callback);
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
