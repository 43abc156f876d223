// A group of replicas in one process for tests: storage in memory, and a network that delivers what a
// filter lets through. Deterministic; time passes only by `tick`.

import { assert } from "@std/assert";
import {
  type ConfState,
  decodeConfChange,
  decodeConfChangeV2,
  type Entry,
  EntryType,
  MemoryStorage,
  type Message,
  MessageType,
  newMessage,
  NO_DATA,
  type RaftConfig,
  RawNode,
  type ReadState,
  type Ready,
  Role,
} from "../../src/raft/mod.ts";

export const ELECTION_TICKS = 10;

export type Options = Partial<Omit<RaftConfig, "id" | "storage">>;

export function confState(voters: number[], learners: number[] = []): ConfState {
  return { voters, learners, votersOutgoing: [], learnersNext: [], autoLeave: false };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

export function entry(term: number, index: number, data = ""): Entry {
  return { term, index, type: EntryType.Normal, data: bytes(data) };
}

/** A message with the given fields. */
export function message(
  type: MessageType,
  to: number,
  from: number,
  fields: Partial<Message> = {},
): Message {
  return Object.assign(newMessage(type, to, from), fields);
}

/** A storage whose log starts behind a snapshot at index 1 (term 1), as a bootstrap leaves it. */
export function newStorage(state: ConfState, entries: Entry[] = [], term = 1): MemoryStorage {
  const storage = new MemoryStorage();
  storage.applySnapshot({ data: NO_DATA, metadata: { index: 1, term: 1, confState: state } });
  storage.append(entries);
  storage.setHardState({ term, vote: 0, commit: 1 });
  return storage;
}

/** A replica over `storage`; applied up to its snapshot. */
export function newNode(id: number, storage: MemoryStorage, options: Options = {}): RawNode {
  return new RawNode({
    random: () => 0,
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: 1,
    maxInflightMessages: 256,
    ...options,
    id,
    storage,
  });
}

/** One replica and what it has applied. */
export class Member {
  readonly id: number;
  readonly storage: MemoryStorage;
  readonly raw: RawNode;
  readonly applied: Entry[] = [];
  readonly reads: ReadState[] = [];

  constructor(id: number, storage: MemoryStorage, options: Options = {}) {
    this.id = id;
    this.storage = storage;
    this.raw = newNode(id, storage, options);
  }

  /** Does what one Ready asks for and returns the messages to send. */
  process(): readonly Message[] {
    const ready = this.raw.ready();
    this.persist(ready);
    this.apply(ready.committedEntries);
    this.reads.push(...ready.readStates);
    this.raw.advance();
    return ready.messages;
  }

  persist(ready: Ready): void {
    if (ready.hardState !== null) this.storage.setHardState(ready.hardState);
    if (ready.snapshot !== null) this.storage.applySnapshot(ready.snapshot);
    this.storage.append(ready.entries);
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.applied.push(entry);
      if (entry.type === EntryType.ConfChange) {
        this.raw.applyConfChange(decodeConfChange(entry.data), entry.index);
      } else if (entry.type === EntryType.ConfChangeV2) {
        this.raw.applyConfChange(decodeConfChangeV2(entry.data), entry.index);
      }
    }
  }

  /** Handles Readys until there is none, returning all messages. */
  drain(): Message[] {
    const messages: Message[] = [];
    while (this.raw.hasReady()) messages.push(...this.process());
    return messages;
  }

  /** The data of the normal, non-empty entries applied so far. */
  appliedText(): string[] {
    return this.applied.filter((e) => e.type === EntryType.Normal && e.data.length > 0)
      .map((e) => text(e.data));
  }

  /** The terms of the log's entries from its first index on. */
  terms(): number[] {
    const terms: number[] = [];
    for (let i = this.storage.firstIndex(); i <= this.storage.lastIndex(); i++) {
      terms.push(this.storage.term(i));
    }
    return terms;
  }
}

export class Cluster {
  readonly members = new Map<number, Member>();
  /** Messages for which this is false are lost. */
  filter: (message: Message) => boolean = () => true;

  constructor(voters: number[], options: Options = {}, learners: number[] = []) {
    for (const id of [...voters, ...learners]) {
      this.add(id, newStorage(confState(voters, learners)), options);
    }
  }

  add(id: number, storage: MemoryStorage, options: Options = {}): Member {
    const member = new Member(id, storage, options);
    this.members.set(id, member);
    return member;
  }

  get(id: number): Member {
    const member = this.members.get(id);
    assert(member !== undefined, `no member ${id}`);
    return member;
  }

  raw(id: number): RawNode {
    return this.get(id).raw;
  }

  /** Cuts these replicas off from the others (not from each other). */
  isolate(...ids: number[]): void {
    this.filter = (m) => ids.includes(m.from) === ids.includes(m.to);
  }

  heal(): void {
    this.filter = () => true;
  }

  /** Handles Readys and delivers messages until nothing is left to do. */
  pump(): void {
    for (let work = true; work;) {
      work = false;
      for (const member of [...this.members.values()]) {
        if (!member.raw.hasReady()) continue;
        work = true;
        for (const m of member.process()) {
          if (this.filter(m)) this.members.get(m.to)?.raw.step(m);
        }
      }
    }
  }

  tick(id: number, count = 1): void {
    for (let i = 0; i < count; i++) {
      this.raw(id).tick();
      this.pump();
    }
  }

  /** Makes `id` leader by a campaign. */
  elect(id: number): Member {
    this.raw(id).campaign();
    this.pump();
    assert(this.raw(id).role === Role.Leader, `${id} did not become leader`);
    return this.get(id);
  }

  propose(id: number, data: string): void {
    const result = this.raw(id).propose(bytes(data));
    assert(result.kind === "appended" || result.kind === "forwarded", `${data}: ${result.kind}`);
  }

  /** The replicas that believe they lead. */
  leaders(): number[] {
    return [...this.members.values()].filter((m) => m.raw.role === Role.Leader).map((m) => m.id);
  }
}
