// What must hold of logs: two that agree on an entry agree on all before it; what is committed stays and is in
// the logs of a quorum; a leader has all that was committed before its term (Raft figure 3). Looks at what
// changed since the last look only.

import type { LogIndex, ReplicaId, Term } from "../../../src/base/ids.ts";
import { type Config, Role, UNKNOWN_TERM } from "../../../src/raft/mod.ts";
import { type GroupFacts, type HeldLog, placeOf, type Promises, type Watched } from "./facts.ts";
import { Violation } from "./violation.ts";

/** Terms stay far below this in a run of seconds. */
const TERMS_MAX = 2 ** 20;

/** Looks at what was appended, replaced or committed. Throws a {@linkcode Violation}. */
export function lookAtLog(watched: Watched): void {
  const { core, id } = watched.replica;
  const { facts } = watched;
  let held = facts.held.get(id);
  if (held === undefined) {
    held = { terms: [], firstIndex: 1, lastIndex: 0, lastTerm: 0 };
    facts.held.set(id, held);
  }
  const { lastIndex } = core;
  const lastTerm = core.termAt(lastIndex);
  if (held.lastIndex !== lastIndex || held.lastTerm !== lastTerm) {
    takeEntries(watched, held, lastIndex);
    checkAcknowledged(watched, lastIndex);
    held.lastIndex = lastIndex;
    held.lastTerm = lastTerm;
  }
  held.firstIndex = core.firstIndex;
  const { committed } = core;
  if (committed > watched.commit) takeCommits(watched, committed);
}

function takeEntries(watched: Watched, held: HeldLog, lastIndex: LogIndex): void {
  const { core } = watched.replica;
  const { previousTerms } = watched.facts;
  held.terms.length = Math.min(held.terms.length, lastIndex + 1);
  for (let index = lastIndex; index > 0; index--) {
    const term = core.termAt(index);
    // From here down it is the log that was looked at before, or was compacted.
    if (term === UNKNOWN_TERM || held.terms[index] === term) break;
    held.terms[index] = term;
    const previous = core.termAt(index - 1);
    if (previous === UNKNOWN_TERM) break;
    const key = index * TERMS_MAX + term;
    const known = previousTerms.get(key);
    if (known === undefined) previousTerms.set(key, previous);
    else if (known !== previous) {
      throw new Violation(
        "log matching",
        `${
          placeOf(watched)
        }: entry ${index} of term ${term} follows term ${previous}, elsewhere ${known}`,
      );
    }
  }
}

/** In the term in which it was acknowledged to that term's leader, no entry goes. */
export function checkAcknowledged(watched: Watched, lastIndex: LogIndex): void {
  const promises = watched.facts.promises.get(watched.replica.id);
  if (promises === undefined || promises.acknowledgedTerm !== watched.replica.core.term) return;
  if (lastIndex >= promises.acknowledgedIndex) return;
  throw new Violation(
    "what was acknowledged stays",
    `${
      placeOf(watched)
    } acknowledged ${promises.acknowledgedIndex} in its term, and ends at ${lastIndex}`,
  );
}

function takeCommits(watched: Watched, committed: LogIndex): void {
  const { core } = watched.replica;
  const { facts } = watched;
  const { committedTerms } = facts;
  for (let index = committed; index > watched.commit; index--) {
    const term = core.termAt(index);
    if (term === UNKNOWN_TERM) break;
    const known = committedTerms[index];
    if (known === undefined) committedTerms[index] = term;
    else if (known !== term) {
      throw new Violation(
        "committed prefix never changes",
        `${placeOf(watched)} commits ${index} of term ${term}; it was of term ${known}`,
      );
    }
  }
  if (committed > facts.committedIndex) facts.committedIndex = committed;
  if (core.role !== Role.Leader) return;
  facts.commits.set(core.term, committed);
  if (watched.role === Role.Leader && watched.term === core.term) {
    const term = core.termAt(committed);
    if (term !== core.term) {
      const message = `${
        placeOf(watched)
      } leads term ${core.term} and commits ${committed} of ${term}`;
      throw new Violation("a leader counts entries of its own term only", message);
    }
  }
  checkQuorum(watched, committed);
}

/** A leader has just committed up to `index`: by the configuration of before, or by one that came with it. */
function checkQuorum(watched: Watched, index: LogIndex): void {
  const { core } = watched.replica;
  const missing = missingMajority(watched, watched.configuration, index);
  if (missing !== undefined && missingMajority(watched, core.configuration, index) !== undefined) {
    throw new Violation(
      "a quorum has acknowledged what is committed",
      `${placeOf(watched)} commits ${index} of term ${core.termAt(index)}; ${missing}`,
    );
  }
  for (const [id, acknowledged] of watched.acknowledged) noteStanding(watched, id, acknowledged);
}

/** In words, a majority of `configuration` that does not have the entry at `index`, or did not say so. */
function missingMajority(
  { facts, replica, acknowledged, acknowledgedTerm }: Watched,
  configuration: Config,
  index: LogIndex,
): string | undefined {
  const { core } = replica;
  const term = core.termAt(index);
  for (const voters of [configuration.incoming, configuration.outgoing]) {
    if (voters.length === 0) continue;
    const holders = voters.filter((id) => {
      const held = facts.held.get(id);
      return held !== undefined && (held.terms[index] === term || index < held.firstIndex);
    });
    if (holders.length * 2 <= voters.length) return `of ${voters} it is in ${holders}`;
    const told = voters.filter((id) => (acknowledged.get(id) ?? 0) >= index);
    if (told.length * 2 <= voters.length || acknowledgedTerm !== core.term) {
      return `of ${voters} it was acknowledged by ${told}`;
    }
  }
  return undefined;
}

/** What a replica acknowledged to the leader of its term stands as far as that leader has committed. */
export function noteStanding(watched: Watched, id: ReplicaId, acknowledged: LogIndex): void {
  if (watched.acknowledgedTerm !== watched.replica.core.term) return;
  const standing = Math.min(acknowledged, watched.replica.core.committed);
  const promises = promisesOf(watched.facts, id);
  if (standing > promises.committedIndex) promises.committedIndex = standing;
}

export function promisesOf(facts: GroupFacts, id: ReplicaId): Promises {
  let promises = facts.promises.get(id);
  if (promises === undefined) {
    promises = {
      votes: new Map(),
      term: 0,
      committedIndex: 0,
      acknowledgedIndex: 0,
      acknowledgedTerm: 0,
    };
    facts.promises.set(id, promises);
  }
  return promises;
}

/** A replica has just become leader. */
export function checkCompleteness(watched: Watched): void {
  const { core } = watched.replica;
  let index = 0;
  for (const [term, committed] of watched.facts.commits) {
    // A leader that learns late of its election may find later terms' leaders ahead of it.
    if (term < core.term && committed > index) index = committed;
  }
  if (index === 0 || index < core.firstIndex) return;
  const found = core.termAt(index);
  const wanted: Term | undefined = watched.facts.committedTerms[index];
  if (wanted === undefined || found === wanted) return;
  throw new Violation(
    "leader completeness",
    `${placeOf(watched)} leads term ${core.term} with term ${found} at the committed ${index} ` +
      `of term ${wanted}; its log ends at ${core.lastIndex}`,
  );
}
