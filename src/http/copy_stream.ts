// One stream of a partition's copy: makes block after block as the client takes them, and leaves the node's
// event loop most of its time. Owns the pace; knows nothing of what is in the blocks.

import { type Block, encodeBlock } from "../backup/mod.ts";
import type { Clock, Log } from "../platform/ports.ts";

/** Of each ms of work so many are left to others: a copy takes a tenth of the event loop at most. */
const PAUSE_RATIO = 9;
/** Shorter pauses are saved up. */
const PAUSE_MS_MIN = 1;
/** Steps without a pause, after which whatever is ready goes first. */
const STEPS_AT_ONCE = 8;

export class CopyStream {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #blocks: Generator<Block | undefined, void>;
  readonly #onEnd: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #owedMs = 0;
  #steps = 0;
  #over = false;
  /** When the client last took something, monotonic. */
  takenMs: number;

  /** `onEnd` runs once, when no more blocks will be asked for. */
  constructor(
    clock: Clock,
    log: Log,
    blocks: Generator<Block | undefined, void>,
    onEnd: () => void,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#blocks = blocks;
    this.#onEnd = onEnd;
    this.takenMs = clock.monotonicMs();
    // Nothing is made ahead of what the connection takes.
    this.stream = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#end(),
    }, { highWaterMark: 0 });
  }

  /** Ends it before its time; the client sees a broken answer. */
  cut(reason: string): void {
    if (this.#over) return;
    this.#controller?.error(new Error(reason));
    this.#end();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      const block = await this.#next();
      if (this.#over) return;
      this.takenMs = this.#clock.monotonicMs();
      if (block !== undefined) return controller.enqueue(encodeBlock(block));
      controller.close();
      this.#end();
    } catch (error) {
      this.#log.log("error", "copy of a partition failed", { error: String(error) });
      this.cut("the copy failed");
    }
  }

  /** The next block; undefined at the end. */
  async #next(): Promise<Block | undefined> {
    for (;;) {
      await this.#pause();
      if (this.#over) return undefined;
      const startedMs = this.#clock.monotonicMs();
      const { done, value } = this.#blocks.next();
      this.takenMs = this.#clock.monotonicMs();
      this.#owedMs += (this.takenMs - startedMs) * PAUSE_RATIO;
      if (done) return undefined;
      if (value !== undefined) return value;
    }
  }

  #pause(): Promise<void> | void {
    const delayMs = this.#owedMs;
    if (delayMs < PAUSE_MS_MIN) {
      if (++this.#steps % STEPS_AT_ONCE !== 0) return;
      return new Promise((resolve) => this.#clock.defer(resolve));
    }
    this.#owedMs = 0;
    return new Promise((resolve) => this.#clock.setTimer(delayMs, resolve));
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onEnd();
  }
}
