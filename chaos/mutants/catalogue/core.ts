// Known bugs of consensus, storage and the replica.

import type { Mutant } from "../types.ts";

export const CORE_MUTANTS: readonly Mutant[] = [
  {
    name: "vote-ignores-log-freshness",
    breaks: "leader completeness",
    file: "src/raft/election.ts",
    target: "if (canVote && raft.log.isUpToDate(message.index, message.logTerm)) {",
    replacement: "if (canVote) {",
  },
  {
    name: "vote-twice-in-a-term",
    breaks: "one leader per term",
    file: "src/raft/election.ts",
    target: "(raft.vote === NONE && raft.leader === NONE) ||",
    replacement: "raft.leader === NONE ||",
  },
  {
    name: "quorum-of-half",
    breaks: "quorums overlap",
    file: "src/raft/quorum.ts",
    target: "return (n >> 1) + 1;",
    replacement: "return (n + 1) >> 1 > 2 ? 2 : 1;",
  },
  {
    name: "no-prev-log-term-check",
    breaks: "log matching",
    file: "src/raft/log.ts",
    target: "if (!this.matchTerm(prevIndex, prevTerm)) return -1;",
    replacement: "if (prevIndex > this.lastIndex()) return -1;",
  },
  {
    name: "commit-beyond-last-new-entry",
    breaks: "a committed prefix never changes",
    file: "src/raft/log.ts",
    target: "this.commitTo(Math.min(leaderCommit, lastNew));",
    replacement: "this.commitTo(Math.min(leaderCommit, this.lastIndex()));",
  },
  {
    name: "waiter-by-index-alone",
    breaks: "an acknowledged write happened",
    file: "src/replica/proposals.ts",
    target: 'if (waiter.term === term) waiter.settle({ kind: "applied", result, index });',
    replacement: 'if (waiter.term >= 0) waiter.settle({ kind: "applied", result, index });',
  },
  {
    name: "timeout-told-as-not-applied",
    breaks: "unknown outcomes are honest",
    file: "src/replica/proposals.ts",
    target:
      'waiter.settle({ kind: "unknown", reason: "not committed within the deadline" });\n    }\n    if',
    replacement: 'waiter.settle({ kind: "none", reason: "timeout" });\n    }\n    if',
  },
  {
    name: "read-without-quorum",
    breaks: "linearizable reads",
    file: "src/raft/read_only.ts",
    target: 'if (raft.config.readOnly === "lease-based") {',
    replacement: "if (raft.term > 0) {",
  },
  {
    name: "read-before-first-commit-of-term",
    breaks: "linearizable reads",
    file: "src/raft/read_only.ts",
    target: "  if (!committedInTerm(raft)) {\n    raft.reads.postponed",
    replacement: "  if (raft.term < 0) {\n    raft.reads.postponed",
  },
  {
    name: "read-below-its-index",
    breaks: "linearizable reads",
    file: "src/replica/reads.ts",
    target: 'if (index <= appliedIndex) settleAll(reads, "ready");',
    replacement: 'if (index <= appliedIndex + 4) settleAll(reads, "ready");',
  },
  {
    name: "acknowledged-before-sync",
    breaks: "nothing acknowledged before a quorum has it on synced disk",
    file: "src/replica/replica.ts",
    target: "return this.#options.log.append({ hardState, entries, snapshot: null }, deliver);",
    replacement:
      "this.#options.log.append({ hardState, entries, snapshot: null }, () => {});\n      return this.#options.log.afterPending === undefined ? undefined : void this.#options.clock.defer(deliver);",
  },
  {
    name: "recovered-tail-dropped",
    breaks: "nothing acknowledged before a quorum has it on synced disk",
    file: "src/wal/open_log.ts",
    target: "  const tail = copyOfTail(scan.pending);",
    replacement: "  const tail = copyOfTail([]);",
  },
];
