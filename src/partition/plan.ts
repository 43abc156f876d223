// Which moves the cluster should make, incrementally from the map as it is: repair before drains, drains
// before failure domains, balance last (RULES 11). Pure: the same map and status give the same plan, so
// a new meta leader goes on where the last one stopped. It proposes; the state machine disposes.

import { assert } from "../base/assert.ts";
import type { NodeId, PartitionId, ReplicaId } from "../base/ids.ts";
import { balance, spread, type StepCost, type StepRules } from "./balance.ts";
import type { BeginMove, CancelMove } from "./commands.ts";
import { Layout } from "./layout.ts";
import {
  type ClusterMap,
  intendedVoters,
  isMeta,
  metaVoterTarget,
  type PartitionEntry,
  type ReplicaRef,
} from "./map.ts";
import { type ClusterStatus, hasLostQuorum, isSuspect } from "./status.ts";

/** Why a step is wanted, in order of urgency. */
export const STEP_REASONS = [
  /** A move adds a replica where it can't go any more. */
  "stalled",
  /** A replica is on a dead node or has a damaged log. */
  "repair",
  /** There are fewer copies than wanted, and a node to hold one. */
  "grow",
  /** There are more copies than nodes to stay on. */
  "shrink",
  /** A replica is on a node that leaves. */
  "drain",
  /** Replicas share a host or a zone needlessly. */
  "spread",
  "balance",
] as const;

export type StepReason = typeof STEP_REASONS[number];

export interface PlannedStep {
  readonly reason: StepReason;
  readonly command: BeginMove | CancelMove;
}

/** A partition that needs a change which is not possible now. */
export interface Blocked {
  readonly partition: PartitionId;
  /** For people. */
  readonly reason: string;
}

export interface Plan {
  /** Most urgent first; at most one step a partition. */
  readonly steps: readonly PlannedStep[];
  readonly blocked: readonly Blocked[];
}

/** Everything that should be moved now, as if there were no limit on moves at a time. */
export function planMoves(map: ClusterMap, status: ClusterStatus): Plan {
  const data = new Planner(
    map,
    status,
    map.partitions.slice(1),
    (active) => Math.min(map.replication, active),
  );
  data.repair();
  data.drain();
  data.even();
  const meta = new Planner(map, status, map.partitions.slice(0, 1), metaVoterTarget);
  meta.repair();
  meta.drain();
  meta.even();
  const steps = [...meta.steps(), ...data.steps()];
  steps.sort((a, b) =>
    STEP_REASONS.indexOf(a.reason) - STEP_REASONS.indexOf(b.reason) || a.margin - b.margin ||
    a.command.partition - b.command.partition
  );
  return {
    steps: steps.map(({ reason, command }) => ({ reason, command })),
    blocked: [...meta.blocked, ...data.blocked],
  };
}

/** A step with the number of further losses its partition survives. */
interface RankedStep extends PlannedStep {
  readonly margin: number;
}

/** One pass over some partitions: changes a layout stage by stage, then tells the difference. */
class Planner {
  readonly blocked: Blocked[] = [];
  readonly #map: ClusterMap;
  readonly #status: ClusterStatus;
  readonly #entries: readonly PartitionEntry[];
  readonly #wanted: number;
  readonly #layout: Layout;
  readonly #numbers = new Map<NodeId, number>();
  /** The nodes each partition has, or will have when its present move is done. */
  readonly #base = new Map<PartitionId, readonly number[]>();
  /** The same, by partition and node: balancing asks often. */
  readonly #isBase: Uint8Array;
  /** Suspect replicas to be replaced where they are. */
  readonly #replace = new Map<PartitionId, ReplicaId[]>();
  /** The first, most urgent reason to touch each partition. */
  readonly #reasons = new Map<PartitionId, StepReason>();
  /** Partitions whose present move has to end before the next one. */
  readonly #busy = new Set<PartitionId>();
  /** Where partitions had a replica lately, by `#cell`. */
  readonly #left = new Set<number>();

  constructor(
    map: ClusterMap,
    status: ClusterStatus,
    entries: readonly PartitionEntry[],
    wantedOf: (activeMembers: number) => number,
  ) {
    this.#map = map;
    this.#status = status;
    this.#entries = entries;
    this.#wanted = wantedOf(map.members.filter((member) => member.state === "active").length);
    map.members.forEach((member, i) => this.#numbers.set(member.nodeId, i));
    this.#layout = new Layout(map.members.map((member) => ({
      nodeId: member.nodeId,
      host: member.host,
      zone: member.zone,
      weight: member.weight,
      eligible: member.state === "active" && !status.down.has(member.nodeId) &&
        !status.full.has(member.nodeId),
    })));
    this.#isBase = new Uint8Array(map.partitions.length * map.members.length);
    for (const entry of entries) {
      const nodes = intendedVoters(entry).map((ref) => this.#numbers.get(ref.nodeId)!);
      this.#base.set(entry.partition, nodes);
      for (const node of nodes) {
        this.#layout.add(entry.partition, node);
        this.#isBase[this.#cell(entry.partition, node)] = 1;
      }
      if (entry.move !== undefined) this.#busy.add(entry.partition);
      for (const { nodeId } of [...entry.dropping, ...entry.retired]) {
        const node = this.#numbers.get(nodeId);
        if (node !== undefined) this.#left.add(this.#cell(entry.partition, node));
      }
    }
  }

  /** Replaces what is lost, then brings the number of copies to what is wanted. */
  repair(): void {
    for (const entry of this.#entries) {
      this.#replaceSuspects(entry);
      this.#replaceWhere(entry.partition, "repair", (node) => this.#isDead(node));
    }
    for (const { partition } of this.#entries) {
      while (this.#layout.holders(partition).length < this.#wanted) {
        const target = this.#layout.bestTarget(partition);
        if (target === -1) break;
        this.#layout.add(partition, target);
        this.#touch(partition, "grow");
      }
      while (this.#layout.holders(partition).length > this.#wanted) {
        this.#layout.remove(partition, this.#leastWanted(partition));
        this.#touch(partition, "shrink");
      }
    }
  }

  /** Takes replicas off members that leave. */
  drain(): void {
    for (const { partition } of this.#entries) {
      this.#replaceWhere(partition, "drain", (node) => this.#isLeaving(node));
    }
  }

  /** Spreads over failure domains, then evens out. The meta group is but one partition: it is spread,
   * and its voters weigh nothing. */
  even(): void {
    const rules = (reason: StepReason): StepRules => ({
      cost: (partition, from) => this.#costOf(partition, from),
      left: (partition, node) => this.#left.has(this.#cell(partition, node)),
      moved: (partition) => this.#touch(partition, reason),
    });
    spread(this.#layout, this.#entries.map((entry) => entry.partition), rules("spread"));
    if (!this.#entries.some(isMeta)) balance(this.#layout, rules("balance"));
  }

  /** What has to begin now so that the map becomes the layout. */
  steps(): RankedStep[] {
    const steps: RankedStep[] = [];
    for (const entry of this.#entries) {
      const lost = hasLostQuorum(entry, this.#status);
      if (lost) this.#block(entry.partition, "most of its replicas lost acknowledged data");
      const command = entry.move !== undefined
        ? this.#stalled(entry)
        : lost
        ? undefined
        : this.#change(entry);
      if (command === undefined) continue;
      const reason = command.kind === "cancelMove"
        ? "stalled"
        : this.#reasons.get(entry.partition) ?? "balance";
      steps.push({ reason, command, margin: this.#margin(entry) });
    }
    return steps;
  }

  #replaceSuspects(entry: PartitionEntry): void {
    const replace: ReplicaId[] = [];
    for (const ref of [...entry.replicas, ...entry.learners]) {
      if (!isSuspect(this.#status, entry.partition, ref.replicaId)) continue;
      // In its own place, whose room it needs no more of: a full disk is no reason to wait.
      const node = this.#numbers.get(ref.nodeId)!;
      const { state } = this.#map.members[node];
      if (state === "active" && !this.#isDown(node)) replace.push(ref.replicaId);
    }
    if (replace.length === 0) return;
    this.#replace.set(entry.partition, replace);
    this.#touch(entry.partition, "repair");
  }

  #replaceWhere(
    partition: PartitionId,
    reason: StepReason,
    isBad: (node: number) => boolean,
  ): void {
    for (const node of this.#layout.holders(partition)) {
      if (!isBad(node)) continue;
      const target = this.#layout.bestTarget(partition, node);
      if (target === -1) {
        const { name } = this.#map.members[node];
        this.#block(partition, `no other node can take the replica of ${name}`);
        continue;
      }
      this.#layout.remove(partition, node);
      this.#layout.add(partition, target);
      this.#touch(partition, reason);
    }
  }

  /** The holder to give up first: one that is gone or leaves, then the one worst placed. */
  #leastWanted(partition: PartitionId): number {
    const holders = this.#layout.holders(partition);
    const rank = (node: number) =>
      this.#isDead(node) ? 3 : this.#isLeaving(node) ? 2 : this.#isDown(node) ? 1 : 0;
    return holders.reduce((worst, node) => {
      const order = rank(node) - rank(worst) ||
        this.#layout.penaltyBeside(holders, node) - this.#layout.penaltyBeside(holders, worst) ||
        this.#layout.compareFill(node, worst) ||
        this.#layout.score(partition, worst) - this.#layout.score(partition, node);
      return order > 0 ? node : worst;
    });
  }

  /** One number for a partition and a node. */
  #cell(partition: PartitionId, node: number): number {
    return partition * this.#map.members.length + node;
  }

  #costOf(partition: PartitionId, from: number): StepCost {
    if (this.#busy.has(partition)) return "busy";
    return this.#isBase[this.#cell(partition, from)] === 1 ? "free" : "planned";
  }

  #change(entry: PartitionEntry): BeginMove | undefined {
    const { partition } = entry;
    const expected = entry.replicas.map((ref) => ref.replicaId);
    const base = this.#base.get(partition)!;
    const final = this.#layout.holders(partition);
    const replaced = this.#replace.get(partition) ?? [];
    // Meta group: a suspect learner is replaced at once and first, so that it is never promoted.
    const learners = replaced.filter((id) => entry.learners.some((ref) => ref.replicaId === id));
    if (learners.length > 0) {
      return { kind: "beginMove", partition, add: [], remove: [], replace: learners, expected };
    }
    // A suspect replica whose node gives the partition up is removed like any other.
    const leaves = (replicaId: ReplicaId) => {
      const ref = entry.replicas.find((other) => other.replicaId === replicaId);
      return ref !== undefined && !final.includes(this.#numbers.get(ref.nodeId)!);
    };
    const replace = replaced.filter((replicaId) => !leaves(replicaId));
    const add = final.filter((node) => !base.includes(node))
      .map((node) => this.#map.members[node].nodeId);
    const remove = entry.replicas
      .filter((ref) => !final.includes(this.#numbers.get(ref.nodeId)!))
      .map((ref) => ref.replicaId);
    if (add.length + remove.length + replace.length === 0) return undefined;
    const obstacle = this.#obstacle(entry, final, replace);
    if (obstacle !== undefined) {
      this.#block(partition, obstacle);
      return undefined;
    }
    return { kind: "beginMove", partition, add, remove, replace, expected };
  }

  /** Why the change would not come through, or would leave a group that cannot decide. */
  #obstacle(
    entry: PartitionEntry,
    final: readonly number[],
    replace: readonly ReplicaId[],
  ): string | undefined {
    if (this.#margin(entry) < 0) return "too few replicas are alive to agree on a change";
    const live = final.filter((node) => {
      if (this.#isDown(node)) return false;
      const nodeId = this.#map.members[node].nodeId;
      const kept = entry.replicas.find((ref) => ref.nodeId === nodeId);
      return kept === undefined || replace.includes(kept.replicaId) ||
        !isSuspect(this.#status, entry.partition, kept.replicaId);
    });
    if (2 * live.length > final.length) return undefined;
    return "too few of the replicas that would remain are alive";
  }

  /** A move that can't come through: an addition is lost, or too few would be left to agree. Once
   * promoted it is too late to cancel. A node that is merely down is waited for. */
  #stalled(entry: PartitionEntry): CancelMove | undefined {
    const { partition, move } = entry;
    assert(move !== undefined, "only a move can stall");
    if (move.phase === "promoted" || move.cancelEpoch !== undefined) return undefined;
    const isLost = (ref: ReplicaRef) =>
      this.#isDead(this.#numbers.get(ref.nodeId)!) ||
      isSuspect(this.#status, partition, ref.replicaId);
    const hopeless = move.adding.some((ref) =>
      isLost(ref) || this.#isLeaving(this.#numbers.get(ref.nodeId)!)
    );
    const after = intendedVoters(entry);
    const left = after.filter((ref) => !isLost(ref));
    if (!hopeless && 2 * left.length > after.length) return undefined;
    return { kind: "cancelMove", partition, beganEpoch: move.beganEpoch };
  }

  /** Settled voters that may yet fail before the group stops; negative if it has stopped. */
  #margin(entry: PartitionEntry): number {
    const live = entry.replicas.filter((ref) =>
      !this.#isDown(this.#numbers.get(ref.nodeId)!) &&
      !isSuspect(this.#status, entry.partition, ref.replicaId)
    );
    return live.length - (Math.floor(entry.replicas.length / 2) + 1);
  }

  #isDead(node: number): boolean {
    return this.#status.dead.has(this.#map.members[node].nodeId);
  }

  #isLeaving(node: number): boolean {
    return this.#map.members[node].state !== "active";
  }

  #isDown(node: number): boolean {
    return this.#status.down.has(this.#map.members[node].nodeId) || this.#isDead(node);
  }

  #touch(partition: PartitionId, reason: StepReason): void {
    if (!this.#reasons.has(partition)) this.#reasons.set(partition, reason);
  }

  #block(partition: PartitionId, reason: string): void {
    this.blocked.push({ partition, reason });
  }
}
