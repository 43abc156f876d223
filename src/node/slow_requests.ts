// The log of slow requests: one line each, with where its time went, at most a few a second. Never logs a value,
// and of a key no more than its beginning.

import { LineAllowance } from "../base/line_allowance.ts";
import type { LogIndex, PartitionId } from "../base/ids.ts";
import type { Clock, Log } from "../platform/ports.ts";
import type { Hosting } from "./hosting.ts";

/** Of a path. */
const TARGET_LENGTH_MAX = 100;

/** A request that has been answered. */
export interface AnsweredRequest {
  /** As `put`, or `peer write` for what another node forwarded here. */
  readonly operation: string;
  /** Path, or nothing. */
  readonly target?: string;
  /** HTTP status. */
  readonly status?: number;
  /** The node that forwarded it. */
  readonly from?: string;
  readonly partition: PartitionId | undefined;
  /** Where the log has it, if it is a write that succeeded; `read` if it is none. */
  readonly index: LogIndex | "read" | undefined;
  readonly startedMs: number;
}

/** Where the time went, in ms. Disk and replication run side by side. */
export type Spent =
  & { readonly ledHere: boolean }
  & Partial<
    Record<"queueMs" | "fsyncMs" | "replicationMs" | "applyMs" | "answerMs" | "readIndexMs", number>
  >;

export class SlowRequests {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hosting: () => Hosting | undefined;
  /** Infinity: never. */
  readonly #slowMs: number;
  readonly #lines = new LineAllowance();

  /** @param slowMs undefined turns it off */
  constructor(
    clock: Clock,
    log: Log,
    hosting: () => Hosting | undefined,
    slowMs: number | undefined,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#hosting = hosting;
    this.#slowMs = slowMs ?? Infinity;
  }

  isSlow(durationMs: number): boolean {
    return durationMs >= this.#slowMs;
  }

  /** Tells of a request that was answered just now. */
  tell(request: AnsweredRequest): void {
    const nowMs = this.#clock.monotonicMs();
    const left = this.#lines.take(nowMs);
    if (left === undefined) return;
    const { startedMs, partition, index, target, ...rest } = request;
    const term = partition === undefined ? undefined : this.#replica(partition)?.term;
    this.#log.log("warn", "slow request", {
      ...rest,
      ...(target === undefined ? {} : { target: target.slice(0, TARGET_LENGTH_MAX) }),
      durationMs: rounded(nowMs - startedMs),
      ...(partition === undefined ? {} : { partition }),
      ...(term === undefined ? {} : { term }),
      ...(partition === undefined
        ? {}
        : { spent: this.#spent(partition, index, startedMs, nowMs) }),
      ...(left === 0 ? {} : { notTold: left }),
    });
  }

  #replica(partition: PartitionId) {
    const hosted = this.#hosting()?.get(partition);
    return hosted === undefined || hosted.kind === "suspect" ? undefined : hosted.replica;
  }

  #spent(
    partition: PartitionId,
    index: AnsweredRequest["index"],
    startedMs: number,
    nowMs: number,
  ): Spent {
    const replica = this.#replica(partition);
    // What was forwarded is told by the node that leads.
    if (replica === undefined || !replica.isLeader) return { ledHere: false };
    if (index === "read") {
      const readIndexMs = replica.times.longestRoundMs(startedMs, nowMs);
      return {
        ledHere: true,
        ...(readIndexMs === undefined ? {} : { readIndexMs: rounded(readIndexMs) }),
      };
    }
    const batch = index === undefined ? undefined : replica.times.batchOf(index);
    if (batch === undefined) return { ledHere: true };
    const { appendedMs, durableMs, committedMs, appliedMs } = batch;
    const parts = {
      queueMs: appendedMs - startedMs,
      fsyncMs: durableMs - appendedMs,
      replicationMs: committedMs - appendedMs,
      applyMs: appliedMs - committedMs,
      answerMs: nowMs - appliedMs,
    };
    const known = Object.entries(parts).filter(([, ms]) => !Number.isNaN(ms));
    return { ledHere: true, ...Object.fromEntries(known.map(([name, ms]) => [name, rounded(ms)])) };
  }
}

/** To tenths. */
function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
