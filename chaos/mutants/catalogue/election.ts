// Known bugs of elections: who may vote, what must be durable before a vote, whose votes count.

import type { Mutant } from "../types.ts";

export const ELECTION_MUTANTS: readonly Mutant[] = [
  {
    name: "vote-ignores-log-freshness",
    breaks: "leader completeness",
    seenIn: "Raft §5.4.1",
    file: "src/raft/election.ts",
    target: "if (canVote && raft.log.isUpToDate(message.index, message.logTerm)) {",
    replacement: "if (canVote) {",
  },
  {
    name: "vote-twice-in-a-term",
    breaks: "one leader per term",
    seenIn: "Raft §5.2",
    file: "src/raft/election.ts",
    target: "(raft.vote === NONE && raft.leader === NONE) ||",
    replacement: "raft.leader === NONE ||",
  },
  {
    name: "duplicate-vote-counted",
    breaks: "one leader per term",
    seenIn: "Raft §5.2; messages may come twice",
    theme: "late-elections",
    file: "src/raft/tracker.ts",
    target: "if (!this.#votes.has(id)) this.#votes.set(id, granted);",
    replacement: `let slot = id;
    for (const { id: other } of this.#members) {
      if (this.#votes.has(slot) && !this.#votes.has(other)) slot = other;
    }
    if (!this.#votes.has(slot)) this.#votes.set(slot, granted);`,
  },
  {
    name: "pre-vote-counted-as-vote",
    breaks: "one leader per term",
    seenIn: "Raft dissertation §9.6: a pre-vote binds nobody",
    file: "src/raft/election.ts",
    target: "if (raft.role === Role.PreCandidate) countVote(raft, message);",
    replacement: "countVote(raft, message);",
  },
  {
    name: "vote-not-persisted",
    breaks: "one vote a term, over restarts too",
    seenIn: "Raft figure 2, persistent state",
    file: "src/node/group_files.ts",
    target: "hardState: { ...hardState, commit: Math.max(hardState.commit, effective) },",
    replacement:
      "hardState: { ...hardState, vote: 0, commit: Math.max(hardState.commit, effective) },",
  },
  {
    name: "term-and-vote-written-apart",
    breaks: "one vote a term, over restarts too",
    seenIn: "Raft figure 2: both are updated before the answer",
    file: "src/replica/replica.ts",
    target: "return this.#options.log.append({ hardState, entries, snapshot: null }, deliver);",
    replacement: `const { log } = this.#options;
      const term = hardState === null ? null : { ...hardState, vote: NONE };
      return log.append({ hardState: term, entries, snapshot: null }, () => {
        deliver();
        if (hardState !== null) log.append({ hardState, entries: [], snapshot: null }, () => {});
      });`,
  },
  {
    name: "term-lost-at-restart",
    breaks: "the durable term never runs back",
    seenIn: "Raft figure 2, persistent state",
    file: "src/node/group_files.ts",
    target: "hardState: { ...hardState, commit: Math.max(hardState.commit, effective) },",
    replacement:
      "hardState: { term: group.lastTerm, vote: 0, commit: Math.max(hardState.commit, effective) },",
  },
  {
    name: "answer-overtakes-the-log",
    breaks: "what was acknowledged survives a power cut",
    seenIn: "etcd-raft: log order against vote order under asynchronous storage writes",
    theme: "late-elections",
    file: "src/replica/replica.ts",
    target: "return this.#options.log.afterPending(deliver);",
    replacement: "return deliver();",
  },
  {
    name: "leads-before-its-own-vote-is-durable",
    breaks: "one leader per term",
    seenIn: "etcd-raft: a candidate's own vote comes back to it as a message",
    theme: "late-elections",
    file: "src/raft/election.ts",
    target: "} else if (raft.tracker.hasVoted(raft.id)) {",
    replacement: "} else {",
  },
  {
    name: "suspect-replica-that-votes",
    breaks: "what was acknowledged survives",
    seenIn: "Alagappan et al., Protocol-Aware Recovery for Consensus-Based Storage, FAST '18",
    file: "src/node/hosting.ts",
    target: "if (suspect !== null) {",
    replacement: "if (suspect !== null && group < 0) {",
  },
];
