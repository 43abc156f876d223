// What a node counts of its own work since its start. Others write into it and read from it; it decides
// nothing.

import { DurationHistogram } from "../base/histogram.ts";
import type { PartitionId } from "../base/ids.ts";

/** Operations of clients that are timed one by one. */
export const OPERATIONS = ["put", "get", "delete", "ttl", "txn", "batch", "scan"] as const;
export type Operation = typeof OPERATIONS[number];

export class Meters {
  /** From the request's arrival to its answer, forwarding included. */
  readonly requests: Readonly<Record<Operation, DurationHistogram>> = Object.fromEntries(
    OPERATIONS.map((operation) => [operation, new DurationHistogram()]),
  ) as Record<Operation, DurationHistogram>;
  /** Answers by operation and status, as `put 201`. */
  readonly answers = new Map<string, number>();
  /** Requests turned away before any route saw them, by why. */
  readonly turnedAway = new Map<string, number>();
  /** One batch's way to the disk. */
  readonly sync = new DurationHistogram();
  /** Applying what was committed in one step of a group. */
  readonly apply = new DurationHistogram();
  /** A round of ReadIndex: from asking to the quorum's word. */
  readonly readIndex = new DurationHistogram();
  /** From losing sight of a partition's leader to knowing one again. */
  readonly election = new DurationHistogram();
  /** From the beginning of a snapshot to its durable file. */
  readonly snapshot = new DurationHistogram();
  /** Times that a replica on this node became its group's leader. */
  electionsWon = 0;
  /** Event streams open now. */
  watchers = 0;

  answered(operation: Operation, status: number, durationMs: number): void {
    this.requests[operation].observeMs(durationMs);
    const key = `${operation} ${status}`;
    this.answers.set(key, (this.answers.get(key) ?? 0) + 1);
  }

  refused(reason: string): void {
    this.turnedAway.set(reason, (this.turnedAway.get(reason) ?? 0) + 1);
  }
}

/** What one replica of data holds and waits for. */
export interface PartitionFigures {
  readonly partition: PartitionId;
  /** Clients' sessions whose outcomes are remembered. */
  readonly sessions: number;
  readonly rememberedOutcomes: number;
  readonly rememberedBytes: number;
  /** Of the events that watchers may still resume from. */
  readonly historyBytes: number;
  /** Proposals that are not in the log yet, or not applied. */
  readonly proposals: number;
  /** Reads that wait for ReadIndex or for the state machine. */
  readonly reads: number;
}

/** Figures of this moment that are not counted but looked up. */
export interface NodeFigures {
  readonly partitions: readonly PartitionFigures[];
  readonly requestsInFlight: number;
  readonly logBytes: number;
  readonly diskFreeBytes: number;
  readonly diskLow: boolean;
  readonly links: readonly {
    readonly to: string;
    readonly up: boolean;
    readonly queuedBytes: number;
    readonly writtenBytes: number;
    readonly readBytes: number;
    readonly droppedMessages: number;
    readonly roundTripMs: number | null;
    readonly wallOffsetMs: number | null;
  }[];
}
