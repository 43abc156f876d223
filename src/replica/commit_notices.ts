// Appends without entries on their way to the followers, held back for a moment. They tell little more than
// what is committed, and the next append with entries tells it too: alone, they would cost a write and a
// read on either side, as much as the entries did, just while the next request wants the processor.
// Dropping or delaying one is what a network may do anyway, so no safety rests on this.

import type { ReplicaId } from "../base/ids.ts";
import type { Clock, TimerHandle } from "../platform/ports.ts";
import type { Message } from "../raft/mod.ts";

/** How long the news of a commit waits for entries to travel with. */
const DELAY_MS = 2;

export class CommitNotices {
  readonly #clock: Clock;
  readonly #send: (message: Message) => void;
  /** The newest by receiver. */
  readonly #held = new Map<ReplicaId, Message>();
  #timer: TimerHandle | undefined;

  constructor(clock: Clock, send: (message: Message) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Takes an append of either kind: sends it at once if it has entries, else holds it back. */
  take(message: Message): void {
    if (message.entries.length > 0) {
      this.#held.delete(message.to);
      this.#send(message);
      return;
    }
    this.#held.set(message.to, message);
    this.#timer ??= this.#clock.setTimer(DELAY_MS, () => {
      this.#timer = undefined;
      for (const notice of this.#held.values()) this.#send(notice);
      this.#held.clear();
    });
  }

  /** Forgets what is held. */
  stop(): void {
    this.#timer?.cancel();
    this.#held.clear();
  }
}
