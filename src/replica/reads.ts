// Linearizable reads of one group by ReadIndex (Raft dissertation §6.4), batched: while one round is
// in flight the next batch gathers, so a round trip serves every read that came before it began.
// A read must never be attached to a round that began before the read arrived.

import type { LogIndex } from "../base/ids.ts";

/** How a read ended: may be served now, from a state at or past the read index; or refused. */
export type ReadOutcome = "ready" | "not-leader" | "timeout" | "overloaded" | "stopping";

interface QueuedRead {
  readonly deadlineMs: number;
  readonly settle: (outcome: ReadOutcome) => void;
}

interface Round {
  readonly context: number;
  readonly startedMs: number;
  readonly reads: QueuedRead[];
}

/** Reads confirmed by a round, waiting for the state machine to reach `index`. */
interface Confirmed {
  readonly index: LogIndex;
  readonly reads: QueuedRead[];
}

/** A round that is not answered within this time is asked again (its messages may be lost). */
const ROUND_RETRY_MS = 100;

/** The queue of reads, the round in flight, and confirmed reads waiting for apply. */
export class Reads {
  #queue: QueuedRead[] = [];
  #round: Round | undefined;
  #confirmed: Confirmed[] = [];
  #nextContext = 1;
  readonly #queueMax: number;

  constructor(queueMax: number) {
    this.#queueMax = queueMax;
  }

  get pending(): number {
    return this.#queue.length + (this.#round?.reads.length ?? 0) + this.#confirmed.length;
  }

  /** Queues a read. `settle` runs once, synchronously with the state it may read. */
  enqueue(deadlineMs: number, settle: (outcome: ReadOutcome) => void): void {
    if (this.#queue.length >= this.#queueMax) settle("overloaded");
    else this.#queue.push({ deadlineMs, settle });
  }

  /** The context of a round to start now, or 0 when none is due. Call at the end of a turn. */
  nextRound(nowMs: number): number {
    const round = this.#round;
    if (round !== undefined) {
      if (nowMs - round.startedMs < ROUND_RETRY_MS) return 0;
      // The old round's reads came before the new one begins: they may wait for it with the rest.
      this.#queue = round.reads.concat(this.#queue);
      this.#round = undefined;
    }
    if (this.#queue.length === 0) return 0;
    const context = this.#nextContext++;
    this.#round = { context, startedMs: nowMs, reads: this.#queue };
    this.#queue = [];
    return context;
  }

  /** The core confirmed the round `context` at `index`. Late answers of older rounds are ignored. */
  confirmed(context: number, index: LogIndex, appliedIndex: LogIndex): void {
    const round = this.#round;
    if (round === undefined || round.context !== context) return;
    this.#round = undefined;
    if (index <= appliedIndex) settleAll(round.reads, "ready");
    else this.#confirmed.push({ index, reads: round.reads });
  }

  /** The state machine has reached `appliedIndex`. */
  applied(appliedIndex: LogIndex): void {
    while (this.#confirmed.length > 0 && this.#confirmed[0].index <= appliedIndex) {
      settleAll(this.#confirmed.shift()!.reads, "ready");
    }
  }

  /** Leadership is gone: confirmed reads stay valid, the others are refused. */
  lostLeadership(): void {
    const refused = this.#round === undefined ? this.#queue : this.#round.reads.concat(this.#queue);
    this.#round = undefined;
    this.#queue = [];
    settleAll(refused, "not-leader");
  }

  /** Gives up on what is past its deadline. */
  expire(nowMs: number): void {
    this.#queue = expireReads(this.#queue, nowMs);
    const round = this.#round;
    if (round !== undefined && round.reads.some((read) => read.deadlineMs <= nowMs)) {
      this.#round = { ...round, reads: expireReads(round.reads, nowMs) };
    }
    if (this.#confirmed.length > 0) {
      this.#confirmed = this.#confirmed.map(({ index, reads }) => ({
        index,
        reads: expireReads(reads, nowMs),
      }));
    }
  }

  stop(): void {
    this.lostLeadership();
    for (const { reads } of this.#confirmed) settleAll(reads, "stopping");
    this.#confirmed = [];
  }
}

function settleAll(reads: readonly QueuedRead[], outcome: ReadOutcome): void {
  for (const read of reads) read.settle(outcome);
}

function expireReads(reads: QueuedRead[], nowMs: number): QueuedRead[] {
  if (!reads.some((read) => read.deadlineMs <= nowMs)) return reads;
  const kept: QueuedRead[] = [];
  for (const read of reads) {
    if (read.deadlineMs > nowMs) kept.push(read);
    else read.settle("timeout");
  }
  return kept;
}
