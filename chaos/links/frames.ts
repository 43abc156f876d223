// Cuts the stream of a Pontoon peer link into whole frames, by the header alone; payloads stay as they are. Layout and
// header check: src/PROTOCOL.md, "Frames". Must never pass on part of a frame.

export const FRAME_HEADER_BYTES = 12;

/** The frame types that a link treats in a way of its own. */
export const FrameType = { lastOfHandshake: 15, raft: 32 } as const;

/** One whole frame, header included. */
export interface PeerFrame {
  readonly type: number;
  readonly bytes: Uint8Array;
}

const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

function headerCheck(lengthBytes: number, type: number, flags: number): number {
  return Math.imul(lengthBytes ^ (type << 24) ^ (flags << 16) ^ 0x504e_544e, 0x9e37_79b1) >>> 16;
}

/** A byte stream on its way to becoming frames. Throws Error at a header that is none; the link is then lost. */
export class FrameSplitter {
  #rest: Uint8Array = new Uint8Array(0);
  /** Bytes of `#rest` that must be there before it is worth looking again. */
  #neededBytes = FRAME_HEADER_BYTES;
  /** Pieces behind `#rest`, joined only when a frame is complete: a large frame comes in many. */
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;

  /** Bytes that have come and are not yet part of a returned frame. */
  get pendingBytes(): number {
    return this.#rest.length + this.#pieceBytes;
  }

  /** The frames that `chunk` completes. The chunk belongs to the splitter from now on. */
  push(chunk: Uint8Array): PeerFrame[] {
    this.#pieces.push(chunk);
    this.#pieceBytes += chunk.length;
    if (this.pendingBytes < this.#neededBytes) return [];
    this.#join();
    const frames: PeerFrame[] = [];
    let at = 0;
    for (;;) {
      this.#neededBytes = this.#frameBytes(at);
      if (this.#rest.length - at < this.#neededBytes) break;
      const bytes = this.#rest.subarray(at, at + this.#neededBytes);
      frames.push({ type: bytes[4]!, bytes });
      at += bytes.length;
    }
    this.#rest = this.#rest.subarray(at);
    return frames;
  }

  /** Length of the frame at `at`, or of a header if that is not there yet. */
  #frameBytes(at: number): number {
    if (this.#rest.length - at < FRAME_HEADER_BYTES) return FRAME_HEADER_BYTES;
    const view = new DataView(this.#rest.buffer, this.#rest.byteOffset + at, FRAME_HEADER_BYTES);
    const lengthBytes = view.getUint32(0);
    const [type, flags] = [view.getUint8(4), view.getUint8(5)];
    const check = headerCheck(lengthBytes, type, flags);
    if (view.getUint16(6) !== check || lengthBytes > PAYLOAD_BYTES_MAX) {
      throw new Error("Cannot follow the link: this is no frame of a Pontoon peer");
    }
    return FRAME_HEADER_BYTES + lengthBytes;
  }

  #join(): void {
    const whole = new Uint8Array(this.pendingBytes);
    whole.set(this.#rest);
    let at = this.#rest.length;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#rest = whole;
    this.#pieces = [];
    this.#pieceBytes = 0;
  }
}
