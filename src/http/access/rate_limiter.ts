// How often and how many at once, by token. A bucket per holder that fills with time; nothing else.

import type { Clock } from "../../platform/ports.ts";
import type { Principal } from "./tokens.ts";

/** A holder who was quiet may catch up on this many seconds of its rate at once. */
const BURST_SECONDS = 1;

interface Bucket {
  tokens: number;
  filledMs: number;
  inFlight: number;
}

export interface Refusal {
  readonly reason: string;
  readonly retryAfterSeconds: number;
}

export class RateLimiter {
  readonly #clock: Clock;
  /** By name: it outlives a rotation of the holder's token. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes a request's place, or says why there is none. `end` must follow where concurrency is limited. */
  begin(principal: Principal): Refusal | undefined {
    const { name, requestsPerSecond, concurrency } = principal;
    if (requestsPerSecond === undefined && concurrency === undefined) return undefined;
    const nowMs = this.#clock.monotonicMs();
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = {
        tokens: Math.max(1, (requestsPerSecond ?? 0) * BURST_SECONDS),
        filledMs: nowMs,
        inFlight: 0,
      };
      this.#buckets.set(name, bucket);
    }
    if (concurrency !== undefined && bucket.inFlight >= concurrency) {
      return { reason: `${concurrency} requests at once are allowed`, retryAfterSeconds: 1 };
    }
    if (requestsPerSecond !== undefined) {
      const earned = (nowMs - bucket.filledMs) / 1000 * requestsPerSecond;
      bucket.tokens = Math.min(
        Math.max(1, requestsPerSecond * BURST_SECONDS),
        bucket.tokens + earned,
      );
      bucket.filledMs = nowMs;
      if (bucket.tokens < 1) {
        return {
          reason: `${requestsPerSecond} requests a second are allowed`,
          retryAfterSeconds: Math.max(1, Math.ceil((1 - bucket.tokens) / requestsPerSecond)),
        };
      }
      bucket.tokens--;
    }
    if (concurrency !== undefined) bucket.inFlight++;
    return undefined;
  }

  end({ name, concurrency }: Principal): void {
    if (concurrency === undefined) return;
    const bucket = this.#buckets.get(name);
    if (bucket !== undefined && bucket.inFlight > 0) bucket.inFlight--;
  }
}
