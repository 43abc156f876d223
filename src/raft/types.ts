// The vocabulary of the consensus core: entries, messages, states and what a Ready carries.
// Plain data only; nothing here may hold behaviour that depends on a role.
// Source: Raft (Ongaro, Ousterhout 2014) with the message set of etcd-raft.

import type { LogIndex, ReplicaId, Term } from "../base/ids.ts";

/** "No replica": no leader, no vote, no transfer target. */
export const NONE: ReplicaId = 0;
/** Pseudo recipient and sender that stands for the replica's log writer. */
export const LOCAL_APPEND_THREAD: ReplicaId = Number.MAX_SAFE_INTEGER;
/** Pseudo recipient and sender that stands for the replica's state machine. */
export const LOCAL_APPLY_THREAD: ReplicaId = Number.MAX_SAFE_INTEGER - 1;

/** What an entry's data means. */
export enum EntryType {
  /** Opaque to the core; empty data is a new leader's first entry. */
  Normal = 0,
  /** One membership change ({@linkcode ConfChange}). */
  ConfChange = 1,
  /** Several membership changes, possibly through joint consensus ({@linkcode ConfChangeV2}). */
  ConfChangeV2 = 2,
}

/**
 * One log entry. Immutable once appended, and shared between log, messages and Ready; `data` is
 * never copied by the core.
 */
export interface Entry {
  readonly term: Term;
  readonly index: LogIndex;
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** Every kind of input to the core. The numbers are part of the peer protocol. */
export enum MessageType {
  /** Local: start an election. */
  Hup = 0,
  /** Local: the leader's heartbeat interval is over. */
  Beat = 1,
  /** A proposal; forwarded to the leader if the configuration allows. */
  Propose = 2,
  /** AppendEntries. */
  Append = 3,
  AppendResponse = 4,
  /** RequestVote. */
  Vote = 5,
  VoteResponse = 6,
  /** InstallSnapshot. */
  Snapshot = 7,
  Heartbeat = 8,
  HeartbeatResponse = 9,
  /** Local: a send to `from` failed. */
  Unreachable = 10,
  /** Local: a snapshot to `from` was delivered, or not (`reject`). */
  SnapshotStatus = 11,
  /** Local: a leader asks whether it still reaches a quorum. */
  CheckQuorum = 12,
  /** Asks the leader to hand over to `from`. */
  TransferLeader = 13,
  /** Tells the target of a transfer to campaign at once. */
  TimeoutNow = 14,
  ReadIndex = 15,
  ReadIndexResponse = 16,
  PreVote = 17,
  PreVoteResponse = 18,
  /** To the log writer: make this durable, then deliver `responses`. */
  StorageAppend = 19,
  StorageAppendResponse = 20,
  /** To the state machine: apply `entries`, then deliver `responses`. */
  StorageApply = 21,
  StorageApplyResponse = 22,
  /** Local: forget who leads, staying in the term. */
  ForgetLeader = 23,
  /** A heartbeat that also says: nothing more is to come, stop your clock if your log ends at `index`. */
  Quiesce = 24,
}

/** Membership as it stands in snapshots and as `applyConfChange` returns it. Ids ascend. */
export interface ConfState {
  /** The incoming majority. */
  readonly voters: readonly ReplicaId[];
  readonly learners: readonly ReplicaId[];
  /** The outgoing majority; empty unless the configuration is joint. */
  readonly votersOutgoing: readonly ReplicaId[];
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: readonly ReplicaId[];
  /** Whether the leader leaves the joint configuration by itself. */
  readonly autoLeave: boolean;
}

export const EMPTY_CONF_STATE: ConfState = Object.freeze({
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
});

export interface SnapshotMetadata {
  /** Last index the snapshot covers; 0 means "no snapshot". */
  readonly index: LogIndex;
  readonly term: Term;
  readonly confState: ConfState;
}

/** A snapshot; `data` is opaque to the core (the node may put a mere reference in it). */
export interface Snapshot {
  readonly data: Uint8Array;
  readonly metadata: SnapshotMetadata;
}

/** What must be durable before anything that rests on it is said to a peer. */
export interface HardState {
  readonly term: Term;
  readonly vote: ReplicaId;
  readonly commit: LogIndex;
}

export const EMPTY_HARD_STATE: HardState = Object.freeze({ term: 0, vote: NONE, commit: 0 });

export enum Role {
  Follower = 0,
  Candidate = 1,
  Leader = 2,
  PreCandidate = 3,
}

/** Volatile state worth telling the application about. */
export interface SoftState {
  readonly leader: ReplicaId;
  readonly role: Role;
}

/**
 * One message. A flat record with every field always present, so that all messages share one hidden
 * class; unused fields hold the zero of their kind.
 */
export interface Message {
  type: MessageType;
  to: ReplicaId;
  from: ReplicaId;
  /** 0 marks a local message, a proposal or a ReadIndex. */
  term: Term;
  /** Term of the entry at `index` (Append, Vote), or of the entry at `rejectHint`. */
  logTerm: Term;
  index: LogIndex;
  entries: readonly Entry[];
  commit: LogIndex;
  /** StorageAppend only: the vote to persist. */
  vote: ReplicaId;
  snapshot: Snapshot | null;
  reject: boolean;
  /** With `reject`: where the follower's log may match the leader's. */
  rejectHint: LogIndex;
  /**
   * A read's context (ReadIndex), the leader's read sequence (Heartbeat), or
   * {@linkcode CONTEXT_TRANSFER} (Vote). 0 is "none".
   */
  context: number;
  /** StorageAppend, StorageApply: what to deliver once the work is done. */
  responses: readonly Message[];
}

/** `context` of a Vote that a leadership transfer caused: it overrides leases. */
export const CONTEXT_TRANSFER = 1;

/** A read that may be served once the state machine has applied `index`. */
export interface ReadState {
  readonly index: LogIndex;
  /** The value given to `readIndex`. */
  readonly context: number;
}

/**
 * What the application has to do now.
 *
 * *Contract without asynchronous storage writes:* persist `hardState`, `entries` and `snapshot`
 * (synced if `mustSync`), only then send `messages`, apply `committedEntries`, call `advance()`.
 *
 * *Contract with them:* send `messages` at once, in order. Those to
 * {@linkcode LOCAL_APPEND_THREAD} and {@linkcode LOCAL_APPLY_THREAD} are work orders, to be done in
 * order within each of the two; when one is done (synced), deliver its `responses`: the ones
 * addressed to this replica to `step`, the others to the network. Local work and its responses must
 * never be lost or reordered while the process lives. `advance()` is not called.
 */
export interface Ready {
  /** null if unchanged since the last Ready. */
  readonly softState: SoftState | null;
  /** null if unchanged since the last Ready. */
  readonly hardState: HardState | null;
  readonly readStates: readonly ReadState[];
  /** To append to stable storage, replacing anything there from the first one's index on. */
  readonly entries: readonly Entry[];
  /** To install in stable storage, replacing the log. */
  readonly snapshot: Snapshot | null;
  /** To apply to the state machine. */
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** Whether `hardState` and `entries` must reach the disk before anything rests on them. */
  readonly mustSync: boolean;
}

/** Why `step` or a proposal had no effect; null means it was taken. */
export type StepError =
  /** No leader, a transfer is under way, the uncommitted log is full, or we are not a member. */
  | "proposal-dropped"
  /** A response from a replica outside the configuration. */
  | "peer-not-found"
  /** A message that only the replica itself may produce came from elsewhere. */
  | "local-message";

export const NO_ENTRIES: readonly Entry[] = Object.freeze([]);
export const NO_MESSAGES: readonly Message[] = Object.freeze([]);
export const NO_DATA: Uint8Array = new Uint8Array(0);

/** A message with every unused field zero. */
export function newMessage(type: MessageType, to: ReplicaId, from: ReplicaId): Message {
  return {
    type,
    to,
    from,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: NO_ENTRIES,
    commit: 0,
    vote: NONE,
    snapshot: null,
    reject: false,
    rejectHint: 0,
    context: 0,
    responses: NO_MESSAGES,
  };
}

/** Whether `id` names one of the replica's own storage threads. */
export function isLocalTarget(id: ReplicaId): boolean {
  return id === LOCAL_APPEND_THREAD || id === LOCAL_APPLY_THREAD;
}

/** Whether only the replica itself (or its storage threads) may produce this type. */
export function isLocalType(type: MessageType): boolean {
  switch (type) {
    case MessageType.Hup:
    case MessageType.Beat:
    case MessageType.Unreachable:
    case MessageType.SnapshotStatus:
    case MessageType.CheckQuorum:
    case MessageType.StorageAppend:
    case MessageType.StorageAppendResponse:
    case MessageType.StorageApply:
    case MessageType.StorageApplyResponse:
    case MessageType.ForgetLeader:
      return true;
    default:
      return false;
  }
}

/** Whether the type answers something, so that its sender must be known. */
export function isResponseType(type: MessageType): boolean {
  switch (type) {
    case MessageType.AppendResponse:
    case MessageType.VoteResponse:
    case MessageType.HeartbeatResponse:
    case MessageType.Unreachable:
    case MessageType.ReadIndexResponse:
    case MessageType.PreVoteResponse:
    case MessageType.StorageAppendResponse:
    case MessageType.StorageApplyResponse:
      return true;
    default:
      return false;
  }
}
