// The state machine of a data partition: applies log entries to records, idempotency table and watch
// history. Pure and synchronous: the same entries give the same state on every replica. Expiry is
// logical (RULES 19): no method consults a clock, only the partition time that entries carry.

import { assert, unreachable } from "../base/assert.ts";
import { latin1FromBytes } from "../base/bytes.ts";
import type { LogIndex, Revision } from "../base/ids.ts";
import { TXN_RANGE_KEYS_MAX } from "../base/limits.ts";
import { Dedupe } from "./dedupe.ts";
import { decodeEnvelope } from "./envelope.ts";
import {
  type Change,
  eventOf,
  History,
  type HistoryBounds,
  type HistoryPiece,
  type WatchPosition,
} from "./history.ts";
import { type Page, type PageQuery, readPage } from "./page.ts";
import { newRecord, Records, type StoredRecord } from "./records.ts";
import type {
  Applied,
  Command,
  CommandResult,
  CompareOperator,
  Condition,
  Envelope,
  Key,
  PartitionTimeMs,
  RecordView,
  TxnCommand,
  TxnCompare,
  TxnOperation,
  TxnOperationResult,
  WatchEvent,
  WatchFilter,
} from "./types.ts";
import {
  type CommandValue,
  plainLength,
  plainValue,
  type StoredValue,
  storedValueOf,
} from "./value.ts";

/** The parts of a state, as an image encodes them. */
export interface StoreState {
  readonly timeMs: PartitionTimeMs;
  readonly records: Records;
  readonly dedupe: Dedupe;
  readonly history: History;
}

/** A data partition's state. */
export class Store {
  #timeMs: PartitionTimeMs;
  #records: Records;
  #dedupe: Dedupe;
  #history: History;
  /** Content types repeat: one string each instead of one a record. */
  readonly #contentTypes = new Map<string, string>();
  /** Position of the entry being applied. */
  #index: Revision = 0;
  #subIndex = 0;
  #onEvent: ((event: WatchEvent) => void) | undefined;

  constructor(state?: StoreState) {
    this.#timeMs = state?.timeMs ?? 0;
    this.#records = state?.records ?? new Records();
    this.#dedupe = state?.dedupe ?? new Dedupe();
    this.#history = state?.history ?? new History();
  }

  /** Partition time: the largest that any applied entry carried. */
  get timeMs(): PartitionTimeMs {
    return this.#timeMs;
  }

  /** Records held, expired ones that are not reaped yet included. */
  get size(): number {
    return this.#records.size;
  }

  /** What is kept beside the records. */
  figures(): {
    readonly sessions: number;
    readonly rememberedOutcomes: number;
    readonly rememberedBytes: number;
    readonly historyBytes: number;
  } {
    return {
      sessions: this.#dedupe.sessionCount,
      rememberedOutcomes: this.#dedupe.outcomeCount,
      rememberedBytes: this.#dedupe.sizeBytes,
      historyBytes: this.#history.sizeBytes,
    };
  }

  /** Calls `listener` with every change, in order, as it is applied. One listener at most. */
  listen(listener: ((event: WatchEvent) => void) | undefined): void {
    this.#onEvent = listener;
  }

  /** A frozen copy of everything, in microseconds. */
  freeze(): StoreState {
    return {
      timeMs: this.#timeMs,
      records: this.#records.clone(),
      dedupe: this.#dedupe.clone(),
      history: this.#history.clone(),
    };
  }

  /** Replaces the state, as a snapshot orders. */
  replace(state: StoreState): void {
    this.#timeMs = state.timeMs;
    this.#records = state.records;
    this.#dedupe = state.dedupe;
    this.#history = state.history;
  }

  // --------------------------------------------------------------------------------------- reading

  /** The live record of `key`. */
  get(key: Key): RecordView | undefined {
    const record = this.#records.get(key);
    return record !== undefined && this.#isLive(record) ? record : undefined;
  }

  /**
   * Live records in [start, end) in byte order, or its reverse; `end` undefined means no bound. The
   * state is frozen by this call, not by the first step: later entries don't show.
   */
  scan(start: Key, end: Key | undefined, reverse = false): Generator<RecordView> {
    return liveIn(this.#records.clone().range(start, end, reverse), this.#timeMs);
  }

  /** One bounded page of live records; the map may not change before it returns, and does not. */
  page(query: PageQuery): Page {
    return readPage(this.#records, this.#timeMs, query);
  }

  /** When the next key expires (or should have been reaped); undefined if none does. */
  nextExpiryMs(): PartitionTimeMs | undefined {
    return this.#records.nextDueMs();
  }

  /** Events after `position`; undefined if the history no longer holds all of them. */
  eventsAfter(position: WatchPosition, limit: number): WatchEvent[] | undefined {
    return this.#history.after(position, limit);
  }

  /** One bounded piece of the history; undefined if some events after `position` are gone. */
  history(
    position: WatchPosition,
    filter: WatchFilter,
    bounds: HistoryBounds,
  ): HistoryPiece | undefined {
    return this.#history.read(position, filter, bounds);
  }

  #isLive(record: StoredRecord): boolean {
    return isLiveAt(record, this.#timeMs);
  }

  // -------------------------------------------------------------------------------------- applying

  /** Applies the entry at `index`. Throws CodecError on bytes that no leader proposed. */
  apply(index: LogIndex, data: Uint8Array): Applied {
    return this.applyEnvelope(index, decodeEnvelope(data));
  }

  applyEnvelope(index: LogIndex, envelope: Envelope): Applied {
    const revision: number = index; // a revision is the log index of the change
    assert(revision > this.#index, "entries are applied in order");
    this.#index = revision;
    this.#subIndex = 0;
    if (envelope.timeMs > this.#timeMs) this.#timeMs = envelope.timeMs;
    this.#dedupe.purge(this.#timeMs);
    const { idempotency, command } = envelope;
    if (idempotency === undefined) {
      return { result: this.#run(command), appliedIndex: index, replayed: false };
    }
    const found = this.#dedupe.begin(idempotency, this.#timeMs);
    switch (found.kind) {
      case "new": {
        const result = this.#run(command);
        this.#dedupe.remember(idempotency, index, result, this.#timeMs);
        return { result, appliedIndex: index, replayed: false };
      }
      case "replay":
        return {
          result: found.outcome.result,
          appliedIndex: found.outcome.index,
          replayed: true,
        };
      default:
        return { result: { kind: found.kind }, appliedIndex: index, replayed: false };
    }
  }

  #run(command: Command): CommandResult {
    switch (command.kind) {
      case "put": {
        const live = this.#liveOrReap(command.key);
        const failed = failedCondition(command.condition, live);
        if (failed !== undefined) return failed;
        return this.#put(command, live);
      }
      case "delete": {
        const live = this.#liveOrReap(command.key);
        const failed = failedCondition(command.condition, live);
        if (failed !== undefined) return failed;
        if (live === undefined) return { kind: "not-found" };
        this.#remove(live, "delete");
        return { kind: "deleted", revision: this.#index };
      }
      case "touch": {
        const live = this.#liveOrReap(command.key);
        const failed = failedCondition(command.condition, live);
        if (failed !== undefined) return failed;
        if (live === undefined) return { kind: "not-found" };
        this.#store(live.key, live.value, live.contentType, command.ttlMs, live);
        return { kind: "touched", revision: this.#index };
      }
      case "txn":
        return this.#transact(command);
      case "expire":
        return this.#reapDue(command.limit);
      case "time":
        return { kind: "none" };
      default:
        return unreachable(command);
    }
  }

  /** The live record of a key about to be written; an expired one is reaped first (RULES 19). */
  #liveOrReap(key: Key): StoredRecord | undefined {
    const record = this.#records.get(key);
    if (record === undefined || this.#isLive(record)) return record;
    this.#remove(record, "expire");
    return undefined;
  }

  #put(
    operation: {
      readonly key: Key;
      readonly value: CommandValue;
      readonly contentType: string;
      readonly ttlMs?: number;
    },
    live: StoredRecord | undefined,
  ): { kind: "put"; created: boolean; revision: Revision } {
    const value = storedValueOf(operation.value);
    this.#store(operation.key, value, operation.contentType, operation.ttlMs, live);
    return { kind: "put", created: live === undefined, revision: this.#index };
  }

  #store(
    key: Key,
    value: StoredValue,
    contentType: string,
    ttlMs: number | undefined,
    live: StoredRecord | undefined,
  ): void {
    // Clamped so that it stays a whole number that images can carry.
    const expiresAtMs = ttlMs === undefined
      ? undefined
      : Math.min(this.#timeMs + ttlMs, Number.MAX_SAFE_INTEGER);
    const createRevision = live?.createRevision ?? this.#index;
    const type = this.#intern(contentType);
    // The stored key is kept on replacement, so that its string is not held twice.
    const ownKey = live?.key ?? key;
    const record = newRecord(ownKey, value, type, this.#index, createRevision, expiresAtMs);
    this.#records.set(record, live);
    this.#emit(record);
  }

  #remove(record: StoredRecord, kind: "delete" | "expire"): void {
    this.#records.delete(record);
    this.#emit({ removed: kind, key: record.key, revision: this.#index });
  }

  #emit(change: Change): void {
    const subIndex = this.#subIndex++;
    this.#history.append(change, subIndex);
    this.#onEvent?.(eventOf(change, subIndex));
  }

  #intern(contentType: string): string {
    const known = this.#contentTypes.get(contentType);
    if (known !== undefined) return known;
    if (this.#contentTypes.size < 1024) this.#contentTypes.set(contentType, contentType);
    return contentType;
  }

  #reapDue(limit: number): CommandResult {
    let count = 0;
    while (count < limit) {
      const record = this.#records.firstDue(this.#timeMs);
      if (record === undefined) break;
      this.#remove(record, "expire");
      count++;
    }
    return { kind: "expired", count };
  }

  // ---------------------------------------------------------------------------------- transactions

  #transact(command: TxnCommand): CommandResult {
    const succeeded = command.compares.every((compare) => this.#holds(compare));
    const operations = succeeded ? command.then : command.else;
    if (this.#rangeKeys(operations) > TXN_RANGE_KEYS_MAX) return { kind: "range-too-large" };
    const results = operations.map((operation) => this.#operate(operation));
    return { kind: "txn", succeeded, revision: this.#index, results };
  }

  #holds(compare: TxnCompare): boolean {
    const record = this.get(compare.key);
    switch (compare.target) {
      case "exists":
        return (record !== undefined) === compare.exists;
      case "value": {
        if (record === undefined) return compare.operator === "!=";
        return valueCompares(record.value, compare.operator, latin1FromBytes(compare.value));
      }
      case "revision":
        return compares(record?.revision ?? 0, compare.operator, compare.revision);
      case "createRevision":
        return compares(record?.createRevision ?? 0, compare.operator, compare.revision);
      default:
        return unreachable(compare);
    }
  }

  /**
   * Live keys in the ranges of `operations`, counted no further than past the limit. They are those of
   * the state before the transaction, and a key in two ranges counts twice: the answer has to be there
   * before anything is done.
   */
  #rangeKeys(operations: readonly TxnOperation[]): number {
    let count = 0;
    for (const operation of operations) {
      if (operation.kind !== "deleteRange") continue;
      for (const _ of this.#liveInRange(operation.start, operation.end)) {
        if (++count > TXN_RANGE_KEYS_MAX) return count;
      }
    }
    return count;
  }

  /** The map must not change while the iterator is in use. */
  #liveInRange(start: Key, end: Key): Generator<StoredRecord> {
    return liveIn(this.#records.range(start, end), this.#timeMs);
  }

  #operate(operation: TxnOperation): TxnOperationResult {
    switch (operation.kind) {
      case "get": {
        const record = this.get(operation.key);
        if (record === undefined) return { kind: "get", revision: 0 };
        return { kind: "get", revision: record.revision, record };
      }
      case "put":
        return this.#put(operation, this.#liveOrReap(operation.key));
      case "delete": {
        const live = this.#liveOrReap(operation.key);
        if (live !== undefined) this.#remove(live, "delete");
        return { kind: "delete", deleted: live !== undefined, revision: this.#index };
      }
      case "deleteRange": {
        // Expired keys are absent (RULES 19): they are left to the reaper, which works in batches.
        const doomed = [...this.#liveInRange(operation.start, operation.end)];
        for (const record of doomed) this.#remove(record, "delete");
        return { kind: "deleteRange", deletedCount: doomed.length };
      }
      default:
        return unreachable(operation);
    }
  }
}

function isLiveAt(record: StoredRecord, timeMs: PartitionTimeMs): boolean {
  return record.expiresAtMs === undefined || record.expiresAtMs > timeMs;
}

function* liveIn(
  records: Iterable<StoredRecord>,
  timeMs: PartitionTimeMs,
): Generator<StoredRecord> {
  for (const record of records) if (isLiveAt(record, timeMs)) yield record;
}

function failedCondition(
  condition: Condition | undefined,
  live: StoredRecord | undefined,
): CommandResult | undefined {
  if (condition === undefined) return undefined;
  const revision = live?.revision ?? 0;
  const holds = condition.kind === "revision"
    ? live !== undefined && live.revision === condition.revision
    : condition.kind === "present"
    ? live !== undefined
    : live === undefined;
  return holds ? undefined : { kind: "condition-failed", revision };
}

/** As plain bytes. What can be told from the length alone is not decompressed for (RULES 24). */
function valueCompares(stored: StoredValue, operator: CompareOperator, value: string): boolean {
  const byEquality = operator === "=" || operator === "!=";
  if (byEquality && plainLength(stored) !== value.length) return operator === "!=";
  return compares(plainValue(stored), operator, value);
}

function compares<T extends number | string>(
  left: T,
  operator: CompareOperator,
  right: T,
): boolean {
  switch (operator) {
    case "=":
      return left === right;
    case "!=":
      return left !== right;
    case "<":
      return left < right;
    case ">":
      return left > right;
    default:
      return unreachable(operator);
  }
}
