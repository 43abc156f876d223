// The protocol by which a snapshot file crosses to another node, as values: an offer, pieces of whole
// verified frames, acknowledgements at frame boundaries. Pure: no file, no link, no clock.
//
//   sender                                      receiver
//   offer {transfer, metadata, size, context} ->
//                                            <- accept {transfer, offset}     resumes where it broke off
//   piece {transfer, offset, bytes, last}    ->                               up to the window unacknowledged
//                                            <- accept {transfer, offset}     after each; a gap repeats it
//   …the last piece is the file's footer     ->
//                                            <- done {transfer}               installed, durable
//                                            <- refuse {transfer, reason}     at any time

import type { SnapshotMetadata } from "./types.ts";

export interface Offer {
  readonly kind: "offer";
  /** Tells this attempt from others between the same two nodes. */
  readonly transfer: number;
  readonly metadata: SnapshotMetadata;
  readonly sizeBytes: number;
  /** What the sender's replica wants its counterpart to have when the file is installed. */
  readonly context: Uint8Array;
}

export interface Piece {
  readonly kind: "piece";
  readonly transfer: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/** The receiver holds everything before `offset` and wants what follows. */
export interface Accept {
  readonly kind: "accept";
  readonly transfer: number;
  readonly offset: number;
}

export interface Done {
  readonly kind: "done";
  readonly transfer: number;
}

export interface Refuse {
  readonly kind: "refuse";
  readonly transfer: number;
  readonly reason: "busy" | "no-space" | "damaged" | "not-wanted";
}

export type ToReceiver = Offer | Piece;
export type ToSender = Accept | Done | Refuse;
export type TransferMessage = ToReceiver | ToSender;

/** What the sender should do next. */
export type SendStep =
  /** Read a piece at `offset` and report it by `sent`. */
  | { readonly kind: "send"; readonly offset: number }
  /** Nothing before this moment (ms on the caller's clock): the budget is spent. */
  | { readonly kind: "pause"; readonly untilMs: number }
  /** Nothing before a reply. */
  | { readonly kind: "wait" }
  | { readonly kind: "ended"; readonly delivered: boolean; readonly reason: string };

export interface SendLimits {
  /** Bytes sent and not acknowledged. */
  readonly windowBytes: number;
  readonly bytesPerSecondMax: number;
  /** Without a reply for that long the transfer has failed. */
  readonly replyTimeoutMs: number;
}

/** The sender's half of one transfer. Times come from its caller. */
export class SendState {
  readonly transfer: number;
  readonly #limits: SendLimits;
  /** Undefined until the receiver has said where to begin. */
  #next: number | undefined;
  #acknowledged = 0;
  #sentLast = false;
  #ended: { readonly delivered: boolean; readonly reason: string } | undefined;
  #lastReplyMs: number;
  /** The budget allows the next piece from this moment on. */
  #budgetMs: number;

  constructor(transfer: number, limits: SendLimits, nowMs: number) {
    this.transfer = transfer;
    this.#limits = limits;
    this.#lastReplyMs = nowMs;
    this.#budgetMs = nowMs;
  }

  /** Whether the receiver has said where to begin. */
  get accepted(): boolean {
    return this.#next !== undefined;
  }

  get replyDueMs(): number {
    return this.#lastReplyMs + this.#limits.replyTimeoutMs;
  }

  onReply(reply: ToSender, nowMs: number): void {
    if (reply.transfer !== this.transfer || this.#ended !== undefined) return;
    this.#lastReplyMs = nowMs;
    switch (reply.kind) {
      case "done":
        this.#ended = { delivered: true, reason: "installed" };
        return;
      case "refuse":
        this.#ended = { delivered: false, reason: `refused: ${reply.reason}` };
        return;
      case "accept":
        if (this.#next === undefined) this.#next = reply.offset;
        // The same place twice: what was sent from there did not arrive whole. Go back.
        else if (reply.offset === this.#acknowledged && this.#next > reply.offset) {
          this.#next = reply.offset;
          this.#sentLast = false;
        }
        this.#acknowledged = reply.offset;
    }
  }

  step(nowMs: number): SendStep {
    if (this.#ended !== undefined) return { kind: "ended", ...this.#ended };
    if (nowMs >= this.replyDueMs) {
      this.#ended = { delivered: false, reason: "no reply" };
      return { kind: "ended", ...this.#ended };
    }
    if (this.#next === undefined || this.#sentLast) return { kind: "wait" };
    if (this.#next - this.#acknowledged >= this.#limits.windowBytes) return { kind: "wait" };
    if (nowMs < this.#budgetMs) return { kind: "pause", untilMs: this.#budgetMs };
    return { kind: "send", offset: this.#next };
  }

  /** A piece from `offset` was handed to the link. */
  sent(offset: number, lengthBytes: number, last: boolean, nowMs: number): void {
    if (offset !== this.#next) return; // the receiver went back meanwhile
    this.#next = offset + lengthBytes;
    this.#sentLast = last;
    const costMs = 1000 * lengthBytes / this.#limits.bytesPerSecondMax;
    this.#budgetMs = Math.max(this.#budgetMs, nowMs - costMs) + costMs;
  }

  fail(reason: string): void {
    this.#ended ??= { delivered: false, reason };
  }
}

/** The receiver's half: where it is, and when it has to say so. */
export class ReceiveState {
  readonly transfer: number;
  #expected: number;
  /** A gap is reported once; the reply's loss ends in the sender's timeout. */
  #gapReported = false;

  constructor(transfer: number, expected: number) {
    this.transfer = transfer;
    this.#expected = expected;
  }

  /** Everything before this offset is held. */
  get expected(): number {
    return this.#expected;
  }

  /** `take` the piece and call `took`; `drop` it; or drop it and `reply` where to go on. */
  judge(piece: Piece): "take" | "drop" | "reply" {
    if (piece.transfer !== this.transfer || piece.offset < this.#expected) return "drop";
    if (piece.offset === this.#expected) return "take";
    if (this.#gapReported) return "drop";
    this.#gapReported = true;
    return "reply";
  }

  took(lengthBytes: number): void {
    this.#expected += lengthBytes;
    this.#gapReported = false;
  }

  accept(): Accept {
    return { kind: "accept", transfer: this.transfer, offset: this.#expected };
  }
}
