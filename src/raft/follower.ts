// What a follower (or a candidate that has found its leader) does with a leader's messages.
// Never changes an entry that is committed; never answers before what it says is durable (raft.send).
// Source: Raft §5.3, §7.

import type { ReplicaId } from "../base/ids.ts";
import { assert } from "../base/assert.ts";
import { hup } from "./election.ts";
import { installSnapshotMembership } from "./membership.ts";
import { handleQuiesce } from "./quiescence.ts";
import type { Raft } from "./raft.ts";
import { handleReadIndexResponse } from "./read_only.ts";
import {
  type Message,
  MessageType,
  newMessage,
  NONE,
  Role,
  type Snapshot,
  type StepError,
} from "./types.ts";

/** Handles what a follower receives. */
export function stepFollower(raft: Raft, message: Message): StepError | null {
  switch (message.type) {
    case MessageType.Propose:
      if (raft.leader === NONE || raft.config.disableProposalForwarding) return "proposal-dropped";
      forward(raft, message);
      return null;
    case MessageType.Append:
      hearLeader(raft, message.from);
      handleAppendEntries(raft, message);
      return null;
    case MessageType.Heartbeat:
      hearLeader(raft, message.from);
      handleHeartbeat(raft, message);
      return null;
    case MessageType.Snapshot:
      hearLeader(raft, message.from);
      handleSnapshot(raft, message);
      return null;
    case MessageType.Quiesce:
      handleQuiesce(raft, message);
      return null;
    case MessageType.TransferLeader:
    case MessageType.ReadIndex:
      if (raft.leader !== NONE) forward(raft, message);
      return null;
    case MessageType.ForgetLeader:
      // A lease-based leader relies on our not voting for anyone else.
      if (raft.config.readOnly !== "lease-based") raft.leader = NONE;
      return null;
    case MessageType.TimeoutNow:
      // The leader itself asks for it, so there is nothing a pre-vote could find out.
      hup(raft, "transfer");
      return null;
    case MessageType.ReadIndexResponse:
      handleReadIndexResponse(raft, message);
      return null;
    default:
      return null;
  }
}

export function hearLeader(raft: Raft, leader: ReplicaId): void {
  raft.electionElapsed = 0;
  raft.leader = leader;
}

/** Passes a message on to the leader, as if it had arisen here. */
function forward(raft: Raft, message: Message): void {
  raft.send({ ...message, to: raft.leader, term: 0 });
}

export function handleAppendEntries(raft: Raft, message: Message): void {
  const response = newMessage(MessageType.AppendResponse, message.from, raft.id);
  if (message.index < raft.log.committed) {
    // Stale: all up to our commit index matches any leader's log.
    response.index = raft.log.committed;
    raft.send(response);
    return;
  }
  const { index, logTerm, entries, commit } = message;
  const lastNew = raft.log.maybeAppend(index, logTerm, entries, commit);
  if (lastNew >= 0) {
    response.index = lastNew;
    raft.send(response);
    return;
  }
  // All the leader has up to there is of its term or older, so nothing newer of ours can match.
  const hint = raft.log.findConflictByTerm(Math.min(index, raft.log.lastIndex()), logTerm);
  response.index = index;
  response.reject = true;
  response.rejectHint = hint.index;
  response.logTerm = hint.term;
  raft.send(response);
}

export function handleHeartbeat(raft: Raft, message: Message): void {
  raft.log.commitTo(message.commit);
  const response = newMessage(MessageType.HeartbeatResponse, message.from, raft.id);
  response.context = message.context;
  raft.send(response);
}

export function handleSnapshot(raft: Raft, message: Message): void {
  const installed = message.snapshot !== null && restore(raft, message.snapshot);
  const response = newMessage(MessageType.AppendResponse, message.from, raft.id);
  response.index = installed ? raft.log.lastIndex() : raft.log.committed;
  raft.send(response);
}

/** Replaces log and configuration by a snapshot; false if it has nothing for us. */
function restore(raft: Raft, snapshot: Snapshot): boolean {
  const { index, term, confState } = snapshot.metadata;
  if (index <= raft.log.committed) return false;
  assert(raft.role === Role.Follower, "only a follower takes a snapshot");
  const { voters, learners, votersOutgoing } = confState;
  // Much here relies on our being a member, so a snapshot from before we were is not for us.
  if (![voters, learners, votersOutgoing].some((ids) => ids.includes(raft.id))) return false;
  if (raft.log.matchTerm(index, term)) {
    // We have all of it; only that it is committed is news.
    raft.log.commitTo(index);
    return false;
  }
  raft.log.restore(snapshot);
  installSnapshotMembership(raft, snapshot.metadata);
  return true;
}
