// Carries out what the map intends: each group's leader takes its group's next step towards its entry;
// the meta group's leader begins the moves that placement asks for. Proposes, waits, asks again: every
// step is safe to repeat and any later leader goes on from where this one stopped.

import {
  type LogIndex,
  META_PARTITION,
  type NodeId,
  type PartitionId,
  type ReplicaId,
} from "../base/ids.ts";
import type { Clock, Log } from "../platform/ports.ts";
import {
  admitSteps,
  CATCH_UP_LAG_MS_MAX,
  type ClusterStatus,
  encodeEpoch,
  type GroupStatus,
  hasLostQuorum,
  isCalm,
  lostVoters,
  type MetaCommand,
  nextStep,
  planLeaders,
  planMoves,
  receivers,
} from "../partition/mod.ts";
import { type AnyConfChange, ConfChangeTransition, ConfChangeType } from "../raft/mod.ts";
import type { Replica } from "../replica/replica.ts";
import type { Hosting } from "./hosting.ts";
import type { PlanView } from "./service.ts";
import type { Topology } from "./topology.ts";

/** A proposed change is given this long to be applied before the next step is asked for. */
const STEP_PATIENCE_MS = 2000;
/** Between two looks at a group, and between two plans. */
const GROUP_INTERVAL_MS = 100;
const PLAN_INTERVAL_MS = 500;
const MOVE_LIMITS = { movesMax: 8, addingPerNodeMax: 2, calmAddingPerNodeMax: 1 };
/**
 * From one calm move to a node to the next. Taking, sending and loading a snapshot is felt by all who share
 * a small machine; so it is felt for a small part of the time only.
 */
const CALM_MOVE_INTERVAL_MS = 2000;
/** Leaders are evened out only when nothing has changed for this long. */
const LEADER_BALANCE_INTERVAL_MS = 5000;

/** A replacement that has become a voter is known to the meta group long before. */
const LOST_AFTER_MS = 5000;
/** What is left to do by hand where no quorum can mend a partition. */
const LOST_REMEDY = "read what whole replicas still hold with ?consistency=stale, and restore a " +
  "backup into a new cluster (deno task kv restore); never put old copies of data directories back";

/** What the steward needs of the node. */
export interface StewardHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeId: NodeId;
  readonly hosting: Hosting;
  readonly topology: Topology;
  /** Silent for so long, a node counts as lost and its replicas are replaced. */
  readonly deadAfterMs: number;
  /** Whether traffic flows to or from the node, or others say that it answers them. */
  isReachable(nodeId: NodeId): boolean;
  /** Whether the node is known to have no room for writes. */
  readonly isFull: (nodeId: NodeId) => boolean;
  /** Proposes a command to the meta group, wherever its leader is. Best effort. */
  proposeMeta(command: MetaCommand): Promise<void>;
  /** Has the partition's leader, wherever it is, hand over. Best effort. */
  transfer(partition: PartitionId, to: NodeId): void;
  /** Who leads each data partition, as far as this node knows. */
  leaders(): ReadonlyMap<PartitionId, NodeId>;
}

interface StepInProgress {
  readonly confIndex: number;
  readonly untilMs: number;
}

interface CommitLook {
  readonly atMs: number;
  readonly index: LogIndex;
  readonly before: LogIndex | undefined;
}

export class Steward {
  readonly #host: StewardHost;
  readonly #steps = new Map<PartitionId, StepInProgress>();
  /** Epoch of the map by which a group was last found to need nothing. */
  readonly #settledEpochs = new Map<PartitionId, number>();
  /** Commands on their way to the meta group, by partition. */
  readonly #recording = new Set<PartitionId>();
  /** Of groups led here that something is to be done about: a look, and the commit index of the one before. */
  readonly #commits = new Map<PartitionId, CommitLook>();
  readonly #downSinceMs = new Map<NodeId, number>();
  readonly #suspects = new Map<PartitionId, Set<ReplicaId>>();
  /** Partitions without a majority of whole replicas: since when, Infinity once it was said. */
  readonly #lostQuorums = new Map<PartitionId, number>();
  #nextGroupsMs = 0;
  #nextPlanMs = 0;
  #nextLeadersMs = 0;
  #planning = false;
  /** When a calm move to each node was last begun by this node. */
  readonly #calmMovesMs = new Map<NodeId, number>();
  /** `deadAfter` starts anew with a new meta leader. */
  #ledMeta = false;
  #lastPlan: PlanView | undefined;
  /** What the moves of groups led here wait for. */
  readonly #waitReasons = new Map<PartitionId, string>();

  constructor(host: StewardHost) {
    this.#host = host;
  }

  /** A node says that its replica is damaged. */
  reportSuspect(partition: PartitionId, replicaId: ReplicaId): void {
    const known = this.#suspects.get(partition) ?? new Set();
    this.#suspects.set(partition, known.add(replicaId));
  }

  /** What is yet to be moved; undefined unless this node leads the meta group. */
  get plan(): PlanView | undefined {
    return this.#lastPlan;
  }

  /** What the move of a partition led here waits for; undefined if it goes on, or is led elsewhere. */
  waitingFor(partition: PartitionId): string | undefined {
    return this.#waitReasons.get(partition);
  }

  /** Call at every tick. */
  tick(): void {
    const nowMs = this.#host.clock.monotonicMs();
    if (nowMs >= this.#nextGroupsMs) {
      this.#nextGroupsMs = nowMs + GROUP_INTERVAL_MS;
      for (const hosted of this.#host.hosting.all()) {
        if (hosted.kind !== "suspect" && hosted.replica.isLeader) {
          this.#stepGroup(hosted.replica as Replica, nowMs);
        }
      }
    }
    this.#watchMembers(nowMs);
    if (nowMs >= this.#nextPlanMs) {
      this.#nextPlanMs = nowMs + PLAN_INTERVAL_MS;
      this.#plan(nowMs);
    }
  }

  // ------------------------------------------------------------------------------------ each group

  #stepGroup(replica: Replica, nowMs: number): void {
    const { map } = this.#host.topology;
    const entry = map.partitions[replica.group];
    if (entry === undefined) return;
    // While a group sleeps, nothing about it changes but what the map intends.
    if (replica.asleep && this.#settledEpochs.get(replica.group) === map.epoch) return;
    const step = nextStep(entry, map.epoch, this.#statusOf(replica, nowMs));
    if (step?.kind === "wait") this.#waitReasons.set(replica.group, step.reason);
    else this.#waitReasons.delete(replica.group);
    if (step === null) {
      this.#settledEpochs.set(replica.group, map.epoch);
      this.#commits.delete(replica.group);
    } else this.#settledEpochs.delete(replica.group);
    if (step === null || step.kind === "wait") return;
    this.#host.log.log("debug", "membership step", { partition: replica.group, step });
    switch (step.kind) {
      case "change":
        return this.#change(replica, nowMs, {
          kind: "v2",
          transition: ConfChangeTransition.Auto,
          changes: step.changes.map(({ type, replicaId }) => ({
            type: type === "addVoter"
              ? ConfChangeType.AddVoter
              : type === "addLearner"
              ? ConfChangeType.AddLearner
              : ConfChangeType.Remove,
            replicaId,
          })),
          context: encodeEpoch(step.epoch),
        });
      case "leaveJoint":
        return this.#change(replica, nowMs, {
          kind: "v2",
          transition: ConfChangeTransition.Auto,
          changes: [],
          context: encodeEpoch(step.epoch),
        });
      case "transfer":
        replica.transferLeadership(step.to);
        return;
      case "record":
        // What the record lets go of must not be asked again: see Replica.confirmConfiguration.
        if (replica.confirmConfiguration()) this.#record(replica.group, step.command);
        return;
    }
  }

  #statusOf(replica: Replica, nowMs: number): GroupStatus {
    const { confState, confIndex, confEpoch } = replica.configuration;
    const status = replica.core.status();
    const step = this.#steps.get(replica.group);
    const stepping = step !== undefined && step.confIndex === confIndex && nowMs < step.untilMs;
    return {
      self: replica.id,
      configuration: { ...confState, confIndex, confEpoch },
      busy: stepping || status.leadTransferee !== 0,
      commitIndex: status.committed,
      committedBefore: this.#committedBefore(replica.group, status.committed, nowMs),
      progress: new Map(status.progress.map((progress) => [progress.id, {
        matchIndex: progress.match,
        recentActive: progress.recentActive,
      }])),
    };
  }

  /** The commit index of a look long enough ago; takes note of this one for later looks. */
  #committedBefore(
    partition: PartitionId,
    index: LogIndex,
    nowMs: number,
  ): LogIndex | undefined {
    const known = this.#commits.get(partition);
    if (known !== undefined && nowMs - known.atMs < CATCH_UP_LAG_MS_MAX) return known.before;
    this.#commits.set(partition, { atMs: nowMs, index, before: known?.index });
    return known?.index;
  }

  #change(replica: Replica, nowMs: number, change: AnyConfChange): void {
    const { confIndex } = replica.configuration;
    if (replica.proposeConfChange(change)) {
      this.#steps.set(replica.group, { confIndex, untilMs: nowMs + STEP_PATIENCE_MS });
    }
  }

  #record(partition: PartitionId, command: MetaCommand): void {
    if (this.#recording.has(partition)) return;
    this.#recording.add(partition);
    this.#host.proposeMeta(command).finally(() => this.#recording.delete(partition));
  }

  // ------------------------------------------------------------------------------- the whole cluster

  #watchMembers(nowMs: number): void {
    for (const { nodeId } of this.#host.topology.map.members) {
      if (nodeId === this.#host.nodeId || this.#host.isReachable(nodeId)) {
        this.#downSinceMs.delete(nodeId);
      } else if (!this.#downSinceMs.has(nodeId)) this.#downSinceMs.set(nodeId, nowMs);
    }
  }

  /** Who is silent, and whose log is damaged, as far as this node knows. */
  status(): ClusterStatus {
    const nowMs = this.#host.clock.monotonicMs();
    this.#watchMembers(nowMs);
    const dead = [...this.#downSinceMs]
      .filter(([, sinceMs]) => nowMs - sinceMs >= this.#host.deadAfterMs)
      .map(([nodeId]) => nodeId);
    return {
      down: new Set(this.#downSinceMs.keys()),
      dead: new Set(dead),
      full: new Set(
        this.#host.topology.map.members.map(({ nodeId }) => nodeId).filter(this.#host.isFull),
      ),
      suspects: this.#suspects,
    };
  }

  /** Said by every node that hears of damage: the meta group may be the one that is lost. */
  #tellLostQuorums(nowMs: number): void {
    if (this.#suspects.size === 0) return;
    const { map } = this.#host.topology;
    const status = this.status();
    for (const partition of this.#suspects.keys()) {
      const entry = map.partitions[partition];
      if (entry === undefined || !hasLostQuorum(entry, status)) {
        this.#lostQuorums.delete(partition);
        continue;
      }
      const sinceMs = this.#lostQuorums.get(partition) ?? nowMs;
      const says = nowMs - sinceMs >= LOST_AFTER_MS;
      this.#lostQuorums.set(partition, says ? Infinity : sinceMs);
      if (says) {
        this.#host.log.log(
          "error",
          "partition stays down: most of its replicas lost acknowledged data",
          { partition, damaged: lostVoters(entry, status), remedy: LOST_REMEDY },
        );
      }
    }
  }

  #plan(nowMs: number): void {
    this.#tellLostQuorums(nowMs);
    const meta = this.#host.hosting.meta();
    const leads = meta?.replica.isLeader ?? false;
    if (leads && !this.#ledMeta) this.#downSinceMs.clear();
    this.#ledMeta = leads;
    if (!leads) this.#lastPlan = undefined;
    if (!leads || this.#planning) return;
    const { map } = this.#host.topology;
    const status = this.status();
    const { steps, blocked } = planMoves(map, status);
    for (const { partition, reason } of blocked) {
      this.#host.log.log("debug", "a needed move is not possible", { partition, reason });
    }
    const admitted = admitSteps(map, steps, MOVE_LIMITS, this.#resting(nowMs));
    const commands: MetaCommand[] = admitted.map((step) => {
      const { command, reason } = step;
      this.#host.log.log("info", "move", { partition: command.partition, reason });
      if (isCalm(step) && command.kind === "beginMove") {
        for (const nodeId of receivers(map, command)) this.#calmMovesMs.set(nodeId, nowMs);
      }
      return command;
    });
    this.#lastPlan = { waiting: steps.length - commands.length, blocked };
    for (const { nodeId, state } of map.members) {
      if (state === "leaving" && !this.#holdsReplicas(nodeId)) {
        commands.push({ kind: "removeMember", nodeId });
      }
    }
    if (commands.length > 0) {
      this.#planning = true;
      Promise.all(commands.map((command) => this.#host.proposeMeta(command)))
        .finally(() => this.#planning = false);
      return;
    }
    this.#forgetSettledSuspects();
    // Between two calm moves there may be none under way, and yet more to come.
    if (steps.length > 0 || map.partitions.some(({ move }) => move !== undefined)) return;
    if (nowMs >= this.#nextLeadersMs) {
      this.#nextLeadersMs = nowMs + LEADER_BALANCE_INTERVAL_MS;
      this.#onLeaderPlan(planLeaders(map, this.#host.leaders(), status));
    }
  }

  /** Nodes that were given a replica by a calm move just now. */
  #resting(nowMs: number): ReadonlySet<NodeId> {
    for (const [nodeId, beganMs] of this.#calmMovesMs) {
      if (nowMs - beganMs >= CALM_MOVE_INTERVAL_MS) this.#calmMovesMs.delete(nodeId);
    }
    return new Set(this.#calmMovesMs.keys());
  }

  #onLeaderPlan(transfers: ReturnType<typeof planLeaders>): void {
    for (const { partition, to } of transfers) {
      const nodeId = this.#host.topology.nodeOf(partition, to);
      if (nodeId !== undefined) this.#host.transfer(partition, nodeId);
    }
  }

  #holdsReplicas(nodeId: NodeId): boolean {
    return this.#host.topology.index.hostedBy(nodeId)
      .some(({ partition }) => partition !== META_PARTITION) ||
      this.#host.topology.map.partitions[META_PARTITION].replicas
        .some((ref) => ref.nodeId === nodeId);
  }

  #forgetSettledSuspects(): void {
    const { map } = this.#host.topology;
    for (const [partition, replicaIds] of this.#suspects) {
      const entry = map.partitions[partition];
      for (const replicaId of replicaIds) {
        const named = entry?.replicas.some((ref) => ref.replicaId === replicaId) ||
          entry?.learners.some((ref) => ref.replicaId === replicaId);
        if (!named) replicaIds.delete(replicaId);
      }
      if (replicaIds.size === 0) this.#suspects.delete(partition);
    }
  }
}
