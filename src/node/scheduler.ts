// Turns of the node's event loop: whatever woke a group is gathered, and at the end of the turn the
// awake groups do their work, one after the other in the order in which they woke; then the log and the
// links are flushed once for all of them. No group gets a second turn before every other that waits had
// its first, and no turn goes on for long: a hot group costs the others a place in the queue, no more.

import { assert } from "../base/assert.ts";
import type { PartitionId } from "../base/ids.ts";
import type { Clock, TimerHandle } from "../platform/ports.ts";

/** Longest stretch of groups' work before the log and the links are flushed and requests get heard. */
const STRETCH_MS_MAX = 8;

/** Something that does its due work, a bounded part of it at a time, when its turn comes. */
export interface Turning {
  turn(): void;
}

export class Scheduler {
  readonly #clock: Clock;
  readonly #flush: () => void;
  readonly #members = new Map<PartitionId, Turning>();
  #awake = new Set<PartitionId>();
  /** Empty: takes the place of `#awake` during a turn. */
  #spare = new Set<PartitionId>();
  /** During a turn: who has yet to come. */
  #coming: Set<PartitionId> | undefined;
  /** The turn that is due; undefined if none is. */
  #due: TimerHandle | undefined;
  /** Within `gather`: whether a turn is due at its end. */
  #gathering = false;
  #dueAtEnd = false;
  #stopped = false;

  /** `flush` runs at the end of every turn. */
  constructor(clock: Clock, flush: () => void) {
    this.#clock = clock;
    this.#flush = flush;
  }

  add(group: PartitionId, member: Turning): void {
    this.#members.set(group, member);
  }

  remove(group: PartitionId): void {
    this.#members.delete(group);
    this.#awake.delete(group);
  }

  /** The group has work to do at the end of this turn. */
  wake(group: PartitionId): void {
    this.#awake.add(group);
    this.schedule();
  }

  /** The group has work that should be flushed with that of the turn under way, if there is one. */
  join(group: PartitionId): void {
    if (this.#coming === undefined) this.wake(group);
    else this.#coming.add(group);
  }

  /** A turn is due, if only for its flush. */
  schedule(): void {
    if (this.#stopped) return;
    if (this.#gathering) this.#dueAtEnd = true;
    else this.#due ??= this.#clock.defer(() => this.#turn());
  }

  /**
   * Runs `work`, and what it made due right after it, without waiting for the other I/O events: for what
   * comes in batches already, as peers' messages and syncs do. It takes a round of the event loop out of
   * each hop of a write.
   */
  gather(work: () => void): void {
    assert(!this.#gathering, "work that is gathered never nests");
    this.#gathering = true;
    work();
    this.#gathering = false;
    if (!this.#dueAtEnd) return;
    this.#dueAtEnd = false;
    this.#due?.cancel();
    this.#turn();
  }

  stop(): void {
    this.#stopped = true;
  }

  #turn(): void {
    this.#due = undefined;
    if (this.#stopped) return;
    const startedMs = this.#clock.monotonicMs();
    const waiting = this.#awake;
    this.#awake = this.#spare;
    this.#coming = waiting;
    for (const group of waiting) {
      if (this.#clock.monotonicMs() - startedMs >= STRETCH_MS_MAX) break;
      waiting.delete(group);
      this.#members.get(group)?.turn();
    }
    this.#coming = undefined;
    if (waiting.size === 0) {
      this.#spare = waiting;
    } else {
      // Whoever was left out comes before those that woke meanwhile.
      for (const group of this.#awake) waiting.add(group);
      this.#spare = new Set();
      this.#awake = waiting;
      this.schedule();
    }
    this.#flush();
  }
}
