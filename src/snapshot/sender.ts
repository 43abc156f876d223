// Drives the sender's half of one transfer: reads verified pieces off the event loop, keeps to the window
// and to the byte rate, and ends in one verdict. Knows no link; `send` puts a message on one.

import { SNAPSHOT_CHUNK_BYTES } from "../base/limits.ts";
import type { Clock, Disk, TimerHandle } from "../platform/ports.ts";
import { SnapshotFileReader } from "./file_reader.ts";
import { type SendLimits, SendState, type ToReceiver, type ToSender } from "./transfer.ts";
import { SnapshotError, type SnapshotFile } from "./types.ts";

export const DEFAULT_SEND_LIMITS: SendLimits = {
  windowBytes: 1024 * 1024,
  bytesPerSecondMax: 32 * 1024 * 1024,
  replyTimeoutMs: 10_000,
};
/** An offer without an answer is repeated: the receiver hears it, perhaps, before it can say so. */
const OFFER_INTERVAL_MS = 1000;
/** After the link's queue was full. */
const LINK_BUSY_PAUSE_MS = 20;

export interface SenderOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly file: SnapshotFile;
  /** Distinct for every transfer between the same two nodes. */
  readonly transfer: number;
  /** Handed to the receiver's owner when the file is installed. */
  readonly context: Uint8Array;
  readonly limits?: SendLimits;
  /** False when the link took nothing; it is tried again. */
  readonly send: (message: ToReceiver) => boolean;
}

/** How a transfer ended. */
export interface SendOutcome {
  readonly delivered: boolean;
  readonly reason: string;
  /** The own file is damaged: mark it, and write a new snapshot. */
  readonly damaged: boolean;
}

function outcomeOf({ delivered, reason }: { delivered: boolean; reason: string }): SendOutcome {
  return { delivered, reason, damaged: false };
}

export class SnapshotSender {
  readonly #options: SenderOptions;
  readonly #state: SendState;
  #wake: (() => void) | undefined;
  #timer: TimerHandle | undefined;
  #sentBytes = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
    const limits = options.limits ?? DEFAULT_SEND_LIMITS;
    this.#state = new SendState(options.transfer, limits, options.clock.monotonicMs());
  }

  /** How much of the file was handed to the link, or had been at the receiver before. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  onReply(reply: ToSender): void {
    this.#state.onReply(reply, this.#options.clock.monotonicMs());
    this.#wake?.();
  }

  /** The link broke or the sender no longer leads. */
  cancel(reason: string): void {
    this.#state.fail(reason);
    this.#wake?.();
  }

  /** Runs the transfer to its end; never rejects but for broken invariants. Call it once. */
  async run(): Promise<SendOutcome> {
    const { disk, file, transfer, context, clock, send } = this.#options;
    const { metadata, sizeBytes } = file;
    let reader: SnapshotFileReader | undefined;
    let offerDueMs = clock.monotonicMs();
    try {
      reader = new SnapshotFileReader(disk, file.path);
      for (;;) {
        const nowMs = clock.monotonicMs();
        const step = this.#state.step(nowMs);
        if (step.kind === "ended") return outcomeOf(step);
        if (!this.#state.accepted) {
          if (nowMs >= offerDueMs) {
            const sent = send({ kind: "offer", transfer, metadata, sizeBytes, context });
            offerDueMs = nowMs + (sent ? OFFER_INTERVAL_MS : LINK_BUSY_PAUSE_MS);
          }
          await this.#sleep(Math.min(offerDueMs, this.#state.replyDueMs) - nowMs);
        } else if (step.kind === "pause") await this.#sleep(step.untilMs - nowMs);
        else if (step.kind === "wait") await this.#sleep(this.#state.replyDueMs - nowMs);
        else reader = await this.#sendPiece(reader, step.offset);
      }
    } catch (error) {
      const damaged = error instanceof SnapshotError && error.code === "damaged";
      return { delivered: false, reason: String(error), damaged };
    } finally {
      reader?.close();
    }
  }

  /** Returns the reader, a new one if it had to go back. */
  async #sendPiece(current: SnapshotFileReader, offset: number): Promise<SnapshotFileReader> {
    const { disk, file, transfer, clock, send } = this.#options;
    let reader = current;
    if (reader.offset > offset) {
      reader.close();
      reader = new SnapshotFileReader(disk, file.path);
    }
    if (!await reader.skipTo(offset)) {
      this.#state.fail(`the receiver asked for byte ${offset}, where no frame begins`);
      return reader;
    }
    const { bytes, last } = await reader.piece(SNAPSHOT_CHUNK_BYTES);
    while (!send({ kind: "piece", transfer, offset, bytes, last })) {
      await this.#sleep(LINK_BUSY_PAUSE_MS);
      if (this.#state.step(clock.monotonicMs()).kind === "ended") return reader;
    }
    this.#sentBytes = offset + bytes.length;
    this.#state.sent(offset, bytes.length, last, clock.monotonicMs());
    return reader;
  }

  /** Until `delayMs` have passed or something came in. */
  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        this.#timer?.cancel();
        resolve();
      };
      this.#timer = this.#options.clock.setTimer(Math.max(1, delayMs), this.#wake);
    });
  }
}
