// Rounds in which all groups of a node propose: what their gates let through in one turn shares a write, a
// sync and a message to each peer. Left to themselves, groups with a few clients each would take turns, and
// every one of them would cost what a full round does. Owns the counts over all groups and the node's one
// wait; it must never hold a proposal for longer than the rest of a sync and HOLD_MS_MAX.

import type { Clock, TimerHandle } from "../platform/ports.ts";
import { BatchFill, HOLD_MS_MAX } from "./batch_fill.ts";
import type { GroupLog } from "./log_port.ts";

/** Proposals that are worth a round of their own while a sync is under way. */
const GATHER_MAX = 64;

/** A group in the rounds of its node. Both calls ask it to come to `opens` again, if it has anything queued. */
export interface RoundMember {
  /** In the turn under way, if there is one, so that it takes part in what that turn sends. */
  join(): void;
  /** In the next round of the event loop. */
  wake(): void;
}

interface Entry {
  queued: number;
  waiting: number;
  /** The round that is open has room for what it has. */
  admitted: boolean;
}

export class ProposalRounds {
  readonly #clock: Clock;
  readonly #fill = new BatchFill();
  readonly #entries = new Map<RoundMember, Entry>();
  #queued = 0;
  #waiting = 0;
  /** Proposals that went in the round that is open, or was last. */
  #taken = 0;
  #awaitsSync = false;
  /** A sync was waited for already: the next one must not be. */
  #sawSync = false;
  #holdTimer: TimerHandle | undefined;
  /** Who asks for all in the next round of the event loop, by which more may have arrived. */
  #looking: RoundMember | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many proposals `member` has now: not in the log yet, and in it, not applied. Call it whenever that changes. */
  note(member: RoundMember, queued: number, waiting: number): void {
    let entry = this.#entries.get(member);
    if (entry === undefined) {
      if (queued === 0 && waiting === 0) return;
      this.#entries.set(member, entry = { queued: 0, waiting: 0, admitted: false });
    }
    this.#queued += queued - entry.queued;
    this.#waiting += waiting - entry.waiting;
    entry.queued = queued;
    entry.waiting = waiting;
    if (queued === 0) {
      entry.admitted = false;
      if (waiting === 0) this.#entries.delete(member);
      if (this.#looking === member) this.#rouse();
    }
  }

  /** `member` ends. */
  leave(member: RoundMember): void {
    this.note(member, 0, 0);
    if (this.#entries.size === 0) this.#stopWaiting();
  }

  /**
   * Whether what `member` has queued, one proposal at least, should go now; else `join` is called when it is
   * time to ask again. `log` is the node's.
   */
  opens(member: RoundMember, log: Pick<GroupLog, "isSyncing" | "afterSync">): boolean {
    const entry = this.#entries.get(member);
    if (entry === undefined) return true;
    if (entry.admitted) {
      entry.admitted = false;
      this.#take(entry);
      return true;
    }
    if (
      this.#looking !== undefined && this.#looking !== member && !this.#fill.isFull(this.#queued)
    ) {
      return false;
    }
    // What enters the log during a sync is synced with the next batch anyway.
    if (log.isSyncing && this.#queued < GATHER_MAX && !this.#sawSync) {
      this.#awaitSync(log);
      return false;
    }
    switch (this.#fill.judge(this.#queued, this.#waiting, this.#clock.monotonicMs())) {
      case "go":
        this.#open(entry);
        return true;
      case "look":
        this.#looking = member;
        member.wake();
        return false;
      case "hold":
        this.#holdTimer ??= this.#clock.setTimer(HOLD_MS_MAX, () => this.#rouse());
        return false;
    }
  }

  /** Begins a round with `first`; everybody else who has something comes along. */
  #open(first: Entry): void {
    this.#stopWaiting();
    this.#sawSync = false;
    this.#taken = 0;
    this.#take(first);
    for (const [member, entry] of this.#entries) {
      entry.admitted = entry !== first && entry.queued > 0;
      if (entry.admitted) member.join();
    }
  }

  #take(entry: Entry): void {
    this.#taken += entry.queued;
    this.#fill.taken(this.#taken);
  }

  #awaitSync(log: Pick<GroupLog, "afterSync">): void {
    if (this.#awaitsSync) return;
    this.#awaitsSync = true;
    log.afterSync(() => {
      this.#awaitsSync = false;
      this.#sawSync = true;
      this.#rouse();
    });
  }

  /** Everybody who has something asks again. */
  #rouse(): void {
    this.#stopWaiting();
    for (const [member, { queued }] of this.#entries) if (queued > 0) member.join();
  }

  #stopWaiting(): void {
    this.#holdTimer?.cancel();
    this.#holdTimer = undefined;
    this.#looking = undefined;
  }
}
