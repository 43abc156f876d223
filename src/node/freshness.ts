// How fresh this node's replica of one partition is. A round to the leader that began at T and was
// confirmed by a quorum at index c proves: once the replica has applied c, it holds all that was committed
// before T. T is a reading of this node's own monotonic clock, so no two clocks are ever compared.
//
// A heartbeat's commit index would not do: a leader that was deposed goes on sending them for an election
// timeout, while its successor commits.

import type { LogIndex } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";

/** What the tracker needs of its partition. */
export interface FreshnessHost {
  readonly clock: Clock;
  appliedIndex(): LogIndex;
  /** A linearizable look at the leader, begun now: the index it stood at; undefined if it failed. */
  confirm(): Promise<LogIndex | undefined>;
}

/** Rounds go on by themselves for so long after the last read that asked for freshness. */
const DEMAND_MS = 5_000;
const INTERVAL_MS_MIN = 20;
const INTERVAL_MS_MAX = 1_000;
/** A replica that lags asks no further before it has caught up with what it knows to be missing. */
const AWAITED_MAX = 32;

export class Freshness {
  readonly #host: FreshnessHost;
  /** The state holds all that was committed before this moment. */
  #freshAtMs = -Infinity;
  /** Confirmed moments whose index is not applied yet, oldest first, indexes ascending. */
  #awaited: { readonly atMs: number; readonly index: LogIndex }[] = [];
  #asking = false;
  #lastAskedMs = -Infinity;
  #lastDemandMs = -Infinity;
  #intervalMs = INTERVAL_MS_MAX;

  constructor(host: FreshnessHost) {
    this.#host = host;
  }

  /** How old the state may be, ms; undefined if nothing was ever confirmed. */
  ageMs(): number | undefined {
    this.#settle();
    return this.#freshAtMs === -Infinity
      ? undefined
      : this.#host.clock.monotonicMs() - this.#freshAtMs;
  }

  /** A reader wants the state no older than this: rounds will keep it so as far as they can. */
  demand(maxStalenessMs: number): void {
    const nowMs = this.#host.clock.monotonicMs();
    const wantedMs = Math.min(INTERVAL_MS_MAX, Math.max(INTERVAL_MS_MIN, maxStalenessMs / 3));
    // The strictest of the recent readers sets the pace.
    if (nowMs - this.#lastDemandMs > DEMAND_MS || wantedMs < this.#intervalMs) {
      this.#intervalMs = wantedMs;
    }
    this.#lastDemandMs = nowMs;
    this.#askIfDue(nowMs);
  }

  /** Call at every tick. */
  tick(): void {
    const nowMs = this.#host.clock.monotonicMs();
    if (nowMs - this.#lastDemandMs <= DEMAND_MS) this.#askIfDue(nowMs);
  }

  #askIfDue(nowMs: number): void {
    if (this.#asking || nowMs - this.#lastAskedMs < this.#intervalMs) return;
    this.#settle();
    if (this.#awaited.length >= AWAITED_MAX) return;
    this.#asking = true;
    this.#lastAskedMs = nowMs;
    this.#host.confirm().then((index) => {
      this.#asking = false;
      if (index !== undefined) this.#awaited.push({ atMs: nowMs, index });
      this.#settle();
    });
  }

  #settle(): void {
    if (this.#awaited.length === 0) return;
    const applied = this.#host.appliedIndex();
    while (this.#awaited.length > 0 && this.#awaited[0].index <= applied) {
      this.#freshAtMs = Math.max(this.#freshAtMs, this.#awaited.shift()!.atMs);
    }
  }
}
