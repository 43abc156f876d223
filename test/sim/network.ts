// A simulated network: TCP-like streams between nodes with random delays and chunk sizes, and faults for
// each directed link. A directed link from A to B is all connections that A dialled to B; "forward" are
// the bytes from A to B on them, "backward" those from B to A.
//
// As with TCP, a blackhole loses nothing while the connection lives: bytes are held, and arrive when the
// path is open again, unless either side has given the connection up by then.

import type { Address, Connection, Listener, Network } from "../../src/platform/ports.ts";
import type { Incarnation, Scheduler } from "./clock.ts";
import { SimConnection, type Wire } from "./connection.ts";
import { DirectedLink } from "./link.ts";
import type { SeededRandom } from "./random.ts";

export { DirectedLink } from "./link.ts";

export interface SimNetworkOptions {
  /** Least time of a chunk on its way. */
  readonly delayMsMin: number;
  /** Mean of the exponentially distributed time on top of it. */
  readonly delayMsMean: number;
  /** Chance that a write arrives in several pieces, and that a read gets less than there is. */
  readonly splitChance: number;
  /** Bytes a connection takes before its writer has to wait for the reader. */
  readonly bufferBytes: number;
  /** Chance that a write takes a moment to be handed over, though there is room. */
  readonly slowWriteChance: number;
  /** Whether links keep Raft frames that may come again, see DirectedLink.lateFrameChance. */
  readonly keepFrames: boolean;
}

const DEFAULT_OPTIONS: SimNetworkOptions = {
  delayMsMin: 0.05,
  delayMsMean: 0.2,
  splitChance: 0.1,
  bufferBytes: 1024 * 1024,
  slowWriteChance: 0.1,
  keepFrames: false,
};

interface ListenerEntry {
  readonly incarnation: Incarnation;
  /** All open connections of the listening process. */
  readonly connections: Set<SimConnection>;
  readonly onConnection: (connection: Connection) => void;
}

export class SimNetwork {
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly options: SimNetworkOptions;
  readonly #links = new Map<string, DirectedLink>();
  readonly #listeners = new Map<Address, ListenerEntry>();
  /** Which node was the last to listen at an address. */
  readonly #owners = new Map<Address, string>();
  /** Nodes whose machine is off: nothing answers, not even a refusal. */
  readonly #silent = new Set<string>();
  #nextPort = 40_000;
  /** Sees what is sent on a link, in whole frames, from its dialler (`forward`) or back. */
  onSend: Wire["onSend"];

  constructor(
    scheduler: Scheduler,
    random: SeededRandom,
    options: Partial<SimNetworkOptions> = {},
  ) {
    this.scheduler = scheduler;
    this.random = random.stream("network");
    this.options = { ...DEFAULT_OPTIONS, ...options };
  }

  /** The network as one life of a node sees it. */
  forNode(incarnation: Incarnation): Network {
    const { name } = incarnation;
    this.#silent.delete(name);
    const connections = new Set<SimConnection>();
    const listening = new Set<Address>();
    incarnation.onDeath((silently) => {
      if (silently) this.#silent.add(name);
      for (const address of listening) this.#listeners.delete(address);
      for (const connection of [...connections]) connection.ownerDied(silently);
    });
    return {
      listen: (address, onConnection) => {
        const bound = this.#bind(address, { incarnation, connections, onConnection });
        if (bound instanceof Error) return Promise.reject(bound);
        listening.add(bound.address);
        return Promise.resolve(bound);
      },
      dial: (address, timeoutMs) => this.#dial(incarnation, connections, address, timeoutMs),
    };
  }

  /** The directed link by the names of its ends. */
  link(from: string, to: string): DirectedLink {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = new DirectedLink(from, to);
      link.keepsFrames = this.options.keepFrames;
      this.#links.set(key, link);
    }
    return link;
  }

  // ---------------------------------------------------------------------------------------- faults

  /** Cuts one directed link silently: what its connections carry either way is held. */
  blackhole(from: string, to: string): void {
    this.#setBlocked(this.link(from, to), true, true);
  }

  /** Drops packets of one direction, whoever dialled. */
  dropPackets(from: string, to: string): void {
    const own = this.link(from, to);
    const other = this.link(to, from);
    this.#setBlocked(own, true, own.backwardBlocked);
    this.#setBlocked(other, other.forwardBlocked, true);
  }

  /** Silences every path between the two groups. */
  partition(left: readonly string[], right: readonly string[]): void {
    for (const a of left) {
      for (const b of right) {
        this.blackhole(a, b);
        this.blackhole(b, a);
      }
    }
  }

  /** Breaks the link's connections and refuses new ones until it is healed. */
  refuse(from: string, to: string): void {
    this.link(from, to).refusing = true;
    this.reset(from, to);
  }

  /** Breaks the link's connections, once. */
  reset(from: string, to: string): void {
    for (const connection of [...this.link(from, to).connections]) connection.reset();
  }

  /** Delays everything on one link. */
  slow(from: string, to: string, delayMs: number): void {
    this.link(from, to).extraDelayMs = delayMs;
  }

  /** Lets Raft frames of one link come again, late. */
  repeatFrames(from: string, to: string, chance: number): void {
    this.link(from, to).lateFrameChance = chance;
  }

  /** The node's machine was replaced: what was sent to or by the old one never arrives at the new one. */
  replaced(name: string): void {
    for (const link of this.#links.values()) {
      if (link.from === name || link.to === name) link.forgetFrames();
    }
  }

  /** Holds the link's bytes for a while, then lets them through. */
  clog(from: string, to: string, durationMs: number): void {
    this.blackhole(from, to);
    this.scheduler.schedule(durationMs, () => this.heal(from, to));
  }

  /** Ends all faults of one link. */
  heal(from: string, to: string): void {
    const link = this.link(from, to);
    link.refusing = false;
    link.extraDelayMs = 0;
    link.lateFrameChance = 0;
    this.#setBlocked(link, false, false);
  }

  /** Ends all faults. */
  healAll(): void {
    for (const link of this.#links.values()) this.heal(link.from, link.to);
  }

  #setBlocked(link: DirectedLink, forward: boolean, backward: boolean): void {
    link.forwardBlocked = forward;
    link.backwardBlocked = backward;
    if (forward && backward) return;
    for (const connection of link.connections) {
      this.scheduler.schedule(this.delayMs(link), () => connection.pathOpened());
    }
  }

  // ----------------------------------------------------------------------------------- connections

  /** A random time on the way. */
  delayMs(link: DirectedLink): number {
    const { delayMsMin, delayMsMean } = this.options;
    const exponential = -Math.log(1 - this.random.float()) * delayMsMean;
    return delayMsMin + exponential + link.extraDelayMs;
  }

  #bind(address: Address, entry: ListenerEntry): Listener | Error {
    const separator = address.lastIndexOf(":");
    let bound = address;
    if (address.slice(separator + 1) === "0") {
      bound = `${address.slice(0, separator)}:${this.#nextPort++}`;
    }
    if (this.#listeners.has(bound)) return new Error(`Cannot listen on ${bound}: address in use`);
    this.#listeners.set(bound, entry);
    this.#owners.set(bound, entry.incarnation.name);
    return {
      address: bound,
      close: () => {
        if (this.#listeners.get(bound) === entry) this.#listeners.delete(bound);
      },
    };
  }

  #dial(
    dialler: Incarnation,
    connections: Set<SimConnection>,
    address: Address,
    timeoutMs: number,
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      let done = false;
      const settle = (action: () => void, tooLate?: () => void) => {
        dialler.run(() => {
          if (done) return tooLate?.();
          done = true;
          timer.cancel();
          action();
        });
      };
      const fail = (reason: string) =>
        settle(() => reject(new Error(`Cannot reach ${address}: ${reason}`)));
      const timer = dialler.schedule(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`));
      const owner = this.#owners.get(address);
      const link = this.link(dialler.name, owner ?? address);
      const isLost = () => link.forwardBlocked || link.backwardBlocked || this.isOff(link.to);
      this.scheduler.schedule(this.delayMs(link), () => {
        if (done || dialler.isDead || isLost()) return;
        const listener = link.refusing ? undefined : this.#listeners.get(address);
        if (listener === undefined) {
          this.scheduler.schedule(this.delayMs(link), () => fail("connection refused"));
          return;
        }
        const near = new SimConnection(this, link, dialler, connections, true, address);
        const far = near.accepted(listener.incarnation, listener.connections);
        listener.incarnation.run(() => listener.onConnection(far));
        this.scheduler.schedule(this.delayMs(link), () => {
          settle(() => resolve(near), () => near.close());
        });
      });
    });
  }

  /** Whether the node's machine is off. */
  isOff(name: string): boolean {
    return this.#silent.has(name);
  }
}
