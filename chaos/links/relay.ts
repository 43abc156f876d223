// One connection through a link: the dialler's socket, the acceptor's, a lane each way. Ends and resets go through
// like bytes do, in order, and not at all while the link swallows.

import { connect, type Socket } from "node:net";
import { Lane, type LaneHost, swallows } from "./lane.ts";

/** What a relay knows of the link that it belongs to. */
export interface RelayLink
  extends Pick<LaneHost, "effect" | "counters" | "late" | "framed" | "random"> {
  /** Looks at what the dialler sent: it may show that the relay belongs to another link, which then takes it. */
  readonly recognise?: (relay: Relay, chunk: Uint8Array) => void;
  /** The relay is gone. */
  closed(relay: Relay): void;
}

export class Relay implements LaneHost {
  #link: RelayLink;
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #lanes: readonly Lane[];
  #tainted = false;
  #closed = false;

  /** `near` has been accepted; the target is dialled at once. */
  constructor(
    link: RelayLink,
    near: Socket,
    target: { readonly host: string; readonly port: number },
  ) {
    this.#link = link;
    this.#near = near;
    this.#far = connect({ ...target, allowHalfOpen: true });
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

  /** Belongs to `link` from now on. */
  moveTo(link: RelayLink): void {
    this.#link = link;
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
    this.#link.closed(this);
  }

  #join(socket: Socket, lane: Lane): void {
    socket.on("data", (chunk: Uint8Array) => {
      if (socket === this.#near) this.#link.recognise?.(this, chunk);
      if (!this.#closed) lane.take(chunk);
    });
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
      this.#link.closed(this);
    }
  }

  /** Whether news of one end must not reach the other now. */
  get #silent(): boolean {
    const { effect } = this.#link;
    return effect?.kind === "hold" || swallows(effect, "forward") || swallows(effect, "backward");
  }
}
