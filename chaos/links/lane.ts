// One direction of one proxied connection: a queue of pieces, each with the time at which it may go on. Order is kept
// whatever happens; what is swallowed is gone and taints the connection.

import type { Socket } from "node:net";
import type { LinkEffect, Random } from "../types.ts";
import { FrameSplitter, FrameType, type PeerFrame } from "./frames.ts";
import type { MutableCounters } from "./messages.ts";
import type { LateFrames } from "./late_frames.ts";

export type Direction = "forward" | "backward";

/** More waiting bytes than this, and the sender is no longer read from. */
const QUEUE_BYTES_MAX = 32 * 1024 * 1024;

/** Whether bytes of that direction vanish under `effect`. */
export function swallows(effect: LinkEffect | undefined, direction: Direction): boolean {
  if (effect?.kind !== "blackhole") return false;
  const which = effect.direction ?? "both";
  return which === "both" || which === direction;
}

/** What a lane needs to know of its link and connection. */
export interface LaneHost {
  readonly effect: LinkEffect | undefined;
  readonly counters: MutableCounters;
  readonly late: LateFrames;
  /** Set for the lane whose bytes are Pontoon's frames. */
  readonly framed: boolean;
  readonly random: Random;
  /** Bytes were lost: the connection must not go on once the link is healed. */
  taint(): void;
  /** The stream can't be followed any more. */
  fail(): void;
}

interface Piece {
  /** Undefined: the end of the stream. */
  readonly bytes: Uint8Array | undefined;
  /** By performance.now(); Infinity while the link holds. */
  dueMs: number;
}

export class Lane {
  readonly #host: LaneHost;
  readonly #direction: Direction;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #splitter: FrameSplitter | undefined;
  #queue: Piece[] = [];
  #queuedBytes = 0;
  #lastDueMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #full = false;
  #established = false;

  constructor(host: LaneHost, direction: Direction, from: Socket, to: Socket) {
    this.#host = host;
    this.#direction = direction;
    this.#from = from;
    this.#to = to;
    this.#splitter = host.framed && direction === "forward" ? new FrameSplitter() : undefined;
    to.on("drain", () => {
      this.#full = false;
      this.#throttle();
    });
  }

  /** Takes what the sender sent. */
  take(chunk: Uint8Array): void {
    const { effect, counters } = this.#host;
    if (swallows(effect, this.#direction)) {
      counters.swallowedBytes += chunk.length;
      this.#host.taint();
      return;
    }
    if (this.#splitter === undefined) return this.#enqueue(chunk);
    let frames: PeerFrame[];
    try {
      frames = this.#splitter.push(chunk);
    } catch {
      return this.#host.fail();
    }
    for (const frame of frames) this.#takeFrame(frame);
  }

  /** The sender is done. Nobody is told while the link swallows. */
  end(): void {
    if (swallows(this.#host.effect, this.#direction)) this.#host.taint();
    else this.#enqueue(undefined);
  }

  /** The link's effect is another one: what it held back may go. */
  release(): void {
    for (const piece of this.#queue) piece.dueMs = 0;
    this.#lastDueMs = 0;
    this.#pump();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
  }

  #takeFrame(frame: PeerFrame): void {
    const { effect, counters, late, random } = this.#host;
    this.#enqueue(frame.bytes);
    if (frame.type <= FrameType.lastOfHandshake) return;
    this.#established = true;
    if (effect?.kind !== "repeat") return;
    if (frame.type === FrameType.raft) {
      if (random() < effect.twice) {
        this.#enqueue(frame.bytes);
        counters.repeatedFrames++;
      }
      if (random() < effect.late) late.keep(this, frame.bytes.slice());
    }
    for (const bytes of late.dueFor(this)) {
      this.#enqueue(bytes);
      counters.lateFrames++;
    }
  }

  /** Whether the handshake is over: only then may frames of other connections join. */
  get established(): boolean {
    return this.#established;
  }

  #enqueue(bytes: Uint8Array | undefined): void {
    this.#queue.push({ bytes, dueMs: this.#dueMs(bytes?.length ?? 0) });
    this.#queuedBytes += bytes?.length ?? 0;
    this.#pump();
  }

  #dueMs(lengthBytes: number): number {
    const { effect, counters, random } = this.#host;
    if (effect?.kind === "hold") {
      counters.heldBytes += lengthBytes;
      return Infinity;
    }
    if (effect?.kind !== "slow") return 0;
    counters.delayedBytes += lengthBytes;
    const passageMs = effect.delayMs + random() * effect.jitterMs;
    const transferMs = 1000 * lengthBytes / (effect.bytesPerSecond ?? Infinity);
    const nowMs = performance.now();
    // A piece leaves when the one before it has: that is what a bandwidth and an order mean.
    this.#lastDueMs = Math.max(nowMs + passageMs, Math.max(this.#lastDueMs, nowMs) + transferMs);
    return this.#lastDueMs;
  }

  #pump(): void {
    clearTimeout(this.#timer);
    const nowMs = performance.now();
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      const leftMs = head.dueMs - nowMs;
      if (leftMs > 0) {
        if (leftMs < Infinity) this.#timer = setTimeout(() => this.#pump(), leftMs);
        break;
      }
      // Out of the queue first: a socket may call back while it is written to.
      this.#queue.shift();
      this.#send(head.bytes);
    }
    this.#throttle();
  }

  #send(bytes: Uint8Array | undefined): void {
    if (bytes === undefined) {
      this.#to.end();
      return;
    }
    this.#queuedBytes -= bytes.length;
    this.#host.counters.forwardedBytes += bytes.length;
    if (!this.#to.destroyed && !this.#to.write(bytes)) this.#full = true;
  }

  #throttle(): void {
    if (this.#full || this.#queuedBytes > QUEUE_BYTES_MAX) this.#from.pause();
    else if (this.#from.isPaused()) this.#from.resume();
  }
}
