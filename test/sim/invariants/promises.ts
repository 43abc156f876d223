// What a replica says and must stand by: one vote a term, and in its next life the term and vote it gave and
// the entries it acknowledged. What it says is seen where it arrives: only that binds. Also who may campaign.

import type { SimNode } from "../sim_node.ts";
import { CONTEXT_TRANSFER, type Message, MessageType, Role } from "../../../src/raft/mod.ts";
import { ELECTION_TICKS } from "../../../src/replica/replica.ts";
import { placeOf, type Watched } from "./facts.ts";
import { noteStanding, promisesOf } from "./logs.ts";
import { Violation } from "./violation.ts";

/** Surely within the lease of a leader: ticks come each 50 ms, by clocks up to a tenth too fast or too slow. */
const LEASE_MS = ELECTION_TICKS * 50 * 0.8;

/** Sees every message that reaches the replica's core, its own acknowledgements included. */
export function tapMessages(watched: Watched): void {
  const { core } = watched.replica;
  const step = core.step.bind(core);
  core.step = (message) => {
    const before = hasLivingLeader(watched) ? core.term : Infinity;
    const error = step(message);
    try {
      take(watched, message, before);
    } catch (cause) {
      if (!(cause instanceof Violation)) throw cause;
      watched.report(cause);
    }
    return error;
  };
}

function take(watched: Watched, message: Message, ledTerm: number): void {
  const { core } = watched.replica;
  switch (message.type) {
    case MessageType.Append:
    case MessageType.Heartbeat:
    case MessageType.Snapshot:
      if (message.term === core.term) watched.heardLeaderMs = nowMs(watched.node);
      return;
    case MessageType.AppendResponse:
      if (!message.reject && message.term === core.term) takeAcknowledgement(watched, message);
      return;
    case MessageType.VoteResponse:
      if (!message.reject) takeVote(watched, message);
      return;
    case MessageType.PreVoteResponse:
      if (!message.reject) watched.preVotes.add(message.from);
      return;
    case MessageType.TimeoutNow:
      watched.transferTerm = core.term;
      return;
    case MessageType.Vote:
      if (
        message.context !== CONTEXT_TRANSFER && core.term === message.term && core.term > ledTerm
      ) {
        throw new Violation(
          "followers of a live leader ignore campaigns",
          `${placeOf(watched)} follows ${message.from} into term ${core.term}`,
        );
      }
  }
}

function nowMs(node: SimNode): number {
  return node.life?.clock.monotonicMs() ?? Infinity;
}

function hasLivingLeader({ node, replica, heardLeaderMs }: Watched): boolean {
  const { core } = replica;
  return core.role === Role.Follower && core.leader !== 0 && !core.quiescent &&
    nowMs(node) - heardLeaderMs < LEASE_MS;
}

function takeAcknowledgement(watched: Watched, { from, index }: Message): void {
  const { core } = watched.replica;
  if (core.role !== Role.Leader) return;
  if (watched.acknowledgedTerm !== core.term) {
    watched.acknowledged.clear();
    watched.acknowledgedTerm = core.term;
  }
  if (index <= (watched.acknowledged.get(from) ?? 0)) return;
  watched.acknowledged.set(from, index);
  const promises = promisesOf(watched.facts, from);
  promises.term = Math.max(promises.term, core.term);
  noteStanding(watched, from, index);
}

function takeVote(watched: Watched, { from, term }: Message): void {
  const { id } = watched.replica;
  const promises = promisesOf(watched.facts, from);
  const voted = promises.votes.get(term);
  if (voted !== undefined && voted !== id) {
    const message = `replica ${from} voted for ${voted} and ${id} in term ${term}`;
    throw new Violation("one vote a term", `partition ${watched.replica.group}: ${message}`);
  }
  promises.votes.set(term, id);
  promises.term = Math.max(promises.term, term);
}

/** A replica starts a life: it must be as it said it was in those before. */
export function checkRestart(watched: Watched): void {
  const { core, id } = watched.replica;
  const { facts } = watched;
  const promises = facts.promises.get(id);
  if (promises === undefined) return;
  const { term, votes, committedIndex } = promises;
  const say = (what: string) =>
    new Violation("promises survive a restart", `${placeOf(watched)} ${what}`);
  if (core.term < term) throw say(`begins in term ${core.term}, and had spoken in ${term}`);
  const voted = votes.get(core.term);
  if (voted !== undefined && core.vote !== voted) {
    throw say(`knows of vote ${core.vote} in term ${core.term}, and had voted for ${voted}`);
  }
  if (committedIndex < core.firstIndex) return;
  const found = core.termAt(committedIndex);
  const wanted = facts.committedTerms[committedIndex];
  if (wanted === undefined || found === wanted) return;
  throw say(`has term ${found} at ${committedIndex}, and had acknowledged term ${wanted} there`);
}

/** The replica's role or term has changed. */
export function checkCampaign(watched: Watched, before: { role: number; term: number }): void {
  const { core, serving } = watched.replica;
  const { role, term } = core;
  if (role === Role.Follower) return;
  if (!serving && role !== before.role) {
    throw new Violation("no campaign without the state", placeOf(watched));
  }
  // A pre-candidate has entered no term yet.
  if (role === Role.PreCandidate || term === before.term || watched.transferTerm === term) {
    return;
  }
  const { incoming, outgoing } = core.configuration;
  const granted = [...watched.preVotes];
  watched.preVotes.clear();
  for (const voters of [incoming, outgoing]) {
    const count = voters.filter((id) => granted.includes(id)).length;
    if (voters.length === 0 || count * 2 > voters.length) continue;
    throw new Violation(
      "no campaign without a quorum's pre-votes",
      `${placeOf(watched)} enters term ${term} with those of ${granted} among ${voters}`,
    );
  }
}
