// Turns of the node's event loop: whatever woke a group is gathered, and at the end of the turn every
// awake group does its work once, then the log and the links are flushed once for all of them.

import type { PartitionId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";

/** Something that does its due work when its turn comes. */
export interface Turning {
  turn(): void;
}

export class Scheduler {
  readonly #clock: Clock;
  readonly #flush: () => void;
  readonly #members = new Map<PartitionId, Turning>();
  #awake = new Set<PartitionId>();
  #scheduled = false;
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

  /** A turn is due, if only for its flush. */
  schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#clock.defer(() => this.#turn());
  }

  stop(): void {
    this.#stopped = true;
  }

  #turn(): void {
    this.#scheduled = false;
    if (this.#stopped) return;
    const awake = this.#awake;
    this.#awake = new Set();
    for (const group of awake) this.#members.get(group)?.turn();
    this.#flush();
  }
}
