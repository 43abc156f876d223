// What a replica says and must stand by: one vote a term, and in its next life the term and vote it gave and
// the entries it acknowledged. What it says is seen where it arrives: only that binds. Also who may campaign.

import type { LogIndex, ReplicaId } from "../../../src/base/ids.ts";
import { CONTEXT_TRANSFER, type Message, MessageType, Role } from "../../../src/raft/mod.ts";
import { ELECTION_TICKS } from "../../../src/replica/replica.ts";
import type { SimNode } from "../sim_node.ts";
import { placeOf, type Watched } from "./facts.ts";
import { checkAcknowledged, noteStanding, promisesOf } from "./logs.ts";
import { Violation } from "./violation.ts";

/** Surely within the lease of a leader: ticks come each 50 ms, by clocks up to a tenth too fast or too slow. */
const LEASE_MS = ELECTION_TICKS * 50 * 0.8;

/** Sees every message that reaches the replica's core, its own acknowledgements included. */
export function tapMessages(watched: Watched): void {
  const { core } = watched.replica;
  const step = core.step.bind(core);
  core.step = (message) => {
    const isCampaign = message.type === MessageType.Vote;
    const before = isCampaign && hasLivingLeader(watched) ? core.term : Infinity;
    const match = isStaleAcknowledgement(watched, message) ? matchOf(watched, message.from) : -1;
    const error = step(message);
    try {
      if (match >= 0) checkStale(watched, message, match);
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

/** An acknowledgement from an earlier term reaches a leader, whose log may be another one by now. */
function isStaleAcknowledgement({ replica: { core } }: Watched, message: Message): boolean {
  return message.type === MessageType.AppendResponse && message.term !== 0 &&
    message.term < core.term && core.role === Role.Leader;
}

/** How far the leader believes that the replica's log matches its own. */
function matchOf({ replica: { core } }: Watched, id: ReplicaId): LogIndex {
  return core.status().progress.find((progress) => progress.id === id)?.match ?? 0;
}

function checkStale(watched: Watched, { from, term, index }: Message, before: LogIndex): void {
  if (matchOf(watched, from) === before) return;
  throw new Violation(
    "an acknowledgement counts in its term only",
    `${
      placeOf(watched)
    } counts ${index} of term ${term} from ${from} in ${watched.replica.core.term}`,
  );
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
  if (core.term >= promises.acknowledgedTerm) {
    const before = core.term > promises.acknowledgedTerm ? 0 : promises.acknowledgedIndex;
    promises.acknowledgedTerm = core.term;
    promises.acknowledgedIndex = Math.max(before, index);
  }
  checkStable(watched, from, index);
  noteStanding(watched, from, index);
}

/** What a replica acknowledges to another one is durable as far as itself knows. */
function checkStable(watched: Watched, from: ReplicaId, index: LogIndex): void {
  const other = watched.facts.living.get(from);
  if (other === undefined || other === watched) return;
  const { core } = other.replica;
  if (core.term !== watched.replica.core.term || core.stableIndex >= index) return;
  const message = `${placeOf(other)} acknowledges ${index}, and has synced ${core.stableIndex}`;
  throw new Violation("what is acknowledged is durable", message);
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
  if (watched.replica.awaitingSnapshot && !watched.node.mayBeSuspect) {
    throw new Violation("no state is lost without damage", placeOf(watched));
  }
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
  checkAcknowledged(watched, core.lastIndex);
  if (committedIndex < core.firstIndex) return;
  const found = core.termAt(committedIndex);
  const wanted = facts.committedTerms[committedIndex];
  if (wanted === undefined || found === wanted) return;
  throw say(`has term ${found} at ${committedIndex}, and had acknowledged term ${wanted} there`);
}

/** A replica has just become leader: a quorum, itself included, has told it of votes that are durable. */
export function checkVotes(watched: Watched): void {
  const { core, id } = watched.replica;
  const hasVoted = (voter: ReplicaId) =>
    watched.facts.promises.get(voter)?.votes.get(core.term) === id;
  for (const voters of [core.configuration.incoming, core.configuration.outgoing]) {
    const granted = voters.filter(hasVoted);
    const isMissingOwn = voters.includes(id) && !granted.includes(id);
    if (voters.length === 0 || granted.length * 2 > voters.length && !isMissingOwn) continue;
    throw new Violation(
      "a leader has a quorum's votes",
      `${placeOf(watched)} leads term ${core.term} by the votes of ${granted} among ${voters}`,
    );
  }
}

/** The replica's role or term has changed. */
export function checkCampaign(watched: Watched, before: { role: number; term: number }): void {
  const { core, serving, ended } = watched.replica;
  const { role, term } = core;
  if (role === Role.Follower) return;
  if (!serving && !ended && role !== before.role) {
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
