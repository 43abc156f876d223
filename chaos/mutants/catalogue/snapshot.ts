// Known bugs of snapshots: what is in them, when they count, how they replace a state.

import type { Mutant } from "../types.ts";

export const SNAPSHOT_MUTANTS: readonly Mutant[] = [
  {
    name: "dedupe-table-missing-from-snapshot",
    breaks: "a snapshot equals the replay of the log",
    seenIn: "Raft dissertation §6.3",
    file: "src/store/store.ts",
    target: "      dedupe: this.#dedupe.clone(),",
    replacement: "      dedupe: new Dedupe(),",
  },
  {
    name: "dedupe-table-lost-in-load",
    breaks: "a snapshot equals the replay of the log",
    seenIn: "Raft dissertation §6.3",
    file: "src/store/store.ts",
    target: "    this.#dedupe = state.dedupe;\n    this.#history = state.history;\n  }",
    replacement: "    this.#dedupe = new Dedupe();\n    this.#history = state.history;\n  }",
  },
  {
    name: "snapshot-installed-over-newer-state",
    breaks: "commit and applied never run back",
    seenIn: "Raft figure 13, InstallSnapshot step 6; Jepsen, Redis-Raft 1b3fbf6",
    theme: "late-snapshots",
    file: "src/raft/follower.ts",
    target: "if (index <= raft.log.committed) return false;",
    replacement: "if (index <= 0) return false;",
  },
  {
    name: "non-atomic-restore",
    breaks: "a snapshot equals the replay of the log",
    seenIn: "etcd issue 13766: a state and the index it stands at were not written together",
    theme: "late-snapshots",
    file: "src/store/store.ts",
    target:
      "    this.#records = state.records;\n    this.#dedupe = state.dedupe;\n    this.#history",
    replacement: `    for (const record of state.records.range("", undefined)) {
      this.#records.set(record, this.#records.get(record.key));
    }
    this.#dedupe = state.dedupe;
    this.#history`,
  },
  {
    name: "gap-between-log-and-snapshot",
    breaks: "no gap between snapshot and log",
    seenIn: "Jepsen, Redis-Raft 1b3fbf6, on snapshots and log compaction",
    theme: "power-cuts",
    file: "src/replica/snapshotting.ts",
    target: `    await this.#options.snapshots.write(point, image.chunks());
    if (!this.#replica.stopped()) this.#options.log.snapshotTaken(point);`,
    replacement: `    this.#options.log.snapshotTaken(point);
    await this.#options.snapshots.write(point, image.chunks());`,
  },
  {
    name: "snapshot-loaded-after-its-entries",
    breaks: "entries are applied in order, each once",
    seenIn: "etcd-raft: applies wait while a snapshot is restored",
    theme: "late-snapshots",
    file: "src/replica/replica.ts",
    target: "if (this.#loading.holds) this.#loading.hold(message);",
    replacement: "if (this.#loading.holds && this.#stopped) this.#loading.hold(message);",
  },
];
