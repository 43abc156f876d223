// Tells the core what its log orders have come to, in their order. A snapshot's order is done only when its
// state is loaded, which takes long; entries behind it are durable before that, and the core, were it told of
// them first, would forget them and believe that its log ends at the snapshot.

import type { Message } from "../raft/mod.ts";

interface Order {
  readonly responses: readonly Message[];
  isDone: boolean;
}

export class DurableOrder {
  readonly #deliver: (responses: readonly Message[]) => void;
  /** Durable, not delivered yet, oldest first. *Invariant:* the first one is not done. */
  readonly #pending: Order[] = [];

  constructor(deliver: (responses: readonly Message[]) => void) {
    this.#deliver = deliver;
  }

  /** The next order is durable and done. */
  done(responses: readonly Message[]): void {
    if (this.#pending.length === 0) this.#deliver(responses);
    else this.#pending.push({ responses, isDone: true });
  }

  /** The next order is durable; it is done when what is returned is called, once. */
  begin(responses: readonly Message[]): () => void {
    const order = { responses, isDone: false };
    this.#pending.push(order);
    return () => {
      order.isDone = true;
      while (this.#pending[0]?.isDone) this.#deliver(this.#pending.shift()!.responses);
    };
  }
}
