// The order of everything that happens in a simulation: one queue of events in virtual time. It must never
// look at real time; a run is a function of its seed.

import { setImmediate } from "node:timers";
import { assert } from "../../src/base/assert.ts";
import type { TimerHandle } from "../../src/platform/ports.ts";

/**
 * Runs all microtasks that are due, where V8 was started with --allow-natives-syntax (13 ns); undefined
 * where it was not. The other way, a turn of the real event loop after each event, gives the same order
 * at a hundred times the price.
 */
const drainNow: (() => void) | undefined = (() => {
  try {
    return new Function("%PerformMicrotaskCheckpoint()") as () => void;
  } catch {
    return undefined;
  }
})();
/**
 * Events between two turns of the real event loop, in which the runtime reports promises that were
 * rejected while nobody looked.
 */
const EVENTS_PER_TURN = 64;

/** Events within one moment; a node that does more is in a loop. */
const STANDING_EVENTS_MAX = 100_000;

/** Resolves when every microtask that is due has run. */
export function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whose code an event runs. Decides whether and when it may run. */
export interface EventOwner {
  enter(event: SimEvent): void;
}

/** Something that happens at a time; a handle to cancel it. */
export class SimEvent implements TimerHandle {
  readonly atMs: number;
  /** Order of scheduling: events due at the same time run in it. */
  readonly sequence: number;
  readonly owner: EventOwner | null;
  /** Null once it has run or was cancelled. */
  callback: (() => void) | null;

  constructor(atMs: number, sequence: number, owner: EventOwner | null, callback: () => void) {
    this.atMs = atMs;
    this.sequence = sequence;
    this.owner = owner;
    this.callback = callback;
  }

  cancel(): void {
    this.callback = null;
  }

  before(other: SimEvent): boolean {
    return this.atMs < other.atMs || (this.atMs === other.atMs && this.sequence < other.sequence);
  }
}

/**
 * Time jumps from event to event. Between two events all microtasks run, so that code under test may
 * use promises freely as long as only events settle them.
 */
export class Scheduler {
  #nowMs = 0;
  #sequence = 0;
  readonly #heap: SimEvent[] = [];
  /** Due now, in order; saves the heap the most frequent kind. */
  #due: SimEvent[] = [];
  #dueHead = 0;
  #eventCount = 0;
  /** Events since time last moved. */
  #standingCount = 0;
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
  schedule(delayMs: number, callback: () => void, owner: EventOwner | null = null): SimEvent {
    assert(delayMs >= 0, "a delay is not negative");
    const event = new SimEvent(this.#nowMs + delayMs, this.#sequence++, owner, callback);
    if (delayMs === 0) this.#due.push(event);
    else this.#push(event);
    return event;
  }

  /** Lets `durationMs` of virtual time pass. */
  async runFor(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await this.#run(untilMs, undefined);
    this.#nowMs = untilMs;
  }

  /**
   * Runs until `condition` holds, tested after each event; throws, naming `what`, when it does not
   * within `limitMs` of virtual time.
   */
  async runUntil(what: string, limitMs: number, condition: () => boolean): Promise<void> {
    const held = await this.#run(this.#nowMs + limitMs, condition);
    if (!held) throw new Error(`not within ${limitMs} ms: ${what}`);
  }

  /** Runs until `promise` is settled and returns what it is settled with. */
  async settle<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let settled = false;
    const mark = () => settled = true;
    promise.then(mark, mark);
    await this.runUntil("a promise to settle", limitMs, () => settled);
    return promise;
  }

  /** Runs events until `condition` holds (true), or none is left up to `untilMs` (false). */
  #run(untilMs: number, condition: (() => boolean) | undefined): Promise<boolean> {
    return new Promise((resolve, reject) => {
      // Always called by the real event loop, never from a microtask: only there can microtasks be drained.
      const turn = (afterFirst: boolean) => {
        try {
          if (afterFirst) this.afterEvent?.();
          for (let i = 0; i < EVENTS_PER_TURN; i++) {
            if (condition?.() === true) return resolve(true);
            const event = this.#next(untilMs);
            if (event === undefined) return resolve(false);
            this.#fire(event);
            if (drainNow === undefined) return void setImmediate(turn, true);
            drainNow();
            this.afterEvent?.();
          }
        } catch (cause) {
          return reject(cause);
        }
        setImmediate(turn, false);
      };
      setImmediate(turn, false);
    });
  }

  #fire(event: SimEvent): void {
    if (event.atMs > this.#nowMs) {
      this.#nowMs = event.atMs;
      this.#standingCount = 0;
    } else if (++this.#standingCount > STANDING_EVENTS_MAX) {
      throw new Error(`time stands still at ${this.#nowMs} ms: something tries again and again`);
    }
    this.#eventCount += 1;
    if (event.owner !== null) return event.owner.enter(event);
    const { callback } = event;
    event.callback = null;
    callback?.();
  }

  /** Takes the next event up to `limitMs`. */
  #next(limitMs: number): SimEvent | undefined {
    const heap = this.#heap;
    while (heap.length > 0 && heap[0].callback === null) this.#pop();
    while (this.#dueHead < this.#due.length) {
      const event = this.#due[this.#dueHead];
      if (event.callback !== null && heap.length > 0 && heap[0].before(event)) break;
      this.#dueHead++;
      if (this.#dueHead === this.#due.length) {
        this.#due = [];
        this.#dueHead = 0;
      }
      if (event.callback !== null) return event;
    }
    const first = heap[0];
    if (first === undefined || first.atMs > limitMs) return undefined;
    this.#pop();
    return first;
  }

  #push(event: SimEvent): void {
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
