// One end of a simulated TCP connection: what is on its way to it, what has arrived, and the kernel's part
// in its end. Never loses or reorders a byte while the connection lives.

import { assert } from "../../src/base/assert.ts";
import type { Address, Connection } from "../../src/platform/ports.ts";
import type { Incarnation, Scheduler } from "./clock.ts";
import type { DirectedLink } from "./link.ts";
import type { SeededRandom } from "./random.ts";

/** Bytes on their way are kept in buffers of this size. */
const SLAB_BYTES = 64 * 1024;
let slab = new Uint8Array(SLAB_BYTES);
let slabUsed = 0;

/** A copy that nobody writes to; many share a buffer, which is cheaper than one each. */
function copyOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length > SLAB_BYTES / 8) return bytes.slice();
  if (slabUsed + bytes.length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    slabUsed = 0;
  }
  const copy = slab.subarray(slabUsed, slabUsed + bytes.length);
  copy.set(bytes);
  slabUsed += bytes.length;
  return copy;
}

/** What a connection needs of the network. */
export interface Wire {
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly options: {
    readonly splitChance: number;
    readonly bufferBytes: number;
    readonly slowWriteChance: number;
  };
  delayMs(link: DirectedLink): number;
  isOff(name: string): boolean;
  /** Sees what is sent on a link, in whole frames; undefined if nobody looks. */
  readonly onSend:
    | ((link: DirectedLink, forward: boolean, bytes: Uint8Array) => Sent | undefined)
    | undefined;
}

/** What somebody who looks keeps of something sent. */
export interface Sent {
  /** Set when its last byte has arrived. */
  deliveredMs: number | undefined;
}

/** What travels: bytes, or the end of the stream. */
interface Chunk {
  readonly bytes: Uint8Array | "end";
  arrived: boolean;
  /** Of the last chunk of a write, if somebody looks. */
  sent: Sent | undefined;
}

/** One end of a connection. Holds what has arrived for it and what is on its way to it. */
export class SimConnection implements Connection {
  readonly remote: Address;
  readonly #wire: Wire;
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
    wire: Wire,
    link: DirectedLink,
    owner: Incarnation,
    siblings: Set<SimConnection>,
    isDialler: boolean,
    remote: Address,
  ) {
    this.#wire = wire;
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
    const far = new SimConnection(this.#wire, this.#link, owner, siblings, false, remote);
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
    if (this.#closed) return Promise.reject(new Error("connection closed"));
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
    this.#send(copyOf(bytes));
    this.#tellOf(bytes);
    if (this.#isDialler && this.#link.keepsFrames) this.#sendLate(bytes);
    const { random, options } = this.#wire;
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

  #tellOf(bytes: Uint8Array): void {
    const { onSend } = this.#wire;
    const peer = this.#peer;
    if (onSend === undefined || peer === null || peer.#coming.length === 0) return;
    peer.#coming[peer.#coming.length - 1].sent = onSend(this.#link, this.#isDialler, bytes);
  }

  /** Sends Raft frames again that were sent before `bytes`, which are whole frames. */
  #sendLate(bytes: Uint8Array): void {
    for (const frame of this.#link.lateFrames(bytes[4], this.#wire.random)) {
      this.#send(frame);
      this.#tellOf(frame);
    }
    this.#link.noteFrames(bytes);
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
    const { random, options } = this.#wire;
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
    const chunk: Chunk = { bytes, arrived: false, sent: undefined };
    peer.#coming.push(chunk);
    if (bytes !== "end") peer.#pendingBytes += bytes.length;
    this.#wire.scheduler.schedule(this.#wire.delayMs(this.#link), () => {
      chunk.arrived = true;
      peer.#deliver();
    });
  }

  /** Takes what has arrived in order, if the path is open. */
  #deliver(): void {
    while (this.#coming.length > 0 && this.#coming[0].arrived && !this.#isBlocked) {
      const { bytes, sent } = this.#coming.shift()!;
      if (sent !== undefined) sent.deliveredMs = this.#wire.scheduler.nowMs;
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
    if (peer === null || peer.#broken !== null || this.#wire.isOff(this.#owner.name)) return;
    this.#wire.scheduler.schedule(this.#wire.delayMs(this.#link), () => {
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
    const { random, options } = this.#wire;
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
