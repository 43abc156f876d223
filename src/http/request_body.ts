// Reads request bodies within a size and an idle time. A body that is too long is refused from its
// Content-Length or at the limit plus one chunk; one that stalls is refused after the idle time.

import { concatBytes, NO_BYTES } from "../base/bytes.ts";
import { BODY_WHOLE_SIZE_BYTES_MAX } from "../base/limits.ts";
import type { Clock, TimerHandle } from "../platform/ports.ts";
import { RequestError } from "./problem.ts";

/** How much earlier than `idleMs` a check may come: checks are shared, four in an idle time. */
const CHECKS_PER_IDLE_TIME = 4;
const CHECK_INTERVAL_MS_MIN = 10;

function tooLarge(limitBytes: number): RequestError {
  return new RequestError("value-too-large", `The body may have ${limitBytes} bytes at most`);
}

function stalled(idleMs: number): RequestError {
  return new RequestError("body-timeout", `The body did not come within ${idleMs} ms`);
}

function brokenOff(cause: unknown): RequestError {
  const words = cause instanceof Error ? cause.message : String(cause);
  return new RequestError("body-incomplete", `The body broke off: ${words}`);
}

/** Who waits for a body. Exactly one of the two is called, once. */
export interface BodyReceiver {
  onBody(body: Uint8Array<ArrayBuffer>): void;
  /** 413 beyond the limit, 408 when it stalled, 400 when the client went away. */
  onBodyFailure(error: RequestError): void;
}

/** A read that waits for bytes from the client. */
interface PendingRead {
  readonly sinceMs: number;
  expire(): void;
}

/** A body that is read in one call. */
class WholeBody implements PendingRead {
  readonly sinceMs: number;
  readonly #idleMs: number;
  #receiver: BodyReceiver | undefined;

  constructor(sinceMs: number, idleMs: number, receiver: BodyReceiver) {
    this.sinceMs = sinceMs;
    this.#idleMs = idleMs;
    this.#receiver = receiver;
  }

  /** Who is still to be told, if anybody is; nobody afterwards. */
  takeReceiver(): BodyReceiver | undefined {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    return receiver;
  }

  expire(): void {
    this.takeReceiver()?.onBodyFailure(stalled(this.#idleMs));
  }
}

export class BodyReader {
  readonly #clock: Clock;
  readonly #idleMs: number;
  /** Oldest first; one timer watches all of them. */
  readonly #pending = new Set<PendingRead>();
  #timer: TimerHandle | undefined;

  /** A body of which nothing comes for `idleMs` is given up. */
  constructor(clock: Clock, idleMs: number) {
    this.#clock = clock;
    this.#idleMs = idleMs;
  }

  /** The whole body. Rejects with the RequestError that {@linkcode BodyReader.receive} would report. */
  read(
    request: Request,
    contentLength: string | null,
    limitBytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      const receiver = { onBody: resolve, onBodyFailure: reject };
      this.receive(request, contentLength, limitBytes, receiver);
    });
  }

  /** Reads the whole body of at most `limitBytes`. `contentLength` is the header, null if there is none. */
  receive(
    request: Request,
    contentLength: string | null,
    limitBytes: number,
    receiver: BodyReceiver,
  ): void {
    if (contentLength !== null) {
      const lengthBytes = Number(contentLength);
      if (lengthBytes > limitBytes) return receiver.onBodyFailure(tooLarge(limitBytes));
      // Bounded before it is read, so it may be taken in one call: 3 us less than a stream reader.
      if (lengthBytes <= BODY_WHOLE_SIZE_BYTES_MAX) return this.#whole(request, receiver);
    }
    // Reading `body` of a request that has none is what a stream costs; PUT without either is rare.
    if (request.body === null) return receiver.onBody(NO_BYTES);
    this.#chunked(request.body, limitBytes).then(
      (body) => receiver.onBody(body),
      (error) => receiver.onBodyFailure(error),
    );
  }

  #whole(request: Request, receiver: BodyReceiver): void {
    const pending = new WholeBody(this.#clock.monotonicMs(), this.#idleMs, receiver);
    this.#watch(pending);
    request.bytes().then((body) => {
      this.#pending.delete(pending);
      pending.takeReceiver()?.onBody(body);
    }, (cause) => {
      this.#pending.delete(pending);
      pending.takeReceiver()?.onBodyFailure(brokenOff(cause));
    });
  }

  /** Rejects with nothing but RequestError. */
  async #chunked(
    body: ReadableStream<Uint8Array<ArrayBuffer>>,
    limitBytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const reader = body.getReader();
    const abandon = () => void reader.cancel().catch(() => {});
    const chunks: Uint8Array[] = [];
    let lengthBytes = 0;
    for (;;) {
      const { done, value } = await this.#chunk(reader, abandon);
      if (done) return concatBytes(chunks);
      lengthBytes += value.length;
      if (lengthBytes > limitBytes) {
        abandon();
        throw tooLarge(limitBytes);
      }
      chunks.push(value);
    }
  }

  /** The next chunk, given up after the idle time; then `abandon` is called. */
  #chunk(
    reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
    abandon: () => void,
  ): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> {
    return new Promise((resolve, reject) => {
      const pending: PendingRead = {
        sinceMs: this.#clock.monotonicMs(),
        expire: () => {
          abandon();
          reject(stalled(this.#idleMs));
        },
      };
      this.#watch(pending);
      reader.read().then((chunk) => {
        this.#pending.delete(pending);
        resolve(chunk);
      }, (cause) => {
        this.#pending.delete(pending);
        reject(brokenOff(cause));
      });
    });
  }

  #watch(pending: PendingRead): void {
    this.#pending.add(pending);
    if (this.#timer === undefined) this.#scheduleCheck();
  }

  #scheduleCheck(): void {
    const intervalMs = Math.max(CHECK_INTERVAL_MS_MIN, this.#idleMs / CHECKS_PER_IDLE_TIME);
    this.#timer = this.#clock.setTimer(intervalMs, () => {
      this.#timer = undefined;
      const oldestMs = this.#clock.monotonicMs() - this.#idleMs;
      for (const pending of this.#pending) {
        if (pending.sinceMs > oldestMs) break;
        this.#pending.delete(pending);
        pending.expire();
      }
      if (this.#pending.size > 0) this.#scheduleCheck();
    });
  }
}
