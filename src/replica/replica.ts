// Drives one Raft group's replica: turns the core's effects into log appends, messages and applies, and
// carries proposals and reads through it. Owns the order of effects; it must never let a message that
// rests on a disk write leave before that write is durable, nor apply an entry twice.

import { assert } from "../base/assert.ts";
import type { LogIndex, PartitionId, ReplicaId, Term } from "../base/ids.ts";
import {
  APPEND_INFLIGHT_BYTES_MAX,
  APPEND_INFLIGHT_MAX,
  APPEND_SIZE_BYTES_MAX,
  COMMITTED_SIZE_PER_READY_BYTES_MAX,
  PROPOSAL_QUEUE_BYTES_MAX,
  REQUESTS_IN_FLIGHT_MAX,
  UNCOMMITTED_SIZE_BYTES_MAX,
} from "../base/limits.ts";
import {
  type AnyConfChange,
  decodeConfChange,
  decodeConfChangeV2,
  EntryType,
  type HardState,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type Message,
  MessageType,
  NO_DATA,
  NONE,
  RawNode,
  type Ready,
  Role,
} from "../raft/mod.ts";
import { CommitNotices } from "./commit_notices.ts";
import type { AppliedConfiguration } from "./configuration.ts";
import { DurableOrder } from "./durable_order.ts";
import type { SnapshotFile } from "./log_port.ts";
import type { StateMachine } from "./machine.ts";
import type { EndReason, ReplicaOptions } from "./options.ts";
import type { RoundMember } from "./proposal_rounds.ts";
import { type ProposalOutcome, Proposals } from "./proposals.ts";
import { type ReadOutcome, Reads } from "./reads.ts";
import { Snapshotting } from "./snapshotting.ts";
import { StateLoading } from "./state_loading.ts";
import { type RecoveredLog, WindowStorage } from "./window_storage.ts";
import { WorkTimes } from "./work_times.ts";

/** Ticks without word from a leader before a follower campaigns; drawn from [n, 2n). */
export const ELECTION_TICKS = 10;
/** Ticks between a leader's heartbeats. */
export const HEARTBEAT_TICKS = 2;
/** Ticks without proposals, reads or news after which a leader puts its group to sleep. */
export const IDLE_TICKS = 10;
/** After a link to the leader broke: longest random wait before campaigning. */
const LINK_LOSS_CAMPAIGN_MS_MAX = 120;
/** Longest stretch of one group's work before the others get their turn. */
const TURN_MS_MAX = 4;

export class Replica<Result = unknown> {
  readonly group: PartitionId;
  readonly id: ReplicaId;
  readonly machine: StateMachine<Result>;
  readonly times = new WorkTimes();
  readonly #core: RawNode;
  readonly #storage: WindowStorage;
  readonly #options: ReplicaOptions<Result>;
  readonly #proposals: Proposals<Result | undefined>;
  readonly #reads: Reads;
  /** Wall clocks of the voters that granted their vote in `#grantTerm`, and when they were told of, monotonic. */
  readonly #grants = new Map<ReplicaId, { readonly wallMs: number; readonly heardMs: number }>();
  #grantTerm: Term = 0;
  #configuration: AppliedConfiguration;
  /** The entry that tells a quorum of `#configuration`. */
  #confirming: { confIndex: LogIndex; term: Term; index: LogIndex } | undefined;
  readonly #member: RoundMember;
  readonly #notices: CommitNotices;
  /** Term and vote as last handed to the log. */
  #durable: HardState;
  #appliedIndex: LogIndex;
  #appliedTerm: Term;
  #role: Role = Role.Follower;
  #leader: ReplicaId = NONE;
  #term: Term;
  readonly #loading: StateLoading;
  readonly #order = new DurableOrder((responses) => this.#deliver(responses));
  /** The newest snapshot that replaced the log in this life. */
  #restoredIndex: LogIndex = 0;
  #awaitingSnapshot: boolean;
  readonly #snapshotting: Snapshotting;
  /** Ticks since the last proposal, read or news. */
  #idleTicks = 0;
  /** As last told to the observer. */
  #asleep = false;
  #stopped = false;
  #endReason: EndReason = "stopping";

  /** `recovered` is no option: kept, it would hold every replayed entry for as long as the replica lives. */
  constructor(options: ReplicaOptions<Result>, recovered: RecoveredLog) {
    this.#options = options;
    this.group = options.group;
    this.id = options.id;
    this.machine = options.machine;
    this.#proposals = new Proposals(PROPOSAL_QUEUE_BYTES_MAX);
    this.#reads = new Reads(REQUESTS_IN_FLIGHT_MAX);
    this.#notices = new CommitNotices(options.notices, (message) => {
      options.links.send(message.to, message);
    });
    this.#configuration = recovered.snapshot.configuration;
    this.#appliedIndex = recovered.snapshot.index;
    this.#appliedTerm = recovered.snapshot.term;
    this.#term = recovered.hardState.term;
    this.#durable = recovered.hardState;
    this.#awaitingSnapshot = options.awaitingSnapshot;
    this.#member = { wake: options.wake, join: options.join };
    this.#loading = new StateLoading(
      options.machine,
      options.snapshots,
      options.clock,
      (reason, cause) => options.onFatal(`Group ${options.group}: ${reason}`, cause),
      options.awaitingSnapshot,
    );
    this.#storage = new WindowStorage(recovered, options.snapshots, () => {
      // Whom the one that is being written does not help asks again.
      if (!this.#snapshotting.writing) this.#snapshotting.want();
    });
    this.#snapshotting = new Snapshotting(options, {
      machine: options.machine,
      point: () => ({
        index: this.#appliedIndex,
        term: this.#appliedTerm,
        configuration: this.#configuration,
      }),
      serving: () => this.serving,
      stopped: () => this.#stopped,
      term: () => this.#term,
      sent: (to, delivered) => this.#core.reportSnapshot(to, delivered),
    });
    this.#core = new RawNode({
      id: options.id,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: HEARTBEAT_TICKS,
      storage: this.#storage,
      applied: recovered.snapshot.index,
      asyncStorageWrites: true,
      maxMessageBytes: APPEND_SIZE_BYTES_MAX,
      maxApplyingBytes: COMMITTED_SIZE_PER_READY_BYTES_MAX,
      maxUncommittedBytes: UNCOMMITTED_SIZE_BYTES_MAX,
      maxInflightMessages: APPEND_INFLIGHT_MAX,
      maxInflightBytes: APPEND_INFLIGHT_BYTES_MAX,
      checkQuorum: true,
      preVote: true,
      disableProposalForwarding: true,
      readOnly: "safe",
      stepDownOnRemoval: true,
      random: (bound: number) => options.random.int(bound),
    });
    const { disableProposalForwarding, readOnly } = this.#core.config;
    assert(disableProposalForwarding, "the node routes by itself: the core forwards no proposal");
    assert(readOnly === "safe", "no read rests on a clock");
  }

  get appliedIndex(): LogIndex {
    return this.#appliedIndex;
  }

  get configuration(): AppliedConfiguration {
    return this.#configuration;
  }

  get term(): Term {
    return this.#term;
  }

  /** Who leads, as far as this replica knows; NONE if nobody. */
  get leader(): ReplicaId {
    return this.#leader;
  }

  get isLeader(): boolean {
    return this.#role === Role.Leader;
  }

  /** Whether the machine's state is whole (not being loaded, not damaged). */
  get serving(): boolean {
    return !this.#loading.holds && !this.#stopped;
  }

  /** Whether it takes no further input. */
  get ended(): boolean {
    return this.#stopped;
  }

  /** Whether it has applied a configuration that it is in: before that its state may be of any age. */
  get admitted(): boolean {
    const { voters, votersOutgoing, learners, learnersNext } = this.#configuration.confState;
    return [voters, votersOutgoing, learners, learnersNext].some((ids) => ids.includes(this.id));
  }

  /** Proposals whose outcome is open. */
  get pendingProposals(): number {
    return this.#proposals.queued + this.#proposals.waiting;
  }

  /** Reads that may not be served yet. */
  get pendingReads(): number {
    return this.#reads.pending;
  }

  /** Whether the group sleeps: nothing is wanted of it, and it is not ticked. */
  get asleep(): boolean {
    return this.#core.quiescent;
  }

  get awaitingSnapshot(): boolean {
    return this.#awaitingSnapshot;
  }

  /** Bytes of log since the last snapshot. */
  get logBytes(): number {
    return this.#options.log.bytesSinceSnapshot;
  }

  /** The core, for status only. */
  get core(): RawNode {
    return this.#core;
  }

  /**
   * What the wall clocks of the quorum that elected this leader show now, at least; own one included
   * (RULES 18). A vote waits here while the own one is synced: left at what its clock showed when it was
   * given, partition time would fall behind by that, and keys would lose it again at the next election.
   */
  electorWallMs(ownWallMs: number): number[] {
    const nowMs = this.#options.clock.monotonicMs();
    const grants = [...this.#grants.values()];
    return [ownWallMs, ...grants.map(({ wallMs, heardMs }) => wallMs + nowMs - heardMs)];
  }

  /** Takes a message from a peer. `wallMs` is the sender's wall clock. */
  step(message: Message, wallMs: number): void {
    if (this.#stopped) return;
    assert(message.to === this.id, `message for ${message.to} came to ${this.id}`);
    if (message.type === MessageType.TimeoutNow && !this.serving) return;
    if (message.type === MessageType.VoteResponse && !message.reject) {
      if (message.term !== this.#grantTerm) this.#grants.clear();
      this.#grantTerm = message.term;
      // Votes that come after the quorum did not elect, so their clocks do not count.
      if (this.#core.role !== Role.Leader) {
        this.#grants.set(message.from, { wallMs, heardMs: this.#options.clock.monotonicMs() });
      }
    }
    if (message.type === MessageType.Quiesce && !(this.#isRestful() && this.#options.maySleep())) {
      // As a heartbeat it is answered, and the answer keeps the leader awake. One that comes late, from
      // a leader whose links have broken since, must not put anybody to sleep.
      this.#core.step({ ...message, type: MessageType.Heartbeat, index: 0, logTerm: 0 });
    } else {
      if (!isPulse(message.type)) this.#idleTicks = 0;
      this.#core.step(message);
    }
    this.#options.wake();
  }

  /** One tick of the node's shared clock. */
  tick(): void {
    if (this.#stopped) return;
    if (this.#core.quiescent) return;
    if (!this.serving && !this.isLeader) return; // neither campaigns until its state is whole
    if (!this.#fallAsleep()) this.#core.tick();
    const nowMs = this.#options.clock.monotonicMs();
    this.#proposals.expire(nowMs);
    this.#reads.expire(nowMs);
    this.#options.wake();
  }

  /** A leader whose group has been idle for a while puts it to sleep (RULES 12), if it can. */
  #fallAsleep(): boolean {
    if (!this.isLeader || ++this.#idleTicks < IDLE_TICKS) return false;
    return this.#isRestful() && this.#options.maySleep() && this.#core.quiesce();
  }

  /** Whether nothing here waits for anything that only a tick or a message would bring. */
  #isRestful(): boolean {
    return this.serving && !this.#snapshotting.writing &&
      this.#proposals.queued === 0 && this.#proposals.waiting === 0 && this.#reads.pending === 0 &&
      this.#appliedIndex === this.#core.committed;
  }

  /**
   * The node of replica `id` may be gone, has restarted, or can't be heard: a sleeping group wakes, and
   * if `id` led it, waits for a leader anew (RULES 12). No effect on one that is awake.
   */
  doubt(id: ReplicaId): void {
    if (this.#stopped || !this.#core.quiescent) return;
    // Waking greets the leader first: if it lives after all, its answer comes before an election.
    this.#rouse();
    // A learner could not look for another leader: it keeps the one it knows.
    const isLearner = this.#configuration.confState.learners.includes(this.id);
    if (id === this.#leader && !isLearner) this.#core.forgetLeader();
  }

  #rouse(): void {
    this.#idleTicks = 0;
    this.#core.wake();
    this.#options.wake();
  }

  /** Proposes a command; `settle` runs exactly once. */
  propose(
    data: Uint8Array,
    deadlineMs: number,
    settle: (outcome: ProposalOutcome<Result | undefined>) => void,
  ): void {
    if (this.#stopped) settle({ kind: "none", reason: this.#endReason });
    else if (!this.isLeader) settle({ kind: "none", reason: "not-leader" });
    else {
      this.#idleTicks = 0;
      this.#proposals.enqueue(data, deadlineMs, settle);
      this.#noteProposals();
      this.#options.wake();
    }
  }

  /** Waits until this leader's state may serve a linearizable read that begins now. */
  read(deadlineMs: number, settle: (outcome: ReadOutcome) => void): void {
    if (this.#stopped) settle(this.#endReason);
    else if (!this.isLeader) settle("not-leader");
    else {
      this.#idleTicks = 0;
      this.#reads.enqueue(deadlineMs, settle);
      this.#options.readRounds.want(this.#member);
      this.#options.wake();
    }
  }

  /** Proposes a membership change; false if it can't be proposed now. */
  proposeConfChange(change: AnyConfChange): boolean {
    if (this.#stopped || !this.isLeader) return false;
    const result = this.#core.proposeConfChange(change);
    this.#options.wake();
    return result.kind === "appended";
  }

  /**
   * Whether a quorum of the present configuration knows durably that it took effect. A replica only has
   * the entry in its log after a power cut, and still asks the voters before it, of which one may be
   * deleted by then. So an entry behind it, sent when it was committed and committed itself, has to
   * carry the word; the first call proposes that entry.
   */
  confirmConfiguration(): boolean {
    if (this.#stopped || !this.isLeader) return false;
    const { confIndex } = this.#configuration;
    const confirming = this.#confirming;
    if (confirming?.confIndex === confIndex && confirming.term === this.#core.term) {
      return this.#core.committed >= confirming.index;
    }
    const result = this.#core.proposeBatch([NO_DATA]);
    if (result.kind !== "appended") return false;
    this.#confirming = { confIndex, term: result.term, index: result.index };
    this.#rouse();
    return false;
  }

  transferLeadership(to: ReplicaId): void {
    if (this.#stopped || !this.isLeader) return;
    this.#core.transferLeader(to);
    this.#options.wake();
  }

  /** Whether the leader has heard from replica `id` since its last look at its quorum, or `id` sleeps. */
  hears(id: ReplicaId): boolean {
    return this.#core.status().progress.some((one) => one.id === id && one.recentActive);
  }

  #matchOf(id: ReplicaId): LogIndex | undefined {
    return this.#core.status().progress.find((one) => one.id === id)?.match;
  }

  /** The live voter that is furthest ahead of those that `mayLead`, beside this leader; undefined if there is none. */
  bestHeir(mayLead: (replicaId: ReplicaId) => boolean = () => true): ReplicaId | undefined {
    const { progress, config } = this.#core.status();
    let best: (typeof progress)[number] | undefined;
    for (const one of progress) {
      if (one.id === this.id || one.isLearner || !one.recentActive) continue;
      if (!config.incoming.includes(one.id) || !mayLead(one.id)) continue;
      if (best === undefined || one.match > best.match) best = one;
    }
    return best?.id;
  }

  /** A follower has lost its state, though not its log: send it what there is, or soon will be. */
  sendLatestSnapshot(to: ReplicaId): void {
    if (this.#stopped || !this.isLeader) return;
    this.#snapshotting.sendLatest(to);
  }

  /** Takes a snapshot soon, though the log's length does not ask for one. */
  wantSnapshot(): void {
    this.#snapshotting.want();
    this.#options.wake();
  }

  campaign(): void {
    if (this.#stopped || !this.serving) return;
    this.#core.campaign();
    this.#options.wake();
  }

  /** The link to the node of replica `id` broke. */
  peerLost(id: ReplicaId): void {
    if (this.#stopped) return;
    this.#rouse();
    this.#storage.giveUp(id);
    this.#core.reportUnreachable(id);
    if (this.isLeader || id !== this.#leader) return;
    this.#core.forgetLeader();
    this.#options.wake();
    const delayMs = this.#options.random.float() * LINK_LOSS_CAMPAIGN_MS_MAX;
    this.#options.clock.setTimer(delayMs, () => {
      if (this.#leader === NONE) this.campaign();
    });
  }

  /** Refuses what is queued and ends every wait; the replica takes no further input. */
  stop(reason: EndReason): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#endReason = reason;
    this.#notices.stop();
    this.#options.proposalRounds.leave(this.#member);
    this.#options.readRounds.leave(this.#member);
    this.#loading.stop();
    this.#proposals.stop(reason);
    this.#reads.stop(reason);
  }

  /** Does everything that is due. Called by the owner at the end of an event-loop turn. */
  turn(): void {
    if (this.#stopped) return;
    const startedMs = this.#options.clock.monotonicMs();
    this.#proposeQueued(startedMs);
    this.#startReads(startedMs);
    while (this.#core.hasReady()) {
      this.#handle(this.#core.ready());
      if (this.#stopped) return;
      if (this.#options.clock.monotonicMs() - startedMs > TURN_MS_MAX) {
        this.#options.wake();
        break;
      }
    }
    this.#noteProposals();
    this.#snapshotting.maybeTake();
    if (this.#asleep !== this.#core.quiescent) {
      this.#asleep = this.#core.quiescent;
      this.#options.observer.onQuiescence(this as Replica);
    }
  }

  /** What waits out a transfer takes no part in the rounds, so that no other group waits for it. */
  #noteProposals(): void {
    const { queued, waiting } = this.#proposals;
    const isHeld = this.#core.leadTransferee !== NONE;
    this.#options.proposalRounds.note(this.#member, isHeld ? 0 : queued, waiting);
  }

  #proposeQueued(nowMs: number): void {
    if (this.#proposals.queued === 0) return;
    // They wait out a transfer, a round trip as a rule: refused now, they would come back again and
    // again. The end of the leadership, or of the transfer, decides where they go on.
    if (this.#core.leadTransferee !== NONE) return;
    this.#noteProposals();
    const { proposalRounds, log } = this.#options;
    if (!proposalRounds.opens(this.#member, log)) return;
    const batch = this.#proposals.take();
    if (this.#core.role !== Role.Leader) return this.#proposals.refuse(batch, "not-leader");
    const result = this.#core.proposeBatch(batch.map((proposal) => proposal.data));
    if (result.kind === "appended") {
      this.#proposals.appended(batch, result.term, result.index);
      this.times.appended(result.index + batch.length - 1, nowMs);
    } else {
      assert(result.kind === "dropped", "the node never forwards proposals through the core");
      this.#proposals.refuse(batch, "overloaded");
    }
  }

  #startReads(nowMs: number): void {
    if (!this.#reads.isRoundDue(nowMs)) return this.#options.readRounds.leave(this.#member);
    const over = this.#options.readRounds.begin(this.#member);
    if (over === undefined) return;
    const context = this.#reads.beginRound(nowMs, over);
    const asked = this.#core.role === Role.Leader && this.#core.readIndex(context);
    if (!asked) this.#reads.lostLeadership();
  }

  #handle(ready: Ready): void {
    if (ready.softState !== null || ready.hardState !== null) this.#noteLeadership(ready);
    for (const { context, index } of ready.readStates) {
      const beganMs = this.#reads.confirmed(context, index, this.#appliedIndex);
      if (beganMs === undefined) continue;
      const nowMs = this.#options.clock.monotonicMs();
      this.times.confirmed(beganMs, nowMs);
      this.#options.observer.onReadIndex?.(nowMs - beganMs);
    }
    for (const message of ready.messages) {
      if (message.to === LOCAL_APPEND_THREAD) this.#append(message);
      else if (message.to === LOCAL_APPLY_THREAD) this.#applyOrHold(message);
      else if (message.type === MessageType.Snapshot) this.#snapshotting.send(message);
      else if (message.type === MessageType.Append) this.#notices.take(message);
      else if (!this.#options.links.send(message.to, message)) this.#onUnsent(message);
    }
  }

  /** Raft repairs what got lost, but a group must not sleep on a member that was not told to. */
  #onUnsent(message: Message): void {
    if (message.type === MessageType.Quiesce) this.#core.wake();
  }

  #noteLeadership(ready: Ready): void {
    const { softState, hardState } = ready;
    let changed = false;
    if (hardState !== null && hardState.term !== this.#term) {
      assert(hardState.term > this.#term, "the durable term never runs back");
      this.#term = hardState.term;
      changed = true;
    }
    if (softState !== null) {
      changed = true;
      if (this.#role === Role.Leader && softState.role !== Role.Leader) {
        this.#reads.lostLeadership();
        this.#proposals.refuse(this.#proposals.take(), "not-leader");
      }
      this.#role = softState.role;
      this.#leader = softState.leader;
    }
    if (changed) this.#options.observer.onLeadership(this as Replica);
  }

  #append(message: Message): void {
    const { entries, snapshot } = message;
    const hardState = message.term === 0
      ? null
      : { term: message.term, vote: message.vote, commit: message.commit };
    if (snapshot !== null) this.#storage.applySnapshot(snapshot.metadata);
    if (entries.length > 0) this.#storage.append(entries);
    const deliver = () => {
      const last = entries.at(-1);
      if (last !== undefined && this.isLeader) {
        this.times.durable(last.index, this.#options.clock.monotonicMs());
      }
      this.#order.done(message.responses);
    };
    const votes = hardState !== null &&
      (hardState.term !== this.#durable.term || hardState.vote !== this.#durable.vote);
    if (snapshot === null && entries.length === 0 && !votes) {
      // The commit index alone is a hint that the next record carries: it is not worth a sync. What
      // waits for earlier records must still wait for them.
      return this.#options.log.afterPending(deliver);
    }
    if (hardState !== null) this.#durable = hardState;
    if (snapshot === null) {
      return this.#options.log.append({ hardState, entries, snapshot: null }, deliver);
    }
    const file = this.#options.snapshots.find(snapshot.metadata.index);
    assert(file !== undefined, "a snapshot's file is there before the core hears of it");
    this.#options.log.append(
      { hardState, entries, snapshot: file.point },
      () => this.#restoreFromSnapshot(file, this.#order.begin(message.responses)),
    );
  }

  #deliver(responses: readonly Message[]): void {
    if (this.#stopped) return;
    for (const response of responses) {
      if (response.to === this.id) this.#core.step(response);
      else this.#options.links.send(response.to, response);
    }
    this.#options.wake();
  }

  #applyOrHold(message: Message): void {
    if (this.#loading.holds) this.#loading.hold(message);
    else this.#apply(message);
  }

  #apply(message: Message): void {
    const { clock, observer } = this.#options;
    const startedMs = clock.monotonicMs();
    for (const entry of message.entries) {
      // The core must see every configuration change, also one that a loaded state was ahead of; but
      // none that a snapshot which replaced the log has brought already.
      if (entry.type !== EntryType.Normal && entry.index > this.#restoredIndex) {
        const change = entry.type === EntryType.ConfChange
          ? decodeConfChange(entry.data)
          : decodeConfChangeV2(entry.data);
        this.#applyConfChange(entry.index, change);
      }
      if (entry.index <= this.#appliedIndex) continue;
      assert(entry.index === this.#appliedIndex + 1, "entries are applied without a gap");
      let result: Result | undefined;
      if (entry.type === EntryType.Normal && entry.data.length > 0) {
        result = this.machine.apply(entry.index, entry.term, entry.data);
      }
      this.#appliedIndex = entry.index;
      this.#appliedTerm = entry.term;
      this.#proposals.applied(entry.index, entry.term, result);
    }
    if (message.entries.length > 0) {
      const endedMs = clock.monotonicMs();
      observer.onApplied?.(endedMs - startedMs);
      if (this.isLeader) {
        this.times.committed(this.#appliedIndex, startedMs);
        this.times.applied(this.#appliedIndex, endedMs);
      }
    }
    this.#deliver(message.responses);
    this.#reads.applied(this.#appliedIndex);
    this.#storage.trim(this.#appliedIndex, this.#options.windowLimits(), (id) => this.#matchOf(id));
  }

  #applyConfChange(index: LogIndex, change: AnyConfChange): void {
    const confState = this.#core.applyConfChange(change, index);
    // Raft's own leaving of a joint configuration carries no epoch: it keeps the one it ends.
    const confEpoch = this.#options.epochOf(change.context) ?? this.#configuration.confEpoch;
    this.#configuration = { confState, confIndex: index, confEpoch };
    this.#options.log.recordConfiguration(index, this.#configuration);
    this.#options.observer.onConfiguration(this as Replica);
  }

  // ------------------------------------------------------------------------------------- snapshots

  /**
   * A snapshot from the leader has become the newest durable file. The core decides what it means for
   * the log; a replica that lost only its state takes it even where its log is ahead.
   */
  receiveSnapshot(message: Message, wallMs: number): void {
    if (this.#stopped) return;
    assert(message.snapshot !== null, "a snapshot message carries a snapshot");
    const { index, term } = message.snapshot.metadata;
    const inLog = this.#storage.term(index) === term;
    if (this.#awaitingSnapshot && inLog && index >= this.#appliedIndex) {
      const file = this.#options.snapshots.find(index);
      assert(file !== undefined, "a snapshot's file is there before its message is taken");
      this.#load(file, () => this.#options.log.snapshotTaken(file.point));
    }
    this.step(message, wallMs);
  }

  /** The log begins after a snapshot now: load its state, then tell the core. */
  #restoreFromSnapshot(file: SnapshotFile, done: () => void): void {
    this.#load(file, () => {
      this.#configuration = file.point.configuration;
      this.#restoredIndex = file.point.index;
      this.#options.observer.onConfiguration(this as Replica);
      done();
    });
  }

  #load(file: SnapshotFile, done: () => void): void {
    this.#loading.load(file, (isLast) => {
      const { index, term } = file.point;
      assert(index >= this.#appliedIndex, "the applied index never runs back");
      this.#proposals.coveredBySnapshot(index);
      this.#appliedIndex = index;
      this.#appliedTerm = term;
      done();
      if (!isLast) return;
      this.#awaitingSnapshot = false;
      for (const message of this.#loading.release()) this.#apply(message);
      this.#reads.applied(this.#appliedIndex);
      this.#options.wake();
    });
  }
}

/** What an idle group says again and again. */
function isPulse(type: MessageType): boolean {
  return type === MessageType.Heartbeat || type === MessageType.HeartbeatResponse ||
    type === MessageType.Quiesce;
}
