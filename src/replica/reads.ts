// Linearizable reads of one group by ReadIndex (Raft dissertation §6.4), batched: every read that came
// before a round began is served by it; a few rounds may be in flight, then the next batch gathers.
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
  /** Called once when it is waited for no more. */
  readonly over: () => void;
}

/** Reads confirmed by a round, waiting for the state machine to reach `index`. */
interface Confirmed {
  readonly index: LogIndex;
  readonly reads: QueuedRead[];
}

/** After so long without an answer another round is begun: the messages may be lost, or only slow. */
const ROUND_RETRY_MS = 100;

/** Rounds in flight at once. One more hides a round trip; many would be a message per read. */
const ROUNDS_MAX = 3;
/** With those begun for want of an answer: enough for a round trip of more than a second. */
const ROUNDS_KEPT_MAX = 16;

/** The queue of reads, the rounds in flight, and confirmed reads waiting for apply. */
export class Reads {
  #queue: QueuedRead[] = [];
  /** Oldest first. */
  #rounds: Round[] = [];
  #confirmed: Confirmed[] = [];
  #nextContext = 1;
  readonly #queueMax: number;

  constructor(queueMax: number) {
    this.#queueMax = queueMax;
  }

  /** Reads not settled yet. */
  get pending(): number {
    const inRounds = this.#rounds.reduce((sum, round) => sum + round.reads.length, 0);
    return this.#confirmed.reduce((sum, { reads }) => sum + reads.length, this.#queue.length) +
      inRounds;
  }

  /** Queues a read. `settle` runs once, synchronously with the state it may read. */
  enqueue(deadlineMs: number, settle: (outcome: ReadOutcome) => void): void {
    if (this.#queue.length >= this.#queueMax) settle("overloaded");
    else this.#queue.push({ deadlineMs, settle });
  }

  /** Whether a round is due. Ask at the end of a turn. */
  isRoundDue(nowMs: number): boolean {
    return this.#isLate(nowMs) || (this.#queue.length > 0 && this.#rounds.length < ROUNDS_MAX);
  }

  /**
   * The answer to any round settles those before it too, so the unanswered ones are not given up: where the
   * way to the quorum is long, theirs may come first.
   */
  #isLate(nowMs: number): boolean {
    const newest = this.#rounds.at(-1);
    return newest !== undefined && nowMs - newest.startedMs >= ROUND_RETRY_MS;
  }

  /** Begins a round that is due; returns its context. `over` is called once when it is waited for no more. */
  beginRound(nowMs: number, over: () => void): number {
    if (this.#rounds.length >= ROUNDS_KEPT_MAX) {
      const [oldest, next] = this.#rounds;
      // What came before the oldest began came before the next one did.
      this.#rounds.splice(0, 2, { ...next, reads: oldest.reads.concat(next.reads) });
      oldest.over();
    }
    const context = this.#nextContext++;
    this.#rounds.push({ context, startedMs: nowMs, reads: this.#queue, over });
    this.#queue = [];
    return context;
  }

  /**
   * The core confirmed the round `context` at `index`, and with it every round before. Returns when that
   * round began; undefined if it is not waited for any more.
   */
  confirmed(context: number, index: LogIndex, appliedIndex: LogIndex): number | undefined {
    let beganMs: number | undefined;
    while (this.#rounds.length > 0 && this.#rounds[0].context <= context) {
      const { reads, startedMs, over } = this.#rounds.shift()!;
      over();
      beganMs = startedMs;
      if (index <= appliedIndex) settleAll(reads, "ready");
      else this.#confirmed.push({ index, reads });
    }
    return beganMs;
  }

  /** The state machine has reached `appliedIndex`. */
  applied(appliedIndex: LogIndex): void {
    while (this.#confirmed.length > 0 && this.#confirmed[0].index <= appliedIndex) {
      settleAll(this.#confirmed.shift()!.reads, "ready");
    }
  }

  /** Leadership is gone: confirmed reads stay valid, the others are refused. */
  lostLeadership(): void {
    const rounds = this.#rounds;
    const refused = rounds.flatMap(({ reads }) => reads).concat(this.#queue);
    this.#rounds = [];
    this.#queue = [];
    for (const { over } of rounds) over();
    settleAll(refused, "not-leader");
  }

  /** Gives up on what is past its deadline. */
  expire(nowMs: number): void {
    this.#queue = expireReads(this.#queue, nowMs);
    for (let i = 0; i < this.#rounds.length; i++) {
      const round = this.#rounds[i];
      const reads = expireReads(round.reads, nowMs);
      if (reads !== round.reads) this.#rounds[i] = { ...round, reads };
    }
    for (let i = 0; i < this.#confirmed.length; i++) {
      const { index, reads } = this.#confirmed[i];
      this.#confirmed[i] = { index, reads: expireReads(reads, nowMs) };
    }
  }

  /** Ends everything: none of what waits may be served. */
  stop(outcome: ReadOutcome): void {
    this.lostLeadership();
    for (const { reads } of this.#confirmed) settleAll(reads, outcome);
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
