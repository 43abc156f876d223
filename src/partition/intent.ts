// What a group's leader must do next so that its configuration becomes what the map intends. A pure
// function of the map entry and the group's state, so any leader can go on from any half-done state;
// it must never act from a map older than the one the present configuration was made from.
//
// Fencing: every configuration change carries the epoch of the map that asked for it, and the applied
// configuration keeps it (`confEpoch`, in log checkpoints and snapshots). A leader whose map is older
// than that proposes nothing. So once a change made from a map that cancels a move has been applied, no
// later leader can promote what the meta group is about to retire, however old its map.

import { assert } from "../base/assert.ts";
import type { LogIndex, ReplicaId } from "../base/ids.ts";
import type { RecordConfiguration } from "./commands.ts";
import {
  intendedVoters,
  isMeta,
  type Move,
  namedReplicas,
  type PartitionEntry,
  type ReplicaRef,
} from "./map.ts";

/**
 * Entries a learner may lack and still be promoted: so few that it makes them up while the change commits, however
 * large each is. Under load it is promoted with more, if all it lacks is new.
 */
export const CATCH_UP_LAG_ENTRIES_MAX = 16;
/** What was committed so long ago no learner may lack. */
export const CATCH_UP_LAG_MS_MAX = 1000;
/** Changes one configuration entry carries; a cluster that grows by many nodes takes several. */
export const CHANGES_PER_ENTRY_MAX = 16;

/** The configuration a replica has applied. */
export interface GroupConfiguration {
  readonly voters: readonly ReplicaId[];
  /** Empty unless joint. */
  readonly votersOutgoing: readonly ReplicaId[];
  readonly learners: readonly ReplicaId[];
  readonly learnersNext: readonly ReplicaId[];
  /** Whether Raft leaves the joint configuration by itself. */
  readonly autoLeave: boolean;
  /** Index of the entry that made it, in the group's log; 1 for genesis. */
  readonly confIndex: LogIndex;
  /** Epoch that entry carried; 1 for genesis. Raft's own leaving of a joint configuration keeps it. */
  readonly confEpoch: LogIndex;
}

export interface ReplicaProgress {
  readonly matchIndex: LogIndex;
  /** Heard from within the last election timeout. */
  readonly recentActive: boolean;
}

/** A group as its leader sees it. */
export interface GroupStatus {
  /** The leader's own replicaId. */
  readonly self: ReplicaId;
  readonly configuration: GroupConfiguration;
  /** A configuration change is in the log and not yet applied, or a transfer is under way. */
  readonly busy: boolean;
  readonly commitIndex: LogIndex;
  /** What was committed CATCH_UP_LAG_MS_MAX ago, or earlier; undefined if nobody looked then. */
  readonly committedBefore: LogIndex | undefined;
  /** Of every replica in the configuration; the leader's own entry is not looked at. */
  readonly progress: ReadonlyMap<ReplicaId, ReplicaProgress>;
}

export interface ConfigurationChange {
  readonly type: "addVoter" | "addLearner" | "remove";
  readonly replicaId: ReplicaId;
}

export type IntentStep =
  /** Propose one entry with all `changes` (joint with automatic leaving if there are several), carrying
   * `epoch` ({@linkcode encodeEpoch}). */
  | {
    readonly kind: "change";
    readonly changes: readonly ConfigurationChange[];
    readonly epoch: LogIndex;
  }
  /** Propose the empty change that leaves a joint configuration, carrying `epoch`. */
  | { readonly kind: "leaveJoint"; readonly epoch: LogIndex }
  /** Hand leadership over; the next leader goes on. */
  | { readonly kind: "transfer"; readonly to: ReplicaId }
  /** Propose the command to the meta group, again and again until the map shows it. */
  | { readonly kind: "record"; readonly command: RecordConfiguration }
  /** A move is under way but cannot go on yet; `reason` is for people. */
  | { readonly kind: "wait"; readonly reason: string };

/** An epoch as a configuration change carries it: 8 bytes, big-endian. */
export function encodeEpoch(epoch: LogIndex): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(epoch));
  return bytes;
}

/** Inverse of {@linkcode encodeEpoch}; undefined for anything else. */
export function decodeEpoch(bytes: Uint8Array): LogIndex | undefined {
  if (bytes.length !== 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const epoch = Number(view.getBigUint64(0));
  return Number.isSafeInteger(epoch) ? epoch : undefined;
}

/** What `configuration` looks like to the meta group. */
export function recordOf(entry: PartitionEntry, conf: GroupConfiguration): RecordConfiguration {
  return {
    kind: "recordConfiguration",
    partition: entry.partition,
    confIndex: conf.confIndex,
    confEpoch: conf.confEpoch,
    voters: conf.voters,
    votersOutgoing: conf.votersOutgoing,
    learners: [...conf.learners, ...conf.learnersNext],
  };
}

/**
 * The leader's next step towards `entry`, taken from a map of epoch `epoch`; null if there is nothing
 * to do. Take it, wait until it has been applied, ask again.
 */
export function nextStep(
  entry: PartitionEntry,
  epoch: LogIndex,
  group: GroupStatus,
): IntentStep | null {
  const conf = group.configuration;
  if (epoch < conf.confEpoch) return wait("the map here is older than the configuration");
  if (group.busy) return wait("an earlier step is being carried out");
  if (conf.votersOutgoing.length > 0) {
    return conf.autoLeave ? wait("the joint configuration is being left") : {
      kind: "leaveJoint",
      epoch,
    };
  }
  assert(conf.learnersNext.length === 0, "only a joint configuration has learners to be");
  const cancelling = isWithdrawable(entry.move, conf);
  const changes = learnerChanges(entry, conf, cancelling);
  if (changes.length > 0) return { kind: "change", changes, epoch };
  if (needsFence(entry, conf, cancelling)) {
    // A change that changes nothing, for the epoch it carries: the leader is a voter already.
    return { kind: "change", changes: [{ type: "addVoter", replicaId: group.self }], epoch };
  }
  if (entry.dropping.length > 0 || cancelling) return record(entry, conf);
  if (entry.move !== undefined) return moveStep(entry, entry.move, epoch, group);
  if (!sameIds(conf.voters, entry.replicas)) return wait("the map does not explain the voters");
  return null;
}

/** Whether the move is to be withdrawn and still can be: no addition votes, all that leave still do. */
function isWithdrawable(move: Move | undefined, conf: GroupConfiguration): boolean {
  return move !== undefined && move.cancelEpoch !== undefined &&
    !move.adding.some((ref) => conf.voters.includes(ref.replicaId)) &&
    [...move.removing, ...move.demoting].every((ref) => conf.voters.includes(ref.replicaId));
}

/** Learners to add and to take out, in one entry. Neither touches a majority. */
function learnerChanges(
  entry: PartitionEntry,
  conf: GroupConfiguration,
  cancelling: boolean,
): ConfigurationChange[] {
  const withdrawn = cancelling && !isMeta(entry) ? entry.move!.adding : [];
  const unwanted = new Set([...entry.dropping, ...withdrawn].map((ref) => ref.replicaId));
  const named = new Set(namedReplicas(entry).map((ref) => ref.replicaId));
  const changes: ConfigurationChange[] = [];
  for (const replicaId of conf.learners) {
    if (unwanted.has(replicaId) || !named.has(replicaId)) {
      changes.push({ type: "remove", replicaId });
    }
  }
  const adding = cancelling ? [] : entry.move?.adding ?? [];
  for (const { replicaId } of [...entry.learners, ...adding]) {
    const present = conf.voters.includes(replicaId) || conf.learners.includes(replicaId) ||
      changes.some((change) => change.replicaId === replicaId);
    if (!present) changes.push({ type: "addLearner", replicaId });
  }
  return changes.slice(0, CHANGES_PER_ENTRY_MAX);
}

/** Whether something is about to be retired that an older map's leader might still bring in. */
function needsFence(entry: PartitionEntry, conf: GroupConfiguration, cancelling: boolean): boolean {
  return entry.dropping.some((ref) => ref.sinceEpoch > conf.confEpoch) ||
    cancelling && entry.move!.cancelEpoch! > conf.confEpoch;
}

/** From here on every addition is a learner or a voter. */
function moveStep(
  entry: PartitionEntry,
  move: Move,
  epoch: LogIndex,
  group: GroupStatus,
): IntentStep {
  const { self, configuration: conf } = group;
  const promoting = move.adding.filter((ref) => !conf.voters.includes(ref.replicaId));
  const lagging = promoting.find((ref) => !isCaughtUp(ref.replicaId, group));
  if (lagging !== undefined) return wait(`replica ${lagging.replicaId} is catching up`);

  const leaving = [...move.removing, ...move.demoting]
    .map((ref) => ref.replicaId).filter((replicaId) => conf.voters.includes(replicaId));
  const removing = move.removing.map((ref) => ref.replicaId)
    .filter((replicaId) => conf.voters.includes(replicaId) || conf.learners.includes(replicaId));
  if (promoting.length + leaving.length + removing.length === 0) return record(entry, conf);

  if (leaving.includes(self)) {
    const heir = bestHeir(conf.voters.filter((id) => !leaving.includes(id)), group);
    if (heir !== undefined) return { kind: "transfer", to: heir };
    // Nobody who stays can lead: the additions become voters first, one of them takes over.
    if (promoting.length === 0) return wait("no other voter can take the leadership over");
    return guarded(entry, group, [...conf.voters, ...promoting.map((ref) => ref.replicaId)], {
      kind: "change",
      changes: promoting.map(promote),
      epoch,
    });
  }
  const demoting = move.demoting.filter((ref) => leaving.includes(ref.replicaId));
  return guarded(entry, group, idsOf(targetVoters(entry, move)), {
    kind: "change",
    changes: [
      ...promoting.map(promote),
      ...removing.map((replicaId): ConfigurationChange => ({ type: "remove", replicaId })),
      ...demoting.map(({ replicaId }): ConfigurationChange => ({ type: "addLearner", replicaId })),
    ],
    epoch,
  });
}

/** The voters of a move that goes on, cancelled too late or not at all. */
function targetVoters(entry: PartitionEntry, move: Move): ReplicaRef[] {
  return intendedVoters({ ...entry, move: { ...move, phase: "promoted" } });
}

/** The step, unless the voters after it would have no live majority. */
function guarded(
  entry: PartitionEntry,
  group: GroupStatus,
  votersAfter: readonly ReplicaId[],
  step: IntentStep,
): IntentStep {
  const live = votersAfter.filter((id) =>
    id === group.self || group.progress.get(id)?.recentActive
  );
  if (2 * live.length > votersAfter.length) return step;
  return wait(`partition ${entry.partition} would lose its quorum`);
}

function isCaughtUp(replicaId: ReplicaId, group: GroupStatus): boolean {
  const progress = group.progress.get(replicaId);
  if (!progress?.recentActive || progress.matchIndex === 0) return false;
  const { matchIndex } = progress;
  return matchIndex + CATCH_UP_LAG_ENTRIES_MAX >= group.commitIndex ||
    group.committedBefore !== undefined && matchIndex >= group.committedBefore;
}

/** The live voter that is furthest ahead; the lowest id of several. */
function bestHeir(voters: readonly ReplicaId[], group: GroupStatus): ReplicaId | undefined {
  let best: ReplicaId | undefined;
  let bestMatch = -1;
  for (const replicaId of voters.toSorted((a, b) => a - b)) {
    const progress = group.progress.get(replicaId);
    if (!progress?.recentActive || progress.matchIndex <= bestMatch) continue;
    best = replicaId;
    bestMatch = progress.matchIndex;
  }
  return best;
}

function promote({ replicaId }: ReplicaRef): ConfigurationChange {
  return { type: "addVoter", replicaId };
}

function record(entry: PartitionEntry, conf: GroupConfiguration): IntentStep {
  return { kind: "record", command: recordOf(entry, conf) };
}

function wait(reason: string): IntentStep {
  return { kind: "wait", reason };
}

function idsOf(refs: readonly ReplicaRef[]): ReplicaId[] {
  return refs.map((ref) => ref.replicaId);
}

function sameIds(ids: readonly ReplicaId[], refs: readonly ReplicaRef[]): boolean {
  return ids.length === refs.length && refs.every((ref) => ids.includes(ref.replicaId));
}
