// Decides when the durable mark is refreshed (RULES 1): at a roll, after 100 ms without a batch, and at
// least each second while batches come. Never lets the mark run ahead of what is synced.

import type { Clock, TimerHandle } from "../platform/ports.ts";
import type { MarkFile } from "./mark.ts";
import type { LogPosition } from "./types.ts";

const IDLE_MS = 100;
const AGE_MS_MAX = 1000;

export class MarkKeeper {
  readonly #file: MarkFile;
  readonly #clock: Clock;
  readonly #onFailure: (cause: unknown) => void;
  #position: LogPosition;
  #chain: number;
  #marked: LogPosition;
  #lastBatchMs: number;
  #lastMarkMs: number;
  #timer: TimerHandle | undefined;
  #writing = false;
  #closed = false;

  /** `position` is durable and already marked. */
  constructor(
    file: MarkFile,
    clock: Clock,
    position: LogPosition,
    chain: number,
    onFailure: (cause: unknown) => void,
  ) {
    this.#file = file;
    this.#clock = clock;
    this.#onFailure = onFailure;
    this.#position = position;
    this.#marked = position;
    this.#chain = chain;
    this.#lastBatchMs = this.#lastMarkMs = clock.monotonicMs();
  }

  /** A batch that ends at `position` is durable. */
  advance(position: LogPosition, chain: number): void {
    const rolled = position.segment !== this.#position.segment;
    this.#position = position;
    this.#chain = chain;
    const nowMs = this.#lastBatchMs = this.#clock.monotonicMs();
    if (rolled || nowMs - this.#lastMarkMs >= AGE_MS_MAX) this.#write();
    else this.#arm(IDLE_MS);
  }

  /** Writes and syncs the mark, blocking, and ends. */
  close(): void {
    this.abandon();
    this.#file.write(this.#position, this.#chain);
    this.#file.syncSync();
    this.#file.close();
  }

  /** Ends without a word to the disk. */
  abandon(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #arm(delayMs: number): void {
    this.#timer ??= this.#clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      this.#check();
    });
  }

  #check(): void {
    if (this.#closed || this.#writing || this.#marked === this.#position) return;
    const nowMs = this.#clock.monotonicMs();
    const dueInMs = Math.min(
      IDLE_MS - (nowMs - this.#lastBatchMs),
      AGE_MS_MAX - (nowMs - this.#lastMarkMs),
    );
    if (dueInMs <= 0) this.#write();
    // A fraction of a millisecond might not move the clock at all.
    else this.#arm(Math.max(1, dueInMs));
  }

  #write(): void {
    if (this.#closed || this.#writing) return;
    this.#writing = true;
    const position = this.#position;
    try {
      this.#file.write(position, this.#chain);
    } catch (cause) {
      return this.#onFailure(cause);
    }
    this.#file.sync().then(() => {
      this.#writing = false;
      this.#marked = position;
      this.#lastMarkMs = this.#clock.monotonicMs();
      if (!this.#closed && this.#marked !== this.#position) this.#arm(IDLE_MS);
    }, (cause) => {
      if (!this.#closed) this.#onFailure(cause);
    });
  }
}
