// Linearizable reads without log entries: ReadIndex on the leader, forwarded from followers.
// Never serves a read before the leader has committed in its term, nor (in safe mode) before a quorum
// has confirmed the leadership after the read arrived.
// Source: Raft dissertation §6.4. Confirmations are cumulative: each heartbeat round carries a
// sequence number, and an answer to round n vouches for every read queued up to n.

import type { LogIndex, ReplicaId } from "../base/ids.ts";
import type { Raft } from "./raft.ts";
import { bcastHeartbeat } from "./replication.ts";
import { type Message, MessageType, newMessage, NONE } from "./types.ts";

/** A read that waits for a quorum to confirm the leadership. */
interface PendingRead {
  readonly sequence: number;
  /** The commit index when the read arrived. */
  readonly index: LogIndex;
  readonly from: ReplicaId;
  readonly context: number;
}

/** A read that waits for the leader's first commit in its term. */
interface PostponedRead {
  readonly from: ReplicaId;
  readonly context: number;
}

/** The leader's reads in waiting, oldest first. Emptied whenever the term or the role changes. */
export class ReadQueue {
  /** Sequence of the newest heartbeat round that confirms reads; starts anew with each term. */
  sequence = 0;
  pending: PendingRead[] = [];
  postponed: PostponedRead[] = [];

  get length(): number {
    return this.pending.length + this.postponed.length;
  }

  clear(): void {
    this.sequence = 0;
    if (this.pending.length > 0) this.pending = [];
    if (this.postponed.length > 0) this.postponed = [];
  }
}

/** A leader takes a read, its own or a forwarded one. False if too many are waiting. */
export function leaderRead(raft: Raft, from: ReplicaId, context: number): boolean {
  if (raft.reads.length >= raft.config.maxPendingReads) return false;
  if (!committedInTerm(raft)) {
    raft.reads.postponed.push({ from, context });
  } else {
    startRead(raft, from, context);
  }
  return true;
}

/** To be called when the commit index moved: reads that waited for the term's first commit go on. */
export function releasePostponedReads(raft: Raft): void {
  if (raft.reads.postponed.length === 0 || !committedInTerm(raft)) return;
  const postponed = raft.reads.postponed;
  raft.reads.postponed = [];
  for (const { from, context } of postponed) startRead(raft, from, context);
}

/** Takes a follower's confirmation of all rounds up to `sequence`. */
export function acknowledgeReads(raft: Raft, from: ReplicaId, sequence: number): void {
  const progress = raft.tracker.progress(from);
  if (progress === undefined || sequence <= progress.readAck) return;
  progress.readAck = sequence;
  answerConfirmedReads(raft);
}

/** Answers the reads that a quorum of the present configuration has confirmed. */
export function answerConfirmedReads(raft: Raft): void {
  const pending = raft.reads.pending;
  if (pending.length === 0) return;
  const confirmed = raft.tracker.confirmedRead();
  let done = 0;
  while (done < pending.length && pending[done].sequence <= confirmed) {
    answer(raft, pending[done].from, pending[done].index, pending[done].context);
    done++;
  }
  if (done > 0) raft.reads.pending = pending.slice(done);
}

/** A follower hears from its leader that one of its reads may go on. */
export function handleReadIndexResponse(raft: Raft, message: Message): void {
  raft.readStates.push({ index: message.index, context: message.context });
}

function startRead(raft: Raft, from: ReplicaId, context: number): void {
  const index = raft.log.committed;
  if (raft.config.readOnly === "lease-based") {
    answer(raft, from, index, context);
    return;
  }
  const sequence = ++raft.reads.sequence;
  raft.reads.pending.push({ sequence, index, from, context });
  const self = raft.tracker.progress(raft.id);
  if (self !== undefined) self.readAck = sequence;
  answerConfirmedReads(raft);
  // A sole voter has confirmed itself already.
  if (raft.reads.pending.length > 0) bcastHeartbeat(raft);
}

function answer(raft: Raft, from: ReplicaId, index: LogIndex, context: number): void {
  if (from === NONE || from === raft.id) {
    raft.readStates.push({ index, context });
    return;
  }
  const response = newMessage(MessageType.ReadIndexResponse, from, raft.id);
  response.index = index;
  response.context = context;
  raft.send(response);
}

/** Whether the leader has committed an entry of its own term, and so knows all that is committed. */
function committedInTerm(raft: Raft): boolean {
  return raft.log.term(raft.log.committed) === raft.term;
}
