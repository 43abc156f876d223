// What a leader does with proposals, answers, transfers and its own timers.
// Never appends for a group it has left, nor while it hands leadership over.
// Source: Raft §5.3, §6; dissertation §3.10 (transfer), §6.2 (stepping down).

import { assert } from "../base/assert.ts";
import type { LogIndex } from "../base/ids.ts";
import { confChangeRefusal } from "./membership.ts";
import { type Progress, ProgressState } from "./progress.ts";
import type { Raft } from "./raft.ts";
import { acknowledgeReads, leaderRead } from "./read_only.ts";
import {
  bcastAppend,
  bcastHeartbeat,
  handleAppendResponse,
  maybeSendAppend,
  sendTimeoutNow,
} from "./replication.ts";
import {
  EntryType,
  type Message,
  MessageType,
  newMessage,
  NO_DATA,
  NONE,
  Role,
  type StepError,
} from "./types.ts";

/** What is proposed: an entry before it has a place in a log. */
export interface Proposal {
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** Handles what a leader receives. */
export function stepLeader(raft: Raft, message: Message): StepError | null {
  switch (message.type) {
    case MessageType.Beat:
      bcastHeartbeat(raft);
      return null;
    case MessageType.CheckQuorum:
      checkQuorum(raft);
      return null;
    case MessageType.Propose:
      return propose(raft, message.entries);
    case MessageType.ReadIndex:
      leaderRead(raft, message.from, message.context);
      return null;
  }
  const progress = raft.tracker.progress(message.from);
  if (progress === undefined) return null;
  switch (message.type) {
    case MessageType.AppendResponse:
      handleAppendResponse(raft, progress, message);
      return null;
    case MessageType.HeartbeatResponse:
      handleHeartbeatResponse(raft, progress, message);
      return null;
    case MessageType.SnapshotStatus:
      handleSnapshotStatus(progress, message);
      return null;
    case MessageType.Unreachable:
      // An append is probably lost, so sending on optimistically is in vain.
      if (progress.state === ProgressState.Replicate) progress.becomeProbe();
      return null;
    case MessageType.TransferLeader:
      transferLeader(raft, progress);
      return null;
    default:
      return null;
  }
}

/**
 * Appends proposals and sends them out. A membership change that can't be taken now is replaced by
 * an empty entry, so that the others keep their places.
 */
export function propose(raft: Raft, proposals: readonly Proposal[]): StepError | null {
  assert(proposals.length > 0, "a proposal has at least one entry");
  if (raft.tracker.progress(raft.id) === undefined) return "proposal-dropped";
  if (raft.leadTransferee !== NONE) return "proposal-dropped";

  let taken = proposals;
  const pendingConfIndex = raft.pendingConfIndex;
  for (let i = 0; i < proposals.length; i++) {
    if (proposals[i].type === EntryType.Normal) continue;
    if (confChangeRefusal(raft, proposals[i]) === null) {
      raft.pendingConfIndex = raft.log.lastIndex() + 1 + i;
    } else {
      if (taken === proposals) taken = proposals.slice();
      (taken as Proposal[])[i] = { type: EntryType.Normal, data: NO_DATA };
    }
  }
  if (!appendToOwnLog(raft, taken)) {
    raft.pendingConfIndex = pendingConfIndex;
    return "proposal-dropped";
  }
  bcastAppend(raft);
  return null;
}

/**
 * Appends entries of our term to our own log, to be acknowledged by ourselves once they are durable.
 * False, and no change, if the uncommitted entries would take too much room; empty data always fits,
 * and so does anything if nothing is uncommitted.
 */
export function appendToOwnLog(raft: Raft, proposals: readonly Proposal[]): boolean {
  let sizeBytes = 0;
  for (let i = 0; i < proposals.length; i++) sizeBytes += proposals[i].data.length;
  const total = raft.uncommittedBytes + sizeBytes;
  if (raft.uncommittedBytes > 0 && sizeBytes > 0 && total > raft.config.maxUncommittedBytes) {
    return false;
  }
  raft.uncommittedBytes = total;

  const { term } = raft;
  let index = raft.log.lastIndex();
  for (let i = 0; i < proposals.length; i++) {
    const { type, data } = proposals[i];
    raft.log.unstable.append({ term, index: ++index, type, data });
  }
  const acknowledgement = newMessage(MessageType.AppendResponse, raft.id, raft.id);
  acknowledgement.index = index;
  raft.send(acknowledgement);
  return true;
}

/** Notes that everything up to `index` is applied; leaves a joint configuration if it is time. */
export function applied(raft: Raft, index: LogIndex, sizeBytes: number): void {
  raft.log.appliedTo(Math.max(index, raft.log.applied), sizeBytes);
  leaveJointIfDue(raft);
}

/** Gives up a transfer of leadership. */
export function endTransfer(raft: Raft): void {
  if (raft.leadTransferee === NONE) return;
  raft.leadTransferee = NONE;
  leaveJointIfDue(raft);
}

/**
 * Proposes to leave a joint configuration that is to be left by itself. During a transfer of leadership that is
 * dropped: then the next leader does it, or this one when the transfer has failed. Nothing else might ever be
 * applied that would bring it up again.
 */
function leaveJointIfDue(raft: Raft): void {
  const { role, tracker, log, pendingConfIndex } = raft;
  if (role !== Role.Leader || !tracker.config.autoLeave || log.applied < pendingConfIndex) return;
  propose(raft, [{ type: EntryType.ConfChangeV2, data: NO_DATA }]);
}

function checkQuorum(raft: Raft): void {
  if (!raft.tracker.quorumActive()) raft.becomeFollower(raft.term, NONE);
  for (const progress of raft.tracker.members) {
    if (progress.id !== raft.id) progress.recentActive = false;
  }
}

function handleHeartbeatResponse(raft: Raft, progress: Progress, message: Message): void {
  progress.recentActive = true;
  progress.appendPaused = false;
  // A full window still lets an empty append through, whose answer frees it; and a probed follower
  // that lacks nothing needs one to be seen as replicating again.
  if (progress.match < raft.log.lastIndex() || progress.state === ProgressState.Probe) {
    maybeSendAppend(raft, progress, true);
  }
  if (message.context !== 0) acknowledgeReads(raft, message.from, message.context);
}

function handleSnapshotStatus(progress: Progress, message: Message): void {
  if (progress.state !== ProgressState.Snapshot) return;
  // Probing goes on behind the snapshot only if it arrived.
  if (message.reject) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  // After a success its acknowledgement comes by itself; after a failure the next try can wait for
  // a heartbeat.
  progress.appendPaused = true;
}

function transferLeader(raft: Raft, progress: Progress): void {
  if (progress.isLearner) return;
  const target = progress.id;
  if (raft.leadTransferee === target) return;
  // A new target replaces the old one; ourselves as target only ends it.
  if (target === raft.id) return endTransfer(raft);
  raft.electionElapsed = 0;
  raft.leadTransferee = target;
  if (progress.match === raft.log.lastIndex()) sendTimeoutNow(raft, target);
  else maybeSendAppend(raft, progress, true);
}
