// What is known of a group and of each of its replicas, gathered from all lives of all nodes. Plain data: the
// files beside this one fill it and hold the replicas to it.

import type { LogIndex, PartitionId, ReplicaId, Term } from "../../../src/base/ids.ts";
import type { Config } from "../../../src/raft/mod.ts";
import type { Replica } from "../../../src/replica/replica.ts";
import type { SimNode } from "../sim_node.ts";
import type { Violation } from "./violation.ts";

/** What one replica has said to others, and must stand by in every life. */
export interface Promises {
  /** By term, whom it voted for. */
  readonly votes: Map<Term, ReplicaId>;
  /** Highest term that it voted or acknowledged entries in. */
  term: Term;
  /** Highest committed index that it acknowledged. */
  committedIndex: LogIndex;
  /** Highest index that it acknowledged in `acknowledgedTerm`, the last term that it did so in. */
  acknowledgedIndex: LogIndex;
  acknowledgedTerm: Term;
}

/** The terms of one replica's log, as last looked at. */
export interface HeldLog {
  /** By index; sparse where the replica never held an entry. */
  readonly terms: Term[];
  /** What lies before was compacted, or came in a snapshot. */
  firstIndex: LogIndex;
  lastIndex: LogIndex;
  lastTerm: Term;
}

/** What all replicas of a group agree on. */
export interface GroupFacts {
  readonly group: PartitionId;
  /** Who led each term. */
  readonly leaders: Map<Term, ReplicaId>;
  /** By term, how far its leader committed. */
  readonly commits: Map<Term, LogIndex>;
  /** Terms of committed entries, by index. */
  readonly committedTerms: Term[];
  /** Highest index that any replica knew to be committed. */
  committedIndex: LogIndex;
  /** By index and term of an entry, the term of the entry before it. */
  readonly previousTerms: Map<number, Term>;
  /** Data of applied entries. */
  readonly entries: Map<LogIndex, string>;
  /** State hashes. */
  readonly states: Map<LogIndex, string>;
  /** The replicas' newest lives. */
  readonly living: Map<ReplicaId, Watched>;
  /** Membership changes that leaders let into their logs: their terms, by index. */
  readonly changes: Map<LogIndex, Term>;
  /** Configurations by the index they took effect at. */
  readonly configurations: Map<LogIndex, string>;
  /** Replicas that some map has let go of as voters. */
  readonly leavers: Set<ReplicaId>;
  readonly held: Map<ReplicaId, HeldLog>;
  readonly promises: Map<ReplicaId, Promises>;
  /** To whom a leader was last seen to hand over. */
  transferee: ReplicaId;
}

export function newGroupFacts(group: PartitionId): GroupFacts {
  return {
    group,
    leaders: new Map(),
    commits: new Map(),
    committedTerms: [],
    committedIndex: 0,
    previousTerms: new Map(),
    entries: new Map(),
    states: new Map(),
    living: new Map(),
    changes: new Map(),
    configurations: new Map(),
    leavers: new Set(),
    held: new Map(),
    promises: new Map(),
    transferee: 0,
  };
}

/** One life of a replica. */
export interface Watched {
  readonly node: SimNode;
  readonly life: number;
  readonly replica: Replica;
  readonly facts: GroupFacts;
  term: Term;
  role: number;
  commit: LogIndex;
  applied: LogIndex;
  /** Where its state was last looked at. */
  stateIndex: LogIndex;
  /** Acknowledgements that it received as leader of `acknowledgedTerm`, by replica. */
  readonly acknowledged: Map<ReplicaId, LogIndex>;
  acknowledgedTerm: Term;
  /** Who granted it a pre-vote since it last campaigned; a late one counts, as in etcd-raft: it binds nobody. */
  readonly preVotes: Set<ReplicaId>;
  /** The term that it was in after a leader had told it to campaign at once. */
  transferTerm: Term;
  /** When it last heard from its leader, by its own clock. */
  heardLeaderMs: number;
  /** The core's configuration at the last look. */
  configuration: Config;
  /** The configurations that were last compared, the core's and the replica's. */
  coreConfiguration: unknown;
  replicaConfiguration: unknown;
  /** Notes what was found within the node's own code. */
  report(violation: Violation): void;
}

/** Where something happened, for messages. */
export function placeOf({ node, life, replica }: Watched): string {
  return `${node.name} life ${life}, partition ${replica.group}, replica ${replica.id}`;
}
