// Known bugs of what drives a group: proposals and their outcomes, applying, deduplication.

import type { Mutant } from "../types.ts";

export const REPLICA_MUTANTS: readonly Mutant[] = [
  {
    name: "waiter-keyed-by-index-alone",
    breaks: "an answer is about its own entry",
    seenIn: "Students' Guide to Raft, on indices that appear twice",
    theme: "stale-leader",
    file: "src/replica/proposals.ts",
    target: 'if (waiter.term === term) waiter.settle({ kind: "applied", result, index });',
    replacement: 'if (waiter.term >= 0) waiter.settle({ kind: "applied", result, index });',
  },
  {
    name: "timeout-reported-as-not-applied",
    breaks: "what was refused is never applied",
    seenIn: "Jepsen: an operation that timed out may still take effect",
    file: "src/replica/proposals.ts",
    target:
      'waiter.settle({ kind: "unknown", reason: "not committed within the deadline" });\n    }\n    if',
    replacement: 'waiter.settle({ kind: "none", reason: "timeout" });\n    }\n    if',
    recipe: "deno task chaos --workload kv --nemesis pause+partition --time-limit 25s",
  },
  {
    name: "non-deterministic-apply",
    breaks: "equal state at equal index",
    seenIn: "Schneider, Implementing Fault-Tolerant Services, 1990, §2",
    file: "src/store/store.ts",
    target: "    this.#subIndex = 0;\n    if (envelope",
    replacement: "    if (envelope",
  },
  {
    name: "condition-evaluated-at-propose-time",
    breaks: "linearizable",
    seenIn: "check and set apart: the classic lost update",
    file: "src/node/api_service.ts",
    target: "const packed = this.#compressor?.pack(command) ?? command;",
    replacement:
      `const led = this.#parts.hosting()?.data(this.#parts.topology.partitionOf(key))?.data;
    const revision = led?.replica.isLeader ? led.store.get(key)?.revision : undefined;
    const met = command.kind === "put" && command.condition?.kind === "revision" &&
      command.condition.revision === revision;
    const bare: Command = command.kind === "put" && met
      ? { ...command, condition: undefined }
      : command;
    const packed = this.#compressor?.pack(bare) ?? bare;`,
  },
  {
    name: "dedupe-keyed-by-node",
    breaks: "at most once",
    seenIn: "Raft dissertation §6.3: the client names the command, not who took it in",
    file: "src/node/api_service.ts",
    target: "          : { timeMs: 0, command: packed, idempotency },",
    replacement: `          : {
            timeMs: 0,
            command: packed,
            idempotency: idempotency.kind === "key"
              ? { ...idempotency, key: this.#parts.wal.nodeId.slice(0, 8) + idempotency.key }
              : {
                ...idempotency,
                sessionId: this.#parts.wal.nodeId.slice(0, 16) + idempotency.sessionId.slice(16),
              },
          },`,
  },
];
