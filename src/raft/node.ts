// RawNode: the consensus core as others use it. Inputs are method calls, effects are the values in
// `ready()`. Not a thread, not a loop: whoever drives it decides when to tick and what to do first.
// Source: the RawNode of etcd-raft.

import { assert } from "../base/assert.ts";
import type { LogIndex, ReplicaId, Term } from "../base/ids.ts";
import { type AnyConfChange, encodeConfChange } from "./conf_change.ts";
import type { RaftConfig, ResolvedConfig } from "./config.ts";
import { type Proposal, propose } from "./leader.ts";
import { applyConfChange, confChangeRefusal } from "./membership.ts";
import { greetLeader, quiesce, wake } from "./quiescence.ts";
import { Raft } from "./raft.ts";
import { leaderRead } from "./read_only.ts";
import {
  storageAppend,
  storageAppendResponse,
  storageApply,
  storageApplyResponse,
} from "./ready.ts";
import { entriesSizeBytes } from "./size.ts";
import { type Status, statusOf } from "./status.ts";
import type { Config } from "./tracker.ts";
import {
  type ConfState,
  type Entry,
  EntryType,
  isLocalTarget,
  isLocalType,
  isResponseType,
  type Message,
  MessageType,
  newMessage,
  NONE,
  type ReadState,
  type Ready,
  Role,
  type StepError,
} from "./types.ts";

/** What became of a proposal. */
export type ProposeResult =
  /** In our log as leader: the first entry is at `index`, the others follow. Not yet committed. */
  | { readonly kind: "appended"; readonly term: Term; readonly index: LogIndex }
  /** On its way to the leader, as a message. */
  | { readonly kind: "forwarded" }
  /** Nowhere, with no effect ever. */
  | { readonly kind: "dropped" }
  /** A membership change that can't be made now; with no effect ever. */
  | { readonly kind: "refused"; readonly reason: string };

const FORWARDED: ProposeResult = Object.freeze({ kind: "forwarded" });
const DROPPED: ProposeResult = Object.freeze({ kind: "dropped" });
const NO_READ_STATES: readonly ReadState[] = Object.freeze([]);

export class RawNode {
  readonly #raft: Raft;
  readonly #async: boolean;
  // What the last Ready told, to tell changes only.
  #toldLeader: ReplicaId;
  #toldRole: Role;
  #toldTerm: Term;
  #toldVote: ReplicaId;
  #toldCommit: LogIndex;
  /** Synchronous mode: what to step when the last Ready was handled. null if none is out. */
  #stepsOnAdvance: Message[] | null = null;

  /** Throws RangeError if the configuration is not valid. */
  constructor(config: RaftConfig) {
    const raft = new Raft(config);
    this.#raft = raft;
    this.#async = raft.config.asyncStorageWrites;
    this.#toldLeader = raft.leader;
    this.#toldRole = raft.role;
    this.#toldTerm = raft.term;
    this.#toldVote = raft.vote;
    this.#toldCommit = raft.log.committed;
  }

  get id(): ReplicaId {
    return this.#raft.id;
  }

  /** The options in force, defaults included. */
  get config(): ResolvedConfig {
    return this.#raft.config;
  }

  get term(): Term {
    return this.#raft.term;
  }

  get role(): Role {
    return this.#raft.role;
  }

  /** The leader of our term as far as we know, or NONE. */
  get leader(): ReplicaId {
    return this.#raft.leader;
  }

  get committed(): LogIndex {
    return this.#raft.log.committed;
  }

  /** Highest index whose application was reported. */
  get applied(): LogIndex {
    return this.#raft.log.applied;
  }

  get firstIndex(): LogIndex {
    return this.#raft.log.firstIndex();
  }

  get lastIndex(): LogIndex {
    return this.#raft.log.lastIndex();
  }

  /** Our log up to there is known to be durable. */
  get stableIndex(): LogIndex {
    return this.#raft.log.unstable.offset - 1;
  }

  /** Term of the entry at `index`; UNKNOWN_TERM where it was compacted away or is not there yet. */
  termAt(index: LogIndex): Term {
    return this.#raft.log.term(index);
  }

  /** Whom we voted for in our term, or NONE. */
  get vote(): ReplicaId {
    return this.#raft.vote;
  }

  /** The active configuration. */
  get configuration(): Config {
    return this.#raft.tracker.config;
  }

  get leadTransferee(): ReplicaId {
    return this.#raft.leadTransferee;
  }

  /** Data bytes of the leader's uncommitted entries (an underestimate, if anything). */
  get uncommittedBytes(): number {
    return this.#raft.uncommittedBytes;
  }

  /** Whether the group sleeps, as far as this replica knows: then it must not be ticked. */
  get quiescent(): boolean {
    return this.#raft.quiescent;
  }

  /**
   * Puts the group to sleep if nobody in it lacks anything (RULES 12); whether it did. To be called on a
   * leader whose links to all members work. Any input wakes it again.
   */
  quiesce(): boolean {
    return quiesce(this.#raft);
  }

  /** Wakes this replica; a follower also tells its leader. For when a link broke or a peer is doubted. */
  wake(): void {
    if (!this.#raft.quiescent) return;
    wake(this.#raft);
    greetLeader(this.#raft);
  }

  /** A step of logical time. Not to be called for a quiescent group. */
  tick(): void {
    this.#raft.tick();
  }

  /** Campaigns at once, unless we lead, are no voter or have a membership change to apply. */
  campaign(): void {
    this.#raft.step(newMessage(MessageType.Hup, this.#raft.id, this.#raft.id));
  }

  /** Proposes one normal entry. `data` must not be changed afterwards. */
  propose(data: Uint8Array): ProposeResult {
    return this.#propose([{ type: EntryType.Normal, data }]);
  }

  /** Proposes several normal entries, all or none, which travel in one message if they fit. */
  proposeBatch(data: readonly Uint8Array[]): ProposeResult {
    assert(data.length > 0, "a batch has at least one entry");
    const proposals = new Array<Proposal>(data.length);
    for (let i = 0; i < data.length; i++) proposals[i] = { type: EntryType.Normal, data: data[i] };
    return this.#propose(proposals);
  }

  /**
   * Proposes a membership change. Refused ones leave an empty entry in the log, as a forwarded one
   * does that its leader refuses.
   */
  proposeConfChange(change: AnyConfChange): ProposeResult {
    const type = change.kind === "v1" ? EntryType.ConfChange : EntryType.ConfChangeV2;
    const proposal = { type, data: encodeConfChange(change) };
    const refusal = this.#raft.role === Role.Leader
      ? confChangeRefusal(this.#raft, proposal)
      : null;
    const result = this.#propose([proposal]);
    return refusal !== null && result.kind === "appended"
      ? { kind: "refused", reason: refusal }
      : result;
  }

  #propose(proposals: readonly Proposal[]): ProposeResult {
    const raft = this.#raft;
    wake(raft);
    if (raft.role === Role.Leader) {
      const index = raft.log.lastIndex() + 1;
      return propose(raft, proposals) === null
        ? { kind: "appended", term: raft.term, index }
        : DROPPED;
    }
    const message = newMessage(MessageType.Propose, NONE, raft.id);
    message.entries = proposals.map(({ type, data }) => ({ term: 0, index: 0, type, data }));
    return raft.step(message) === null ? FORWARDED : DROPPED;
  }

  /**
   * To be called with the index of each committed membership change when it is applied (unless the
   * application vetoes it, which must then happen on every replica). Returns the configuration as of
   * that index. Throws ConfChangeError if the present one does not allow it.
   */
  applyConfChange(change: AnyConfChange, index: LogIndex): ConfState {
    wake(this.#raft);
    return applyConfChange(this.#raft, change, index);
  }

  /**
   * Takes a message from a peer or one of our own storage threads. A message must not be changed
   * afterwards. Peers must have been authenticated: what they say about terms is believed.
   */
  step(message: Message): StepError | null {
    if (!isLocalTarget(message.from)) {
      if (isLocalType(message.type)) return "local-message";
      if (
        isResponseType(message.type) && this.#raft.tracker.progress(message.from) === undefined
      ) {
        return "peer-not-found";
      }
    }
    return this.#raft.step(message);
  }

  /**
   * Asks for a read index. It comes as a ReadState with the same `context` (a positive number); or
   * never, when a message is lost or leadership changes, so the caller needs a deadline. False if it
   * is known at once that it won't come: no leader, or too many reads waiting.
   */
  readIndex(context: number): boolean {
    const raft = this.#raft;
    wake(raft);
    if (raft.role === Role.Leader) return leaderRead(raft, NONE, context);
    if (raft.role !== Role.Follower || raft.leader === NONE) return false;
    const message = newMessage(MessageType.ReadIndex, NONE, NONE);
    message.context = context;
    raft.step(message);
    return true;
  }

  /** Reports that a send to `id` failed. */
  reportUnreachable(id: ReplicaId): void {
    this.#raft.step(newMessage(MessageType.Unreachable, this.#raft.id, id));
  }

  /** Reports the end of the transfer of a snapshot to `id`; needed after every Snapshot message. */
  reportSnapshot(id: ReplicaId, delivered: boolean): void {
    const message = newMessage(MessageType.SnapshotStatus, this.#raft.id, id);
    message.reject = !delivered;
    this.#raft.step(message);
  }

  /** Asks the leader, us or another, to hand over to `target`. */
  transferLeader(target: ReplicaId): void {
    this.#raft.step(newMessage(MessageType.TransferLeader, this.#raft.id, target));
  }

  /**
   * Makes a follower forget its leader, so that it votes for others within its election timeout; for
   * when the application knows better, say after quiescence. Ignored with lease-based reads.
   */
  forgetLeader(): void {
    this.#raft.step(newMessage(MessageType.ForgetLeader, this.#raft.id, this.#raft.id));
  }

  /** Overrides the election timeout until the next change of term or role. For tests. */
  setRandomizedElectionTicks(ticks: number): void {
    this.#raft.randomizedElectionTicks = ticks;
  }

  status(): Status {
    return statusOf(this.#raft);
  }

  /** Whether `ready()` would carry anything. */
  hasReady(): boolean {
    const raft = this.#raft;
    return raft.messages.length > 0 || raft.messagesAfterAppend.length > 0 ||
      raft.log.unstable.hasNextEntries() || raft.log.hasNextCommitted(!this.#async) ||
      raft.readStates.length > 0 || this.#hardStateChanged() || this.#softStateChanged() ||
      raft.log.unstable.nextSnapshot() !== null;
  }

  #softStateChanged(): boolean {
    return this.#raft.leader !== this.#toldLeader || this.#raft.role !== this.#toldRole;
  }

  #hardStateChanged(): boolean {
    const raft = this.#raft;
    return raft.log.committed !== this.#toldCommit || raft.term !== this.#toldTerm ||
      raft.vote !== this.#toldVote;
  }

  /** Hands out all pending work, which the caller must do as the contract of {@linkcode Ready} says. */
  ready(): Ready {
    assert(this.#stepsOnAdvance === null, "the last Ready was not followed by advance()");
    const raft = this.#raft;
    const { log } = raft;
    const { unstable } = log;

    const softState = this.#softStateChanged() ? { leader: raft.leader, role: raft.role } : null;
    const hardState = this.#hardStateChanged()
      ? { term: raft.term, vote: raft.vote, commit: log.committed }
      : null;
    const entries = unstable.nextEntries();
    const snapshot = unstable.nextSnapshot();
    const committedEntries = log.nextCommitted(!this.#async);
    const mustSync = entries.length > 0 || raft.term !== this.#toldTerm ||
      raft.vote !== this.#toldVote;
    const readStates = raft.readStates.length > 0 ? raft.readStates : NO_READ_STATES;
    const messages = raft.messages;

    if (this.#async) {
      const append = storageAppend(raft, entries, hardState, snapshot);
      if (append !== null) messages.push(append);
      if (committedEntries.length > 0) messages.push(storageApply(raft, committedEntries));
    } else {
      this.#stepsOnAdvance = [];
      for (const message of raft.messagesAfterAppend) {
        (message.to === raft.id ? this.#stepsOnAdvance : messages).push(message);
      }
      const stable = storageAppendResponse(raft, snapshot);
      if (stable !== null) this.#stepsOnAdvance.push(stable);
      if (committedEntries.length > 0) {
        this.#stepsOnAdvance.push(storageApplyResponse(raft, committedEntries));
      }
    }

    this.#accept(committedEntries);
    return {
      softState,
      hardState,
      readStates,
      entries,
      snapshot,
      committedEntries,
      messages,
      mustSync,
    };
  }

  /** Notes that all that is pending was handed out. */
  #accept(committedEntries: readonly Entry[]): void {
    const raft = this.#raft;
    this.#toldLeader = raft.leader;
    this.#toldRole = raft.role;
    this.#toldTerm = raft.term;
    this.#toldVote = raft.vote;
    this.#toldCommit = raft.log.committed;
    raft.messages = [];
    raft.messagesAfterAppend = [];
    if (raft.readStates.length > 0) raft.readStates = [];
    raft.log.unstable.acceptInProgress();
    if (committedEntries.length > 0) {
      const last = committedEntries[committedEntries.length - 1].index;
      raft.log.acceptApplying(last, entriesSizeBytes(committedEntries), !this.#async);
    }
  }

  /** Synchronous mode only: the last Ready was handled, entries applied included. */
  advance(): void {
    assert(!this.#async, "with asynchronous storage writes the responses take advance()'s place");
    const steps = this.#stepsOnAdvance;
    assert(steps !== null, "advance() follows a Ready");
    this.#stepsOnAdvance = null;
    for (const message of steps) this.#raft.step(message);
  }
}
