// Appends without entries on their way to the followers, held back for a moment. They tell little more than
// what is committed, and the next append with entries tells it too: alone, they would cost a write and a
// read on either side, as much as the entries did, just while the next request wants the processor. Those of
// all groups of a node go together, where they can with the entries of any of them.
// Dropping or delaying one is what a network may do anyway, so no safety rests on this.

import type { ReplicaId } from "../base/ids.ts";
import type { Clock, TimerHandle } from "../platform/ports.ts";
import type { Message } from "../raft/mod.ts";

/** How long the news of a commit waits for entries to travel with. */
const DELAY_MS = 2;
/** News this old take the entries of another group for a ride; younger ones wait for their own. */
const RIDE_MS = 1;

/** The notices of all groups of a node. */
export class NoticeBoard {
  readonly #clock: Clock;
  readonly #holders = new Set<CommitNotices>();
  #sinceMs = 0;
  #timer: TimerHandle | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `holder` holds a notice. */
  held(holder: CommitNotices): void {
    this.#holders.add(holder);
    if (this.#timer !== undefined) return;
    this.#sinceMs = this.#clock.monotonicMs();
    this.#timer = this.#clock.setTimer(DELAY_MS, () => this.#release());
  }

  /** Entries of `sender` go out: a message to each peer, as a rule, that costs hardly more with notices in it. */
  entriesSent(sender: CommitNotices): void {
    if (this.#timer === undefined || this.#clock.monotonicMs() - this.#sinceMs < RIDE_MS) return;
    // The sender's own notices are about to be replaced by its entries.
    if (this.#holders.size > 1 || !this.#holders.has(sender)) this.#release();
  }

  /** `holder` holds nothing any more. */
  dropped(holder: CommitNotices): void {
    this.#holders.delete(holder);
    if (this.#holders.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #release(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const holder of this.#holders) holder.release();
    this.#holders.clear();
  }
}

/** The notices of one group. */
export class CommitNotices {
  readonly #board: NoticeBoard;
  readonly #send: (message: Message) => void;
  /** The newest by receiver. */
  readonly #held = new Map<ReplicaId, Message>();

  constructor(board: NoticeBoard, send: (message: Message) => void) {
    this.#board = board;
    this.#send = send;
  }

  /** Takes an append of either kind: sends it at once if it has entries, else holds it back. */
  take(message: Message): void {
    if (message.entries.length === 0) {
      this.#held.set(message.to, message);
      return this.#board.held(this);
    }
    if (this.#held.delete(message.to) && this.#held.size === 0) this.#board.dropped(this);
    this.#send(message);
    this.#board.entriesSent(this);
  }

  /** Sends what is held. */
  release(): void {
    for (const notice of this.#held.values()) this.#send(notice);
    this.#held.clear();
  }

  /** Forgets what is held. */
  stop(): void {
    this.#held.clear();
    this.#board.dropped(this);
  }
}
