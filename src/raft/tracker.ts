// The active configuration together with the progress of everyone in it, laid out as arrays so that
// the per-message computations (commit index, reads) allocate nothing.
// Never decides a change of the configuration; changer.ts produces new ones.

import { assert } from "../base/assert.ts";
import type { LogIndex, ReplicaId } from "../base/ids.ts";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";
import { type JointConfig, jointVoteResult, majorityIndex, VoteResult } from "./quorum.ts";
import type { ConfState } from "./types.ts";

/**
 * A configuration. All id lists ascend without repetition.
 *
 * *Invariant:* learners and voters are disjoint; learnersNext is a subset of outgoing; without
 * outgoing voters learnersNext is empty and autoLeave is false.
 */
export interface Config extends JointConfig {
  readonly learners: readonly ReplicaId[];
  readonly learnersNext: readonly ReplicaId[];
  readonly autoLeave: boolean;
}

export const EMPTY_CONFIG: Config = Object.freeze({
  incoming: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
});

/** The configuration as snapshots carry it. */
export function toConfState(config: Config): ConfState {
  return {
    voters: config.incoming,
    votersOutgoing: config.outgoing,
    learners: config.learners,
    learnersNext: config.learnersNext,
    autoLeave: config.autoLeave,
  };
}

/** Votes counted so far in one campaign. */
export interface Tally {
  readonly granted: number;
  readonly rejected: number;
  readonly result: VoteResult;
}

export class Tracker {
  readonly #maxInflightMessages: number;
  readonly #maxInflightBytes: number;
  #config: Config = EMPTY_CONFIG;
  /** Everyone in the configuration, ascending by id. */
  #members: readonly Progress[] = [];
  readonly #byId = new Map<ReplicaId, Progress>();
  #incoming: Progress[] = [];
  #outgoing: Progress[] = [];
  readonly #votes = new Map<ReplicaId, boolean>();
  readonly #scratch: number[] = [];

  constructor(maxInflightMessages: number, maxInflightBytes: number) {
    this.#maxInflightMessages = maxInflightMessages;
    this.#maxInflightBytes = maxInflightBytes;
  }

  get config(): Config {
    return this.#config;
  }

  /** Everyone in the configuration, ascending by id. */
  get members(): readonly Progress[] {
    return this.#members;
  }

  progress(id: ReplicaId): Progress | undefined {
    return this.#byId.get(id);
  }

  newInflights(): Inflights {
    return new Inflights(this.#maxInflightMessages, this.#maxInflightBytes);
  }

  /** Takes a configuration with its members' progress, as a Changer produced them. */
  install(config: Config, members: readonly Progress[]): void {
    this.#config = config;
    this.#members = members;
    this.#byId.clear();
    for (const progress of members) this.#byId.set(progress.id, progress);
    this.#incoming = config.incoming.map((id) => this.#member(id));
    this.#outgoing = config.outgoing.map((id) => this.#member(id));
  }

  #member(id: ReplicaId): Progress {
    const progress = this.#byId.get(id);
    assert(progress !== undefined, `voter ${id} has no progress`);
    return progress;
  }

  isVoter(id: ReplicaId): boolean {
    return this.#config.incoming.includes(id) || this.#config.outgoing.includes(id);
  }

  /** Whether a single voter decides everything. */
  isSingleton(): boolean {
    return this.#incoming.length === 1 && this.#outgoing.length === 0;
  }

  /** Starts everyone anew for a term: probing, just behind the log's end. */
  resetProgress(self: ReplicaId, lastIndex: LogIndex): void {
    for (const progress of this.#members) {
      progress.becomeProbe();
      progress.match = progress.id === self ? lastIndex : 0;
      progress.next = lastIndex + 1;
      progress.sentCommit = 0;
      progress.recentActive = false;
      progress.readAck = 0;
    }
  }

  /** The highest index durable on a quorum. */
  committedIndex(): LogIndex {
    const incoming = this.#quorumMatch(this.#incoming);
    return this.#outgoing.length === 0
      ? incoming
      : Math.min(incoming, this.#quorumMatch(this.#outgoing));
  }

  #quorumMatch(voters: readonly Progress[]): LogIndex {
    for (let i = 0; i < voters.length; i++) this.#scratch[i] = voters[i].match;
    return majorityIndex(this.#scratch, voters.length);
  }

  /** The highest read sequence for which a quorum has confirmed this leadership. */
  confirmedRead(): number {
    const incoming = this.#quorumRead(this.#incoming);
    return this.#outgoing.length === 0
      ? incoming
      : Math.min(incoming, this.#quorumRead(this.#outgoing));
  }

  #quorumRead(voters: readonly Progress[]): number {
    for (let i = 0; i < voters.length; i++) this.#scratch[i] = voters[i].readAck;
    return majorityIndex(this.#scratch, voters.length);
  }

  /** Whether a quorum was heard of since the last check. */
  quorumActive(): boolean {
    const active = new Map<ReplicaId, boolean>();
    for (const progress of this.#members) {
      if (!progress.isLearner) active.set(progress.id, progress.recentActive);
    }
    return jointVoteResult(this.#config, active) === VoteResult.Won;
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  /** Whether the replica's vote was counted in this campaign. */
  hasVoted(id: ReplicaId): boolean {
    return this.#votes.has(id);
  }

  /** Counts a vote; a replica's first one stands. */
  recordVote(id: ReplicaId, granted: boolean): Tally {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
    let grants = 0;
    let rejections = 0;
    for (const progress of this.#members) {
      if (progress.isLearner) continue;
      const vote = this.#votes.get(progress.id);
      if (vote === true) grants++;
      else if (vote === false) rejections++;
    }
    return {
      granted: grants,
      rejected: rejections,
      result: jointVoteResult(this.#config, this.#votes),
    };
  }
}
