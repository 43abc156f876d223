// A naive second writing of the state machine, to test the real one against: plain maps and arrays,
// sorted whenever order matters, nothing bounded or shared. Kept apart from src/store on purpose.

import { latin1FromBytes } from "../../src/base/bytes.ts";
import { plainValue, type StoredValue, storedValueOf } from "../../src/store/value.ts";
import type {
  Applied,
  Command,
  CommandResult,
  Condition,
  Idempotency,
  RecordView,
  TxnCompare,
  TxnOperation,
  TxnOperationResult,
  WatchEvent,
} from "../../src/store/mod.ts";

const RETENTION_MS = 300_000;
const RANGE_KEYS_MAX = 10_000;

interface Remembered {
  readonly fingerprint: string;
  readonly index: number;
  readonly result: CommandResult;
}

interface ModelSession {
  through: number;
  lastUsedMs: number;
  readonly outcomes: Map<number, Remembered>;
}

export class Model {
  timeMs = 0;
  readonly records = new Map<string, RecordView>();
  readonly events: WatchEvent[] = [];
  readonly #keys = new Map<string, Remembered & { readonly endMs: number }>();
  readonly #sessions = new Map<string, ModelSession>();
  #index = 0;

  apply(index: number, command: Command, timeMs: number, idempotency?: Idempotency): Applied {
    this.#index = index;
    this.timeMs = Math.max(this.timeMs, timeMs);
    const fresh = (result: CommandResult) => ({ result, appliedIndex: index, replayed: false });
    if (idempotency === undefined) return fresh(this.#run(command));
    const fingerprint = String(idempotency.fingerprint);
    let found: Remembered | undefined;
    if (idempotency.kind === "key") {
      const known = this.#keys.get(idempotency.key);
      if (known !== undefined && known.endMs > this.timeMs) found = known;
    } else {
      const session = this.#session(idempotency.sessionId);
      session.through = Math.max(session.through, idempotency.acknowledgedThrough);
      if (idempotency.sequence <= session.through) return fresh({ kind: "idempotency-stale" });
      found = session.outcomes.get(idempotency.sequence);
    }
    if (found !== undefined && found.fingerprint !== fingerprint) {
      return fresh({ kind: "idempotency-key-reused" });
    }
    if (found !== undefined) {
      return { result: found.result, appliedIndex: found.index, replayed: true };
    }
    const result = this.#run(command);
    const kept = { fingerprint, index, result: revisionsOnly(result) };
    if (idempotency.kind === "key") {
      this.#keys.set(idempotency.key, { ...kept, endMs: this.timeMs + RETENTION_MS });
    } else this.#session(idempotency.sessionId).outcomes.set(idempotency.sequence, kept);
    return fresh(result);
  }

  #session(id: string): ModelSession {
    let session = this.#sessions.get(id);
    if (session === undefined || session.lastUsedMs + RETENTION_MS <= this.timeMs) {
      session = { through: 0, lastUsedMs: this.timeMs, outcomes: new Map() };
      this.#sessions.set(id, session);
    }
    session.lastUsedMs = this.timeMs;
    return session;
  }

  #isLive(record: RecordView): boolean {
    return record.expiresAtMs === undefined || record.expiresAtMs > this.timeMs;
  }

  live(key: string): RecordView | undefined {
    const record = this.records.get(key);
    return record !== undefined && this.#isLive(record) ? record : undefined;
  }

  /** Live records in [start, end), in byte order. */
  scan(start: string, end: string | undefined): RecordView[] {
    return [...this.records.values()]
      .filter((one) =>
        this.#isLive(one) && one.key >= start && (end === undefined || one.key < end)
      )
      .sort((a, b) => a.key < b.key ? -1 : 1);
  }

  nextExpiryMs(): number | undefined {
    const due = [...this.records.values()].map((one) => one.expiresAtMs)
      .filter((one) => one !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  #run(command: Command): CommandResult {
    const revision = this.#index;
    switch (command.kind) {
      case "time":
        return { kind: "none" };
      case "expire": {
        const due = [...this.records.values()].filter((one) => !this.#isLive(one))
          .sort((a, b) => a.expiresAtMs! - b.expiresAtMs! || (a.key < b.key ? -1 : 1))
          .slice(0, command.limit);
        for (const record of due) this.#remove(record.key, "expire");
        return { kind: "expired", count: due.length };
      }
      case "txn":
        return this.#transact(command.compares, command.then, command.else);
    }
    this.#reap(command.key);
    const live = this.live(command.key);
    if (!holds(command.condition, live)) {
      return { kind: "condition-failed", revision: live?.revision ?? 0 };
    }
    if (command.kind === "put") {
      this.#put(command.key, storedValueOf(command.value), command.contentType, command.ttlMs);
      return { kind: "put", created: live === undefined, revision };
    }
    if (live === undefined) return { kind: "not-found" };
    if (command.kind === "delete") {
      this.#remove(command.key, "delete");
      return { kind: "deleted", revision };
    }
    this.#put(command.key, live.value, live.contentType, command.ttlMs);
    return { kind: "touched", revision };
  }

  #transact(
    compares: readonly TxnCompare[],
    then: readonly TxnOperation[],
    otherwise: readonly TxnOperation[],
  ): CommandResult {
    const succeeded = compares.every((compare) => this.#compare(compare));
    const operations = succeeded ? then : otherwise;
    let ranged = 0;
    for (const one of operations) {
      if (one.kind === "deleteRange") ranged += this.scan(one.start, one.end).length;
    }
    if (ranged > RANGE_KEYS_MAX) return { kind: "range-too-large" };
    const results = operations.map((operation) => this.#operate(operation));
    return { kind: "txn", succeeded, revision: this.#index, results };
  }

  #compare(compare: TxnCompare): boolean {
    const live = this.live(compare.key);
    if (compare.target === "exists") return compare.exists === (live !== undefined);
    if (compare.target === "value") {
      if (live === undefined) return compare.operator === "!=";
      return compared(plainValue(live.value), compare.operator, latin1FromBytes(compare.value));
    }
    return compared(live?.[compare.target] ?? 0, compare.operator, compare.revision);
  }

  #operate(operation: TxnOperation): TxnOperationResult {
    const revision = this.#index;
    switch (operation.kind) {
      case "get": {
        const record = this.live(operation.key);
        return record === undefined
          ? { kind: "get", revision: 0 }
          : { kind: "get", revision: record.revision, record };
      }
      case "put": {
        this.#reap(operation.key);
        const created = this.live(operation.key) === undefined;
        const { key, value, contentType, ttlMs } = operation;
        this.#put(key, storedValueOf(value), contentType, ttlMs);
        return { kind: "put", created, revision };
      }
      case "delete": {
        this.#reap(operation.key);
        const deleted = this.live(operation.key) !== undefined;
        if (deleted) this.#remove(operation.key, "delete");
        return { kind: "delete", deleted, revision };
      }
      case "deleteRange": {
        const doomed = this.scan(operation.start, operation.end);
        for (const record of doomed) this.#remove(record.key, "delete");
        return { kind: "deleteRange", deletedCount: doomed.length };
      }
    }
  }

  #reap(key: string): void {
    const record = this.records.get(key);
    if (record !== undefined && !this.#isLive(record)) this.#remove(key, "expire");
  }

  #put(key: string, value: StoredValue, contentType: string, ttlMs: number | undefined): void {
    const revision = this.#index;
    const createRevision = this.live(key)?.createRevision ?? revision;
    const expiresAtMs = ttlMs === undefined ? undefined : this.timeMs + ttlMs;
    this.records.set(key, { key, value, contentType, revision, createRevision, expiresAtMs });
    const event = { key, value, contentType, createRevision, expiresAtMs };
    this.events.push({ ...this.#position(), kind: "put", ...event });
  }

  #remove(key: string, kind: "delete" | "expire"): void {
    this.records.delete(key);
    this.events.push({ ...this.#position(), kind, key });
  }

  #position(): { revision: number; subIndex: number } {
    const subIndex = this.events.filter((event) => event.revision === this.#index).length;
    return { revision: this.#index, subIndex };
  }
}

function holds(condition: Condition | undefined, live: RecordView | undefined): boolean {
  switch (condition?.kind) {
    case "revision":
      return live?.revision === condition.revision;
    case "present":
      return live !== undefined;
    case "absent":
      return live === undefined;
    default:
      return true;
  }
}

function compared<T>(left: T, operator: string, right: T): boolean {
  if (operator === "=") return left === right;
  if (operator === "!=") return left !== right;
  return operator === "<" ? left < right : left > right;
}

function revisionsOnly(result: CommandResult): CommandResult {
  if (result.kind !== "txn") return result;
  const results = result.results.map((one) =>
    one.kind === "get" ? { kind: one.kind, revision: one.revision } : one
  );
  return { ...result, results };
}
