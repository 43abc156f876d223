// What must hold after every event, whatever the faults. Looks at the production replicas from
// outside; keeps the one history of leaders, applied entries and states that all of them must agree on.

import { crc32 } from "node:zlib";
import type { LogIndex, PartitionId, ReplicaId, Term } from "../../src/base/ids.ts";
import { NONE } from "../../src/raft/mod.ts";
import type { Replica } from "../../src/replica/replica.ts";
import type { SimNode } from "./sim_node.ts";

/** A broken property, by the name that reports use. */
export class Violation extends Error {
  override name = "Violation";
  readonly invariant: string;
  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`);
    this.invariant = invariant;
  }
}

/** States are compared at every index divisible by this. */
const STATE_HASH_INTERVAL = 32;

interface Watched {
  readonly life: number;
  readonly replica: Replica;
  term: Term;
  commit: LogIndex;
  applied: LogIndex;
}

/** What all replicas of a group agree on. */
interface GroupFacts {
  readonly leaders: Map<Term, ReplicaId>;
  readonly entries: Map<LogIndex, string>;
  readonly states: Map<LogIndex, string>;
  /** Highest durable term seen of each replica, over all its lives. */
  readonly terms: Map<ReplicaId, Term>;
  /** To whom a leader was last seen to hand over. */
  transferee: ReplicaId;
}

export class Invariants {
  readonly #nodes: readonly SimNode[];
  readonly #watched = new Map<Replica, Watched>();
  readonly #groups = new Map<PartitionId, GroupFacts>();
  /** Leaders that came to be. */
  elections = 0;
  /** Of these, leaders to whom nobody had handed over: for "no needless change in a healed cluster". */
  unplannedElections = 0;
  /** The first violation seen within a node's own code. */
  pending: Violation | undefined;

  constructor(nodes: readonly SimNode[]) {
    this.#nodes = nodes;
  }

  /** Throws the first violation there is. */
  check(): void {
    if (this.pending !== undefined) throw this.pending;
    for (const node of this.#nodes) {
      const life = node.life;
      const hosting = life?.running?.node.hosting;
      // Nothing changes in a process that did not run.
      if (life === undefined || !life.incarnation.touched) continue;
      life.incarnation.touched = false;
      if (hosting === undefined) continue;
      for (const hosted of hosting.all()) {
        if (hosted.kind === "suspect") {
          if (node.mayBeSuspect) continue;
          throw new Violation("no needless suspicion", `${node.name}: ${hosted.reason}`);
        }
        this.#look(node, life.number, hosted.replica as Replica);
      }
    }
  }

  #facts(group: PartitionId): GroupFacts {
    let facts = this.#groups.get(group);
    if (facts === undefined) {
      facts = {
        leaders: new Map(),
        entries: new Map(),
        states: new Map(),
        terms: new Map(),
        transferee: 0,
      };
      this.#groups.set(group, facts);
    }
    return facts;
  }

  #look(node: SimNode, life: number, replica: Replica): void {
    const { group, id, core } = replica;
    const facts = this.#facts(group);
    let watched = this.#watched.get(replica);
    const where = () => `${node.name} life ${life}, partition ${group}, replica ${id}`;
    if (watched === undefined) {
      watched = { life, replica, term: 0, commit: 0, applied: 0 };
      this.#watched.set(replica, watched);
      this.#tap(node, replica, facts);
    }
    const { term, committed } = core;
    const applied = replica.appliedIndex;
    if (term < watched.term) throw new Violation("term never runs back", where());
    if (committed < watched.commit) throw new Violation("commit never runs back", where());
    if (applied < watched.applied) throw new Violation("applied never runs back", where());
    if (applied > committed) {
      throw new Violation("applied within commit", `${where()}: ${applied} > ${committed}`);
    }
    watched.term = term;
    watched.commit = committed;
    watched.applied = applied;
    // The replica's own term and role are those it has told the log.
    if (replica.isLeader && core.role === 2) {
      const known = facts.leaders.get(term);
      if (core.leadTransferee !== 0) facts.transferee = core.leadTransferee;
      if (known === undefined) {
        facts.leaders.set(term, id);
        this.elections++;
        if (facts.transferee !== id) this.unplannedElections++;
        facts.transferee = 0;
      } else if (known !== id) {
        throw new Violation("one leader per term", `${where()}: ${known} led term ${term} too`);
      }
    }
  }

  /** Sees every entry that the replica applies. */
  #tap(node: SimNode, replica: Replica, facts: GroupFacts): void {
    const { machine } = replica;
    const apply = machine.apply.bind(machine);
    machine.apply = (index, term, data) => {
      const entry = `${term}:${data.length}:${crc32(data)}`;
      this.#agree(facts.entries, index, entry, "committed prefix never changes", node, replica);
      const result = apply(index, term, data);
      if (index % STATE_HASH_INTERVAL === 0) this.#hash(facts, index, node, replica);
      return result;
    };
  }

  #hash(facts: GroupFacts, index: LogIndex, node: SimNode, replica: Replica): void {
    const { machine } = replica;
    this.#agree(
      facts.states,
      index,
      machine.stateHash(),
      "equal state at equal index",
      node,
      replica,
    );
  }

  #agree(
    known: Map<LogIndex, string>,
    index: LogIndex,
    value: string,
    invariant: string,
    node: SimNode,
    { group }: Replica,
  ): void {
    const before = known.get(index);
    if (before === undefined) known.set(index, value);
    else if (before !== value) {
      const message = `${node.name}, partition ${group}, index ${index}: ${value}, was ${before}`;
      this.pending ??= new Violation(invariant, message);
    }
  }

  /** Why the cluster is not whole and equal yet; undefined if it is. */
  unconverged(): string | undefined {
    const states = new Map<PartitionId, string>();
    for (const node of this.#nodes) {
      if (node.retired || !node.hasStarted) continue;
      const running = node.life?.running;
      if (running === undefined) return `${node.name} does not run`;
      const ready = running.node.ready();
      if (!ready.ready) return `${node.name}: ${ready.reason}`;
      for (const hosted of running.node.hosting?.all() ?? []) {
        if (hosted.kind === "suspect") {
          // What had moved away before its record rotted: nobody wants it here any more.
          if (hosted.replicaId === NONE) continue;
          return `${node.name}: suspect`;
        }
        const { replica } = hosted;
        const state = `${replica.appliedIndex}/${replica.machine.stateHash()}`;
        const other = states.get(replica.group) ?? state;
        if (state.split("/")[0] !== other.split("/")[0]) return `${node.name} is behind`;
        if (state !== other) {
          throw new Violation("equal state at equal index", `${node.name}: ${state}, ${other}`);
        }
        states.set(replica.group, state);
      }
    }
    return undefined;
  }
}
