// Elections: starting one, voting, counting votes.
// Never lets a replica campaign that is no voter or has a committed membership change to apply.
// Source: Raft §5.2, §5.4.1; dissertation §9.6 (pre-vote) and §3.10 (transfer).

import { handleAppendEntries, handleHeartbeat, handleSnapshot } from "./follower.ts";
import type { Raft } from "./raft.ts";
import { bcastAppend } from "./replication.ts";
import { handleQuiesce } from "./quiescence.ts";
import { jointIds, VoteResult } from "./quorum.ts";
import {
  CONTEXT_TRANSFER,
  EntryType,
  type Message,
  MessageType,
  newMessage,
  NONE,
  Role,
  type StepError,
} from "./types.ts";

/** Why a campaign starts. */
export type CampaignKind = "pre-election" | "election" | "transfer";

/** Starts a campaign, if we are in a position to. */
export function hup(raft: Raft, kind: CampaignKind): void {
  if (raft.role === Role.Leader || !raft.promotable()) return;
  // A change that is committed but not applied may have removed us, or changed who decides.
  if (hasUnappliedConfChange(raft)) return;
  campaign(raft, kind);
}

function hasUnappliedConfChange(raft: Raft): boolean {
  const { applied, committed } = raft.log;
  if (applied >= committed) return false;
  return raft.log.some(
    applied + 1,
    committed + 1,
    (entry) => entry.type === EntryType.ConfChange || entry.type === EntryType.ConfChangeV2,
  );
}

function campaign(raft: Raft, kind: CampaignKind): void {
  const pre = kind === "pre-election";
  if (pre) raft.becomePreCandidate();
  else raft.becomeCandidate();
  // A pre-vote asks about the next term without entering it.
  const term = pre ? raft.term + 1 : raft.term;
  const lastIndex = raft.log.lastIndex();
  const lastTerm = raft.log.lastTerm();
  for (const id of jointIds(raft.tracker.config)) {
    if (id === raft.id) {
      // Our own vote counts once it is durable, so it comes back to us as a message.
      const own = newMessage(voteResponseType(pre), id, raft.id);
      own.term = term;
      raft.send(own);
      continue;
    }
    const request = newMessage(pre ? MessageType.PreVote : MessageType.Vote, id, raft.id);
    request.term = term;
    request.index = lastIndex;
    request.logTerm = lastTerm;
    if (kind === "transfer") request.context = CONTEXT_TRANSFER;
    raft.send(request);
  }
}

function voteResponseType(pre: boolean): MessageType {
  return pre ? MessageType.PreVoteResponse : MessageType.VoteResponse;
}

/**
 * Answers a Vote or PreVote. Learners answer too: who asks may know of a promotion that has not
 * reached us, and may depend on our vote.
 */
export function handleVoteRequest(raft: Raft, message: Message): void {
  const pre = message.type === MessageType.PreVote;
  const canVote = raft.vote === message.from ||
    (raft.vote === NONE && raft.leader === NONE) ||
    (pre && message.term > raft.term);
  const response = newMessage(voteResponseType(pre), message.from, raft.id);
  if (canVote && raft.log.isUpToDate(message.index, message.logTerm)) {
    // The request's term, not ours: a granted pre-vote is about a term that we have not entered.
    response.term = message.term;
    raft.send(response);
    if (!pre) {
      raft.electionElapsed = 0;
      raft.vote = message.from;
    }
  } else {
    response.term = raft.term;
    response.reject = true;
    raft.send(response);
  }
}

/** Handles what a candidate or pre-candidate receives. */
export function stepCandidate(raft: Raft, message: Message): StepError | null {
  switch (message.type) {
    case MessageType.Propose:
      return "proposal-dropped";
    case MessageType.Append:
      raft.becomeFollower(message.term, message.from);
      handleAppendEntries(raft, message);
      return null;
    case MessageType.Heartbeat:
      raft.becomeFollower(message.term, message.from);
      handleHeartbeat(raft, message);
      return null;
    case MessageType.Snapshot:
      raft.becomeFollower(message.term, message.from);
      handleSnapshot(raft, message);
      return null;
    case MessageType.Quiesce:
      raft.becomeFollower(message.term, message.from);
      handleQuiesce(raft, message);
      return null;
    case MessageType.VoteResponse:
      // A late answer to our pre-vote, or a vote after we have gone back, is no longer of use.
      if (raft.role === Role.Candidate) countVote(raft, message);
      return null;
    case MessageType.PreVoteResponse:
      if (raft.role === Role.PreCandidate) countVote(raft, message);
      return null;
    default:
      return null;
  }
}

function countVote(raft: Raft, message: Message): void {
  const { result } = raft.tracker.recordVote(message.from, !message.reject);
  if (result === VoteResult.Won) {
    if (raft.role === Role.PreCandidate) {
      campaign(raft, "election");
    } else if (raft.tracker.hasVoted(raft.id)) {
      raft.becomeLeader();
      bcastAppend(raft);
    }
    // Else others elect us before our own term and vote are durable. Leading now, we might send
    // entries of this term, crash, forget the term, be elected by the same votes again and send
    // other entries of the same term and index. So wait for our own vote, which says we can't.
  } else if (result === VoteResult.Lost) {
    // A rejected pre-vote of a higher term never gets here: it has made us a follower already.
    raft.becomeFollower(raft.term, NONE);
  }
}
