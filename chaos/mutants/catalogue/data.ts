// Known bugs of the data model: conditions, transactions, expiry, scans, watches, sessions.

import type { Mutant } from "../types.ts";

export const DATA_MUTANTS: readonly Mutant[] = [
  {
    name: "expiry-by-local-clock",
    breaks: "nothing expires early",
    seenIn: "stores that expire keys by each server's own clock",
    file: "src/node/data_partition.ts",
    target: "      record: this.#store.get(key),",
    replacement: `      record: [this.#store.get(key)].find((one) =>
        one?.expiresAtMs === undefined || one.expiresAtMs > this.#clock.wallMs()
      ),`,
  },
  {
    name: "key-resurrected-by-slow-leader",
    breaks: "what has expired never comes back",
    seenIn: "etcd before lease checkpoints: leases that a new leader prolongs",
    theme: "short-lives",
    file: "src/store/store.ts",
    target: "return record !== undefined && this.#isLive(record) ? record : undefined;",
    replacement:
      "return record !== undefined && isLiveAt(record, this.#timeMs - 150) ? record : undefined;",
  },
  {
    name: "partition-time-lost-in-snapshot",
    breaks: "equal state at equal index",
    seenIn: "a clock that is state, but not in the state's image",
    file: "src/store/store.ts",
    target: "    this.#timeMs = state.timeMs;\n    this.#records = state.records;",
    replacement: "    this.#records = state.records;",
  },
  {
    name: "watch-gap-on-resume",
    breaks: "a watch tells of every change once",
    seenIn: "a watch that goes on from the present instead of its cursor",
    file: "src/http/watch_route.ts",
    target: "return kept.ok ? wanted[i] : kept;",
    replacement:
      "return kept.ok ? { partition, position: { revision, subIndex: WHOLE_REVISION } } : kept;",
  },
  {
    name: "watch-gap-within-a-batch",
    breaks: "a watch tells of every change once",
    seenIn: "a cursor that is stored before what it stands for was sent",
    file: "src/http/watch_session.ts",
    target: `        const { revision, subIndex } = event;
        this.#positions[index] = { partition, position: { revision, subIndex } };`,
    replacement: "        this.#positions[index] = { partition, position: answer.position };",
  },
  {
    name: "watch-duplicate",
    breaks: "a watch tells of every change once",
    seenIn: "an inclusive bound where an exclusive one is meant",
    file: "src/store/history.ts",
    target: "block.subIndexes[i] > position.subIndex);",
    replacement: "block.subIndexes[i] >= position.subIndex);",
  },
  {
    name: "watch-events-lost-at-a-change-of-source",
    breaks: "a watch tells of every change once",
    seenIn: "a replica that lags is taken to be as far as the watcher was elsewhere",
    file: "src/node/watch_source.ts",
    target: "this.#read(isNew ? from : position, from !== undefined));",
    replacement:
      "this.#read(isNew ? { ...from, revision: from.revision + 1 } : position, from !== undefined));",
  },
  {
    name: "scan-page-lost-on-leader-change",
    breaks: "a key present throughout appears exactly once",
    seenIn: "a shard that can't be reached is taken for an empty one",
    file: "src/http/scan_merge.ts",
    target: "          failure ??= answer;\n          this.#wanted.push(wanted[i]);",
    replacement: `          if (answer.code === "no-leader") return;
          failure ??= answer;
          this.#wanted.push(wanted[i]);`,
  },
  {
    name: "scan-repeats-a-key-on-resume",
    breaks: "a key present throughout appears exactly once",
    seenIn: "an inclusive bound where an exclusive one is meant",
    file: "src/http/scan_request.ts",
    target: '{ ...range, start: lastKey + "\\0" }',
    replacement: "{ ...range, start: lastKey }",
  },
  {
    name: "txn-applied-in-part",
    breaks: "transactions are serializable",
    seenIn: "a transaction that ends at its first failing operation, without undoing the others",
    file: "src/store/store.ts",
    target: "    const results = operations.map((operation) => this.#operate(operation));",
    replacement: `    const results: TxnOperationResult[] = [];
    for (const operation of operations) {
      const one = this.#operate(operation);
      results.push(one);
      if (one.kind === "delete" && !one.deleted) break;
    }`,
  },
  {
    name: "condition-against-stale-replica",
    breaks: "linearizable",
    seenIn: "check and set apart, the check on whichever replica was asked",
    file: "src/node/api_service.ts",
    target: "    const packed = this.#compressor?.pack(command) ?? command;",
    replacement:
      `    const here = this.#parts.hosting()?.data(this.#parts.topology.partitionOf(key))?.data;
    const met = command.kind === "put" && command.condition?.kind === "revision" &&
      command.condition.revision === here?.store.get(key)?.revision;
    const bare: Command = met ? { ...command, condition: undefined } as Command : command;
    const packed = this.#compressor?.pack(bare) ?? bare;`,
  },
  {
    name: "retry-without-idempotency",
    breaks: "a write takes effect at most once",
    seenIn: "Jepsen, jetcd 2024: a client library that repeats writes of unknown outcome",
    file: "src/node/router.ts",
    target: "          if (!operation.repeatable) return answer;\n",
    replacement: "          if (!operation.changes) return answer;\n",
  },
  {
    name: "stale-read-older-than-promised",
    breaks: "no older than promised",
    seenIn:
      "a bound on staleness that is measured by when the leader was asked, not by what was applied",
    file: "src/node/freshness.ts",
    target: "this.#awaited[0].index <= applied",
    replacement: "this.#awaited[0].index <= applied + 1000",
  },
  {
    name: "session-runs-backwards",
    breaks: "sessions never run backwards",
    seenIn: "Terry et al., Session Guarantees for Weakly Consistent Replicated Data, 1994",
    file: "src/node/stale_reads.ts",
    target: "replica.appliedIndex < bounds.minApplied",
    replacement: "replica.appliedIndex < 0",
  },
];
