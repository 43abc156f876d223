// A group of replicas under random faults, checked against Raft's safety properties after every step.
// Storage writes are asynchronous and can be lost by a crash; messages are dropped, doubled, delayed and
// reordered; replicas are cut off, crash, restart, compact their logs and change the membership.
// Everything follows from the seed.

import { assert, assertEquals } from "@std/assert";
import {
  type AnyConfChange,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  type ConfState,
  decodeConfChange,
  decodeConfChangeV2,
  type Entry,
  EntryType,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  MemoryStorage,
  type Message,
  MessageType,
  NO_DATA,
  type RaftConfig,
  RawNode,
  Role,
  type Snapshot,
} from "../../src/raft/mod.ts";

/** Mulberry32: uniform integers from a 32-bit seed. */
export function generator(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  };
}

/** A state machine that is the hash of all it has applied, with its configuration. */
interface Machine {
  index: number;
  term: number;
  hash: number;
  confState: ConfState;
}

function mix(hash: number, entry: Entry): number {
  let h = Math.imul(hash ^ entry.index, 0x9e3779b1) ^ Math.imul(entry.term, 0x85ebca6b);
  for (const byte of entry.data) h = Math.imul(h ^ byte, 0x01000193);
  return (h ^ (h >>> 15)) >>> 0;
}

function encodeHash(hash: number): Uint8Array {
  return new Uint8Array(new Uint32Array([hash]).buffer);
}

function decodeHash(data: Uint8Array): number {
  return new Uint32Array(data.slice().buffer)[0];
}

/** Stable storage that hands out a snapshot only to members of its configuration. */
class Disk extends MemoryStorage {
  /** Someone needs a newer snapshot than there is. */
  wanted = false;

  override snapshot(to?: number): Snapshot | null {
    const snapshot = super.snapshot();
    if (snapshot === null || snapshot.metadata.index === 0) return null;
    const { voters, learners, votersOutgoing } = snapshot.metadata.confState;
    const member = to === undefined ||
      [voters, learners, votersOutgoing].some((ids) => ids.includes(to));
    this.wanted ||= !member;
    return member ? snapshot : null;
  }
}

interface Replica {
  readonly id: number;
  readonly disk: Disk;
  /** null while crashed. */
  raw: RawNode | null;
  machine: Machine;
  appendWork: Message[];
  applyWork: Message[];
}

export interface GroupOptions {
  readonly seed: number;
  readonly options: Partial<RaftConfig>;
  /** Whether the membership changes. */
  readonly membership: boolean;
}

/** A fixed membership, and one that starts with three of six. */
const FIXED_IDS = [1, 2, 3, 4, 5];
const CHANGING_IDS = [1, 2, 3, 4, 5, 6];

export class RandomGroup {
  readonly #random: (bound: number) => number;
  readonly #options: Partial<RaftConfig>;
  readonly #membership: boolean;
  readonly #ids: readonly number[];
  readonly #replicas = new Map<number, Replica>();
  #network: Message[] = [];
  /** Replicas on one side of a partition; empty when there is none. */
  #cut = new Set<number>();
  #next = 0;
  #faults = true;

  /** Who led each term. */
  readonly #leaders = new Map<number, number>();
  /** What was committed at each index, in whose term's leadership at the latest. */
  readonly #committed = new Map<number, { term: number; inTerm: number }>();
  /** State after each applied index. */
  readonly #hashes = new Map<number, number>();
  readonly #durableTerms = new Map<number, number>();
  #highestCommit = 1;
  /** For each read under way: the lowest index it may return. */
  readonly #reads = new Map<number, { replica: number; atLeast: number }>();
  reads = 0;
  elections = 0;
  changes = 0;

  constructor({ seed, options, membership }: GroupOptions) {
    this.#random = generator(seed);
    this.#options = options;
    this.#membership = membership;
    this.#ids = membership ? CHANGING_IDS : FIXED_IDS;
    const firstVoters = membership ? this.#ids.slice(0, 3) : this.#ids;
    for (const id of this.#ids) {
      const disk = new Disk();
      const confState: ConfState = {
        voters: firstVoters,
        learners: [],
        votersOutgoing: [],
        learnersNext: [],
        autoLeave: false,
      };
      if (firstVoters.includes(id)) {
        disk.applySnapshot({
          data: encodeHash(0),
          metadata: { index: 1, term: 1, confState },
        });
        disk.setHardState({ term: 1, vote: 0, commit: 1 });
      }
      const replica: Replica = {
        id,
        disk,
        raw: null,
        machine: { index: 0, term: 0, hash: 0, confState },
        appendWork: [],
        applyWork: [],
      };
      this.#replicas.set(id, replica);
      this.#start(replica);
    }
  }

  /** Takes `steps` random steps. */
  run(steps: number): void {
    for (let i = 0; i < steps; i++) {
      this.#step();
      if (i % 64 === 0) this.#checkLogMatching();
    }
  }

  /** Ends all faults and checks that the group commits a new entry and agrees. */
  settle(): void {
    this.#faults = false;
    this.#cut.clear();
    for (const replica of this.#replicas.values()) {
      if (replica.raw === null) this.#start(replica);
    }
    const before = this.#highestCommit;
    let proposed = false;
    for (let round = 0; round < 2000; round++) {
      for (const replica of this.#replicas.values()) replica.raw!.tick();
      for (let i = 0; i < 30; i++) this.#drainOnce();
      const leaders = [...this.#replicas.values()].filter((r) => r.raw!.role === Role.Leader);
      for (const { raw } of leaders) {
        if (!proposed || round % 50 === 0) {
          proposed = raw!.propose(encodeHash(round)).kind === "appended" || proposed;
        }
      }
      if (proposed && leaders.length === 1 && this.#agreed(leaders[0])) {
        assert(this.#highestCommit > before, "a healed group commits");
        this.#checkLogMatching();
        return;
      }
    }
    const states = [...this.#replicas.values()].map((replica) => {
      const { id, term, role, leader, committed, applied, lastIndex, config } = replica.raw!
        .status();
      const view = { id, term, role, leader, committed, applied, lastIndex, ...config };
      return JSON.stringify({ ...view, machine: replica.machine.index });
    });
    throw new Error(`a healed group did not come to agree:\n${states.join("\n")}`);
  }

  #agreed(leader: Replica): boolean {
    const status = leader.raw!.status();
    if (status.committed !== status.lastIndex || status.applied !== status.lastIndex) return false;
    return status.progress.every(({ id }) => {
      const { machine } = this.#replicas.get(id)!;
      return machine.index === leader.machine.index && machine.hash === leader.machine.hash;
    });
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#random(values.length)];
  }

  #step(): void {
    const replica = this.#pick([...this.#replicas.values()]);
    const dice = this.#random(1000);
    if (replica.raw === null) {
      if (dice < 200) this.#start(replica);
      return;
    }
    if (dice < 180) replica.raw.tick();
    else if (dice < 420) this.#deliver();
    else if (dice < 640) this.#ready(replica);
    else if (dice < 760) this.#append(replica);
    else if (dice < 840) this.#apply(replica);
    else if (dice < 900) this.#propose(replica);
    else if (dice < 930) this.#read(replica);
    else if (dice < 945) this.#compact(replica);
    else if (dice < 955) {
      if (this.#membership) this.#changeMembership(replica);
    } else if (dice < 957) this.#partition();
    else if (dice < 962) this.#crash(replica);
    else if (dice < 966) replica.raw.campaign();
    else if (dice < 970) replica.raw.transferLeader(this.#pick(this.#ids));
    else if (dice < 973) replica.raw.forgetLeader();
    else if (dice < 976) replica.raw.reportUnreachable(this.#pick(this.#ids));
    this.#observe(replica);
  }

  /** One round of all work without faults. */
  #drainOnce(): void {
    for (const replica of this.#replicas.values()) {
      this.#ready(replica);
      while (replica.appendWork.length > 0) this.#append(replica);
      while (replica.applyWork.length > 0) this.#apply(replica);
      if (replica.disk.wanted) this.#compact(replica);
      this.#observe(replica);
    }
    const batch = this.#network;
    this.#network = [];
    for (const m of batch) this.#receive(m);
  }

  #start(replica: Replica): void {
    const { disk } = replica;
    const snapshot = disk.snapshot();
    if (snapshot !== null) {
      const { index, term, confState } = snapshot.metadata;
      replica.machine = { index, term, hash: decodeHash(snapshot.data), confState };
    }
    replica.raw = new RawNode({
      electionTicks: 8,
      heartbeatTicks: 2,
      maxInflightMessages: 4,
      maxMessageBytes: 200,
      maxApplyingBytes: 300,
      stepDownOnRemoval: true,
      ...this.#options,
      id: replica.id,
      storage: disk,
      random: this.#random,
      asyncStorageWrites: true,
      applied: replica.machine.index,
    });
    assertEquals(
      replica.raw.term >= (this.#durableTerms.get(replica.id) ?? 0),
      true,
      "the durable term never runs back",
    );
  }

  #crash(replica: Replica): void {
    replica.raw = null;
    replica.appendWork = [];
    replica.applyWork = [];
    for (const [context, read] of this.#reads) {
      if (read.replica === replica.id) this.#reads.delete(context);
    }
  }

  #partition(): void {
    this.#cut = new Set(this.#random(2) === 0 ? [] : this.#ids.filter(() => this.#random(2) === 0));
  }

  #ready(replica: Replica): void {
    const raw = replica.raw!;
    if (!raw.hasReady()) return;
    const ready = raw.ready();
    for (const state of ready.readStates) this.#readDone(replica, state.context, state.index);
    for (const m of ready.messages) {
      if (m.to === LOCAL_APPEND_THREAD) replica.appendWork.push(m);
      else if (m.to === LOCAL_APPLY_THREAD) replica.applyWork.push(m);
      else this.#send(m);
    }
  }

  #append(replica: Replica): void {
    const order = replica.appendWork.shift();
    if (order === undefined) return;
    const { disk } = replica;
    const { term, vote, commit, snapshot } = order;
    if (term !== 0) {
      disk.setHardState({ term, vote, commit });
      this.#durableTerms.set(replica.id, term);
    }
    if (snapshot !== null && disk.applySnapshot(snapshot)) {
      const { metadata } = snapshot;
      const hash = decodeHash(snapshot.data);
      assertEquals(this.#hashes.get(metadata.index) ?? hash, hash, "a snapshot of another state");
      replica.machine = {
        index: metadata.index,
        term: metadata.term,
        hash,
        confState: metadata.confState,
      };
    }
    disk.append(order.entries);
    this.#respond(replica, order, true);
  }

  #apply(replica: Replica): void {
    const order = replica.applyWork.shift();
    if (order === undefined) return;
    const { machine } = replica;
    for (const entry of order.entries) {
      // A snapshot that was installed meanwhile may have overtaken this order.
      if (entry.index <= machine.index) continue;
      assertEquals(entry.index, machine.index + 1, "entries are applied in order, without gaps");
      machine.index = entry.index;
      machine.term = entry.term;
      machine.hash = mix(machine.hash, entry);
      const known = this.#hashes.get(entry.index);
      if (known !== undefined) {
        assertEquals(machine.hash, known, `state machines differ at index ${entry.index}`);
      }
      this.#hashes.set(entry.index, machine.hash);
      if (entry.type === EntryType.ConfChange) {
        machine.confState = replica.raw!.applyConfChange(decodeConfChange(entry.data), entry.index);
      } else if (entry.type === EntryType.ConfChangeV2) {
        machine.confState = replica.raw!.applyConfChange(
          decodeConfChangeV2(entry.data),
          entry.index,
        );
        this.changes++;
      }
    }
    this.#respond(replica, order, false);
    if (replica.disk.wanted) this.#compact(replica);
  }

  #respond(replica: Replica, order: Message, durable: boolean): void {
    for (const m of order.responses) {
      if (durable && !m.reject) this.#checkDurable(replica, m);
      if (m.to === replica.id) replica.raw!.step(m);
      else this.#send(m);
    }
  }

  /** What leaves a replica rests on what its disk has. */
  #checkDurable(replica: Replica, m: Message): void {
    const { disk } = replica;
    const { hardState } = disk.initialState();
    if (m.type === MessageType.VoteResponse) {
      assert(
        hardState.term > m.term || (hardState.term === m.term && hardState.vote === m.to),
        `${replica.id} sends a vote that is not durable`,
      );
    } else if (m.type === MessageType.AppendResponse) {
      assert(hardState.term >= m.term, `${replica.id} acknowledges in a term that is not durable`);
      if (m.term === hardState.term) {
        assert(disk.lastIndex() >= m.index, `${replica.id} acknowledges what is not durable`);
      }
    }
  }

  #send(m: Message): void {
    if (this.#faults && this.#random(100) < 5) {
      if (m.type === MessageType.Snapshot) {
        this.#replicas.get(m.from)!.raw?.reportSnapshot(m.to, false);
      }
      return;
    }
    this.#network.push(m);
    if (this.#faults && this.#random(100) < 3) this.#network.push(m);
  }

  #deliver(): void {
    if (this.#network.length === 0) return;
    // Mostly in order, now and then any message.
    const far = this.#random(10) === 0 ? this.#network.length : Math.min(3, this.#network.length);
    const [m] = this.#network.splice(this.#random(far), 1);
    this.#receive(m);
  }

  #receive(m: Message): void {
    const cut = this.#cut.has(m.from) !== this.#cut.has(m.to);
    const target = this.#replicas.get(m.to)!;
    const arrived = !cut && target.raw !== null;
    if (arrived) target.raw!.step(m);
    if (m.type === MessageType.Snapshot) {
      this.#replicas.get(m.from)!.raw?.reportSnapshot(m.to, arrived);
    }
    if (arrived) this.#observe(target);
  }

  #propose(replica: Replica): void {
    replica.raw!.propose(encodeHash(this.#next++));
  }

  #read(replica: Replica): void {
    const context = ++this.#next;
    const atLeast = this.#highestCommit;
    if (replica.raw!.readIndex(context)) {
      this.#reads.set(context, { replica: replica.id, atLeast });
    }
  }

  #readDone(replica: Replica, context: number, index: number): void {
    const read = this.#reads.get(context);
    if (read === undefined) return;
    assertEquals(read.replica, replica.id, "a read returns where it was asked");
    assert(index >= read.atLeast, `a read at ${index} misses what ${read.atLeast} committed`);
    this.#reads.delete(context);
    this.reads++;
  }

  #compact(replica: Replica): void {
    const { disk, machine } = replica;
    const covered = disk.snapshot()?.metadata.index ?? 0;
    if (machine.index <= covered || machine.index > disk.lastIndex()) return;
    const { index, term, hash, confState } = machine;
    disk.wanted = false;
    disk.setSnapshot({ data: encodeHash(hash), metadata: { index, term, confState } });
    disk.compact(index - this.#random(Math.min(10, index - disk.firstIndex() + 1)));
  }

  #changeMembership(replica: Replica): void {
    const raw = replica.raw!;
    if (raw.role !== Role.Leader) return;
    const { incoming, outgoing } = raw.status().config;
    let changes: ConfChangeSingle[] = [];
    if (outgoing.length === 0) {
      changes = Array.from({ length: 1 + this.#random(3) }, () => ({
        type: this.#pick([
          ConfChangeType.AddVoter,
          ConfChangeType.AddVoter,
          ConfChangeType.AddLearner,
          ConfChangeType.Remove,
        ]),
        replicaId: this.#pick(this.#ids),
      }));
      const voters = new Set(incoming);
      for (const { type, replicaId } of changes) {
        if (type === ConfChangeType.AddVoter) voters.add(replicaId);
        else voters.delete(replicaId);
      }
      // From two voters to one, or the like, the old majority needs the one that goes; if that led and
      // has entries that nobody else has, the one that stays is never elected.
      if (voters.size < 3) return;
    }
    const change: AnyConfChange = {
      kind: "v2",
      transition: outgoing.length > 0
        ? ConfChangeTransition.Auto
        : this.#pick([ConfChangeTransition.Auto, ConfChangeTransition.JointExplicit]),
      changes,
      context: NO_DATA,
    };
    raw.proposeConfChange(change);
  }

  /** Checks what must hold of one replica at any time. */
  #observe(replica: Replica): void {
    const { raw, disk } = replica;
    if (raw === null) return;
    if (raw.role === Role.Leader && this.#leaders.get(raw.term) !== replica.id) {
      assertEquals(this.#leaders.get(raw.term), undefined, `two leaders in term ${raw.term}`);
      this.#leaders.set(raw.term, replica.id);
      this.elections++;
      this.#checkLeaderCompleteness(replica);
    }
    for (
      let index = disk.firstIndex();
      index <= Math.min(raw.committed, disk.lastIndex());
      index++
    ) {
      const term = disk.term(index);
      const known = this.#committed.get(index);
      // What is committed but not yet durable here may still differ on this disk.
      if (raw.committed <= raw.applied || index <= raw.applied) {
        if (known !== undefined) {
          assertEquals(term, known.term, `two entries were committed at ${index}`);
        } else {
          this.#committed.set(index, { term, inTerm: raw.term });
        }
      }
    }
    this.#highestCommit = Math.max(this.#highestCommit, raw.committed);
  }

  /** A leader has all that was committed in earlier terms. */
  #checkLeaderCompleteness(leader: Replica): void {
    const raw = leader.raw!;
    const { firstIndex, lastIndex, term } = raw.status();
    for (const [index, committed] of this.#committed) {
      if (committed.inTerm >= term || index < firstIndex) continue;
      assert(index <= lastIndex, `the leader of term ${term} lacks committed entry ${index}`);
    }
  }

  /** If two logs have an entry of the same index and term, they are the same up to there. */
  #checkLogMatching(): void {
    const disks = [...this.#replicas.values()].map((replica) => replica.disk);
    for (const a of disks) {
      for (const b of disks) {
        if (a === b) break;
        const low = Math.max(a.firstIndex(), b.firstIndex());
        let matched = false;
        for (let index = Math.min(a.lastIndex(), b.lastIndex()); index >= low; index--) {
          const same = a.term(index) === b.term(index);
          assert(same || !matched, `two logs agree above ${index} and differ there`);
          matched ||= same;
        }
      }
    }
  }
}
