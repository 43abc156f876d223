// Forwarded requests: their layouts, and the asking end, which knows exactly whether a byte of a request
// was sent (RULES 13). Must never call a request unsent that may have reached the peer.

import { utf8Bytes, utf8TextOrUndefined } from "../base/bytes.ts";
import type { FrameBuffer } from "./frame_buffer.ts";
import { FrameType } from "./frame.ts";
import { PayloadReader } from "./payload_reader.ts";
import type { Batch } from "./send_queue.ts";

/** What became of a forwarded request. */
export type ForwardResult =
  | { readonly ok: true; readonly body: Uint8Array }
  | {
    readonly ok: false;
    /** "none": the peer certainly did not begin it. "unknown": it may have run, or may still. */
    readonly outcome: "none" | "unknown";
    readonly detail: string;
  };

/** How a response begins. The numbers are protocol. */
export const ResponseStatus = {
  /** The handler's answer follows. */
  Ok: 0,
  /** The handler failed; whether it did something is unknown. A text follows. */
  Failed: 1,
  /** The request was not begun. A text follows. */
  Refused: 2,
} as const;

/** f64 sequence, f64 budget, f64 sender's monotonic clock; the body follows. */
export const REQUEST_FIXED_BYTES = 24;
/** f64 sequence, u8 status; the body follows. */
export const RESPONSE_FIXED_BYTES = 9;

export interface RequestFrame {
  readonly sequence: number;
  readonly budgetMs: number;
  readonly sentMonotonicMs: number;
  /** A view on the payload. */
  readonly body: Uint8Array;
}

/** Appends a request; returns the offset of its frame. */
export function encodeRequest(out: FrameBuffer, request: RequestFrame): number {
  const offset = out.open(FrameType.Request);
  out.f64(request.sequence);
  out.f64(request.budgetMs);
  out.f64(request.sentMonotonicMs);
  out.raw(request.body);
  out.close();
  return offset;
}

export function decodeRequest(payload: Uint8Array): RequestFrame {
  const reader = new PayloadReader(payload);
  return {
    sequence: reader.integer(),
    budgetMs: reader.finite(),
    sentMonotonicMs: reader.finite(),
    body: reader.rest(),
  };
}

export function encodeResponse(
  out: FrameBuffer,
  sequence: number,
  status: number,
  body: Uint8Array,
): void {
  out.open(FrameType.Response);
  out.f64(sequence);
  out.u8(status);
  out.raw(body);
  out.close();
}

/** Decodes a response; a body is copied unless its payload is `owned`. */
export function decodeResponse(
  payload: Uint8Array,
  owned: boolean,
): { sequence: number; result: ForwardResult } {
  const reader = new PayloadReader(payload);
  const sequence = reader.integer();
  const status = reader.u8();
  const body = reader.rest();
  if (status === ResponseStatus.Ok) {
    return { sequence, result: { ok: true, body: owned ? body : body.slice() } };
  }
  const outcome = status === ResponseStatus.Refused ? "none" : "unknown";
  const detail = utf8TextOrUndefined(body) ?? "the peer gave no reason";
  return { sequence, result: { ok: false, outcome, detail } };
}

export function reasonBytes(text: string): Uint8Array {
  return utf8Bytes(text.slice(0, 500));
}

interface Outstanding {
  readonly batch: Batch;
  readonly frameOffset: number;
  readonly deadlineMs: number;
  readonly settle: (result: ForwardResult) => void;
}

/** Requests to one peer that wait for an answer. */
export class OutstandingRequests {
  readonly #bySequence = new Map<number, Outstanding>();

  get count(): number {
    return this.#bySequence.size;
  }

  /** `frameOffset` is where the request stands in `batch`; `settle` runs exactly once. */
  add(sequence: number, outstanding: Outstanding): void {
    this.#bySequence.set(sequence, outstanding);
  }

  /** The peer answered. An answer nobody waits for any more is ignored. */
  answered(sequence: number, result: ForwardResult): void {
    const outstanding = this.#bySequence.get(sequence);
    if (outstanding === undefined) return;
    this.#bySequence.delete(sequence);
    outstanding.settle(result);
  }

  /** Gives up what is past its deadline; what has not begun to be sent never will be. */
  expire(nowMs: number): void {
    for (const [sequence, outstanding] of this.#bySequence) {
      if (nowMs < outstanding.deadlineMs) continue;
      this.#bySequence.delete(sequence);
      const { batch, frameOffset } = outstanding;
      if (!batch.begun) batch.frames.withdraw(frameOffset);
      this.#giveUp(outstanding, "no answer within the budget");
    }
  }

  /** The link is gone, and with it all that was queued on it. */
  linkLost(reason: string): void {
    const all = [...this.#bySequence.values()];
    this.#bySequence.clear();
    for (const outstanding of all) this.#giveUp(outstanding, reason);
  }

  #giveUp(outstanding: Outstanding, detail: string): void {
    const outcome = outstanding.batch.begun ? "unknown" : "none";
    outstanding.settle({ ok: false, outcome, detail });
  }
}
