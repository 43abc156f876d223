// Asynchronous storage writes: what may be said before a write is durable, and what may not.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ConfChangeType,
  encodeConfChange,
  EntryType,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type MemoryStorage,
  type Message,
  MessageType,
  NO_DATA,
  RawNode,
  type Ready,
  Role,
} from "../../src/raft/mod.ts";
import { bytes, confState, entry, message, newNode, newStorage } from "./harness.ts";

/** A replica with asynchronous writes whose storage threads are run by hand. */
class Async {
  readonly storage: MemoryStorage;
  readonly raw: RawNode;
  readonly appends: Message[] = [];
  readonly applies: Message[] = [];
  readonly sent: Message[] = [];

  constructor(id: number, voters: number[]) {
    this.storage = newStorage(confState(voters));
    this.raw = newNode(id, this.storage, { asyncStorageWrites: true });
  }

  ready(): Ready {
    const ready = this.raw.ready();
    for (const m of ready.messages) {
      if (m.to === LOCAL_APPEND_THREAD) this.appends.push(m);
      else if (m.to === LOCAL_APPLY_THREAD) this.applies.push(m);
      else this.sent.push(m);
    }
    return ready;
  }

  /** Makes the oldest write durable and delivers what waited for it. */
  append(): void {
    const order = this.appends.shift();
    assert(order !== undefined, "nothing to write");
    const { term, vote, commit } = order;
    if (term !== 0) this.storage.setHardState({ term, vote, commit });
    if (order.snapshot !== null) this.storage.applySnapshot(order.snapshot);
    this.storage.append(order.entries);
    this.#respond(order);
  }

  apply(): void {
    const order = this.applies.shift();
    assert(order !== undefined, "nothing to apply");
    this.#respond(order);
  }

  #respond(order: Message): void {
    for (const m of order.responses) {
      if (m.to === this.raw.id) this.raw.step(m);
      else this.sent.push(m);
    }
  }

  /** Takes what was sent so far. */
  take(): Message[] {
    return this.sent.splice(0);
  }

  settle(): void {
    while (this.raw.hasReady() || this.appends.length > 0 || this.applies.length > 0) {
      if (this.raw.hasReady()) this.ready();
      else if (this.appends.length > 0) this.append();
      else this.apply();
    }
  }

  /** Becomes leader of its group, by the vote of 2 if there is one. */
  lead(): void {
    this.raw.campaign();
    this.settle();
    const { term } = this.raw;
    if (this.raw.role !== Role.Leader) {
      this.raw.step(message(MessageType.VoteResponse, this.raw.id, 2, { term }));
    }
    this.settle();
    assertEquals(this.raw.role, Role.Leader);
    this.take();
  }
}

Deno.test("a vote is not sent before it is durable", () => {
  const replica = new Async(1, [1, 2, 3]);
  replica.raw.step(message(MessageType.Vote, 1, 2, { term: 2, index: 1, logTerm: 1 }));
  replica.ready();
  assertEquals(replica.take(), []);
  replica.append();
  assertEquals(replica.storage.initialState().hardState.vote, 2);
  assertEquals(replica.take().map((m) => m.type), [MessageType.VoteResponse]);
});

Deno.test("a candidate's own vote does not count before it is durable", () => {
  const replica = new Async(1, [1]);
  replica.raw.campaign();
  replica.ready();
  assertEquals(replica.raw.role, Role.Candidate);
  replica.append();
  assertEquals(replica.raw.role, Role.Leader);
});

Deno.test("a sole voter does not commit before its entry is durable", () => {
  const replica = new Async(1, [1]);
  replica.lead();
  const { committed } = replica.raw;
  replica.raw.propose(bytes("x"));
  replica.ready();
  assertEquals(replica.raw.committed, committed);
  replica.append();
  assertEquals(replica.raw.committed, committed + 1);
});

Deno.test("a leader replicates while its own write is under way", () => {
  const replica = new Async(1, [1, 2, 3]);
  replica.lead();
  const { term } = replica.raw;
  for (const from of [2, 3]) {
    replica.raw.step(message(MessageType.AppendResponse, 1, from, { term, index: 2 }));
  }
  replica.settle();
  replica.take();
  replica.raw.propose(bytes("x"));
  replica.ready();
  assertEquals(replica.take().map((m) => [m.type, m.to]), [
    [MessageType.Append, 2],
    [MessageType.Append, 3],
  ]);
  // Both followers are faster than our own disk: committed, but not to be applied from here.
  for (const from of [2, 3]) {
    replica.raw.step(message(MessageType.AppendResponse, 1, from, { term, index: 3 }));
  }
  assertEquals(replica.raw.committed, 3);
  assertEquals(replica.ready().committedEntries, []);
  replica.append();
  assertEquals(replica.ready().committedEntries.map((e) => e.index), [3]);
});

Deno.test("an append is acknowledged only once it is durable, an empty one after it as well", () => {
  const replica = new Async(1, [1, 2, 3]);
  const append = { term: 2, index: 1, logTerm: 1, entries: [entry(2, 2, "a")] };
  replica.raw.step(message(MessageType.Append, 1, 2, append));
  replica.ready();
  // The leader sends an empty append behind it, as a probe or for its commit index.
  replica.raw.step(message(MessageType.Append, 1, 2, { term: 2, index: 2, logTerm: 2 }));
  replica.ready();
  assertEquals(replica.take(), []);
  replica.append();
  assertEquals(replica.storage.lastIndex(), 2);
  assertEquals(replica.take().map((m) => m.index), [2]);
  replica.append();
  assertEquals(replica.take().map((m) => m.index), [2]);
});

Deno.test("entries count as stable only if no later write can have replaced them (ABA)", () => {
  const replica = new Async(1, [1, 2, 3, 4, 5]);
  const append = (from: number, term: number, entries: ReturnType<typeof entry>[]) => {
    replica.raw.step(message(MessageType.Append, 1, from, { term, index: 1, logTerm: 1, entries }));
    replica.ready();
  };
  append(2, 2, [entry(2, 2, "a"), entry(2, 3, "b")]);
  append(3, 3, [entry(3, 2, "c"), entry(3, 3, "d")]);
  append(2, 4, [entry(2, 2, "a"), entry(2, 3, "b")]);
  assertEquals(replica.appends.length, 3);
  // Each of the first two is done while the third is under way; reads must still see the third.
  for (const terms of [[2, 2], [3, 3]]) {
    replica.append();
    assertEquals([2, 3].map((i) => replica.storage.term(i)), terms);
    replica.raw.step(message(MessageType.Vote, 1, 4, { term: 4, index: 3, logTerm: 1 }));
    replica.raw.step(message(MessageType.Append, 1, 2, { term: 4, index: 3, logTerm: 2 }));
    assertEquals(replica.raw.lastIndex, 3);
  }
  replica.settle();
  assertEquals([2, 3].map((i) => replica.storage.term(i)), [2, 2]);
  const acks = replica.take().filter((m) => m.type === MessageType.AppendResponse && m.term === 4);
  assert(acks.every((m) => !m.reject), "the logs met at 3 in term 2 all along");
});

Deno.test("stale notes of durability don't keep entries in memory for ever", () => {
  const replica = new Async(1, [1, 2, 3]);
  const append = { term: 2, index: 1, logTerm: 1, entries: [entry(2, 2, "a")] };
  replica.raw.step(message(MessageType.Append, 1, 2, append));
  replica.ready();
  // A term passes while the write is under way, so its note will be ignored.
  replica.raw.step(message(MessageType.Heartbeat, 1, 3, { term: 3, commit: 1 }));
  replica.ready();
  replica.append();
  replica.append();
  // The write of the new term carried another one.
  replica.raw.step(message(MessageType.Heartbeat, 1, 3, { term: 3, commit: 2 }));
  assertEquals(replica.ready().committedEntries.map((e) => e.index), [2]);
});

Deno.test("a snapshot is applied even if the term changes while it is written", () => {
  const replica = new Async(1, [1, 2, 3]);
  const metadata = { index: 9, term: 2, confState: confState([1, 2, 3]) };
  const snapshot = { data: bytes("s"), metadata };
  replica.raw.step(message(MessageType.Snapshot, 1, 2, { term: 2, snapshot }));
  replica.ready();
  assertEquals(replica.raw.applied, 1);
  replica.raw.campaign();
  assertEquals(replica.raw.role, Role.Follower, "not with a snapshot to install");
  replica.raw.step(message(MessageType.Heartbeat, 1, 3, { term: 3, commit: 9 }));
  replica.append();
  assertEquals([replica.raw.applied, replica.storage.firstIndex()], [9, 10]);
});

Deno.test("work orders follow each other without waiting, and are done in order", () => {
  const replica = new Async(1, [1]);
  replica.lead();
  for (const data of ["a", "b", "c"]) {
    replica.raw.propose(bytes(data));
    replica.ready();
  }
  assertEquals(replica.appends.map((m) => m.entries.length), [1, 1, 1]);
  replica.append();
  replica.append();
  replica.append();
  assertEquals(replica.ready().committedEntries.length, 3);
});

Deno.test("advance() has no place with asynchronous writes, and is needed without them", () => {
  const replica = new Async(1, [1]);
  assertThrows(() => replica.raw.advance());
  const raw = newNode(1, newStorage(confState([1])));
  raw.campaign();
  raw.ready();
  assertThrows(() => raw.ready());
});

Deno.test("a candidate elected by others does not lead before its own vote is durable", () => {
  const replica = new Async(1, [1, 2, 3]);
  replica.raw.campaign();
  replica.ready();
  const { term } = replica.raw;
  for (const from of [2, 3]) replica.raw.step(message(MessageType.VoteResponse, 1, from, { term }));
  assertEquals(replica.raw.role, Role.Candidate);
  replica.append();
  assertEquals(replica.raw.role, Role.Leader);
  assertEquals(replica.storage.initialState().hardState, { term, vote: 1, commit: 1 });
});

Deno.test("a change applied after a newer snapshot was taken leaves its configuration alone", () => {
  const replica = new Async(1, [1, 2, 3]);
  const added = {
    kind: "v1",
    type: ConfChangeType.AddVoter,
    replicaId: 4,
    context: NO_DATA,
  } as const;
  const data = encodeConfChange(added);
  const entries = [{ term: 2, index: 2, type: EntryType.ConfChange, data }];
  const append = { term: 2, index: 1, logTerm: 1, entries, commit: 2 };
  replica.raw.step(message(MessageType.Append, 1, 2, append));
  replica.ready();
  replica.append();
  replica.ready();
  assertEquals(replica.applies.length, 1, "the change is handed out to be applied");
  const metadata = { index: 9, term: 2, confState: confState([1, 2, 3, 4, 5]) };
  const snapshot = { data: bytes("s"), metadata };
  replica.raw.step(message(MessageType.Snapshot, 1, 2, { term: 2, snapshot }));
  // The state machine goes through the configuration as of index 2 …
  assertEquals(replica.raw.applyConfChange(added, 2).voters, [1, 2, 3, 4]);
  // … while the replica is at that of index 9, then and later.
  assertEquals(replica.raw.status().config.incoming, [1, 2, 3, 4, 5]);
  replica.settle();
  assertEquals(replica.raw.applyConfChange(added, 2).voters, [1, 2, 3, 4, 5]);
});

Deno.test("a snapshot on disk proves a commit index that is not on disk yet", () => {
  const storage = newStorage(confState([1, 2, 3]), [entry(1, 2), entry(1, 3)]);
  const metadata = { index: 3, term: 1, confState: confState([1, 2, 3]) };
  storage.setSnapshot({ data: NO_DATA, metadata });
  storage.compact(3);
  const raw = newNode(1, storage, { applied: 3 });
  assertEquals([raw.committed, raw.applied], [3, 3]);
  assertThrows(() => newNode(1, storage, { applied: 4 }), Error, "truncated or lost");
});
