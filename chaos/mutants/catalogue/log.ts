// Known bugs of the replicated log: matching, truncation, acknowledgement, commit.
//
// `commit-beyond-last-new-entry` sits where the heartbeat caps the commit index. On the append path the cap
// guards against a message that ends before the follower's divergent entries; here a leader's first append
// of its term carries an entry of that term in their place, so that only an append cut at 1 MiB could show it.

import type { Mutant } from "../types.ts";

export const LOG_MUTANTS: readonly Mutant[] = [
  {
    name: "prior-term-commit-by-count",
    breaks: "leader completeness",
    seenIn: "Raft §5.4.2, figure 8",
    theme: "late-elections",
    file: "src/raft/log.ts",
    target: "if (index <= this.committed || term === 0 || this.term(index) !== term) return false;",
    replacement: "if (index <= this.committed || term === 0) return false;",
  },
  {
    name: "no-prev-log-term-check",
    breaks: "log matching",
    seenIn: "Raft §5.3",
    file: "src/raft/log.ts",
    target: "if (!this.matchTerm(prevIndex, prevTerm)) return -1;",
    replacement: "if (prevIndex > this.lastIndex() || prevTerm < 0) return -1;",
  },
  {
    name: "truncation-on-a-matching-prefix",
    breaks: "an acknowledged entry stays",
    seenIn: "Raft figure 2, AppendEntries step 3; Students' Guide to Raft, on delayed messages",
    theme: "late-elections",
    file: "src/raft/log.ts",
    target: "const conflict = this.#findConflict(entries);",
    replacement:
      "const conflict = this.#findConflict(entries) >= -1 && entries.length > 0 ? 0 : -1;",
  },
  {
    name: "commit-beyond-last-new-entry",
    breaks: "a committed prefix never changes",
    seenIn: "Raft figure 2, AppendEntries step 5; etcd-raft, commit index of a heartbeat",
    file: "src/raft/replication.ts",
    target: "message.commit = Math.min(progress.match, raft.log.committed);",
    replacement: "message.commit = raft.log.committed;",
  },
  {
    name: "stale-append-acknowledgement-accepted",
    breaks: "a committed entry is in the logs of a quorum",
    seenIn: "etcd-raft, the ABA problem of asynchronous storage writes",
    theme: "late-elections",
    file: "src/raft/raft.ts",
    target: "} else if (message.term !== 0 && message.term < this.term) {",
    replacement:
      "} else if (message.term !== 0 && message.term < this.term && message.type !== MessageType.AppendResponse) {",
  },
  {
    name: "quorum-of-half",
    breaks: "quorums overlap",
    seenIn: "Raft §5.2",
    file: "src/raft/quorum.ts",
    target: "return (n >> 1) + 1;",
    replacement: "return Math.max(1, n >> 1);",
  },
  {
    name: "learner-counted-in-quorum",
    breaks: "a committed entry is in the logs of a quorum",
    seenIn: "Raft dissertation §4.2.1",
    file: "src/raft/tracker.ts",
    target: "for (let i = 0; i < voters.length; i++) this.#scratch[i] = voters[i].match;",
    replacement: `const matches = this.#members.map((one) => one.match).sort((a, b) => b - a);
    for (let i = 0; i < voters.length; i++) this.#scratch[i] = matches[i];`,
  },
];
