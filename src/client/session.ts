// The client's session: numbers its writes, so that the cluster can tell a retry from a new write, and says
// per partition up to where outcomes have been received and may be forgotten. Must never acknowledge a
// sequence whose call may still be retried. Source: Raft dissertation §6.3; PROTOCOL.md, Pontoon-Session.

import type { Alarms } from "./alarms.ts";

/**
 * How far a partition's newest sequence may be ahead of its oldest open one: the outcomes that the
 * cluster has to remember for one client.
 */
export const SESSION_WINDOW = 8192;

/** The place of a write, or of some that go in one request, in the session. */
export interface Ticket {
  /** The first one's; the others' follow. */
  readonly sequence: number;
  readonly partition: number;
}

/** *Invariant:* ascending, because sequences are handed out in order. */
type Open = Set<number>;

export class Session {
  readonly #id: string;
  readonly #alarms: Alarms;
  readonly #open = new Map<number, Open>();
  #lastSequence = 0;
  /** Those who wait for a partition's window to move. */
  readonly #waiting = new Map<number, Set<() => void>>();

  /** @param id 32 lower-case hex digits, never used before */
  constructor(id: string, alarms: Alarms) {
    this.#id = id;
    this.#alarms = alarms;
  }

  /** A new place for `count` writes; undefined while the window of the partition is used up. */
  tryOpen(partition: number, count = 1): Ticket | undefined {
    const open = this.#openOf(partition);
    const newest = this.#lastSequence + count;
    if (open.size > 0 && newest - oldest(open) >= SESSION_WINDOW) return undefined;
    const sequence = this.#lastSequence + 1;
    this.#lastSequence = newest;
    open.add(sequence);
    return { sequence, partition };
  }

  /** Resolves when `tryOpen` may succeed, or at the deadline. */
  whenMoved(partition: number, deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(partition) ?? new Set();
      this.#waiting.set(partition, waiting);
      const end = () => {
        waiting.delete(end);
        this.#alarms.cancel(alarm);
        resolve();
      };
      const alarm = this.#alarms.set(deadlineMs, end);
      waiting.add(end);
    });
  }

  /** The call is over: its outcome is known, or given up for good. */
  close({ sequence, partition }: Ticket): void {
    this.#openOf(partition).delete(sequence);
    const waiting = this.#waiting.get(partition);
    if (waiting === undefined) return;
    this.#waiting.delete(partition);
    for (const resolve of waiting) resolve();
  }

  /** The header of one attempt. */
  header({ sequence, partition }: Ticket): string {
    return `${this.#id};seq=${sequence};ack=${oldest(this.#openOf(partition)) - 1}`;
  }

  #openOf(partition: number): Open {
    let open = this.#open.get(partition);
    if (open === undefined) this.#open.set(partition, open = new Set());
    return open;
  }
}

/** The oldest open sequence; there must be one. */
function oldest(open: Open): number {
  return open.values().next().value as number;
}

/** 32 hex digits at random. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
