// When the newest batches of a leader took each step, and the newest rounds of ReadIndex: for telling afterwards
// where the time of a slow request went. Costs a few stores a batch; knows nothing of single requests.

import type { LogIndex } from "../base/ids.ts";

/** Far more than are ever under way, and questions come right after a batch's end. */
const BATCHES_KEPT = 256;
const ROUNDS_KEPT = 64;

/** Monotonic times in ms of one batch; NaN: not yet, or not by this leader. */
export interface BatchTimes {
  /** Of the last entry. */
  index: LogIndex;
  /** It entered the log: before that its proposals waited in the queue. */
  appendedMs: number;
  /** It was on this leader's disk. */
  durableMs: number;
  /** A quorum had it. */
  committedMs: number;
  appliedMs: number;
}

interface RoundTimes {
  beganMs: number;
  confirmedMs: number;
}

export class WorkTimes {
  readonly #batches: BatchTimes[] = [];
  /** Batches ever noted; the newest is at `(#count - 1) % BATCHES_KEPT`. */
  #count = 0;
  readonly #rounds: RoundTimes[] = [];
  #roundCount = 0;

  /** A batch up to `index` entered the log. Indexes only run back when a leader begins anew. */
  appended(index: LogIndex, nowMs: number): void {
    const place = this.#count++ % BATCHES_KEPT;
    this.#batches[place] = {
      index,
      appendedMs: nowMs,
      durableMs: NaN,
      committedMs: NaN,
      appliedMs: NaN,
    };
  }

  durable(upTo: LogIndex, nowMs: number): void {
    this.#mark(upTo, (batch) => batch.durableMs, (batch) => batch.durableMs = nowMs);
  }

  committed(upTo: LogIndex, nowMs: number): void {
    this.#mark(upTo, (batch) => batch.committedMs, (batch) => batch.committedMs = nowMs);
  }

  applied(upTo: LogIndex, nowMs: number): void {
    this.#mark(upTo, (batch) => batch.appliedMs, (batch) => batch.appliedMs = nowMs);
  }

  /** A round of ReadIndex was confirmed. */
  confirmed(beganMs: number, nowMs: number): void {
    this.#rounds[this.#roundCount++ % ROUNDS_KEPT] = { beganMs, confirmedMs: nowMs };
  }

  /** The batch that holds `index`, if it is still remembered. */
  batchOf(index: LogIndex): BatchTimes | undefined {
    let found: BatchTimes | undefined;
    for (const batch of this.#newestFirst()) {
      if (batch.index < index) break;
      found = batch;
    }
    return found;
  }

  /** The longest round within [fromMs, toMs], in ms. */
  longestRoundMs(fromMs: number, toMs: number): number | undefined {
    let longestMs: number | undefined;
    for (const { beganMs, confirmedMs } of this.#rounds) {
      if (beganMs < fromMs || confirmedMs > toMs) continue;
      longestMs = Math.max(longestMs ?? 0, confirmedMs - beganMs);
    }
    return longestMs;
  }

  /** Marks those up to `upTo` that are not marked; the marked ones come before them. */
  #mark(
    upTo: LogIndex,
    timeOf: (batch: BatchTimes) => number,
    mark: (batch: BatchTimes) => void,
  ): void {
    for (const batch of this.#newestFirst()) {
      if (!Number.isNaN(timeOf(batch))) break;
      if (batch.index <= upTo) mark(batch);
    }
  }

  *#newestFirst(): Generator<BatchTimes> {
    const oldest = Math.max(0, this.#count - BATCHES_KEPT);
    for (let i = this.#count - 1; i >= oldest; i--) yield this.#batches[i % BATCHES_KEPT];
  }
}
