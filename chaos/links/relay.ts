// One connection through a link: the dialler's socket, the acceptor's, a lane each way. Ends and resets go through
// like bytes do, in order, and not at all while the link swallows.

import { connect, type Socket } from "node:net";
import { Lane, type LaneHost, swallows } from "./lane.ts";

/** What a relay knows of the link that it belongs to. */
export type RelayLink = Pick<LaneHost, "effect" | "counters" | "late" | "framed" | "random">;

export class Relay implements LaneHost {
  readonly #link: RelayLink;
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #lanes: readonly Lane[];
  readonly #onClosed: (relay: Relay) => void;
  #tainted = false;
  #closed = false;

  /** `near` has been accepted; the target is dialled at once. */
  constructor(
    link: RelayLink,
    near: Socket,
    target: { readonly host: string; readonly port: number },
    onClosed: (relay: Relay) => void,
  ) {
    this.#link = link;
    this.#near = near;
    this.#far = connect({ ...target, allowHalfOpen: true });
    this.#onClosed = onClosed;
    near.setNoDelay(true);
    this.#far.setNoDelay(true);
    const forward = new Lane(this, "forward", near, this.#far);
    const backward = new Lane(this, "backward", this.#far, near);
    this.#lanes = [forward, backward];
    this.#join(near, forward);
    this.#join(this.#far, backward);
  }

  get effect() {
    return this.#link.effect;
  }

  get counters() {
    return this.#link.counters;
  }

  get late() {
    return this.#link.late;
  }

  get framed(): boolean {
    return this.#link.framed;
  }

  get random() {
    return this.#link.random;
  }

  /** Some of its bytes were swallowed: it can't go on when the link is healed. */
  get tainted(): boolean {
    return this.#tainted;
  }

  taint(): void {
    this.#tainted = true;
  }

  fail(): void {
    this.reset();
  }

  /** The link's effect has changed. */
  release(): void {
    for (const lane of this.#lanes) lane.release();
  }

  /** Ends both connections with a TCP reset. */
  reset(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const lane of this.#lanes) lane.close();
    this.#near.resetAndDestroy();
    this.#far.resetAndDestroy();
    this.#onClosed(this);
  }

  #join(socket: Socket, lane: Lane): void {
    socket.on("data", (chunk: Uint8Array) => lane.take(chunk));
    socket.on("end", () => lane.end());
    // An error is always followed by a close.
    socket.on("error", () => {});
    socket.on("close", (failed: boolean) => this.#socketClosed(failed));
  }

  #socketClosed(failed: boolean): void {
    if (this.#closed) return;
    if (this.#silent) this.#tainted = true;
    else if (failed) this.reset();
    else if (this.#near.destroyed && this.#far.destroyed) {
      this.#closed = true;
      this.#onClosed(this);
    }
  }

  /** Whether news of one end must not reach the other now. */
  get #silent(): boolean {
    const { effect } = this.#link;
    return effect?.kind === "hold" || swallows(effect, "forward") || swallows(effect, "backward");
  }
}
