// When a batch of proposals is full enough to go. Each batch costs every replica a write, a sync and two
// messages, whatever is in it. Clients that wait for their answers come back together: left alone they fall
// into a small and a large batch by turns (7 and 42 of 64), and the small ones cost as much. Decides by
// counts and its own short bounds; it must never hold a batch for what does not come.

/** What to do with the proposals that are queued. */
export type FillVerdict =
  /** Propose them. */
  | "go"
  /** Look again after the next round of the event loop: more is arriving. */
  | "look"
  /** Look again when something commits, at the latest in {@linkcode HOLD_MS_MAX}. */
  | "hold";

/** Longest wait for the batch before to commit, whose clients then come back. */
export const HOLD_MS_MAX = 1;
/** Looks in a row that brought nothing new before a batch goes as it is. */
const STILL_LOOKS_MAX = 3;

export class BatchFill {
  /** Size of the batch before this one. */
  #lastSize = 0;
  /** Worth waiting for; 0 while no batch is kept waiting. */
  #target = 0;
  #sinceMs = 0;
  #seen = 0;
  #stillLooks = 0;

  /**
   * `queued` proposals, one at least, could go; `waiting` ones before them are not committed yet. Half of
   * those who are about, in this batch and the last, make batches of the same size.
   */
  judge(queued: number, waiting: number, nowMs: number): FillVerdict {
    if (this.#target === 0) {
      this.#target = Math.ceil((this.#lastSize + queued) / 2);
      this.#sinceMs = nowMs;
    }
    if (queued >= this.#target) return "go";
    if (waiting > 0) return nowMs - this.#sinceMs < HOLD_MS_MAX ? "hold" : "go";
    if (queued > this.#seen) {
      this.#seen = queued;
      this.#stillLooks = 0;
      return "look";
    }
    return ++this.#stillLooks <= STILL_LOOKS_MAX ? "look" : "go";
  }

  /** Whether a batch that is kept waiting has become as large as was hoped. */
  isFull(queued: number): boolean {
    return this.#target > 0 && queued >= this.#target;
  }

  /** A batch of `size` went. */
  taken(size: number): void {
    this.#lastSize = size;
    this.#target = 0;
    this.#seen = 0;
    this.#stillLooks = 0;
  }
}
