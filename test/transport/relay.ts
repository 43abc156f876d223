// A proxy for one directed link, over any Network: forwards bytes both ways, counts them, and can be cut
// silently. It stands in the link by way of a node's dial override.

import type { Address, Connection, Network } from "../../src/platform/ports.ts";

export class Relay {
  readonly #network: Network;
  readonly #target: Address;
  readonly #open = new Set<Connection>();
  #close: () => void = () => {};
  #cut = false;
  address: Address = "";
  /** Bytes from the dialler, and from the acceptor. */
  forwardBytes = 0;
  backwardBytes = 0;

  constructor(network: Network, target: Address) {
    this.#network = network;
    this.#target = target;
  }

  async listen(address: Address): Promise<this> {
    const listener = await this.#network.listen(address, (connection) => this.#serve(connection));
    this.address = listener.address;
    this.#close = () => listener.close();
    return this;
  }

  /** From now on nothing passes, and nobody is told. */
  cut(): void {
    this.#cut = true;
  }

  close(): void {
    this.#close();
    for (const connection of this.#open) connection.close();
  }

  async #serve(near: Connection): Promise<void> {
    this.#open.add(near);
    if (this.#cut) return;
    try {
      const far = await this.#network.dial(this.#target, 1000);
      this.#open.add(far);
      this.#pump(near, far, (count) => this.forwardBytes += count);
      this.#pump(far, near, (count) => this.backwardBytes += count);
    } catch {
      near.close();
    }
  }

  async #pump(from: Connection, to: Connection, count: (bytes: number) => void): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const got = await from.read(buffer);
        if (this.#cut) return;
        if (got === null) break;
        count(got);
        await to.write(buffer.slice(0, got));
      }
    } catch {
      // Either side broke: the other is told by the close.
    }
    from.close();
    to.close();
  }
}
