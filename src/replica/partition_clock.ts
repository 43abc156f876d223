// Partition time of one group's leader (RULES 18): continues the state's time, steps forward once when
// elected, to no more than the lowest wall clock of the quorum that elected it, then follows the
// monotonic clock alone. One wrong wall clock can neither rush nor freeze it.

import { assert } from "../base/assert.ts";
import type { Clock } from "../platform/ports.ts";

/** Gives the time that a leader writes into its entries. */
export class PartitionClock {
  readonly #clock: Clock;
  #baseMs = 0;
  #sinceMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Begins a leadership. `quorumWallMs` are the wall clocks, own one included, of exactly the voters
   * whose votes made the quorum.
   */
  elected(stateTimeMs: number, quorumWallMs: readonly number[]): void {
    assert(quorumWallMs.length > 0, "a leader was elected by somebody");
    const lowestMs = Math.min(...quorumWallMs);
    this.#baseMs = Math.max(stateTimeMs, lowestMs);
    this.#sinceMs = this.#clock.monotonicMs();
  }

  /** Partition time now, in whole milliseconds; never before `stateTimeMs`. */
  nowMs(stateTimeMs: number): number {
    const monotonicMs = this.#clock.monotonicMs();
    const ownMs = Math.floor(this.#baseMs + monotonicMs - this.#sinceMs);
    if (ownMs >= stateTimeMs) return ownMs;
    // Entries of an earlier leader, applied since the election, were ahead: time goes on from theirs,
    // it does not stand still until ours has caught up.
    this.#baseMs = stateTimeMs;
    this.#sinceMs = monotonicMs;
    return stateTimeMs;
  }
}
