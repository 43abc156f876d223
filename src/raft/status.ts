// A replica's state for operators and tests. A copy: reading or keeping it changes nothing.

import type { LogIndex, ReplicaId, Term } from "../base/ids.ts";
import type { Progress, ProgressState } from "./progress.ts";
import type { Raft } from "./raft.ts";
import type { Config } from "./tracker.ts";
import { Role } from "./types.ts";

/** A leader's view of one replica. */
export interface ProgressStatus {
  readonly id: ReplicaId;
  /** Highest index known to be durable there and to match. */
  readonly match: LogIndex;
  /** Next index to send. */
  readonly next: LogIndex;
  readonly state: ProgressState;
  readonly isLearner: boolean;
  /** Whether it was heard of since the last quorum check. */
  readonly recentActive: boolean;
  /** Whether nothing is sent until it answers. */
  readonly paused: boolean;
  /** Index of the snapshot on its way, or 0. */
  readonly pendingSnapshot: LogIndex;
  /** Appends on their way. */
  readonly inflightMessages: number;
  readonly inflightFull: boolean;
}

export interface Status {
  readonly id: ReplicaId;
  readonly term: Term;
  readonly vote: ReplicaId;
  readonly role: Role;
  readonly leader: ReplicaId;
  readonly leadTransferee: ReplicaId;
  readonly committed: LogIndex;
  readonly applied: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly config: Config;
  /** Everyone in the configuration, ascending by id; empty unless we lead. */
  readonly progress: readonly ProgressStatus[];
}

export function statusOf(raft: Raft): Status {
  return {
    id: raft.id,
    term: raft.term,
    vote: raft.vote,
    role: raft.role,
    leader: raft.leader,
    leadTransferee: raft.leadTransferee,
    committed: raft.log.committed,
    applied: raft.log.applied,
    firstIndex: raft.log.firstIndex(),
    lastIndex: raft.log.lastIndex(),
    config: raft.tracker.config,
    progress: raft.role === Role.Leader ? raft.tracker.members.map(progressStatus) : [],
  };
}

export function progressStatus(progress: Progress): ProgressStatus {
  return {
    id: progress.id,
    match: progress.match,
    next: progress.next,
    state: progress.state,
    isLearner: progress.isLearner,
    recentActive: progress.recentActive,
    paused: progress.paused(),
    pendingSnapshot: progress.pendingSnapshot,
    inflightMessages: progress.inflights.count,
    inflightFull: progress.inflights.full(),
  };
}
