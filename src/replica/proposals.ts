// Proposals of one group: gathered until the owner's turn ends, then waiting by (term, index) for the
// outcome. Owns the line between "definitely not applied" and "unknown" (RULES 13); it must never
// report `none` for an entry that may still commit.

import { assert } from "../base/assert.ts";
import type { LogIndex, Term } from "../base/ids.ts";

/** How a proposal ended. */
export type ProposalOutcome<Result> =
  | { readonly kind: "applied"; readonly result: Result; readonly index: LogIndex }
  /** It never entered a log, or another entry has committed in its place: never applied. */
  | { readonly kind: "none"; readonly reason: ProposalRefusal }
  /** It entered the log and its fate is not known here. */
  | { readonly kind: "unknown"; readonly reason: string };

export type ProposalRefusal = "not-leader" | "overloaded" | "timeout" | "superseded" | "stopping";

interface QueuedProposal<Result> {
  readonly data: Uint8Array;
  readonly deadlineMs: number;
  readonly settle: (outcome: ProposalOutcome<Result>) => void;
}

interface WaitingProposal<Result> {
  readonly term: Term;
  readonly deadlineMs: number;
  readonly settle: (outcome: ProposalOutcome<Result>) => void;
}

interface DisplacedProposal<Result> {
  readonly index: LogIndex;
  readonly waiter: WaitingProposal<Result>;
}

/** The queue before the log and the waiters behind it. */
export class Proposals<Result> {
  #queue: QueuedProposal<Result>[] = [];
  #queuedBytes = 0;
  /** Keyed by index. *Invariant:* at most one waiter an index: a waiter of an older term is settled or
   * moved to `#displaced` when a newer leader's term of this replica takes the index again. */
  readonly #waiting = new Map<LogIndex, WaitingProposal<Result>>();
  /** Waiters whose index was proposed again by this replica in a later term, before either committed. */
  #displaced: DisplacedProposal<Result>[] = [];
  readonly #queueBytesMax: number;

  constructor(queueBytesMax: number) {
    this.#queueBytesMax = queueBytesMax;
  }

  /** Proposals not yet in a log. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Proposals in a log whose outcome is open. */
  get waiting(): number {
    return this.#waiting.size + this.#displaced.length;
  }

  /** Queues a proposal; refuses it (`overloaded`) when the queue is full. `settle` runs once. */
  enqueue(
    data: Uint8Array,
    deadlineMs: number,
    settle: (outcome: ProposalOutcome<Result>) => void,
  ): void {
    if (this.#queuedBytes + data.length > this.#queueBytesMax && this.#queue.length > 0) {
      settle({ kind: "none", reason: "overloaded" });
      return;
    }
    this.#queuedBytes += data.length;
    this.#queue.push({ data, deadlineMs, settle });
  }

  /** Takes the whole queue, to be proposed as one batch. */
  take(): readonly QueuedProposal<Result>[] {
    const taken = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    return taken;
  }

  /** The batch entered the log at `firstIndex` in `term`, in order, one index each. */
  appended(batch: readonly QueuedProposal<Result>[], term: Term, firstIndex: LogIndex): void {
    for (let i = 0; i < batch.length; i++) {
      const index = firstIndex + i;
      const earlier = this.#waiting.get(index);
      if (earlier !== undefined) {
        assert(earlier.term < term, "an index is proposed once a term");
        this.#displaced.push({ index, waiter: earlier });
      }
      const { deadlineMs, settle } = batch[i];
      this.#waiting.set(index, { term, deadlineMs, settle });
    }
  }

  /** The batch never entered the log. */
  refuse(batch: readonly QueuedProposal<Result>[], reason: ProposalRefusal): void {
    for (const { settle } of batch) settle({ kind: "none", reason });
  }

  /** Whether anyone waits for the entry; lets apply skip the work of making a result. */
  applied(index: LogIndex, term: Term, result: Result): void {
    const waiter = this.#waiting.get(index);
    if (waiter !== undefined) {
      this.#waiting.delete(index);
      if (waiter.term === term) waiter.settle({ kind: "applied", result, index });
      else waiter.settle({ kind: "none", reason: "superseded" });
    }
    if (this.#displaced.length > 0) this.#settleDisplaced(index, term, result);
  }

  #settleDisplaced(index: LogIndex, term: Term, result: Result): void {
    const kept: DisplacedProposal<Result>[] = [];
    for (const entry of this.#displaced) {
      if (entry.index !== index) kept.push(entry);
      else if (entry.waiter.term === term) {
        entry.waiter.settle({ kind: "applied", result, index });
      } else entry.waiter.settle({ kind: "none", reason: "superseded" });
    }
    this.#displaced = kept;
  }

  /** A snapshot covers everything up to `index`: what became of those entries is not known here. */
  coveredBySnapshot(index: LogIndex): void {
    for (const [at, waiter] of this.#waiting) {
      if (at > index) continue;
      this.#waiting.delete(at);
      waiter.settle({ kind: "unknown", reason: "a snapshot replaced the log at this entry" });
    }
    const kept: DisplacedProposal<Result>[] = [];
    for (const entry of this.#displaced) {
      if (entry.index > index) kept.push(entry);
      else {
        entry.waiter.settle({
          kind: "unknown",
          reason: "a snapshot replaced the log at this entry",
        });
      }
    }
    this.#displaced = kept;
  }

  /** Gives up on what is past its deadline: queued ones were not applied, waiting ones are unknown. */
  expire(nowMs: number): void {
    if (this.#queue.some((proposal) => proposal.deadlineMs <= nowMs)) {
      const kept: QueuedProposal<Result>[] = [];
      for (const proposal of this.#queue) {
        if (proposal.deadlineMs > nowMs) kept.push(proposal);
        else {
          this.#queuedBytes -= proposal.data.length;
          proposal.settle({ kind: "none", reason: "timeout" });
        }
      }
      this.#queue = kept;
    }
    for (const [index, waiter] of this.#waiting) {
      if (waiter.deadlineMs > nowMs) continue;
      this.#waiting.delete(index);
      waiter.settle({ kind: "unknown", reason: "not committed within the deadline" });
    }
    if (this.#displaced.length > 0) {
      const kept: DisplacedProposal<Result>[] = [];
      for (const entry of this.#displaced) {
        if (entry.waiter.deadlineMs > nowMs) kept.push(entry);
        else {
          entry.waiter.settle({ kind: "unknown", reason: "not committed within the deadline" });
        }
      }
      this.#displaced = kept;
    }
  }

  /** Ends everything: queued ones were not applied, for the reason given; waiting ones are unknown. */
  stop(refusal: ProposalRefusal): void {
    this.refuse(this.take(), refusal);
    const reason = "the replica ended before the entry committed";
    for (const waiter of this.#waiting.values()) waiter.settle({ kind: "unknown", reason });
    this.#waiting.clear();
    for (const { waiter } of this.#displaced) waiter.settle({ kind: "unknown", reason });
    this.#displaced = [];
  }
}
