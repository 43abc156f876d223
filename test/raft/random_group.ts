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
  EntryType,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type Message,
  MessageType,
  NO_DATA,
  type RaftConfig,
  RawNode,
  Role,
} from "../../src/raft/mod.ts";
import { decodeHash, Disk, encodeHash, generator, type Machine, mix } from "./random_parts.ts";
import { SafetyChecks } from "./safety_checks.ts";

interface Replica {
  readonly id: number;
  readonly disk: Disk;
  /** null while crashed. */
  raw: RawNode | null;
  /** How often it has started. */
  life: number;
  durableTerm: number;
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

  readonly #checks = new SafetyChecks();
  /** Membership changes applied, on all replicas together. */
  changes = 0;

  get elections(): number {
    return this.#checks.elections;
  }

  get reads(): number {
    return this.#checks.readsDone;
  }

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
        life: 0,
        durableTerm: disk.initialState().hardState.term,
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
    const before = this.#checks.highestCommit;
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
        assert(this.#checks.highestCommit > before, "a healed group commits");
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
      if (dice < 50) this.#start(replica);
      return;
    }
    if (dice < 70) replica.raw.tick();
    else if (dice < 400) this.#deliver();
    else if (dice < 640) this.#ready(replica);
    else if (dice < 760) this.#append(replica);
    else if (dice < 860) this.#apply(replica);
    else if (dice < 920) this.#propose(replica);
    else if (dice < 950) this.#read(replica);
    else if (dice < 965) this.#compact(replica);
    else if (dice < 980) {
      if (this.#membership) this.#changeMembership(replica);
    } else if (dice < 981) this.#partition();
    else if (dice < 985) this.#crash(replica);
    else if (dice < 988) replica.raw.campaign();
    else if (dice < 991) replica.raw.transferLeader(this.#pick(this.#ids));
    else if (dice < 993) replica.raw.forgetLeader();
    else if (dice < 995) replica.raw.reportUnreachable(this.#pick(this.#ids));
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
    assertEquals(replica.raw.term, replica.durableTerm, "a replica starts with its durable term");
    replica.life++;
  }

  #crash(replica: Replica): void {
    replica.raw = null;
    replica.appendWork = [];
    replica.applyWork = [];
  }

  #partition(): void {
    this.#cut = new Set(this.#random(2) === 0 ? [] : this.#ids.filter(() => this.#random(2) === 0));
  }

  #ready(replica: Replica): void {
    const raw = replica.raw!;
    if (!raw.hasReady()) return;
    const ready = raw.ready();
    for (const { context, index } of ready.readStates) {
      this.#checks.readDone(replica.id, context, index);
    }
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
      assert(term >= replica.durableTerm, "the durable term never runs back");
      replica.durableTerm = term;
    }
    if (snapshot !== null && disk.applySnapshot(snapshot)) {
      const { metadata } = snapshot;
      const hash = decodeHash(snapshot.data);
      this.#checks.checkState(metadata.index, hash);
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
      this.#checks.checkState(entry.index, machine.hash);
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
      if (durable) this.#checks.checkDurable(replica.id, replica.disk, m);
      if (m.to === replica.id) replica.raw!.step(m);
      else this.#send(m);
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
    if (replica.raw!.readIndex(context)) this.#checks.readAsked(replica.id, context);
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

  #observe({ id, life, raw, disk }: Replica): void {
    if (raw !== null) this.#checks.observe({ id, life, raw, disk });
  }

  #checkLogMatching(): void {
    this.#checks.checkLogMatching([...this.#replicas.values()].map((replica) => replica.disk));
  }
}
