// Watchers of one partition's replica: reads of its history, and waits for what is not there yet. Only
// applied, so only committed changes are shown. It buffers nothing: the history, which is bounded and
// replicated, is the buffer, and a waiter is only told where to read on.

import type { LogIndex } from "../base/ids.ts";
import {
  WATCH_BATCH_EVENTS_MAX,
  WATCH_BATCH_SIZE_BYTES_MAX,
  WATCH_EXAMINED_MAX,
} from "../base/limits.ts";
import { type Store, type WatchPosition, WHOLE_REVISION } from "../store/mod.ts";
import type { WatchEvent, WatchFilter } from "../store/types.ts";

/** What was found behind a position. */
export interface EventBatch {
  readonly events: readonly WatchEvent[];
  /** Everything up to it was looked at. */
  readonly position: WatchPosition;
  /** Nothing more is there now. */
  readonly complete: boolean;
}

/** What `read` looks for. */
export interface EventQuery {
  readonly position: WatchPosition;
  readonly filter: WatchFilter;
}

/** A wait for the first change that its query wants. */
export interface Waiter {
  readonly filter: WatchFilter;
  /** Runs once: a wanted change comes next behind `from`; undefined: look again, and elsewhere. */
  readonly wake: (from: WatchPosition | undefined) => void;
}

const BOUNDS = {
  eventsMax: WATCH_BATCH_EVENTS_MAX,
  examinedMax: WATCH_EXAMINED_MAX,
  sizeBytesMax: WATCH_BATCH_SIZE_BYTES_MAX,
};

/** Whether `a` lies behind `b`. */
export function isBehind(a: WatchPosition, b: WatchPosition): boolean {
  return a.revision > b.revision || (a.revision === b.revision && a.subIndex > b.subIndex);
}

export class WatchHub {
  readonly #store: Store;
  readonly #appliedIndex: () => LogIndex;
  /** Waiters by what they wait for, so that a change costs as many look-ups as prefixes have lengths. */
  readonly #byKey = new Map<string, Set<Waiter>>();
  readonly #byPrefix = new Map<string, Set<Waiter>>();
  /** Prefix length -> prefixes of that length waited for. */
  readonly #lengths = new Map<number, number>();
  #listening = false;
  #closed = false;

  constructor(store: Store, appliedIndex: () => LogIndex) {
    this.#store = store;
    this.#appliedIndex = appliedIndex;
  }

  /** Everything applied so far. */
  head(): WatchPosition {
    const revision: number = this.#appliedIndex(); // a revision is the log index of the change
    return { revision, subIndex: WHOLE_REVISION };
  }

  /** Reads on behind a position; undefined if something behind it is gone. Bounded work. */
  read({ position, filter }: EventQuery): EventBatch | undefined {
    const piece = this.#store.history(position, filter, BOUNDS);
    if (piece === undefined) return undefined;
    const { events, resume } = piece;
    if (resume !== undefined) return { events, position: resume, complete: false };
    const head = this.head();
    return { events, position: isBehind(position, head) ? position : head, complete: true };
  }

  /** Registers a wait that begins at the head, everything before having been read. */
  wait(waiter: Waiter): void {
    if (this.#closed) return waiter.wake(undefined);
    const [index, name] = this.#placeOf(waiter.filter);
    const others = index.get(name);
    if (others !== undefined) others.add(waiter);
    else {
      index.set(name, new Set([waiter]));
      if (index === this.#byPrefix) this.#count(name.length, 1);
    }
    if (this.#listening) return;
    this.#listening = true;
    this.#store.listen((event) => this.#onChange(event));
  }

  /** Ends a wait without waking it. */
  cancel(waiter: Waiter): void {
    const [index, name] = this.#placeOf(waiter.filter);
    const waiters = index.get(name);
    if (waiters?.delete(waiter) && waiters.size === 0) this.#remove(index, name);
  }

  /** The state was replaced: whoever waits has to look again. */
  replaced(): void {
    const waiting = [...this.#byKey.values(), ...this.#byPrefix.values()].flatMap((
      set,
    ) => [...set]);
    this.#byKey.clear();
    this.#byPrefix.clear();
    this.#lengths.clear();
    this.#rest();
    for (const { wake } of waiting) wake(undefined);
  }

  /** The replica is gone from this node. */
  close(): void {
    this.#closed = true;
    this.replaced();
  }

  #placeOf(filter: WatchFilter): [Map<string, Set<Waiter>>, string] {
    return filter.kind === "key" ? [this.#byKey, filter.key] : [this.#byPrefix, filter.prefix];
  }

  #count(length: number, change: number): void {
    const count = (this.#lengths.get(length) ?? 0) + change;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
  }

  #remove(index: Map<string, Set<Waiter>>, name: string): void {
    index.delete(name);
    if (index === this.#byPrefix) this.#count(name.length, -1);
    if (this.#byKey.size === 0 && this.#byPrefix.size === 0) this.#rest();
  }

  #rest(): void {
    this.#listening = false;
    this.#store.listen(undefined);
  }

  /** While an entry is applied: whoever waits for `event` will read from just before it. */
  #onChange({ key, revision, subIndex }: WatchEvent): void {
    const from = subIndex === 0
      ? { revision: revision - 1, subIndex: WHOLE_REVISION }
      : { revision, subIndex: subIndex - 1 };
    this.#wakeAll(this.#byKey, key, from);
    for (const length of [...this.#lengths.keys()]) {
      if (length <= key.length) this.#wakeAll(this.#byPrefix, key.slice(0, length), from);
    }
  }

  #wakeAll(index: Map<string, Set<Waiter>>, name: string, from: WatchPosition): void {
    const waiters = index.get(name);
    if (waiters === undefined) return;
    this.#remove(index, name);
    for (const { wake } of waiters) wake(from);
  }
}
