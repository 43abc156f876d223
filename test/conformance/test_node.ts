// One node of an interaction script: a RawNode, its storage, and a state machine that appends every
// entry's data to its snapshot.

import {
  decodeConfChange,
  decodeConfChangeV2,
  type Entry,
  EntryType,
  type HardState,
  MemoryStorage,
  type Message,
  type RaftConfig,
  RawNode,
  type Snapshot,
  type Storage,
} from "../../src/raft/mod.ts";

export const ELECTION_TICKS = 3;
export const HEARTBEAT_TICKS = 1;

/** What a script can set. */
export type NodeOptions = Omit<
  RaftConfig,
  "id" | "storage" | "random" | "electionTicks" | "heartbeatTicks"
>;

export class TestNode {
  readonly raw: RawNode;
  readonly storage = new MemoryStorage();
  readonly async: boolean;
  readonly appendWork: Message[] = [];
  readonly applyWork: Message[] = [];
  /** A snapshot after every applied entry. */
  readonly #history: Snapshot[];

  constructor(id: number, bootstrap: boolean, snapshot: Snapshot, options: NodeOptions) {
    const { storage } = this;
    if (bootstrap) storage.applySnapshot(snapshot);
    this.#history = [snapshot];
    const view: Storage = {
      initialState: () => storage.initialState(),
      entries: (lo, hi, maxBytes) => storage.entries(lo, hi, maxBytes),
      term: (index) => storage.term(index),
      lastIndex: () => storage.lastIndex(),
      firstIndex: () => storage.firstIndex(),
      snapshot: () => this.newestSnapshot,
    };
    this.async = options.asyncStorageWrites === true;
    this.raw = new RawNode({
      ...options,
      id,
      storage: view,
      random: () => 0,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: HEARTBEAT_TICKS,
    });
  }

  get newestSnapshot(): Snapshot {
    return this.#history[this.#history.length - 1];
  }

  /** Writes to storage. */
  write(
    hardState: HardState | null,
    entries: readonly Entry[],
    snapshot: Snapshot | null,
  ): void {
    if (hardState !== null) this.storage.setHardState(hardState);
    if (snapshot !== null) this.storage.applySnapshot(snapshot);
    this.storage.append(entries);
  }

  /** Applies committed entries. */
  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const last = this.newestSnapshot;
      let update = entry.data;
      let { confState } = last.metadata;
      if (entry.type !== EntryType.Normal) {
        const change = entry.type === EntryType.ConfChange
          ? decodeConfChange(entry.data)
          : decodeConfChangeV2(entry.data);
        update = change.context;
        confState = this.raw.applyConfChange(change, entry.index);
      }
      const data = new Uint8Array(last.data.length + update.length);
      data.set(last.data);
      data.set(update, last.data.length);
      this.#history.push({ data, metadata: { index: entry.index, term: entry.term, confState } });
    }
  }
}
