// A model of a cluster that carries out plans: groups with their configurations, leaders that look at
// maps of any age, learners that catch up when told. Checks after every step what must never happen.

import { assert, assertEquals } from "@std/assert";
import {
  ALL_WELL,
  applyCommand,
  type ClusterMap,
  type ClusterStatus,
  type ConfigurationChange,
  type GroupConfiguration,
  type GroupStatus,
  type IntentStep,
  type MetaCommand,
  nextStep,
  type PartitionEntry,
  replicaFate,
} from "../../src/partition/mod.ts";
import { contradictionIn } from "../../src/partition/map_codec.ts";

/** Draws an integer in [0, bound). */
export type Draw = (bound: number) => number;

/** A seeded xorshift generator. */
export function drawFrom(seed: number): Draw {
  let state = (seed ^ 0x9e3779b9) | 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

/** How etcd-raft applies changes: one is simple, several are joint with automatic leaving. */
export function applyChanges(
  conf: GroupConfiguration,
  changes: readonly ConfigurationChange[],
  epoch: number,
): GroupConfiguration {
  const joint = changes.length > 1;
  const voters = new Set(conf.voters);
  const learners = new Set(conf.learners);
  const learnersNext = new Set<number>();
  const outgoing = joint ? conf.voters : [];
  for (const { type, replicaId } of changes) {
    if (type === "addVoter") {
      learners.delete(replicaId);
      voters.add(replicaId);
    } else if (type === "remove") {
      learners.delete(replicaId);
      voters.delete(replicaId);
    } else {
      voters.delete(replicaId);
      if (outgoing.includes(replicaId)) learnersNext.add(replicaId);
      else learners.add(replicaId);
    }
  }
  assert(voters.size > 0, "Raft refuses to remove all voters");
  const changed = [...voters].filter((id) => !conf.voters.includes(id)).length +
    conf.voters.filter((id) => !voters.has(id)).length;
  assert(joint || changed <= 1, "more than one voter changes without joint consensus");
  return {
    voters: [...voters],
    votersOutgoing: outgoing,
    learners: [...learners],
    learnersNext: [...learnersNext],
    autoLeave: joint,
    confIndex: conf.confIndex + 1,
    confEpoch: epoch,
  };
}

/** Leaving a joint configuration; the epoch stays the one that entered it. */
export function leaveJoint(conf: GroupConfiguration): GroupConfiguration {
  return {
    ...conf,
    votersOutgoing: [],
    learners: [...conf.learners, ...conf.learnersNext],
    learnersNext: [],
    autoLeave: false,
    confIndex: conf.confIndex + 1,
  };
}

interface Group {
  conf: GroupConfiguration;
  leader: number;
  readonly lagging: Set<number>;
}

export class SimulatedCluster {
  map: ClusterMap;
  /** Nodes that are gone for ever, and known to be. */
  readonly dead = new Set<string>();
  readonly suspects = new Map<number, Set<number>>();
  /** Replicas added to data partitions so far, and the nodes they went to. */
  readonly added: { partition: number; nodeId: string }[] = [];
  #maps: ClusterMap[];
  readonly #groups: Group[];
  /** partition/replicaId -> nodeId, for ever. */
  readonly #identities = new Map<string, string>();
  #epoch: number;

  constructor(map: ClusterMap) {
    this.map = map;
    this.#maps = [map];
    this.#epoch = map.epoch;
    this.#groups = map.partitions.map((entry) => ({
      conf: {
        voters: entry.replicas.map((ref) => ref.replicaId),
        votersOutgoing: [],
        learners: entry.learners.map((ref) => ref.replicaId),
        learnersNext: [],
        autoLeave: false,
        confIndex: 1,
        confEpoch: map.epoch,
      },
      leader: entry.replicas[0].replicaId,
      lagging: new Set<number>(),
    }));
    this.#check();
  }

  get status(): ClusterStatus {
    return { ...ALL_WELL, down: this.dead, dead: this.dead, suspects: this.suspects };
  }

  configuration(partition: number): GroupConfiguration {
    return this.#groups[partition].conf;
  }

  /** Applies a meta command; refusals are fine, contradictions are not. */
  apply(command: MetaCommand): boolean {
    const before = this.map;
    const outcome = applyCommand(before, ++this.#epoch, command);
    if (outcome.kind !== "map") return outcome.kind === "unchanged";
    this.map = outcome.map;
    assertEquals(contradictionIn(this.map), undefined);
    this.#maps.push(this.map);
    if (command.kind === "beginMove" && command.partition > 0) {
      const adding = this.map.partitions[command.partition].move!.adding;
      for (const ref of adding) {
        this.added.push({ partition: command.partition, nodeId: ref.nodeId });
      }
    }
    this.#check();
    return true;
  }

  /** Whether the group can commit: a live majority of both halves of its configuration. */
  hasQuorum(partition: number, alsoDead?: string): boolean {
    const { voters, votersOutgoing } = this.#groups[partition].conf;
    return [voters, votersOutgoing].every((half) =>
      half.length === 0 ||
      2 * half.filter((id) => this.#votes(partition, id, alsoDead)).length > half.length
    );
  }

  /**
   * Whether the move of the partition, if there is one, ends with a live majority. If it does not and an addition
   * votes already, it waits for the lost to come back: src/PROTOCOL.md, "A failure in the middle".
   */
  canEndMove(partition: number, alsoDead?: string): boolean {
    const { replicas, move } = this.map.partitions[partition];
    if (move === undefined) return true;
    const leaving = new Set([...move.removing, ...move.demoting].map(({ replicaId }) => replicaId));
    const after = [...replicas, ...move.adding].filter(({ replicaId }) => !leaving.has(replicaId));
    const live = after.filter(({ replicaId }) => this.#votes(partition, replicaId, alsoDead));
    return 2 * live.length > after.length;
  }

  /** Lets a new leader be elected: any live voter, one of the incoming half if there are two. */
  elect(partition: number, draw: Draw): boolean {
    const group = this.#groups[partition];
    const live = group.conf.voters.filter((id) => this.#votes(partition, id));
    if (!this.hasQuorum(partition) || live.length === 0) return false;
    group.leader = live[draw(live.length)];
    return true;
  }

  /**
   * One step of one group's leader, which sees the map of `age` epochs ago. Returns what it did.
   * Learners lag until `catchUp`.
   */
  stepGroup(partition: number, draw: Draw, age = 0): IntentStep["kind"] | null {
    const group = this.#groups[partition];
    if (!this.hasQuorum(partition)) return "wait";
    if (!group.conf.voters.includes(group.leader) || !this.#votes(partition, group.leader)) {
      this.elect(partition, draw);
    }
    if (group.conf.votersOutgoing.length > 0 && group.conf.autoLeave && draw(2) === 0) {
      group.conf = leaveJoint(group.conf);
      this.#check();
      return "leaveJoint";
    }
    const map = this.#maps[Math.max(0, this.#maps.length - 1 - age)];
    const step = nextStep(map.partitions[partition], map.epoch, this.#statusOf(partition));
    if (step === null) return null;
    switch (step.kind) {
      case "change": {
        for (const { type, replicaId } of step.changes) {
          if (type === "addLearner" && !group.conf.voters.includes(replicaId)) {
            group.lagging.add(replicaId);
          }
        }
        group.conf = applyChanges(group.conf, step.changes, step.epoch);
        this.#check();
        break;
      }
      case "transfer":
        assert(group.conf.voters.includes(step.to), "leadership goes to a voter");
        group.leader = step.to;
        break;
      case "record":
        this.apply(step.command);
        break;
      case "leaveJoint":
        group.conf = leaveJoint(group.conf);
        this.#check();
        break;
      case "wait":
        break;
    }
    return step.kind;
  }

  catchUp(partition: number): void {
    const group = this.#groups[partition];
    for (const id of [...group.lagging]) {
      if (this.#alive(partition, id)) group.lagging.delete(id);
    }
  }

  /** Replicas each member of the map holds in data partitions. */
  loads(): Map<string, number> {
    const loads = new Map(this.map.members.map((member) => [member.nodeId, 0]));
    for (const entry of this.map.partitions.slice(1)) {
      for (const ref of entry.replicas) loads.set(ref.nodeId, (loads.get(ref.nodeId) ?? 0) + 1);
    }
    return loads;
  }

  #statusOf(partition: number): GroupStatus {
    const group = this.#groups[partition];
    const { conf } = group;
    const ids = [...conf.voters, ...conf.votersOutgoing, ...conf.learners, ...conf.learnersNext];
    return {
      self: group.leader,
      configuration: conf,
      busy: false,
      commitIndex: 1_000_000,
      committedBefore: undefined,
      progress: new Map(ids.map((id) => [id, {
        matchIndex: group.lagging.has(id) ? 0 : 1_000_000,
        // A suspect replica hears nothing of Raft, so nothing is heard of it.
        recentActive: this.#votes(partition, id),
      }])),
    };
  }

  #alive(partition: number, replicaId: number, alsoDead?: string): boolean {
    const nodeId = this.#identities.get(`${partition}/${replicaId}`);
    return nodeId !== undefined && !this.dead.has(nodeId) && nodeId !== alsoDead;
  }

  #votes(partition: number, replicaId: number, alsoDead?: string): boolean {
    return this.#alive(partition, replicaId, alsoDead) &&
      !this.suspects.get(partition)?.has(replicaId);
  }

  /** What holds at every moment. */
  #check(): void {
    for (const entry of this.map.partitions) {
      this.#checkIdentities(entry);
      const { conf } = this.#groups[entry.partition];
      const configured = [
        ...conf.voters,
        ...conf.votersOutgoing,
        ...conf.learners,
        ...conf.learnersNext,
      ];
      for (const replicaId of configured) {
        const fate = replicaFate(this.map, entry.partition, replicaId);
        assertEquals(fate, "keep", `partition ${entry.partition} replica ${replicaId}`);
      }
    }
  }

  #checkIdentities(entry: PartitionEntry): void {
    const named = [
      ...entry.replicas,
      ...entry.learners,
      ...entry.move?.adding ?? [],
      ...entry.dropping,
      ...entry.retired,
    ];
    for (const { replicaId, nodeId } of named) {
      const key = `${entry.partition}/${replicaId}`;
      const known = this.#identities.get(key);
      assert(known === undefined || known === nodeId, `replica ${key} was given to two nodes`);
      this.#identities.set(key, nodeId);
    }
  }
}
