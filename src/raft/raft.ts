// One replica's consensus state and the transitions between roles. Input comes in through `step` and
// `tick`, output gathers in `messages`, `messagesAfterAppend`, `readStates` and the log.
// No I/O, no clock, no randomness of its own. Internal to src/raft: others use RawNode.
// Source: Raft §5; PreVote and CheckQuorum from the dissertation §6.2, §9.6; semantics of etcd-raft.

import { assert } from "../base/assert.ts";
import type { LogIndex, ReplicaId, Term } from "../base/ids.ts";
import { type Membership, restoreMembership } from "./changer.ts";
import { type RaftConfig, resolveConfig, type ResolvedConfig } from "./config.ts";
import { handleVoteRequest, hup, stepCandidate } from "./election.ts";
import { stepFollower } from "./follower.ts";
import { appendToOwnLog, applied, endTransfer, stepLeader } from "./leader.ts";
import { RaftLog } from "./log.ts";
import { installMembership, sameConfState } from "./membership.ts";
import { greetLeader, isWaking, wake } from "./quiescence.ts";
import { ReadQueue } from "./read_only.ts";
import { entriesSizeBytes, payloadSizeBytes } from "./size.ts";
import { Tracker } from "./tracker.ts";
import {
  CONTEXT_TRANSFER,
  EntryType,
  type Message,
  MessageType,
  newMessage,
  NO_DATA,
  NONE,
  type ReadState,
  Role,
  type StepError,
} from "./types.ts";

export class Raft {
  readonly id: ReplicaId;
  readonly config: ResolvedConfig;
  readonly log: RaftLog;
  /** Progress is only meaningful on a leader; the configuration is everywhere. */
  readonly tracker: Tracker;
  readonly reads = new ReadQueue();

  term: Term = 0;
  vote: ReplicaId = NONE;
  role: Role = Role.Follower;
  leader: ReplicaId = NONE;
  /** Target of a transfer under way; meanwhile proposals are dropped. */
  leadTransferee: ReplicaId = NONE;
  /**
   * *Invariant on a leader:* no membership change is in the log beyond this index. A new one is let
   * in only once this much is applied.
   */
  pendingConfIndex: LogIndex = 0;
  /** Index of the last snapshot taken from a leader: changes up to there are in its configuration. */
  snapshotConfIndex: LogIndex = 0;
  /** What was active before that snapshot, until it is installed: for entries still being applied. */
  supersededMembership: Membership | null = null;
  /** Data bytes of our uncommitted entries; may be below the truth, never above. */
  uncommittedBytes = 0;
  /** Asleep: no ticks are wanted until something wakes us (quiescence.ts). */
  quiescent = false;

  /** Ticks since the last election timeout (leader) or the leader's last word (others). */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** In [electionTicks, 2 * electionTicks), drawn anew with each change of term or role. */
  randomizedElectionTicks = 0;

  /** To be sent at once; never to ourselves. */
  messages: Message[] = [];
  /** To be sent when all that is unstable now is durable. May be to ourselves. */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];

  constructor(config: RaftConfig) {
    this.config = resolveConfig(config);
    this.id = this.config.id;
    this.log = new RaftLog(this.config.storage, this.config.maxApplyingBytes);
    this.tracker = new Tracker(this.config.maxInflightMessages, this.config.maxInflightBytes);

    const { hardState, confState } = this.config.storage.initialState();
    const membership = restoreMembership(confState, this.tracker, this.log.lastIndex());
    const restored = installMembership(this, membership);
    assert(sameConfState(restored, confState), "the initial configuration is not well-formed");

    this.term = hardState.term;
    this.vote = hardState.vote;
    // Only what is committed gets into a snapshot or a state machine, and either may be on disk before
    // the note of the commit index is.
    const commit = Math.max(hardState.commit, this.log.committed, this.config.applied);
    assert(
      commit <= this.log.lastIndex(),
      `${commit} is committed, but the log ends at ${this.log.lastIndex()}: it was truncated or lost`,
    );
    this.log.committed = commit;
    if (this.config.applied > 0) this.log.appliedTo(this.config.applied, 0);
    this.becomeFollower(this.term, NONE);
  }

  /**
   * Queues a message. Its term is filled in except for elections, where the caller sets it, and for
   * what is forwarded to a leader, which is local to whoever handles it.
   */
  send(message: Message): void {
    if (message.from === NONE) message.from = this.id;
    switch (message.type) {
      case MessageType.Vote:
      case MessageType.PreVote:
      case MessageType.VoteResponse:
      case MessageType.PreVoteResponse:
        assert(message.term !== 0, "a message of an election must carry its term");
        break;
      case MessageType.Propose:
      case MessageType.ReadIndex:
        assert(message.term === 0, "what is forwarded to a leader carries no term");
        break;
      default:
        assert(message.term === 0, "the term is filled in when a message is sent");
        message.term = this.term;
    }
    // A vote or an acknowledgement must not be heard of before what it rests on is durable (Raft
    // §3.8 of the dissertation). Rejections wait as well: they may rest on unsynced state too.
    switch (message.type) {
      case MessageType.AppendResponse:
      case MessageType.VoteResponse:
      case MessageType.PreVoteResponse:
        this.messagesAfterAppend.push(message);
        break;
      default:
        assert(message.to !== this.id, "only acknowledgements and votes go to oneself");
        this.messages.push(message);
    }
  }

  /** Starts a term, or a role within one, from scratch. */
  reset(term: Term): void {
    assert(term >= this.term, "terms never run back");
    if (term !== this.term) {
      this.term = term;
      this.vote = NONE;
    }
    this.leader = NONE;
    this.quiescent = false;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.drawElectionTimeout();
    this.leadTransferee = NONE;
    this.tracker.resetVotes();
    this.tracker.resetProgress(this.id, this.log.lastIndex());
    this.pendingConfIndex = 0;
    this.uncommittedBytes = 0;
    this.reads.clear();
  }

  drawElectionTimeout(): void {
    const { electionTicks, random } = this.config;
    this.randomizedElectionTicks = electionTicks + random(electionTicks);
  }

  becomeFollower(term: Term, leader: ReplicaId): void {
    this.reset(term);
    this.leader = leader;
    this.role = Role.Follower;
  }

  becomeCandidate(): void {
    assert(this.role !== Role.Leader, "a leader never becomes a candidate");
    this.reset(this.term + 1);
    this.vote = this.id;
    this.role = Role.Candidate;
  }

  /** Changes neither term nor vote. */
  becomePreCandidate(): void {
    assert(this.role !== Role.Leader, "a leader never becomes a pre-candidate");
    this.tracker.resetVotes();
    this.leader = NONE;
    this.role = Role.PreCandidate;
  }

  becomeLeader(): void {
    assert(this.role === Role.Candidate, "only a candidate becomes leader");
    this.reset(this.term);
    this.leader = this.id;
    this.role = Role.Leader;
    const self = this.tracker.progress(this.id);
    assert(self !== undefined, "a leader is elected from among the members");
    self.becomeReplicate();
    self.recentActive = true;
    // A membership change may be among the entries we found; until all of them are applied we take
    // no other. Scanning for one would cost more.
    this.pendingConfIndex = this.log.lastIndex();
    // Raft §8: an entry of our own term, to learn what is committed.
    const accepted = appendToOwnLog(this, [{ type: EntryType.Normal, data: NO_DATA }]);
    assert(accepted, "an empty entry is never refused");
  }

  /** Whether we may campaign: a voter, as far as we know, with no snapshot to install. */
  promotable(): boolean {
    const self = this.tracker.progress(this.id);
    return self !== undefined && !self.isLearner && this.log.unstable.snapshot === null;
  }

  /** One step of logical time. */
  tick(): void {
    assert(!this.quiescent, "a sleeping group has no clock");
    this.electionElapsed++;
    if (this.role !== Role.Leader) {
      if (this.promotable() && this.electionElapsed >= this.randomizedElectionTicks) {
        this.electionElapsed = 0;
        this.#stepLocal(MessageType.Hup);
      }
      return;
    }
    this.heartbeatElapsed++;
    if (this.electionElapsed >= this.config.electionTicks) {
      this.electionElapsed = 0;
      if (this.config.checkQuorum) this.#stepLocal(MessageType.CheckQuorum);
      // A transfer that takes longer than an election has failed (dissertation §3.10).
      endTransfer(this);
    }
    if (this.role === Role.Leader && this.heartbeatElapsed >= this.config.heartbeatTicks) {
      this.heartbeatElapsed = 0;
      this.#stepLocal(MessageType.Beat);
    }
  }

  #stepLocal(type: MessageType): void {
    this.step(newMessage(type, this.id, this.id));
  }

  /** Takes one input. The message must not be changed by the caller afterwards. */
  step(message: Message): StepError | null {
    if (this.quiescent && isWaking(this, message)) {
      wake(this);
      // Others' words, such as one that comes late, don't reach a leader that sleeps on.
      if (message.from !== this.leader && message.from !== this.id) greetLeader(this);
    }
    if (message.term > this.term) {
      if (!this.#acceptHigherTerm(message)) return null;
    } else if (message.term !== 0 && message.term < this.term) {
      this.#stepLowerTerm(message);
      return null;
    }
    switch (message.type) {
      case MessageType.Hup:
        hup(this, this.config.preVote ? "pre-election" : "election");
        return null;
      case MessageType.StorageAppendResponse:
        if (message.index !== 0) this.log.unstable.stableTo(message.index, message.logTerm);
        this.#snapshotInstalled(message);
        return null;
      case MessageType.StorageApplyResponse:
        this.#entriesApplied(message);
        return null;
      case MessageType.Vote:
      case MessageType.PreVote:
        handleVoteRequest(this, message);
        return null;
    }
    switch (this.role) {
      case Role.Leader:
        return stepLeader(this, message);
      case Role.Follower:
        return stepFollower(this, message);
      default:
        return stepCandidate(this, message);
    }
  }

  /** Moves to the message's higher term if it is of a kind to do so; false to ignore the message. */
  #acceptHigherTerm(message: Message): boolean {
    const { type } = message;
    if (type === MessageType.Vote || type === MessageType.PreVote) {
      const inLease = this.config.checkQuorum && this.leader !== NONE &&
        this.electionElapsed < this.config.electionTicks;
      // Within the minimum election timeout of a leader's word, elections are ignored (Raft §6).
      if (inLease && message.context !== CONTEXT_TRANSFER) return false;
    }
    if (type === MessageType.PreVote) return true;
    // A granted pre-vote carries the term we would campaign for; only winning brings us there.
    if (type === MessageType.PreVoteResponse && !message.reject) return true;
    const fromLeader = type === MessageType.Append || type === MessageType.Heartbeat ||
      type === MessageType.Snapshot || type === MessageType.Quiesce;
    this.becomeFollower(message.term, fromLeader ? message.from : NONE);
    return true;
  }

  #stepLowerTerm(message: Message): void {
    const { type } = message;
    const { checkQuorum, preVote } = this.config;
    if (
      (checkQuorum || preVote) &&
      (type === MessageType.Heartbeat || type === MessageType.Append ||
        type === MessageType.Quiesce)
    ) {
      // With either option our higher term would not reach that leader by our campaigning, as our
      // votes are ignored while it is in touch with a quorum. So answer, and let it step down.
      this.send(newMessage(MessageType.AppendResponse, message.from, this.id));
    } else if (type === MessageType.PreVote) {
      // Tell a pre-candidate that lags behind, or two of them may wait for each other for ever.
      const response = newMessage(MessageType.PreVoteResponse, message.from, this.id);
      response.term = this.term;
      response.reject = true;
      this.send(response);
    } else if (type === MessageType.StorageAppendResponse) {
      // The entries may have been replaced in a later term, with that write still on its way (ABA),
      // so they don't count as stable. A snapshot is of committed state and stands in any term.
      this.#snapshotInstalled(message);
    }
  }

  #snapshotInstalled(message: Message): void {
    if (message.snapshot === null) return;
    const { index } = message.snapshot.metadata;
    this.log.unstable.stableSnapshotTo(index);
    if (this.log.unstable.snapshot === null) this.supersededMembership = null;
    applied(this, index, 0);
  }

  #entriesApplied(message: Message): void {
    const { entries } = message;
    if (entries.length === 0) return;
    applied(this, entries[entries.length - 1].index, entriesSizeBytes(entries));
    // May underestimate what is uncommitted, never overestimate it.
    this.uncommittedBytes = Math.max(0, this.uncommittedBytes - payloadSizeBytes(entries));
  }
}
