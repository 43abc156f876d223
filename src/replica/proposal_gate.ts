// Decides when proposals that wait enter the log: what goes together costs one message and one sync, here and
// on every follower. It must never hold a proposal for longer than a sync, or HOLD_MS_MAX where none is under way.

import type { Clock, TimerHandle } from "../platform/ports.ts";
import { BatchFill, HOLD_MS_MAX } from "./batch_fill.ts";
import type { GroupLog } from "./log_port.ts";

/** Proposals that are worth a batch of their own while a sync is under way. */
const GATHER_MAX = 64;

/** How many proposals there are. */
export interface ProposalCounts {
  /** Not in the log yet. */
  readonly queued: number;
  /** In the log, not applied yet. */
  readonly waiting: number;
}

export class ProposalGate {
  readonly #log: GroupLog;
  readonly #clock: Clock;
  readonly #wake: () => void;
  readonly #fill = new BatchFill();
  /** What is queued waits for the end of a sync. */
  #gathering = false;
  #holdTimer: TimerHandle | undefined;

  /** @param wake asks for another look at the gate */
  constructor(log: GroupLog, clock: Clock, wake: () => void) {
    this.#log = log;
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Whether what is queued should go now; else `wake` is called when it is time to look again. */
  opens({ queued, waiting }: ProposalCounts, nowMs: number): boolean {
    if (this.#log.isSyncing && queued < GATHER_MAX) {
      this.#gather();
      return false;
    }
    switch (this.#fill.judge(queued, waiting, nowMs)) {
      case "go":
        return true;
      case "look":
        this.#wake();
        return false;
      case "hold":
        this.#holdTimer ??= this.#clock.setTimer(HOLD_MS_MAX, () => {
          this.#holdTimer = undefined;
          this.#wake();
        });
        return false;
    }
  }

  /** So many went. */
  taken(count: number): void {
    this.#fill.taken(count);
  }

  stop(): void {
    this.#holdTimer?.cancel();
  }

  /** What enters the log during a sync is synced with the next batch anyway. */
  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#log.afterPending(() => {
      this.#gathering = false;
      this.#wake();
    });
  }
}
