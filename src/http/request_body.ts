// Reads request bodies within a size and an idle time. A body that is too long is refused from its
// Content-Length or at the limit plus one chunk; one that stalls is refused after the idle time.

import type { Clock, TimerHandle } from "../platform/ports.ts";
import { RequestError } from "./problem.ts";

const EMPTY = new Uint8Array(0);
/** Bodies up to this length are taken in one call; longer ones chunk by chunk. */
const WHOLE_BYTES_MAX = 64 * 1024;

function tooLarge(limitBytes: number): RequestError {
  return new RequestError("value-too-large", `The body may have ${limitBytes} bytes at most`);
}

export class BodyReader {
  readonly #clock: Clock;
  readonly #idleMs: number;
  /** Bodies being read, and when they last moved; one timer watches all of them. */
  readonly #pending = new Set<{ sinceMs: number; expire: () => void }>();
  #timer: TimerHandle | undefined;

  constructor(clock: Clock, idleMs: number) {
    this.#clock = clock;
    this.#idleMs = idleMs;
  }

  /** The whole body. Rejects with RequestError 413 or 408. */
  read(request: Request, limitBytes: number): Promise<Uint8Array> | Uint8Array {
    const declared = request.headers.get("content-length");
    if (declared !== null) {
      const length = Number(declared);
      if (length > limitBytes) throw tooLarge(limitBytes);
      if (length === 0) return EMPTY;
      if (length <= WHOLE_BYTES_MAX) {
        return this.#watched(() => request.arrayBuffer()).then((buffer) => new Uint8Array(buffer));
      }
    } else if (request.body === null) return EMPTY;
    return this.#chunked(request, limitBytes);
  }

  async #chunked(request: Request, limitBytes: number): Promise<Uint8Array> {
    const reader = request.body!.getReader();
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const { done, value } = await this.#watched(() => reader.read());
      if (done) break;
      length += value.length;
      if (length > limitBytes) {
        reader.cancel().catch(() => {});
        throw tooLarge(limitBytes);
      }
      chunks.push(value);
    }
    const body = new Uint8Array(length);
    let offset = 0;
    for (const chunk of chunks) {
      body.set(chunk, offset);
      offset += chunk.length;
    }
    return body;
  }

  #watched<T>(read: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const entry = {
        sinceMs: this.#clock.monotonicMs(),
        expire: () =>
          reject(new RequestError("body-timeout", `No byte came for ${this.#idleMs} ms`)),
      };
      this.#pending.add(entry);
      this.#watch();
      read().then((value) => {
        this.#pending.delete(entry);
        resolve(value);
      }, (cause) => {
        this.#pending.delete(entry);
        reject(cause);
      });
    });
  }

  #watch(): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimer(Math.max(10, this.#idleMs / 4), () => {
      this.#timer = undefined;
      const oldestMs = this.#clock.monotonicMs() - this.#idleMs;
      for (const entry of this.#pending) {
        if (entry.sinceMs > oldestMs) continue;
        this.#pending.delete(entry);
        entry.expire();
      }
      if (this.#pending.size > 0) this.#watch();
    });
  }
}
