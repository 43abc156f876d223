// What a leader sends to bring others up to date: appends, snapshots, heartbeats; and what it makes of
// their answers. Never sends entries beyond a follower's in-flight window.
// Source: Raft §5.3, §7; flow control as in etcd-raft.

import { assert } from "../base/assert.ts";
import type { ReplicaId } from "../base/ids.ts";
import { type Progress, ProgressState } from "./progress.ts";
import type { Raft } from "./raft.ts";
import { releasePostponedReads } from "./read_only.ts";
import { payloadSizeBytes } from "./size.ts";
import { UNKNOWN_TERM } from "./storage.ts";
import { type Message, MessageType, newMessage, NO_ENTRIES } from "./types.ts";

/** Sends everyone what they lack, an empty append at least, as far as flow control lets it. */
export function bcastAppend(raft: Raft): void {
  const members = raft.tracker.members;
  for (let i = 0; i < members.length; i++) {
    if (members[i].id !== raft.id) maybeSendAppend(raft, members[i], true);
  }
}

/**
 * Sends one append (or a snapshot, if what is needed is compacted away), unless flow control forbids
 * or there are no entries and `evenIfEmpty` is false. Returns whether anything was sent.
 */
export function maybeSendAppend(raft: Raft, progress: Progress, evenIfEmpty: boolean): boolean {
  if (progress.paused()) return false;
  const prevIndex = progress.next - 1;
  const prevTerm = raft.log.term(prevIndex);
  if (prevTerm === UNKNOWN_TERM) return maybeSendSnapshot(raft, progress);

  // With a full window only empty appends go out. They are answered, which frees the window even if
  // everything in it was lost.
  const entries = progress.state === ProgressState.Replicate && progress.inflights.full()
    ? NO_ENTRIES
    : raft.log.entriesFrom(progress.next, raft.config.maxMessageBytes);
  if (entries === null) return maybeSendSnapshot(raft, progress);
  if (entries.length === 0 && !evenIfEmpty) return false;

  const message = newMessage(MessageType.Append, progress.id, raft.id);
  message.index = prevIndex;
  message.logTerm = prevTerm;
  message.entries = entries;
  message.commit = raft.log.committed;
  raft.send(message);
  progress.sentEntries(entries.length, payloadSizeBytes(entries));
  progress.sentCommit = raft.log.committed;
  return true;
}

function maybeSendSnapshot(raft: Raft, progress: Progress): boolean {
  // No use in shipping a snapshot to someone who is not there.
  if (!progress.recentActive) return false;
  const snapshot = raft.log.snapshot(progress.id);
  if (snapshot === null) return false;
  assert(snapshot.metadata.index > 0, "a compacted log has a snapshot of what is gone");
  progress.becomeSnapshot(snapshot.metadata.index);
  const message = newMessage(MessageType.Snapshot, progress.id, raft.id);
  message.snapshot = snapshot;
  raft.send(message);
  return true;
}

/** Sends everyone a heartbeat that also confirms the reads in waiting. */
export function bcastHeartbeat(raft: Raft): void {
  const context = raft.reads.pending.length > 0 ? raft.reads.sequence : 0;
  const members = raft.tracker.members;
  for (let i = 0; i < members.length; i++) {
    const progress = members[i];
    if (progress.id === raft.id) continue;
    const message = newMessage(MessageType.Heartbeat, progress.id, raft.id);
    // Not beyond what is known to match: the follower's log may differ there.
    message.commit = Math.min(progress.match, raft.log.committed);
    message.context = context;
    raft.send(message);
    progress.sentCommit = message.commit;
  }
}

/** Commits what a quorum has; whether that was anything new. Reads that waited for it go on. */
export function maybeCommit(raft: Raft): boolean {
  if (!raft.log.maybeCommit(raft.tracker.committedIndex(), raft.term)) return false;
  releasePostponedReads(raft);
  return true;
}

/** Handles an answer to an append, a follower's or our own log's. */
export function handleAppendResponse(raft: Raft, progress: Progress, message: Message): void {
  progress.recentActive = true;
  if (message.reject) handleRejection(raft, progress, message);
  else handleAcknowledgement(raft, progress, message);
}

/**
 * Goes back to where the logs may meet. The follower names the last index it has with a term no
 * higher than ours there; we skip what we have with a higher term still. So each round skips at
 * least a whole term (Raft §5.3, last paragraphs, from both sides).
 */
function handleRejection(raft: Raft, progress: Progress, message: Message): void {
  const hint = message.logTerm > 0
    ? raft.log.findConflictByTerm(message.rejectHint, message.logTerm).index
    : message.rejectHint;
  if (!progress.maybeDecrease(message.index, hint)) return;
  if (progress.state === ProgressState.Replicate) progress.becomeProbe();
  maybeSendAppend(raft, progress, true);
}

function handleAcknowledgement(raft: Raft, progress: Progress, message: Message): void {
  const news = progress.maybeUpdate(message.index);
  // An old index is still of use from a probed follower: it says that the logs meet.
  const met = progress.match === message.index && progress.state === ProgressState.Probe;
  if (!news && !met) return;

  switch (progress.state) {
    case ProgressState.Probe:
      progress.becomeReplicate();
      break;
    case ProgressState.Snapshot:
      // Whatever snapshot it was: once our log reaches on from there, appends can take over.
      if (progress.match + 1 >= raft.log.firstIndex()) {
        progress.becomeProbe();
        progress.becomeReplicate();
      }
      break;
    case ProgressState.Replicate:
      progress.inflights.freeThrough(message.index);
      break;
  }

  if (maybeCommit(raft)) {
    bcastAppend(raft);
  } else if (progress.id !== raft.id && progress.canBumpCommit(raft.log.committed)) {
    maybeSendAppend(raft, progress, true);
  }
  if (progress.id === raft.id) return;
  // The window may have room for several messages now.
  while (maybeSendAppend(raft, progress, false));
  if (progress.id === raft.leadTransferee && progress.match === raft.log.lastIndex()) {
    sendTimeoutNow(raft, progress.id);
  }
}

/** Tells the target of a transfer, which has all we have, to campaign at once. */
export function sendTimeoutNow(raft: Raft, to: ReplicaId): void {
  raft.send(newMessage(MessageType.TimeoutNow, to, raft.id));
}
