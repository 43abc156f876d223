// A simulated network: TCP-like streams between nodes with random delays and chunk sizes, and faults for
// each directed link. A directed link from A to B is all connections that A dialled to B; "forward" are
// the bytes from A to B on them, "backward" those from B to A.
//
// As with TCP, a blackhole loses nothing while the connection lives: bytes are held, and arrive when the
// path is open again, unless either side has given the connection up by then.

import { assert } from "../../src/base/assert.ts";
import type { Address, Connection, Listener, Network } from "../../src/platform/ports.ts";
import type { Incarnation, Scheduler } from "./clock.ts";
import type { SeededRandom } from "./random.ts";

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
}

const DEFAULT_OPTIONS: SimNetworkOptions = {
  delayMsMin: 0.05,
  delayMsMean: 0.2,
  splitChance: 0.1,
  bufferBytes: 1024 * 1024,
  slowWriteChance: 0.1,
};

/** Bytes on their way are kept in buffers of this size. */
const SLAB_BYTES = 64 * 1024;

/** Faults and counters of one directed link; faults may be changed at any time through SimNetwork. */
export class DirectedLink {
  readonly from: string;
  readonly to: string;
  /** Bytes of the dialler are held. */
  forwardBlocked = false;
  /** Bytes of the acceptor are held. */
  backwardBlocked = false;
  /** New connections are refused. */
  refusing = false;
  /** Added to the delay of every chunk. */
  extraDelayMs = 0;
  /** Bytes that arrived at the acceptor, and at the dialler. */
  forwardBytes = 0;
  backwardBytes = 0;
  readonly connections = new Set<SimConnection>();

  constructor(from: string, to: string) {
    this.from = from;
    this.to = to;
  }
}

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
  #slab = new Uint8Array(SLAB_BYTES);
  #slabUsed = 0;

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

  /** A copy that nobody writes to; many share a buffer, which is cheaper than one each. */
  copyOf(bytes: Uint8Array): Uint8Array {
    if (bytes.length > SLAB_BYTES / 8) return bytes.slice();
    if (this.#slabUsed + bytes.length > SLAB_BYTES) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#slabUsed = 0;
    }
    const copy = this.#slab.subarray(this.#slabUsed, this.#slabUsed + bytes.length);
    copy.set(bytes);
    this.#slabUsed += bytes.length;
    return copy;
  }

  /** Whether the node's machine is off. */
  isOff(name: string): boolean {
    return this.#silent.has(name);
  }
}

/** What travels: bytes, or the end of the stream. */
interface Chunk {
  readonly bytes: Uint8Array | "end";
  arrived: boolean;
}

/** One end of a connection. Holds what has arrived for it and what is on its way to it. */
class SimConnection implements Connection {
  readonly remote: Address;
  readonly #network: SimNetwork;
  readonly #link: DirectedLink;
  readonly #owner: Incarnation;
  /** The owner's open connections, this one among them. */
  readonly #siblings: Set<SimConnection>;
  readonly #isDialler: boolean;
  #peer: SimConnection | null = null;
  /** On its way to this end, in order. */
  readonly #coming: Chunk[] = [];
  /** Arrived, not yet read. */
  readonly #unread: Uint8Array[] = [];
  #unreadOffset = 0;
  /** Bytes on their way or unread: what the other end has to wait for. */
  #pendingBytes = 0;
  #ended = false;
  #closed = false;
  #broken: Error | null = null;
  #reading: {
    into: Uint8Array;
    resolve: (count: number | null) => void;
    reject: (cause: Error) => void;
  } | null = null;
  /** Of the other end's write that waits for room here. */
  #roomWanted: (() => void) | null = null;

  constructor(
    network: SimNetwork,
    link: DirectedLink,
    owner: Incarnation,
    siblings: Set<SimConnection>,
    isDialler: boolean,
    remote: Address,
  ) {
    this.#network = network;
    this.#link = link;
    this.#owner = owner;
    this.#siblings = siblings;
    this.#isDialler = isDialler;
    this.remote = remote;
    link.connections.add(this);
    siblings.add(this);
  }

  /** Makes the acceptor's end of this dialled connection. */
  accepted(owner: Incarnation, siblings: Set<SimConnection>): SimConnection {
    const remote = `${this.#owner.name}:0`;
    const far = new SimConnection(this.#network, this.#link, owner, siblings, false, remote);
    this.#peer = far;
    far.#peer = this;
    return far;
  }

  #forget(): void {
    this.#link.connections.delete(this);
    this.#siblings.delete(this);
  }

  /** Whether what comes to this end is held. */
  get #isBlocked(): boolean {
    return this.#isDialler ? this.#link.backwardBlocked : this.#link.forwardBlocked;
  }

  read(into: Uint8Array): Promise<number | null> {
    assert(this.#reading === null, "one read at a time");
    assert(into.length > 0, "a read needs room");
    return new Promise((resolve, reject) => {
      this.#reading = { into, resolve, reject };
      this.#serveRead();
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    const peer = this.#peer;
    assert(peer !== null, "connections come in pairs");
    if (this.#closed) return Promise.reject(new Error("connection closed"));
    if (this.#broken !== null) return Promise.reject(this.#broken);
    assert(peer.#roomWanted === null, "one write at a time");
    this.#send(this.#network.copyOf(bytes));
    const { random, options } = this.#network;
    const hasRoom = peer.#pendingBytes <= options.bufferBytes;
    if (hasRoom && !random.chance(options.slowWriteChance)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const complete = () => {
        if (this.#broken !== null) reject(this.#broken);
        else if (this.#closed) reject(new Error("connection closed"));
        else resolve();
      };
      const proceed = () => this.#owner.schedule(0, complete);
      if (hasRoom) proceed();
      else peer.#roomWanted = proceed;
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forget();
    if (this.#broken === null) this.#dispatch("end");
    const reading = this.#reading;
    this.#reading = null;
    if (reading !== null) this.#owner.run(() => reading.resolve(null));
    this.#wakeWriters();
  }

  /** The process is gone. Its kernel says so to the other end, unless the machine is gone too. */
  ownerDied(silently: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forget();
    this.#reading = null;
    if (!silently && this.#broken === null) this.#dispatch("end");
  }

  /** Breaks the connection at both ends, as by an RST. */
  reset(): void {
    const peer = this.#peer;
    this.#break();
    if (peer !== null) peer.#break();
  }

  /** The path is open again: what arrived meanwhile can be had. */
  pathOpened(): void {
    this.#deliver();
  }

  #break(): void {
    if (this.#broken !== null) return;
    this.#broken = new Error("connection reset by peer");
    this.#forget();
    this.#serveRead();
    this.#wakeWriters();
  }

  /** Lets the writes of both ends that wait for room go on to see what happened. */
  #wakeWriters(): void {
    this.#wakeWriter();
    const peer = this.#peer;
    if (peer !== null) peer.#wakeWriter();
  }

  #wakeWriter(): void {
    const proceed = this.#roomWanted;
    this.#roomWanted = null;
    proceed?.();
  }

  /** Cuts bytes at random places and sends the pieces off. */
  #send(bytes: Uint8Array): void {
    const { random, options } = this.#network;
    let rest = bytes;
    while (rest.length > 1 && random.chance(options.splitChance)) {
      const cut = 1 + random.int(rest.length - 1);
      this.#dispatch(rest.subarray(0, cut));
      rest = rest.subarray(cut);
    }
    if (rest.length > 0) this.#dispatch(rest);
  }

  #dispatch(bytes: Uint8Array | "end"): void {
    const peer = this.#peer;
    assert(peer !== null, "connections come in pairs");
    const chunk: Chunk = { bytes, arrived: false };
    peer.#coming.push(chunk);
    if (bytes !== "end") peer.#pendingBytes += bytes.length;
    this.#network.scheduler.schedule(this.#network.delayMs(this.#link), () => {
      chunk.arrived = true;
      peer.#deliver();
    });
  }

  /** Takes what has arrived in order, if the path is open. */
  #deliver(): void {
    while (this.#coming.length > 0 && this.#coming[0].arrived && !this.#isBlocked) {
      const { bytes } = this.#coming.shift()!;
      if (bytes === "end") this.#ended = true;
      else {
        if (this.#isDialler) this.#link.backwardBytes += bytes.length;
        else this.#link.forwardBytes += bytes.length;
        if (this.#closed) this.#answerReset();
        else this.#unread.push(bytes);
      }
    }
    this.#serveRead();
  }

  /** Bytes came for a closed end: its kernel answers with an RST. */
  #answerReset(): void {
    const peer = this.#peer;
    if (peer === null || peer.#broken !== null || this.#network.isOff(this.#owner.name)) return;
    this.#network.scheduler.schedule(this.#network.delayMs(this.#link), () => {
      if (!peer.#isBlocked) peer.#break();
    });
  }

  #serveRead(): void {
    const reading = this.#reading;
    if (reading === null || this.#closed) return;
    if (this.#broken !== null) {
      const broken = this.#broken;
      this.#reading = null;
      this.#owner.run(() => reading.reject(broken));
    } else if (this.#unread.length > 0) {
      this.#reading = null;
      this.#owner.run(() => reading.resolve(this.#take(reading.into)));
    } else if (this.#ended) {
      this.#reading = null;
      this.#owner.run(() => reading.resolve(null));
    }
  }

  #take(into: Uint8Array): number {
    const { random, options } = this.#network;
    const first = this.#unread[0];
    let count = Math.min(into.length, first.length - this.#unreadOffset);
    if (count > 1 && random.chance(options.splitChance)) count = 1 + random.int(count - 1);
    into.set(first.subarray(this.#unreadOffset, this.#unreadOffset + count));
    this.#unreadOffset += count;
    if (this.#unreadOffset === first.length) {
      this.#unread.shift();
      this.#unreadOffset = 0;
    }
    this.#pendingBytes -= count;
    if (this.#pendingBytes <= options.bufferBytes) this.#wakeWriter();
    return count;
  }
}
