// One directed link of the simulated network: all connections that one node dialled to another, the faults
// they meet together, and the Raft frames they carried, which may come again.

import { FRAME_HEADER_BYTES, FrameType } from "../../src/transport/frame.ts";
import type { SimConnection } from "./connection.ts";
import type { SeededRandom } from "./random.ts";

/** Raft frames kept of each link; older ones never come again. */
const KEPT_FRAMES = 64;

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
  /**
   * Chance that a write is followed by Raft frames that this or an earlier connection carried before: as a
   * sender would that does not know what had arrived when a connection broke. Other frames never come
   * twice (RULES 15).
   */
  lateFrameChance = 0;
  /** Whether what may come again is kept at all. */
  keepsFrames = false;
  /** Bytes that arrived at the acceptor, and at the dialler. */
  forwardBytes = 0;
  backwardBytes = 0;
  readonly connections = new Set<SimConnection>();
  readonly #frames: Uint8Array[] = [];

  constructor(from: string, to: string) {
    this.from = from;
    this.to = to;
  }

  /** Notes the Raft frames of one write of the dialler, which consists of whole frames. */
  noteFrames(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + FRAME_HEADER_BYTES <= bytes.length;) {
      const end = at + FRAME_HEADER_BYTES + view.getUint32(at);
      if (view.getUint8(at + 4) === FrameType.Raft && end <= bytes.length) {
        this.#frames.push(bytes.slice(at, end));
        if (this.#frames.length > KEPT_FRAMES) this.#frames.shift();
      }
      at = end;
    }
  }

  /** Frames to come again behind a write that begins with `first`; empty most of the time. */
  lateFrames(first: number, random: SeededRandom): Uint8Array[] {
    const late: Uint8Array[] = [];
    // Not into a handshake: only where the link carries what a standing link carries.
    if (first !== FrameType.Raft && first !== FrameType.Ping) return late;
    while (this.#frames.length > 0 && late.length < 8 && random.chance(this.lateFrameChance)) {
      late.push(random.pick(this.#frames));
    }
    return late;
  }

  /** One of the ends is another machine from now on. */
  forgetFrames(): void {
    this.#frames.length = 0;
  }
}
