// What must hold after every event, whatever the faults. Looks at the production replicas from
// outside; each family of properties is a file below invariants/.

import { META_PARTITION, type PartitionId } from "../../src/base/ids.ts";
import type { Hosted } from "../../src/node/group.ts";
import { NONE, Role } from "../../src/raft/mod.ts";
import type { Replica } from "../../src/replica/replica.ts";
import { Answers } from "./invariants/answers.ts";
import { lookAtConfiguration, tapChanges } from "./invariants/configurations.ts";
import { type GroupFacts, newGroupFacts, placeOf, type Watched } from "./invariants/facts.ts";
import { checkCompleteness, lookAtLog } from "./invariants/logs.ts";
import { checkRecord, Maps } from "./invariants/maps.ts";
import { checkCampaign, checkRestart, checkVotes, tapMessages } from "./invariants/promises.ts";
import { checkLoadedState, tapMachine } from "./invariants/states.ts";
import { Violation } from "./invariants/violation.ts";
import type { SimNode } from "./sim_node.ts";

export { Violation };

export class Invariants {
  readonly #nodes: readonly SimNode[];
  readonly #watched = new Map<Replica, Watched>();
  readonly #groups = new Map<PartitionId, GroupFacts>();
  readonly #answers = new Answers();
  readonly #maps = new Maps();
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
      const { map } = life.running!.node.topology;
      this.#maps.look(node.name, hosting, map, (partition) => this.#facts(partition));
      for (const hosted of hosting.all()) {
        if (hosted.kind === "suspect") {
          if (node.mayBeSuspect) continue;
          throw new Violation("no needless suspicion", `${node.name}: ${hosted.reason}`);
        }
        const replica = hosted.replica as Replica;
        this.#look(this.#watched.get(replica) ?? this.#meet(node, life.number, hosted, replica));
      }
    }
  }

  #facts(group: PartitionId): GroupFacts {
    let facts = this.#groups.get(group);
    if (facts === undefined) this.#groups.set(group, facts = newGroupFacts(group));
    return facts;
  }

  /** A replica begins a life. */
  #meet(node: SimNode, life: number, hosted: Hosted, replica: Replica): Watched {
    const watched: Watched = {
      node,
      life,
      replica,
      facts: this.#facts(replica.group),
      term: 0,
      role: Role.Follower,
      commit: 0,
      applied: 0,
      stateIndex: 0,
      acknowledged: new Map(),
      acknowledgedTerm: 0,
      preVotes: new Set(),
      transferTerm: 0,
      heardLeaderMs: -Infinity,
      configuration: replica.core.configuration,
      coreConfiguration: undefined,
      replicaConfiguration: undefined,
      report: (violation) => this.pending ??= violation,
    };
    this.#watched.set(replica, watched);
    tapMessages(watched);
    tapChanges(watched);
    tapMachine(watched, (entry, data) => {
      this.#answers.applied(watched, entry);
      if (replica.group === META_PARTITION) {
        checkRecord(watched, data, (partition) => this.#facts(partition));
      }
    });
    this.#answers.tap(watched, hosted);
    checkRestart(watched);
    watched.facts.living.set(replica.id, watched);
    return watched;
  }

  #look(watched: Watched): void {
    const { replica } = watched;
    const { core } = replica;
    const { term, committed, role } = core;
    const applied = replica.appliedIndex;
    if (term < watched.term) throw new Violation("term never runs back", placeOf(watched));
    if (committed < watched.commit) throw new Violation("commit never runs back", placeOf(watched));
    if (applied < watched.applied) throw new Violation("applied never runs back", placeOf(watched));
    if (applied > committed) {
      throw new Violation(
        "applied within commit",
        `${placeOf(watched)}: ${applied} > ${committed}`,
      );
    }
    lookAtLog(watched);
    lookAtConfiguration(watched);
    if (role !== watched.role || term !== watched.term) {
      checkCampaign(watched, watched);
      if (role === Role.Leader) {
        checkVotes(watched);
        checkCompleteness(watched);
      }
    }
    // Without its state a replica stands at an index that it has yet to load.
    if (replica.serving && applied !== watched.stateIndex) {
      watched.stateIndex = applied;
      checkLoadedState(watched, applied);
    }
    watched.term = term;
    watched.role = role;
    watched.commit = committed;
    watched.applied = applied;
    watched.configuration = core.configuration;
    this.#noteLeader(watched);
  }

  #noteLeader(watched: Watched): void {
    const { replica, facts } = watched;
    const { id, core } = replica;
    // The replica's own term and role are those it has told the log.
    if (!replica.isLeader || core.role !== Role.Leader) return;
    const known = facts.leaders.get(core.term);
    if (core.leadTransferee !== 0) facts.transferee = core.leadTransferee;
    if (known === undefined) {
      facts.leaders.set(core.term, id);
      this.elections++;
      if (facts.transferee !== id) this.unplannedElections++;
      facts.transferee = 0;
    } else if (known !== id) {
      const message = `${placeOf(watched)}: ${known} led term ${core.term} too`;
      throw new Violation("one leader per term", message);
    }
  }

  /** Why the cluster is not whole and equal yet; undefined if it is. */
  unconverged(): string | undefined {
    const states = new Map<PartitionId, string>();
    for (const node of this.#nodes) {
      if (node.retired || !node.hasStarted) continue;
      const running = node.life?.running;
      if (running === undefined) return `${node.name} does not run`;
      const ready = running.node.api.ready();
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
