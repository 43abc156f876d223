// Forwarded requests: their layouts, and the asking end, which knows exactly whether a byte of a request
// was sent (RULES 13). Must never call a request unsent that may have reached the peer.

import { utf8Bytes, utf8TextOrUndefined } from "../base/bytes.ts";
import { BytesReader } from "../base/codec.ts";
import { FrameType } from "./frame.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { readTime } from "./payload.ts";
import type { Batch } from "./send_queue.ts";

/** How a request ended. */
export type CallResult =
  | { readonly kind: "answered"; readonly body: Uint8Array }
  /** It certainly never began: no byte of it left this node, or the peer says that it refused it. */
  | { readonly kind: "not-sent"; readonly reason: string }
  /** It may have run, or may yet. */
  | { readonly kind: "unknown"; readonly reason: string };

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
const REASON_LENGTH_MAX = 500;

export interface RequestFrame {
  readonly sequence: number;
  readonly budgetMs: number;
  readonly sentMonotonicMs: number;
  /** A view on the payload. */
  readonly body: Uint8Array;
}

/** Appends a request; returns the offset of its frame. */
export function writeRequest(out: FrameWriter, request: RequestFrame): number {
  const offset = out.open(FrameType.Request);
  const { sequence, budgetMs, sentMonotonicMs, body } = request;
  out.payload.f64(sequence).f64(budgetMs).f64(sentMonotonicMs).raw(body);
  out.complete();
  return offset;
}

export function readRequest(payload: Uint8Array): RequestFrame {
  const reader = new BytesReader(payload);
  return {
    sequence: reader.integer(),
    budgetMs: readTime(reader),
    sentMonotonicMs: readTime(reader),
    body: reader.raw(reader.remaining),
  };
}

export function writeResponse(
  out: FrameWriter,
  sequence: number,
  status: number,
  body: Uint8Array,
): void {
  out.open(FrameType.Response);
  out.payload.f64(sequence).u8(status).raw(body);
  out.complete();
}

/** Reads a response; a body is copied unless its payload is `owned`. */
export function readResponse(
  payload: Uint8Array,
  owned: boolean,
): { sequence: number; result: CallResult } {
  const reader = new BytesReader(payload);
  const sequence = reader.integer();
  const status = reader.u8();
  const body = reader.raw(reader.remaining);
  if (status === ResponseStatus.Ok) {
    return { sequence, result: { kind: "answered", body: owned ? body : body.slice() } };
  }
  const kind = status === ResponseStatus.Refused ? "not-sent" : "unknown";
  return { sequence, result: { kind, reason: reasonText(body) } };
}

/** A reason as it travels. */
export function reasonBytes(text: string): Uint8Array {
  return utf8Bytes(text.slice(0, REASON_LENGTH_MAX));
}

export function reasonText(bytes: Uint8Array): string {
  return utf8TextOrUndefined(bytes) ?? "no reason was given";
}

interface Outstanding {
  readonly batch: Batch;
  readonly frameOffset: number;
  /** Of its frame. */
  readonly payloadBytes: number;
  readonly deadlineMs: number;
  readonly settle: (result: CallResult) => void;
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
  answered(sequence: number, result: CallResult): void {
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
      const { batch, frameOffset, payloadBytes } = outstanding;
      if (!batch.begun) batch.frames.withdraw(frameOffset, payloadBytes);
      this.#giveUp(outstanding, "no answer within the budget");
    }
  }

  /** The link is gone, and with it all that was queued on it. */
  linkLost(reason: string): void {
    const all = [...this.#bySequence.values()];
    this.#bySequence.clear();
    for (const outstanding of all) this.#giveUp(outstanding, reason);
  }

  #giveUp(outstanding: Outstanding, reason: string): void {
    outstanding.settle({ kind: outstanding.batch.begun ? "unknown" : "not-sent", reason });
  }
}
