// Watches who leads: asks every node again and again, past the links, and keeps what each said as spans of time.
// Never changes anything.

import type { System, SystemNode } from "./types.ts";

/** What one node said for a while. Times are milliseconds since the start of the run. */
export interface LeaderSpan {
  readonly node: string;
  readonly term: number;
  /** Undefined: it knew of none. */
  readonly leader?: string;
  readonly fromMs: number;
  toMs: number;
}

/** A leader that was not there before. */
export interface Election {
  /** When it was seen; it came up to {@linkcode SEEN_WITHIN_MS} earlier. */
  readonly atMs: number;
  /** Of which partition; absent where a system has but one. */
  readonly partition?: string;
  readonly term: number;
  readonly leader: string;
}

const INTERVAL_MS = 150;
/** A node that is asked while it hangs holds the next look up for about so long. */
export const SEEN_WITHIN_MS = 1000;
/** A node that has said nothing for so long has a hole in its lane. */
const SILENCE_MS = 4 * INTERVAL_MS;

export class Observer {
  readonly spans: LeaderSpan[] = [];
  /** Of the partition that clients feel. */
  readonly elections: Election[] = [];
  /** Of every partition. */
  readonly allElections: Election[] = [];
  readonly #terms = new Map<string, number>();
  readonly #system: System;
  readonly #now: () => number;
  readonly #last = new Map<string, LeaderSpan>();
  #highestTerm = 0;
  #leader: SystemNode | undefined;

  /** @param now milliseconds since the start of the run */
  constructor(system: System, now: () => number) {
    this.#system = system;
    this.#now = now;
  }

  /** Who leads, as last heard. */
  get leader(): SystemNode | undefined {
    return this.#leader;
  }

  get term(): number {
    return this.#highestTerm;
  }

  /** Goes on until `stopped` holds. */
  async watch(stopped: () => boolean): Promise<void> {
    while (!stopped()) {
      // Nodes come and go; one that hangs must not hold up the others' next turn for long.
      await Promise.all([...this.#system.nodes].map((node) => this.#look(node)));
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
  }

  async #look(node: SystemNode): Promise<void> {
    if (!node.running || node.down) return;
    const partitions = await this.#system.status(node);
    // The system names the partition that clients feel first.
    const status = partitions?.[0];
    if (status === undefined) return;
    const atMs = this.#now();
    for (const { partition, term, leader } of partitions ?? []) {
      if (leader === undefined || term <= (this.#terms.get(partition) ?? 0)) continue;
      this.#terms.set(partition, term);
      this.allElections.push({ atMs, partition, term, leader });
    }
    const { term, leader } = status;
    const last = this.#last.get(node.name);
    const goesOn = last !== undefined && last.term === term && last.leader === leader &&
      atMs - last.toMs < SILENCE_MS;
    if (goesOn) last.toMs = atMs;
    else {
      // Without a hole the change came somewhere in between; it is drawn where it was seen.
      if (last !== undefined && atMs - last.toMs < SILENCE_MS) last.toMs = atMs;
      const span = {
        node: node.name,
        term,
        ...(leader === undefined ? {} : { leader }),
        fromMs: atMs,
        toMs: atMs,
      };
      this.#last.set(node.name, span);
      this.spans.push(span);
    }
    if (leader !== undefined && term > this.#highestTerm) {
      this.#highestTerm = term;
      this.#leader = this.#system.nodes.find(({ name }) => name === leader);
      this.elections.push({ atMs, term, leader });
    }
  }
}
