// The verdict on those who only looked. Pages of scans are taken apart into reads of every key that they
// cover, present or not, which the models then place like any other (RULES 21); stale answers must be a state
// that the partition had, no older than promised, and never behind their session; a watch must tell of every
// change, once and in order (RULES 22). Looks at answers only.

import {
  checkWatch,
  type KvInput,
  type KvOperation,
  type KvOutput,
  type WatchedWrite,
} from "../../checker/mod.ts";
import type { RecordedCall } from "./clients.ts";
import { PLAIN_PREFIX, type SeenPage, type SeenStale } from "./readers.ts";
import type { Watcher } from "./watchers.ts";

/** Nodes' clocks go up to a tenth too slow, and ages are whole milliseconds. */
const AGE_DRIFT = 1.25;
const AGE_SLACK_MS = 1;

/** What readers saw. */
export interface Sights {
  readonly pages: readonly SeenPage[];
  readonly stale: readonly SeenStale[];
  readonly watchers: readonly Pick<Watcher, "prefix" | "sessions">[];
}

export interface ReaderFlaw {
  readonly invariant: string;
  readonly message: string;
}

type Covered = Pick<SeenPage, "reverse" | "behind" | "records" | "isLast">;

function isBehind(key: string, mark: string, reverse: boolean): boolean {
  return reverse ? key >= mark : key <= mark;
}

/** Whether a page says of a key whether it is there. */
function covers({ reverse, behind, records, isLast }: Covered, key: string): boolean {
  if (behind !== undefined && isBehind(key, behind, reverse)) return false;
  const last = records.at(-1)?.key;
  return isLast || (last !== undefined && isBehind(key, last, reverse));
}

function singleCalls(calls: readonly RecordedCall[]): RecordedCall[] {
  return calls.filter(({ history }) => history === "kv");
}

function keyOf({ operation }: RecordedCall): string {
  return String((operation.input as KvInput).key);
}

/** Each key's partition, as decided answers name it. */
function partitionsOf(calls: readonly RecordedCall[]): Map<string, number> {
  const partitions = new Map<string, number>();
  for (const call of singleCalls(calls)) {
    if (call.answeredBy !== undefined) partitions.set(keyOf(call), call.answeredBy);
  }
  return partitions;
}

/** The linearizable reads that pages and leaders' answers to stale reads amount to. */
export function readsOf({ pages, stale }: Sights, calls: readonly RecordedCall[]): KvOperation[] {
  const partitions = partitionsOf(calls);
  const reads: KvOperation[] = [];
  for (const page of pages) {
    for (const [key, partition] of partitions) {
      if (!key.startsWith(PLAIN_PREFIX) || !covers(page, key)) continue;
      const record = page.records.find((one) => one.key === key);
      const applied = page.applied[partition];
      reads.push({
        process: `page ${page.call}, ${key}`,
        call: page.call,
        return: page.return,
        input: { f: "get", key },
        output: record === undefined
          ? { status: 404 }
          : { status: 200, value: record.value, revision: record.revision },
        ...(applied === undefined ? {} : { applied }),
      });
    }
  }
  for (const { call, return: returned, key, record, index, fromLeader } of stale) {
    if (!fromLeader) continue;
    reads.push({
      process: `stale ${call}`,
      call,
      return: returned,
      input: { f: "get", key },
      output: record === undefined
        ? { status: 404 }
        : { status: 200, value: record.value, revision: record.revision },
      applied: index,
    });
  }
  return reads;
}

/** What is wrong with what readers saw, but for what the models judge; undefined: nothing. */
export function findReaderFlaw(
  sights: Sights,
  calls: readonly RecordedCall[],
): ReaderFlaw | undefined {
  for (const page of sights.pages) {
    const message = pageFlaw(page);
    if (message !== undefined) return { invariant: "a scan is in order", message };
  }
  const changes = changesOf(calls);
  for (const read of sights.stale) {
    const flaw = staleFlaw(read, changes);
    if (flaw !== undefined) return flaw;
  }
  return watchFlaw(sights, calls);
}

// -------------------------------------------------------------------------------------------- scans

/** What is wrong with a page by itself. */
function pageFlaw({ reverse, limit, behind, records }: SeenPage): string | undefined {
  if (records.length > limit) return `a page of ${limit} holds ${records.length} keys`;
  let last = behind;
  for (const { key } of records) {
    if (!key.startsWith(PLAIN_PREFIX)) return `a scan of ${PLAIN_PREFIX}… gives ${key}`;
    if (last !== undefined && isBehind(key, last, reverse)) {
      return `a scan gives ${key} after ${last}, ${reverse ? "downwards" : "upwards"}`;
    }
    last = key;
  }
  return undefined;
}

// -------------------------------------------------------------------------------------- stale reads

/** A decided write that changed its key. */
interface Change {
  readonly partition: number | undefined;
  readonly revision: number;
  readonly returnMs: number;
  /** Undefined: it was deleted. */
  readonly value: string | undefined;
}

interface KeyChanges {
  /** Ascending. */
  readonly decided: Change[];
  /** A write of unknown outcome may have changed it at any time. */
  hasUnknown: boolean;
}

function changesOf(calls: readonly RecordedCall[]): Map<string, KeyChanges> {
  const byKey = new Map<string, KeyChanges>();
  for (const call of singleCalls(calls)) {
    const { input, output } = call.operation as KvOperation;
    if (input.f === "get") continue;
    const key = keyOf(call);
    let changes = byKey.get(key);
    if (changes === undefined) byKey.set(key, changes = { decided: [], hasUnknown: false });
    if (call.returnMs === undefined) changes.hasUnknown = true;
    const { status, revision } = (output ?? {}) as KvOutput;
    if (call.returnMs === undefined || revision === undefined) continue;
    if (status !== 200 && status !== 201) continue;
    const value = input.f === "delete" ? undefined : String(input.value);
    changes.decided.push({ partition: call.answeredBy, revision, returnMs: call.returnMs, value });
  }
  for (const { decided } of byKey.values()) decided.sort((a, b) => a.revision - b.revision);
  return byKey;
}

function staleFlaw(
  read: SeenStale,
  changes: ReadonlyMap<string, KeyChanges>,
): ReaderFlaw | undefined {
  const { key, partition, record, index, ageMs, maxStalenessMs, minApplied, callMs } = read;
  const told = `${key} was read at ${callMs.toFixed(0)} ms as of index ${index}`;
  if (minApplied !== undefined && index < minApplied) {
    const message = `${told}, though its session had seen ${minApplied}`;
    return { invariant: "sessions never run backwards", message };
  }
  if (maxStalenessMs !== undefined && !(ageMs !== undefined && ageMs <= maxStalenessMs)) {
    const message = `${told}, ${ageMs ?? "nobody knows how many"} ms old, not ${maxStalenessMs}`;
    return { invariant: "no older than promised", message };
  }
  if (ageMs !== undefined) {
    const sinceMs = callMs - ageMs * AGE_DRIFT - AGE_SLACK_MS;
    for (const [written, { decided }] of changes) {
      const missed = decided.find((change) =>
        change.partition === partition && change.returnMs < sinceMs && change.revision > index
      );
      if (missed === undefined) continue;
      const message = `${told}, at most ${ageMs} ms old, without revision ${missed.revision} ` +
        `of ${written}, acknowledged at ${missed.returnMs.toFixed(0)} ms`;
      return { invariant: "no older than promised", message };
    }
  }
  const ofKey = changes.get(key);
  const last = ofKey?.decided.findLast(({ revision }) => revision <= index);
  if (last === undefined) return undefined;
  const isOther = record === undefined
    ? last.value !== undefined && !ofKey!.hasUnknown
    : record.revision < last.revision ||
      (record.revision === last.revision && record.value !== last.value);
  if (!isOther) return undefined;
  const message = `${told} as ${JSON.stringify(record)}, not as ${JSON.stringify(last)}`;
  return { invariant: "a stale read is a state that was", message };
}

// ------------------------------------------------------------------------------------------ watches

/** The writes that a watch of `partition` may tell of; those of unknown place may belong to any. */
function writesOf(
  calls: readonly RecordedCall[],
  partitions: ReadonlyMap<string, number>,
  partition: number,
  prefix: string,
): WatchedWrite[] {
  return singleCalls(calls).flatMap((call) => {
    const { input, output } = call.operation as KvOperation;
    const key = keyOf(call);
    if (input.f === "get" || !key.startsWith(prefix)) return [];
    if ((partitions.get(key) ?? partition) !== partition) return [];
    const write: WatchedWrite = input.f === "delete"
      ? { kind: "delete", key }
      : { kind: "put", key, value: input.value! };
    if (call.returnMs === undefined) return [write];
    const { status, revision } = output as KvOutput;
    if (status !== 200 && status !== 201) return [];
    return revision === undefined ? [write] : [{ ...write, revision }];
  });
}

function watchFlaw({ watchers }: Sights, calls: readonly RecordedCall[]): ReaderFlaw | undefined {
  const partitions = partitionsOf(calls);
  for (const { prefix, sessions } of watchers) {
    for (const [partition, told] of sessions) {
      const writes = writesOf(calls, partitions, partition, prefix);
      const [flaw] = checkWatch(told, writes, { expires: prefix !== PLAIN_PREFIX });
      if (flaw === undefined) continue;
      const message = `partition ${partition}, ${flaw.kind}: ${flaw.message}`;
      return { invariant: "a watch tells of every change once", message };
    }
  }
  return undefined;
}

/** By partition, the revision that a watcher of `prefix` must have been told of in the end. */
export function lastRevisions(
  calls: readonly RecordedCall[],
  prefix: string,
): Map<number, number> {
  const last = new Map<number, number>();
  for (const [key, { decided }] of changesOf(calls)) {
    if (!key.startsWith(prefix)) continue;
    for (const { partition, revision } of decided) {
      if (partition !== undefined) {
        last.set(partition, Math.max(revision, last.get(partition) ?? 0));
      }
    }
  }
  return last;
}
