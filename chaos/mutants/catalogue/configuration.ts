// Known bugs of membership changes within a group.
//
// A campaign with a committed, unapplied change can't come about in the whole node: applies are done in the
// very turn that commits them, and a replica whose applies wait for a snapshot to load neither ticks nor
// campaigns. `campaigns-before-its-state-is-whole` takes that guard away instead.

import type { Mutant } from "../types.ts";

export const CONFIGURATION_MUTANTS: readonly Mutant[] = [
  {
    name: "configuration-used-on-append",
    breaks: "a configuration takes effect when it is applied",
    seenIn: "etcd-raft against Raft §6: the two rules must not be mixed",
    file: "src/raft/node.ts",
    target: `    return refusal !== null && result.kind === "appended"`,
    replacement: `    if (refusal === null && result.kind === "appended") {
      applyConfChange(this.#raft, change, result.index);
      this.#raft.snapshotConfIndex = result.index;
    }
    return refusal !== null && result.kind === "appended"`,
  },
  {
    name: "pending-change-forgotten-at-election",
    breaks: "one membership change at a time",
    seenIn: "Ongaro, bug in single-server membership changes, raft-dev, 2015",
    theme: "moves-under-elections",
    file: "src/raft/raft.ts",
    target: "    this.pendingConfIndex = this.log.lastIndex();",
    replacement: "    this.pendingConfIndex = 0;",
  },
  {
    name: "second-change-proposed-before-the-first-is-applied",
    breaks: "one membership change at a time",
    seenIn: "Raft dissertation §4.1",
    theme: "moves-under-elections",
    file: "src/raft/membership.ts",
    target: "if (raft.pendingConfIndex > applied) {",
    replacement: "if (raft.pendingConfIndex > applied && applied < 0) {",
  },
  {
    name: "campaigns-before-its-state-is-whole",
    breaks: "no campaign without the state",
    seenIn: "a replica with a damaged snapshot may vote, but neither campaigns nor serves",
    theme: "late-snapshots",
    file: "src/replica/replica.ts",
    target: "    if (!this.serving && !this.isLeader) return; // neither campaigns",
    replacement: "    // neither campaigns",
  },
  {
    name: "removed-member-disrupts",
    breaks: "followers of a live leader ignore campaigns",
    seenIn: "Raft §6; dissertation §4.2.3",
    file: "src/raft/raft.ts",
    target: "if (inLease && message.context !== CONTEXT_TRANSFER) return false;",
    replacement:
      "if (inLease && message.context !== CONTEXT_TRANSFER && message.term === 0) return false;",
  },
  {
    name: "no-pre-vote",
    breaks: "no campaign without a quorum's pre-votes",
    seenIn: "Raft dissertation §9.6",
    file: "src/replica/replica.ts",
    target: "      preVote: true,",
    replacement: "      preVote: false,",
  },
  {
    name: "joint-commit-by-the-new-majority-alone",
    breaks: "configurations overlap",
    seenIn: "Raft §6",
    theme: "moves-under-elections",
    file: "src/raft/tracker.ts",
    target: ": Math.min(incoming, this.#quorumMatch(this.#outgoing));",
    replacement: ": incoming;",
  },
  {
    name: "joint-vote-by-the-new-majority-alone",
    breaks: "configurations overlap",
    seenIn: "Raft §6",
    theme: "moves-under-elections",
    file: "src/raft/quorum.ts",
    target: "if (incoming === outgoing) return incoming;",
    replacement: "if (incoming === outgoing || config.outgoing.length > 0) return incoming;",
  },
];
