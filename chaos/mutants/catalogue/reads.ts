// Known bugs of linearizable reads.

import type { Mutant } from "../types.ts";

const BREAKS = "a read sees all that was committed before it began";

export const READ_MUTANTS: readonly Mutant[] = [
  {
    name: "leader-local-reads",
    breaks: BREAKS,
    seenIn: "Jepsen, etcd and Consul, 2014; Jepsen, MongoDB stale reads, 2015",
    file: "src/node/data_partition.ts",
    target: "    this.#replica.read(deadlineMs, (outcome) => {",
    replacement: `    if (this.#replica.isLeader && this.#replica.serving) return settle(answer());
    this.#replica.read(deadlineMs, (outcome) => {`,
  },
  {
    name: "read-index-without-quorum",
    breaks: BREAKS,
    seenIn: "Raft dissertation §6.4, step 3",
    theme: "stale-leader",
    file: "src/raft/read_only.ts",
    target: 'if (raft.config.readOnly === "lease-based") {',
    replacement: "if (raft.term > 0) {",
  },
  {
    name: "read-index-before-first-commit-of-term",
    breaks: BREAKS,
    seenIn: "Raft dissertation §6.4, step 1",
    file: "src/raft/read_only.ts",
    target: "  if (!committedInTerm(raft)) {\n    raft.reads.postponed",
    replacement: "  if (raft.term < 0) {\n    raft.reads.postponed",
  },
  {
    name: "read-index-answer-matched-to-a-retried-request",
    breaks: BREAKS,
    seenIn: "etcd's server: an answer counts only under the id of the request that it answers",
    theme: "slow-handover",
    file: "src/replica/reads.ts",
    target: "const context = this.#nextContext++;",
    replacement:
      "const context = this.#isLate(nowMs) ? this.#rounds.at(-1)!.context : this.#nextContext++;",
  },
  {
    name: "read-served-below-its-index",
    breaks: BREAKS,
    seenIn: "Raft dissertation §6.4, step 4",
    file: "src/replica/reads.ts",
    target: 'if (index <= appliedIndex) settleAll(reads, "ready");',
    replacement: 'if (index <= appliedIndex + 4) settleAll(reads, "ready");',
  },
  {
    name: "read-joins-a-round-already-sent",
    breaks: BREAKS,
    seenIn: "Raft dissertation §6.4: a round vouches for what came before it",
    theme: "slow-handover",
    file: "src/replica/reads.ts",
    target: "else this.#queue.push({ deadlineMs, settle });",
    replacement: "else (this.#rounds.at(-1)?.reads ?? this.#queue).push({ deadlineMs, settle });",
  },
  {
    name: "lease-by-wall-clock",
    breaks: BREAKS,
    seenIn: "Raft dissertation §6.4.1: leases need bounded clocks",
    file: "src/replica/replica.ts",
    target: `  read(deadlineMs: number, settle: (outcome: ReadOutcome) => void): void {
    if (this.#stopped)`,
    replacement: `  #leaseEndMs = 0;
  read(deadlineMs: number, reader: (outcome: ReadOutcome) => void): void {
    const { clock } = this.#options;
    if (this.isLeader && clock.wallMs() < this.#leaseEndMs) return reader("ready");
    const settle = (outcome: ReadOutcome) => {
      if (outcome === "ready") this.#leaseEndMs = clock.wallMs() + 1000;
      reader(outcome);
    };
    if (this.#stopped)`,
  },
];
