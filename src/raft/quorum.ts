// Majorities and joint majorities: which index is committed, which vote is won.
// Pure arithmetic over sorted id lists; knows nothing of roles or messages.
// Source: Raft dissertation §4.3 (joint consensus); the empty majority agrees to everything.

import type { LogIndex, ReplicaId } from "../base/ids.ts";

/** The voters of one majority, ascending, without repetition. */
export type MajorityConfig = readonly ReplicaId[];

/** Two majorities that must agree; the second is empty unless the configuration is joint. */
export interface JointConfig {
  readonly incoming: MajorityConfig;
  readonly outgoing: MajorityConfig;
}

export enum VoteResult {
  /** Neither won nor lost yet. */
  Pending = 1,
  Lost = 2,
  Won = 3,
}

/** Votes that a majority of `n` takes. */
export function majoritySize(n: number): number {
  return (n >> 1) + 1;
}

/**
 * The highest index that a majority has reached, given what each voter has (0 for "unknown").
 * Sorts `indexes[0, count)` in place. Infinity for the empty majority.
 */
export function majorityIndex(indexes: LogIndex[], count: number): LogIndex {
  if (count === 0) return Infinity;
  // Insertion sort: groups are of 3, 5 or 7, and no allocation or comparator call is wanted here.
  for (let i = 1; i < count; i++) {
    const value = indexes[i];
    let j = i - 1;
    while (j >= 0 && indexes[j] > value) {
      indexes[j + 1] = indexes[j];
      j--;
    }
    indexes[j + 1] = value;
  }
  return indexes[count - majoritySize(count)];
}

/** The index committed by a single majority; `acked` returns undefined for "unknown". */
export function majorityCommittedIndex(
  config: MajorityConfig,
  acked: (id: ReplicaId) => LogIndex | undefined,
): LogIndex {
  return majorityIndex(config.map((id) => acked(id) ?? 0), config.length);
}

/** The index committed by both majorities. */
export function jointCommittedIndex(
  config: JointConfig,
  acked: (id: ReplicaId) => LogIndex | undefined,
): LogIndex {
  return Math.min(
    majorityCommittedIndex(config.incoming, acked),
    majorityCommittedIndex(config.outgoing, acked),
  );
}

/** The state of a vote among one majority; ids missing from `votes` have not voted yet. */
export function majorityVoteResult(
  config: MajorityConfig,
  votes: ReadonlyMap<ReplicaId, boolean>,
): VoteResult {
  if (config.length === 0) return VoteResult.Won;
  let granted = 0;
  let missing = 0;
  for (const id of config) {
    const vote = votes.get(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const needed = majoritySize(config.length);
  if (granted >= needed) return VoteResult.Won;
  return granted + missing >= needed ? VoteResult.Pending : VoteResult.Lost;
}

/** The state of a vote that both majorities have to grant. */
export function jointVoteResult(
  config: JointConfig,
  votes: ReadonlyMap<ReplicaId, boolean>,
): VoteResult {
  const incoming = majorityVoteResult(config.incoming, votes);
  const outgoing = majorityVoteResult(config.outgoing, votes);
  if (incoming === outgoing) return incoming;
  if (incoming === VoteResult.Lost || outgoing === VoteResult.Lost) return VoteResult.Lost;
  return VoteResult.Pending;
}

/** All voters of both majorities, ascending, without repetition. */
export function jointIds(config: JointConfig): ReplicaId[] {
  const ids = new Set<ReplicaId>([...config.incoming, ...config.outgoing]);
  return [...ids].sort((a, b) => a - b);
}
