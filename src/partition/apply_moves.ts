// What the move commands do to a map. Pure. Owns the life of a move: one a partition at a time, fresh
// replicaIds, and nothing retired before the group's own final configuration proves it out (RULES 10).

import type { LogIndex, PartitionId, ReplicaId } from "../base/ids.ts";
import { memberOf, withEntry } from "./apply_members.ts";
import type { BeginMove, CancelMove, RecordConfiguration } from "./commands.ts";
import {
  type ClusterMap,
  DROPPING_MAX,
  isMeta,
  META_VOTERS_MAX,
  type Move,
  type PartitionEntry,
  type ReplicaRef,
  REPLICATION_MAX,
  RETIRED_KEPT_MAX,
} from "./map.ts";
import { changed, type Outcome, refused, UNCHANGED } from "./result.ts";

export function beginMove(map: ClusterMap, epoch: LogIndex, command: BeginMove): Outcome {
  const entry = map.partitions[command.partition];
  if (entry === undefined) return unknownPartition(command.partition);
  if (entry.move !== undefined) {
    if (isSameMove(entry, entry.move, command)) return UNCHANGED;
    return refused("move-in-progress", `partition ${entry.partition} is being moved already`);
  }
  if (!sameIds(idsOf(entry.replicas), command.expected)) {
    return refused(
      "stale",
      `the voters of partition ${entry.partition} have changed since the plan`,
    );
  }
  const wrong = refuseMembers(map, entry, command) ?? refuseReplicas(entry, command);
  if (wrong !== undefined) return refused("invalid-move", wrong);
  const next = isMeta(entry)
    ? beginMetaMove(entry, epoch, command)
    : beginDataMove(entry, epoch, command);
  if (next.dropping.length > DROPPING_MAX) {
    return refused("limit", "too many replaced replicas are still in the meta group; try again");
  }
  return changed({ ...map, epoch, partitions: withEntry(map, next) });
}

/** Whether `command` is what began `move`: a repeated proposal. */
function isSameMove(entry: PartitionEntry, move: Move, command: BeginMove): boolean {
  const leaving = [...move.removing, ...move.demoting];
  const replaced = entry.replicas.filter((ref) => command.replace.includes(ref.replicaId));
  const nodes = [...command.add, ...replaced.map((ref) => ref.nodeId)].sort();
  const adding = move.adding.map((ref) => ref.nodeId).sort();
  return sameIds(idsOf(entry.replicas), command.expected) &&
    sameIds(idsOf(leaving), [...command.remove, ...idsOf(replaced)]) &&
    nodes.length === adding.length && nodes.every((nodeId, i) => nodeId === adding[i]);
}

function refuseMembers(
  map: ClusterMap,
  entry: PartitionEntry,
  command: BeginMove,
): string | undefined {
  for (let i = 0; i < command.add.length; i++) {
    const nodeId = command.add[i];
    const member = memberOf(map, nodeId);
    if (member === undefined) return `node ${nodeId} is not a member`;
    if (member.state !== "active") {
      return `${member.name} is ${member.state} and takes no new replicas`;
    }
    if (command.add.includes(nodeId, i + 1)) return `${member.name} is listed twice`;
    if (entry.replicas.some((ref) => ref.nodeId === nodeId)) {
      return `${member.name} holds a voter of the partition; only a suspect one is replaced in place`;
    }
    if (isMeta(entry) && newestLearnerOn(entry, nodeId) === undefined) {
      return `${member.name} has no replica to promote`;
    }
  }
  return undefined;
}

function refuseReplicas(entry: PartitionEntry, command: BeginMove): string | undefined {
  const { add, remove, replace } = command;
  if (add.length + remove.length + replace.length === 0) return "nothing to do";
  const voters = new Set(idsOf(entry.replicas));
  const learners = new Set(idsOf(entry.learners));
  for (const replicaId of remove) {
    if (!voters.has(replicaId)) return `replica ${replicaId} is not a settled voter`;
    if (replace.includes(replicaId)) return `replica ${replicaId} is both removed and replaced`;
  }
  for (const replicaId of replace) {
    if (!voters.has(replicaId) && !learners.has(replicaId)) {
      return `replica ${replicaId} is not settled`;
    }
    const newest = newestLearnerOn(entry, nodeOf(entry, replicaId));
    if (newest?.replicaId === replicaId && add.includes(newest.nodeId)) {
      return `replica ${replicaId} is both promoted and replaced`;
    }
  }
  const count = voters.size + add.length - remove.length;
  const countMax = isMeta(entry) ? META_VOTERS_MAX : REPLICATION_MAX;
  if (count < 1) return "it would remove the last copy";
  if (count > countMax) return `it would make ${count} voters; the most is ${countMax}`;
  return undefined;
}

function beginDataMove(entry: PartitionEntry, epoch: LogIndex, command: BeginMove): PartitionEntry {
  const removing = refsOf(entry.replicas, [...command.remove, ...command.replace]);
  const replaced = refsOf(entry.replicas, command.replace);
  const nodes = [...command.add, ...replaced.map((ref) => ref.nodeId)];
  const adding = nodes.map((nodeId, i) => ({ replicaId: entry.nextReplicaId + i, nodeId }));
  return {
    ...entry,
    nextReplicaId: entry.nextReplicaId + adding.length,
    move: { beganEpoch: epoch, adding, removing, demoting: [], phase: "learning" },
  };
}

/** In the meta group additions are learners first; a suspect learner needs no move at all. */
function beginMetaMove(entry: PartitionEntry, epoch: LogIndex, command: BeginMove): PartitionEntry {
  const learners = [...entry.learners];
  const dropping = [...entry.dropping];
  const adding: ReplicaRef[] = [];
  let nextReplicaId = entry.nextReplicaId;
  for (const nodeId of command.add) adding.push(newestLearnerOn(entry, nodeId)!);
  for (const replicaId of command.replace) {
    const nodeId = nodeOf(entry, replicaId);
    const learner = learners.findIndex((ref) => ref.replicaId === replicaId);
    if (learner !== -1) {
      learners.splice(learner, 1);
      dropping.push({ replicaId, nodeId, sinceEpoch: epoch });
      learners.push({ replicaId: nextReplicaId++, nodeId });
      continue;
    }
    // A cancelled replacement may have left a good learner beside the suspect voter.
    let fresh = newestLearnerOn(entry, nodeId);
    if (fresh === undefined) {
      fresh = { replicaId: nextReplicaId++, nodeId };
      learners.push(fresh);
    }
    adding.push(fresh);
  }
  const removing = refsOf(entry.replicas, command.replace);
  const demoting = refsOf(entry.replicas, command.remove);
  const next: PartitionEntry = {
    ...entry,
    learners: learners.sort(byReplicaId),
    dropping,
    nextReplicaId,
  };
  if (adding.length + removing.length + demoting.length === 0) return next;
  return { ...next, move: { beganEpoch: epoch, adding, removing, demoting, phase: "learning" } };
}

export function cancelMove(map: ClusterMap, epoch: LogIndex, command: CancelMove): Outcome {
  const entry = map.partitions[command.partition];
  if (entry === undefined) return unknownPartition(command.partition);
  const { move } = entry;
  if (move === undefined || move.beganEpoch !== command.beganEpoch) {
    return refused("no-such-move", `partition ${entry.partition} has no such move`);
  }
  if (move.cancelEpoch !== undefined) return UNCHANGED;
  if (move.phase === "promoted") {
    return refused("too-late", "the group has entered the new configuration; the move goes on");
  }
  const next: PartitionEntry = { ...entry, move: { ...move, cancelEpoch: epoch } };
  return changed({ ...map, epoch, partitions: withEntry(map, next) });
}

/**
 * Takes note of a group's configuration and settles what it proves.
 *
 * Ids are never reused and `confIndex` never runs back, so a configuration that equals a move's target
 * is that move's end. That a move was *withdrawn* is proved only by a configuration made from a map
 * that knew of the cancellation: an older map's leader may still promote (see intent.ts on fencing).
 */
export function recordConfiguration(
  map: ClusterMap,
  epoch: LogIndex,
  command: RecordConfiguration,
): Outcome {
  const entry = map.partitions[command.partition];
  if (entry === undefined) return unknownPartition(command.partition);
  if (command.confIndex < entry.confIndex) return UNCHANGED;
  const named = [...command.voters, ...command.votersOutgoing, ...command.learners];
  const stranger = named.find((replicaId) => replicaId >= entry.nextReplicaId);
  if (stranger !== undefined || command.voters.length === 0) {
    return refused(
      "unexpected-configuration",
      `partition ${entry.partition} reports replica ${stranger ?? "none"} as its own`,
    );
  }
  const next = settleDropping(
    settleMove(noteProgress(entry, command), epoch, command),
    epoch,
    command,
  );
  if (next === entry) return UNCHANGED;
  return changed({ ...map, epoch, partitions: withEntry(map, next) });
}

function noteProgress(entry: PartitionEntry, conf: RecordConfiguration): PartitionEntry {
  const { move } = entry;
  const noted = conf.confIndex === entry.confIndex
    ? entry
    : { ...entry, confIndex: conf.confIndex };
  if (move === undefined || move.phase === "promoted" || isUntouched(move, conf)) return noted;
  return { ...noted, move: { ...move, phase: "promoted" } };
}

/** Whether the incoming voters are still as they were before the move. */
function isUntouched(move: Move, conf: RecordConfiguration): boolean {
  return !move.adding.some((ref) => conf.voters.includes(ref.replicaId)) &&
    [...move.removing, ...move.demoting].every((ref) => conf.voters.includes(ref.replicaId));
}

function settleMove(
  entry: PartitionEntry,
  epoch: LogIndex,
  conf: RecordConfiguration,
): PartitionEntry {
  const { move } = entry;
  if (move === undefined || conf.votersOutgoing.length > 0) return entry;
  const leaving = idsOf([...move.removing, ...move.demoting]);
  const stay = entry.replicas.filter((ref) => !leaving.includes(ref.replicaId));
  const target = [...stay, ...move.adding];
  const gone = (refs: readonly ReplicaRef[]) =>
    !refs.some((ref) => conf.learners.includes(ref.replicaId));
  const { move: _, ...settled } = entry;
  if (sameIds(conf.voters, idsOf(target)) && gone(move.removing)) {
    const promoted = idsOf(move.adding);
    return {
      ...settled,
      replicas: target.sort(byReplicaId),
      learners: [...entry.learners, ...move.demoting]
        .filter((ref) => !promoted.includes(ref.replicaId)).sort(byReplicaId),
      retired: retire(entry, move.removing, epoch),
    };
  }
  const withdrawn = move.cancelEpoch !== undefined && conf.confEpoch >= move.cancelEpoch &&
    sameIds(conf.voters, idsOf(entry.replicas));
  if (!withdrawn) return entry;
  if (isMeta(entry)) return settled;
  return gone(move.adding) ? { ...settled, retired: retire(entry, move.adding, epoch) } : entry;
}

function settleDropping(
  entry: PartitionEntry,
  epoch: LogIndex,
  conf: RecordConfiguration,
): PartitionEntry {
  if (entry.dropping.length === 0 || conf.votersOutgoing.length > 0) return entry;
  const out = entry.dropping.filter(({ replicaId, sinceEpoch }) =>
    conf.confEpoch >= sinceEpoch && !conf.voters.includes(replicaId) &&
    !conf.learners.includes(replicaId)
  );
  if (out.length === 0) return entry;
  return {
    ...entry,
    dropping: entry.dropping.filter((ref) => !out.includes(ref)),
    retired: retire(entry, out, epoch),
  };
}

function retire(entry: PartitionEntry, refs: readonly ReplicaRef[], epoch: LogIndex) {
  const retired = refs.map(({ replicaId, nodeId }) => ({ replicaId, nodeId, epoch }));
  return [...entry.retired, ...retired].slice(-RETIRED_KEPT_MAX);
}

function newestLearnerOn(entry: PartitionEntry, nodeId: string): ReplicaRef | undefined {
  return entry.learners.findLast((ref) => ref.nodeId === nodeId);
}

function nodeOf(entry: PartitionEntry, replicaId: ReplicaId): string {
  const ref = [...entry.replicas, ...entry.learners].find((other) => other.replicaId === replicaId);
  return ref?.nodeId ?? "";
}

function refsOf(refs: readonly ReplicaRef[], ids: readonly ReplicaId[]): ReplicaRef[] {
  return refs.filter((ref) => ids.includes(ref.replicaId));
}

function idsOf(refs: readonly ReplicaRef[]): ReplicaId[] {
  return refs.map((ref) => ref.replicaId);
}

/** Same ids, in any order; neither side lists one twice. */
function sameIds(a: readonly ReplicaId[], b: readonly ReplicaId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}

function byReplicaId(a: ReplicaRef, b: ReplicaRef): number {
  return a.replicaId - b.replicaId;
}

function unknownPartition(partition: PartitionId): Outcome {
  return refused("unknown-partition", `there is no partition ${partition}`);
}
