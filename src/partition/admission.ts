// What may begin now: which steps of a plan beside the moves under way, and whether a member may be
// drained. Pure; bounds how much moves at a time, never what is to move.

import type { NodeId } from "../base/ids.ts";
import type { BeginMove } from "./commands.ts";
import type { ClusterMap, ReplicaRef } from "./map.ts";
import { applyCommand } from "./meta_machine.ts";
import { planMoves, type PlannedStep, type StepReason } from "./plan.ts";
import { type ClusterStatus, isSuspect } from "./status.ts";

/**
 * Why a member should not be drained now, or undefined: it is the last one, or some partition on it
 * would be left without a quorum or without a node to go to. For admin verbs; the plan is as careful
 * without being asked.
 */
export function drainObstacle(
  map: ClusterMap,
  nodeId: NodeId,
  status: ClusterStatus,
): string | undefined {
  const outcome = applyCommand(map, map.epoch + 1, { kind: "leaveMember", nodeId });
  if (outcome.kind === "refused") return outcome.detail;
  const after = outcome.kind === "map" ? outcome.map : map;
  const { blocked } = planMoves(after, status);
  const mine = blocked.find(({ partition }) =>
    map.partitions[partition].replicas.some((ref) => ref.nodeId === nodeId)
  );
  return mine && `partition ${mine.partition} could not leave it: ${mine.reason}`;
}

/**
 * Why a move that an operator wishes should not begin, or undefined: the state machine would refuse it, a
 * node it needs is down, or too few of the voters that remain are alive. For admin verbs.
 */
export function moveObstacle(
  map: ClusterMap,
  command: BeginMove,
  status: ClusterStatus,
): string | undefined {
  const outcome = applyCommand(map, map.epoch + 1, command);
  if (outcome.kind === "refused") return outcome.detail;
  const nameOf = (nodeId: NodeId) =>
    map.members.find((member) => member.nodeId === nodeId)?.name ?? nodeId;
  const isDown = (nodeId: NodeId) => status.down.has(nodeId) || status.dead.has(nodeId);
  const unreachable = command.add.find(isDown);
  if (unreachable !== undefined) return `${nameOf(unreachable)} is out of reach`;
  const entry = map.partitions[command.partition];
  const isLive = (ref: ReplicaRef) =>
    !isDown(ref.nodeId) && !isSuspect(status, command.partition, ref.replicaId);
  if (2 * entry.replicas.filter(isLive).length <= entry.replicas.length) {
    return "too few of the partition's replicas are alive to agree on a change";
  }
  const staying = entry.replicas.filter((ref) => !command.remove.includes(ref.replicaId));
  const live = staying.filter(isLive).length + command.add.length;
  if (2 * live <= staying.length + command.add.length) {
    return "too few of the replicas that would remain are alive";
  }
  return undefined;
}

const NO_NODES: ReadonlySet<NodeId> = new Set();

/** How much may move at a time. */
export interface MoveLimits {
  /** Moves under way in the whole cluster. */
  readonly movesMax: number;
  /** Replicas being added to one node. */
  readonly addingPerNodeMax: number;
  /** The same, for calm steps. */
  readonly calmAddingPerNodeMax: number;
}

const CALM_REASONS: readonly StepReason[] = ["spread", "balance"];

/** Whether nothing becomes safer by a step: it has time, and the clients' requests have not. */
export function isCalm({ reason }: PlannedStep): boolean {
  return CALM_REASONS.includes(reason);
}

/**
 * The first of `steps` that may begin beside what is under way. Cancellations always may. `resting` nodes
 * are given nothing by calm steps for now.
 */
export function admitSteps(
  map: ClusterMap,
  steps: readonly PlannedStep[],
  limits: MoveLimits,
  resting: ReadonlySet<NodeId> = NO_NODES,
): PlannedStep[] {
  let moves = 0;
  const adding = new Map<NodeId, number>();
  const count = (nodeId: NodeId) => adding.set(nodeId, (adding.get(nodeId) ?? 0) + 1);
  for (const { move } of map.partitions) {
    if (move === undefined) continue;
    moves++;
    for (const ref of move.adding) count(ref.nodeId);
  }
  const admitted: PlannedStep[] = [];
  for (const step of steps) {
    const { command } = step;
    if (command.kind === "beginMove") {
      const nodes = receivers(map, command);
      const calm = isCalm(step);
      const addingMax = calm ? limits.calmAddingPerNodeMax : limits.addingPerNodeMax;
      const full = nodes.some((id) =>
        (adding.get(id) ?? 0) >= addingMax || (calm && resting.has(id))
      );
      if (moves >= limits.movesMax || full) continue;
      moves++;
      nodes.forEach(count);
    }
    admitted.push(step);
  }
  return admitted;
}

/** Nodes that get a new replica by the command. */
export function receivers(map: ClusterMap, command: BeginMove): NodeId[] {
  const { replicas, learners } = map.partitions[command.partition];
  const replaced = [...replicas, ...learners]
    .filter((ref) => command.replace.includes(ref.replicaId));
  return [...command.add, ...replaced.map((ref) => ref.nodeId)];
}
