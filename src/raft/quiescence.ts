// Quiescence: a group in which everyone has everything stops its clocks until something wakes it, so
// that idle groups cost nothing. Must never put a replica to sleep that lacks anything, and has no part
// in safety: a sleeping leader still needs its quorum for every read and write.
// Source: CockroachDB's quiescence and TiKV's hibernating regions; the conditions are RULES 12.

import { handleHeartbeat, hearLeader } from "./follower.ts";
import type { Raft } from "./raft.ts";
import { type Message, MessageType, newMessage, NONE, Role } from "./types.ts";

/**
 * Puts the whole group to sleep, if we lead it and everyone in the configuration has all of our log, is
 * there, and nothing is pending here. False, and no change, otherwise. The caller makes sure that its
 * links to all members work, and wakes the group when one of them breaks.
 */
export function quiesce(raft: Raft): boolean {
  if (!mayQuiesce(raft)) return false;
  const index = raft.log.lastIndex();
  const logTerm = raft.log.lastTerm();
  for (const progress of raft.tracker.members) {
    if (progress.id === raft.id) continue;
    const message = newMessage(MessageType.Quiesce, progress.id, raft.id);
    message.index = index;
    message.logTerm = logTerm;
    message.commit = index;
    raft.send(message);
    progress.sentCommit = index;
  }
  raft.quiescent = true;
  return true;
}

function mayQuiesce(raft: Raft): boolean {
  if (raft.role !== Role.Leader || raft.leadTransferee !== NONE) return false;
  if (raft.reads.length > 0 || raft.tracker.config.outgoing.length > 0) return false;
  // Having applied everything includes every membership change in the log.
  if (!isSettled(raft)) return false;
  const last = raft.log.lastIndex();
  return raft.tracker.members.every((progress) =>
    progress.match === last && (progress.id === raft.id || progress.recentActive)
  );
}

/** Whether all of our log is durable, committed and applied. */
function isSettled(raft: Raft): boolean {
  const { log } = raft;
  const last = log.lastIndex();
  return log.committed === last && log.applied === last && log.unstable.snapshot === null &&
    log.unstable.length === 0;
}

/** A follower sleeps if its log ends where its leader's does; else it answers, which wakes the leader. */
export function handleQuiesce(raft: Raft, message: Message): void {
  hearLeader(raft, message.from);
  const { log } = raft;
  if (
    isSettled(raft) && log.lastIndex() === message.index && log.lastTerm() === message.logTerm
  ) {
    raft.quiescent = true;
  } else handleHeartbeat(raft, message);
}

/** Whether taking `message` ends the sleep: everything from others, and every local wish. */
export function isWaking(raft: Raft, message: Message): boolean {
  switch (message.type) {
    case MessageType.Quiesce:
    case MessageType.StorageAppendResponse:
    case MessageType.StorageApplyResponse:
      return false;
    default:
      // What comes from our own log is the end of something that began before.
      return message.from !== raft.id || message.type !== MessageType.AppendResponse;
  }
}

/** Ends the sleep. A leader says so at its next tick, and counts who answers from now on. */
export function wake(raft: Raft): void {
  if (!raft.quiescent) return;
  raft.quiescent = false;
  if (raft.role !== Role.Leader) return;
  raft.electionElapsed = 0;
  raft.heartbeatElapsed = raft.config.heartbeatTicks;
}

/** A follower that woke without its leader lets that know, so that it is not left waiting for a word. */
export function greetLeader(raft: Raft): void {
  if (raft.role !== Role.Follower || raft.leader === NONE || raft.leader === raft.id) return;
  raft.send(newMessage(MessageType.HeartbeatResponse, raft.leader, raft.id));
}
