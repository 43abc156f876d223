// The options of one replica, their defaults and the relations between them.

import type { LogIndex, ReplicaId } from "../base/ids.ts";
import type { Storage } from "./storage.ts";
import { isLocalTarget, NONE } from "./types.ts";

/** How a leader makes sure that it still leads before it serves a read. */
export type ReadOnlyMode =
  /** By a round of heartbeats to a quorum. Rests on no clock. */
  | "safe"
  /**
   * By trusting that a quorum check within the election timeout keeps others from leading. Rests on
   * bounded clock drift and on processes that never pause; Pontoon's node refuses it.
   */
  | "lease-based";

export interface RaftConfig {
  /** Our own id; neither 0 nor one of the local threads. */
  readonly id: ReplicaId;
  readonly storage: Storage;
  /**
   * Uniform integer in [0, bound). The core's only randomness: it spreads election timeouts over
   * [electionTicks, 2 * electionTicks).
   */
  readonly random: (bound: number) => number;
  /** Ticks without a leader's word until a follower campaigns; more than `heartbeatTicks`. */
  readonly electionTicks: number;
  /** Ticks between a leader's heartbeats. */
  readonly heartbeatTicks: number;
  /** Last index the state machine already holds; 0 or at least what storage's snapshot covers. */
  readonly applied?: LogIndex;
  /** Ready hands local writes out as messages and is never advanced. Default false. */
  readonly asyncStorageWrites?: boolean;
  /** Encoded size of the entries in one append; one entry always fits. Default: unlimited. */
  readonly maxMessageBytes?: number;
  /** Encoded size of entries handed out to be applied and not confirmed. Default: as above. */
  readonly maxApplyingBytes?: number;
  /** Data bytes of the leader's uncommitted entries; beyond it proposals are dropped. */
  readonly maxUncommittedBytes?: number;
  /** Appends in flight to one follower; at least 1. */
  readonly maxInflightMessages: number;
  /** Data bytes in flight to one follower; at least `maxMessageBytes`. Default: unlimited. */
  readonly maxInflightBytes?: number;
  /** Reads waiting for their leadership to be confirmed; beyond it reads are refused. */
  readonly maxPendingReads?: number;
  /** A leader steps down when it has not heard of a quorum for an election timeout. */
  readonly checkQuorum?: boolean;
  /** Ask before campaigning whether an election could be won (dissertation §9.6). */
  readonly preVote?: boolean;
  readonly readOnly?: ReadOnlyMode;
  /** A follower drops proposals instead of passing them to the leader. */
  readonly disableProposalForwarding?: boolean;
  /**
   * The leader lets any membership change into the log. Changes that don't fit the configuration
   * then have to be recognized when they are applied.
   */
  readonly disableConfChangeValidation?: boolean;
  /** A leader that was removed or demoted becomes a follower when it applies that. */
  readonly stepDownOnRemoval?: boolean;
}

/** A {@linkcode RaftConfig} with nothing left open. */
export type ResolvedConfig = Required<RaftConfig>;

/** Default bound on reads that wait; each is a few dozen bytes, and the node batches its own. */
const MAX_PENDING_READS_DEFAULT = 4096;

/** Fills in defaults. Throws RangeError when a value or a relation between values is wrong. */
export function resolveConfig(config: RaftConfig): ResolvedConfig {
  const maxMessageBytes = config.maxMessageBytes ?? Infinity;
  const resolved: ResolvedConfig = {
    id: config.id,
    storage: config.storage,
    random: config.random,
    electionTicks: config.electionTicks,
    heartbeatTicks: config.heartbeatTicks,
    applied: config.applied ?? 0,
    asyncStorageWrites: config.asyncStorageWrites ?? false,
    maxMessageBytes,
    maxApplyingBytes: config.maxApplyingBytes ?? maxMessageBytes,
    maxUncommittedBytes: config.maxUncommittedBytes ?? Infinity,
    maxInflightMessages: config.maxInflightMessages,
    maxInflightBytes: config.maxInflightBytes ?? Infinity,
    maxPendingReads: config.maxPendingReads ?? MAX_PENDING_READS_DEFAULT,
    checkQuorum: config.checkQuorum ?? false,
    preVote: config.preVote ?? false,
    readOnly: config.readOnly ?? "safe",
    disableProposalForwarding: config.disableProposalForwarding ?? false,
    disableConfChangeValidation: config.disableConfChangeValidation ?? false,
    stepDownOnRemoval: config.stepDownOnRemoval ?? false,
  };
  const require = (condition: boolean, problem: string) => {
    if (!condition) throw new RangeError(`Cannot create a replica: ${problem}`);
  };
  require(resolved.id !== NONE && !isLocalTarget(resolved.id), `${resolved.id} is a reserved id`);
  require(Number.isSafeInteger(resolved.id) && resolved.id > 0, `bad id ${resolved.id}`);
  require(resolved.heartbeatTicks >= 1, "heartbeatTicks must be at least 1");
  require(
    resolved.electionTicks > resolved.heartbeatTicks,
    "electionTicks must exceed heartbeatTicks",
  );
  require(resolved.maxInflightMessages >= 1, "maxInflightMessages must be at least 1");
  require(maxMessageBytes >= 0, "maxMessageBytes must not be negative");
  require(resolved.maxApplyingBytes > 0, "maxApplyingBytes must be positive");
  require(resolved.maxUncommittedBytes > 0, "maxUncommittedBytes must be positive");
  require(resolved.maxPendingReads >= 1, "maxPendingReads must be at least 1");
  require(
    resolved.maxInflightBytes === Infinity || resolved.maxInflightBytes >= maxMessageBytes,
    "maxInflightBytes must be at least maxMessageBytes",
  );
  require(
    resolved.readOnly === "safe" || resolved.checkQuorum,
    "lease-based reads need checkQuorum",
  );
  return resolved;
}
