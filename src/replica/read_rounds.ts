// When the groups of a node ask their followers whether they still lead, for the reads that have come. What
// they ask in one turn shares a message to each peer and one back, so they ask together, and what comes
// meanwhile gathers. Counts what is in flight on the whole node; a group that gets no answer must not keep
// the others waiting for longer than PATIENCE_MS.

import type { Clock, TimerHandle } from "../platform/ports.ts";
import type { RoundMember } from "./proposal_rounds.ts";

/** Joint rounds in flight at once. One more hides a round trip; many would be messages for every read. */
const IN_FLIGHT_MAX = 3;
/** A joint round that is not answered by then counts no more: a group of it is without followers, or they are far. */
const PATIENCE_MS = 10;

/** What the groups asked in one turn. */
interface JointRound {
  readonly startedMs: number;
  /** Groups whose round is not answered. */
  pending: number;
}

export class ReadRounds {
  readonly #clock: Clock;
  /** Groups that want a round, and the joint one that has room for them, if it has. */
  readonly #wanting = new Map<RoundMember, JointRound | undefined>();
  /** Oldest first. */
  #inFlight: JointRound[] = [];
  #timer: TimerHandle | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `member` has reads that are in no round. */
  want(member: RoundMember): void {
    if (!this.#wanting.has(member)) this.#wanting.set(member, undefined);
  }

  /**
   * Begins a round of `member` and returns what to call once it is over, however it ends; undefined if it
   * has to wait: then `join` is called when it is time to ask again.
   */
  begin(member: RoundMember): (() => void) | undefined {
    const invited = this.#wanting.get(member);
    if (invited !== undefined && invited.pending > 0) {
      this.#wanting.delete(member);
      return this.#enter(invited);
    }
    const nowMs = this.#clock.monotonicMs();
    this.#inFlight = this.#inFlight.filter(({ startedMs }) => nowMs < startedMs + PATIENCE_MS);
    if (this.#inFlight.length >= IN_FLIGHT_MAX) {
      this.want(member);
      this.#waitFor(this.#inFlight[0], nowMs);
      return undefined;
    }
    this.#wanting.delete(member);
    const joint = { startedMs: nowMs, pending: 0 };
    this.#inFlight.push(joint);
    const over = this.#enter(joint);
    for (const other of this.#wanting.keys()) {
      this.#wanting.set(other, joint);
      other.join();
    }
    return over;
  }

  /** `member` wants no round, or none now. */
  leave(member: RoundMember): void {
    this.#wanting.delete(member);
  }

  #enter(joint: JointRound): () => void {
    joint.pending++;
    return () => {
      if (--joint.pending > 0) return;
      const at = this.#inFlight.indexOf(joint);
      if (at < 0) return; // it has not counted for a while
      this.#inFlight.splice(at, 1);
      this.#rouse();
    };
  }

  #waitFor({ startedMs }: JointRound, nowMs: number): void {
    // Whole milliseconds: what is left of one may be too little to move a clock at all.
    this.#timer ??= this.#clock.setTimer(Math.ceil(startedMs + PATIENCE_MS - nowMs), () => {
      this.#timer = undefined;
      this.#rouse();
    });
  }

  /** Whoever comes first asks the others to come along. */
  #rouse(): void {
    for (const member of this.#wanting.keys()) member.join();
    if (this.#wanting.size > 0 || this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
  }
}
