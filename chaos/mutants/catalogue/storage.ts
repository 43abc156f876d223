// Known bugs of the write-ahead log: what is durable when, and what recovery makes of what it finds.

import type { Mutant } from "../types.ts";

export const STORAGE_MUTANTS: readonly Mutant[] = [
  {
    name: "ack-before-fsync",
    breaks: "what was acknowledged survives a power cut",
    seenIn: "etcd issue 14370; Raft §5.1",
    file: "src/wal/wal.ts",
    target: `    this.#record(onDurable);
  }

  /** Calls back once everything appended so far`,
    replacement: `    this.#record(undefined);
    Promise.resolve().then(onDurable);
  }

  /** Calls back once everything appended so far`,
    recipe: "deno task chaos --workload register --nemesis power-cut --time-limit 25s",
  },
  {
    name: "no-directory-fsync",
    breaks: "what was acknowledged survives a power cut",
    seenIn: "Pillai et al., All File Systems Are Not Created Equal, OSDI '14",
    theme: "power-cuts",
    file: "src/wal/segment_preparer.ts",
    target: "await disk.syncDirectory(folder);",
    replacement: "",
    recipe:
      "deno task chaos --workload register --nemesis power-cut --time-limit 25s --expect snapshot-sent",
  },
  {
    name: "torn-tail-accepted",
    breaks: "recovery takes whole batches only",
    seenIn: "Pillai et al., All File Systems Are Not Created Equal, OSDI '14",
    theme: "power-cuts",
    file: "src/wal/recovery.ts",
    target: "const batch = reader.batchAt(offset, limit, this.#chain);",
    replacement: `const head = reader.batchAt(offset, limit, this.#chain);
      const batch = "commit" in head ? head : reader.findCommit(offset, limit) ?? head;`,
  },
  {
    name: "rot-truncated-as-a-tail",
    breaks: "damage to acknowledged data is detected",
    seenIn: "Alagappan et al., Protocol-Aware Recovery for Consensus-Based Storage, FAST '18",
    file: "src/wal/recovery.ts",
    target: "this.#state.recordDamage(contents, reason);",
    replacement: "",
    recipe: "deno task chaos --workload register --nemesis damage --time-limit 25s",
  },
  {
    name: "recovered-tail-not-re-synced",
    breaks: "what was acknowledged survives a power cut",
    seenIn: "the page cache of a killed process may hold what the disk does not",
    file: "src/wal/open_log.ts",
    target: "  segment.file.syncSync();\n  disk.rename(temporary, segment.path);",
    replacement: "  disk.rename(temporary, segment.path);",
    recipe: "deno task chaos --workload register --nemesis kill-all+power-cut --time-limit 25s",
  },
  {
    name: "recovered-tail-dropped",
    breaks: "what was acknowledged survives a crash",
    seenIn: "etcd's WAL repair cuts only what no valid record follows",
    file: "src/wal/open_log.ts",
    target: "  const tail = copyOfTail(scan.pending);",
    replacement: "  const tail = copyOfTail([]);",
    recipe: "deno task chaos --workload register --nemesis kill-all --time-limit 25s",
  },
  {
    name: "failed-sync-taken-for-success",
    breaks: "what was acknowledged survives a power cut",
    seenIn: "PostgreSQL's fsync errors, 2018; Rebello et al., ATC '20",
    theme: "power-cuts",
    file: "src/wal/wal.ts",
    target: `(cause) => this.#fail("Cannot sync the log", cause),
    ).catch`,
    replacement: `() => this.#onSynced(end, chain, callbacks),
    ).catch`,
    recipe: "deno task chaos --workload register --nemesis failing-sync --time-limit 25s",
  },
  {
    name: "segment-removed-while-needed",
    breaks: "no gap between snapshot and log",
    seenIn: "races between snapshots and log purge, etcd and others",
    file: "src/wal/segment_purger.ts",
    target: "if (sequence >= current || this.#state.pins(sequence).length > 0) break;",
    replacement: "if (sequence >= current) break;",
  },
];
