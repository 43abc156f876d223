// Judges a watch stream against the writes it should tell of: ordered, unique, gap-free, resumable. Linear.
// A stream is checked against decided writes; a write of unknown outcome may show up or not.

import { equalValues, show } from "../models/values.ts";
import type { Json } from "../history/types.ts";

/** A place in a watch stream: revision, then number within it. */
export interface WatchPosition {
  readonly revision: number;
  /** 0 when absent. */
  readonly subIndex?: number;
}

export interface WatchedEvent extends WatchPosition {
  readonly kind: "put" | "delete" | "expire";
  readonly key: string;
  /** Of a put; not compared when absent. */
  readonly value?: Json;
}

/** One connection of a watcher. Several in a row are one watcher that resumed. */
export interface WatchSession {
  /** Everything after this position is promised; undefined: whatever comes after the first event seen. */
  readonly after?: WatchPosition;
  readonly events: readonly WatchedEvent[];
  /** Everything up to and including this revision was promised before the session ended (progress). */
  readonly through?: number;
}

/** A change that was made. Without a revision its outcome is unknown: it may be seen once, anywhere. */
export interface WatchedWrite {
  readonly kind: "put" | "delete";
  readonly key: string;
  readonly value?: Json;
  readonly revision?: number;
}

export interface WatchOptions {
  /** The keys watched. Default: all. */
  readonly includes?: (key: string) => boolean;
  /** The system may expire keys by itself: such events need no write. Default false. */
  readonly expires?: boolean;
}

export type WatchFlawKind =
  /** An event at or before its predecessor's position. */
  | "out-of-order"
  /** The same position twice, within a session or across a resume. */
  | "repeated"
  /** A decided write between two things seen that was not told of. */
  | "gap"
  /** An event nobody caused. */
  | "invented"
  /** An event at a write's revision that says something else. */
  | "different"
  /** An event about a key that is not watched. */
  | "not-watched";

export interface WatchFlaw {
  readonly kind: WatchFlawKind;
  /** Session and event it was noticed at; event = number of events when noticed at the end. */
  readonly session: number;
  readonly event: number;
  readonly message: string;
}

/** What is wrong with a watcher's sessions; empty: nothing. All of one partition. */
export function checkWatch(
  sessions: readonly WatchSession[],
  writes: readonly WatchedWrite[],
  options: WatchOptions = {},
): WatchFlaw[] {
  return new WatchCheck(sessions, writes, options).run();
}

class WatchCheck {
  readonly #sessions: readonly WatchSession[];
  readonly #options: WatchOptions;
  /** Decided writes on watched keys by revision, in order; a transaction's share one. */
  readonly #decided: WatchedWrite[];
  readonly #byRevision = new Map<number, WatchedWrite[]>();
  readonly #unknown: (WatchedWrite | undefined)[];
  readonly #told = new Set<WatchedWrite>();
  readonly #flaws: WatchFlaw[] = [];

  constructor(
    sessions: readonly WatchSession[],
    writes: readonly WatchedWrite[],
    options: WatchOptions,
  ) {
    this.#sessions = sessions;
    this.#options = options;
    const watched = writes.filter(({ key }) => this.#isWatched(key));
    this.#decided = watched.filter(({ revision }) => revision !== undefined)
      .sort((a, b) => a.revision! - b.revision!);
    this.#unknown = watched.filter(({ revision }) => revision === undefined);
    for (const write of this.#decided) {
      const same = this.#byRevision.get(write.revision!);
      if (same === undefined) this.#byRevision.set(write.revision!, [write]);
      else same.push(write);
    }
  }

  run(): WatchFlaw[] {
    let last: WatchPosition | undefined;
    this.#sessions.forEach((session, at) => {
      // A resume says from where; without a position it goes on after what was seen.
      const after = session.after ?? last;
      let previous = after;
      session.events.forEach((event, i) => {
        this.#order(previous, event, at, i);
        if (!this.#isWatched(event.key)) {
          this.#flaw("not-watched", at, i, `${text(event)} is about a key that is not watched`);
        } else this.#cause(event, at, i);
        if (previous !== undefined) this.#gaps(previous, event, at, i);
        if (previous === undefined || compare(event, previous) > 0) previous = event;
      });
      if (session.through !== undefined && previous !== undefined) {
        const through = { revision: session.through + 1, subIndex: 0 };
        if (compare(through, previous) > 0) {
          this.#gaps(previous, through, at, session.events.length);
        }
        if (compare({ revision: session.through, subIndex: Infinity }, previous) > 0) {
          previous = { revision: session.through, subIndex: Infinity };
        }
      }
      last = previous;
    });
    return this.#flaws;
  }

  #isWatched(key: string): boolean {
    return this.#options.includes?.(key) ?? true;
  }

  #flaw(kind: WatchFlawKind, session: number, event: number, message: string): void {
    this.#flaws.push({ kind, session, event, message });
  }

  #order(previous: WatchPosition | undefined, event: WatchedEvent, at: number, i: number): void {
    if (previous === undefined) return;
    const order = compare(event, previous);
    if (order === 0) this.#flaw("repeated", at, i, `${text(event)} was told before`);
    else if (order < 0) {
      this.#flaw("out-of-order", at, i, `${text(event)} comes after position ${place(previous)}`);
    }
  }

  /** Finds the write that the event tells of. */
  #cause(event: WatchedEvent, at: number, i: number): void {
    const same = this.#byRevision.get(event.revision) ?? [];
    const cause = same.find((write) => tells(event, write) && !this.#told.has(write));
    if (cause !== undefined) {
      this.#told.add(cause);
      return;
    }
    if (same.some((write) => tells(event, write))) return;
    if (event.kind === "expire" && this.#options.expires) return;
    const own = same.find((write) => write.key === event.key);
    if (own !== undefined) {
      const wanted = `${own.kind} ${show(own.key)}${
        own.kind === "put" ? ` = ${show(own.value)}` : ""
      }`;
      this.#flaw("different", at, i, `${text(event)}, but revision ${event.revision} is ${wanted}`);
      return;
    }
    const unknown = this.#unknown.findIndex((write) => write !== undefined && tells(event, write));
    if (unknown >= 0) {
      // It took effect after all, here: from now on it is as decided as the others.
      const write = { ...this.#unknown[unknown]!, revision: event.revision };
      this.#unknown[unknown] = undefined;
      this.#byRevision.set(event.revision, [...same, write]);
      this.#told.add(write);
      return;
    }
    this.#flaw("invented", at, i, `${text(event)} has no write that caused it`);
  }

  /** Decided writes between two positions, both exclusive, that were never told. */
  #gaps(from: WatchPosition, to: WatchPosition, at: number, i: number): void {
    const missing = to.revision > from.revision ? this.#restOf(from) : [];
    for (let k = this.#firstFrom(from.revision + 1); k < this.#decided.length; k++) {
      const write = this.#decided[k]!;
      if (write.revision! >= to.revision) break;
      if (!this.#told.has(write)) missing.push(write);
    }
    for (const write of missing) {
      this.#told.add(write);
      this.#flaw(
        "gap",
        at,
        i,
        `${write.kind} ${show(write.key)} at revision ${write.revision} is missing between ` +
          `${place(from)} and ${place(to)}`,
      );
    }
  }

  /** What a transaction changed beyond the position; those up to it may have been told to another. */
  #restOf({ revision, subIndex }: WatchPosition): WatchedWrite[] {
    if (subIndex === undefined) return [];
    const all = this.#byRevision.get(revision) ?? [];
    const untold = all.filter((write) => !this.#told.has(write));
    const missing = all.length - Math.max(all.length - untold.length, subIndex + 1);
    return missing > 0 ? untold.slice(-missing) : [];
  }

  #firstFrom(revision: number): number {
    let low = 0;
    let high = this.#decided.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#decided[middle]!.revision! >= revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function tells(event: WatchedEvent, write: WatchedWrite): boolean {
  if (event.key !== write.key || event.kind !== write.kind) return false;
  return event.kind !== "put" || event.value === undefined || write.value === undefined ||
    equalValues(event.value, write.value);
}

function compare(a: WatchPosition, b: WatchPosition): number {
  return a.revision - b.revision || (a.subIndex ?? 0) - (b.subIndex ?? 0) || 0;
}

function place({ revision, subIndex }: WatchPosition): string {
  return subIndex === undefined || subIndex === Infinity
    ? `${revision}`
    : `${revision}.${subIndex}`;
}

function text(event: WatchedEvent): string {
  const value = event.kind === "put" && event.value !== undefined ? ` = ${show(event.value)}` : "";
  return `${event.kind} ${show(event.key)}${value} at ${place(event)}`;
}
