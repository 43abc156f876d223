// POST /batch: many independent operations, each partition's in requests of their own to its leader, each
// operation with its own outcome. What may still succeed is asked again at the same place in the session.

import type { Caller } from "./caller.ts";
import { PontoonError } from "./error.ts";
import { type Key, keyMembers, latin1OfKey } from "./key.ts";
import {
  checkedRevision,
  deleteResultOf,
  entryOf,
  type RecordDocument,
  setResultOf,
  ttlSeconds,
} from "./records.ts";
import type { Routing } from "./routing.ts";
import { randomId, type Ticket } from "./session.ts";
import type { BatchOperation, BatchResult, CallOptions } from "./types.ts";
import { encodeValue, valueMembers } from "./value.ts";

/** Operations in one request. */
const OPERATIONS_MAX = 500;
/** Bytes of one request's documents, far below what a node takes. */
const SIZE_BYTES_MAX = 4 * 1024 * 1024;
const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 1000;

/** Results of one operation, as POST /batch gives them. */
interface ResultDocument {
  readonly status: number;
  readonly record?: RecordDocument;
  readonly revision?: number;
  readonly partition?: number;
  /** As the header Pontoon-Applied: of what was decided. */
  readonly applied?: number;
  readonly problem?: Record<string, unknown>;
}

/** An operation on its way: its document as text, and where its result belongs. */
interface Item {
  readonly place: number;
  readonly operation: BatchOperation;
  readonly text: string;
}

/** Operations of one partition that go in one request. */
interface Chunk {
  readonly partition: number;
  readonly items: Item[];
  sizeBytes: number;
}

export interface BatchRunner {
  readonly caller: Caller;
  readonly routing: Routing;
  readonly timeoutMs: number;
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** Runs a batch; results in the order of `operations`. Throws TypeError or RangeError before anything is sent. */
export async function runBatch<T>(
  runner: BatchRunner,
  operations: readonly BatchOperation[],
  options: CallOptions,
): Promise<BatchResult<T>[]> {
  const results: BatchResult<T>[] = [];
  const chunks = chunksOf(runner.routing, operations);
  await Promise.all(chunks.map((chunk) => runChunk(runner, chunk, results, options)));
  return results;
}

function documentOf(operation: BatchOperation, latin1: string): Record<string, unknown> {
  const { op } = operation;
  const members = keyMembers(latin1);
  if (op === "get") return { op, ...members };
  const { ifRevision } = operation;
  const condition = ifRevision === undefined
    ? {}
    : { ifRevision: checkedRevision(ifRevision, op === "put" ? 0 : 1) };
  if (op === "delete") return { op, ...members, ...condition };
  const { value, contentType, ttlMs } = operation;
  const ttl = ttlMs === undefined ? {} : { ttl: ttlSeconds(ttlMs) };
  return { op, ...members, ...valueMembers(encodeValue(value, contentType)), ...ttl, ...condition };
}

function chunksOf(routing: Routing, operations: readonly BatchOperation[]): Chunk[] {
  const chunks: Chunk[] = [];
  const open = new Map<number, Chunk>();
  operations.forEach((operation, place) => {
    const latin1 = latin1OfKey(operation.key);
    const partition = routing.partitionOf(latin1);
    const text = JSON.stringify(documentOf(operation, latin1));
    let chunk = open.get(partition);
    const full = chunk !== undefined && (chunk.items.length === OPERATIONS_MAX ||
      chunk.sizeBytes + text.length > SIZE_BYTES_MAX);
    if (chunk === undefined || full) {
      open.set(partition, chunk = { partition, items: [], sizeBytes: 0 });
      chunks.push(chunk);
    }
    chunk.items.push({ place, operation, text });
    chunk.sizeBytes += text.length;
  });
  return chunks;
}

async function runChunk<T>(
  runner: BatchRunner,
  chunk: Chunk,
  results: BatchResult<T>[],
  options: CallOptions,
): Promise<void> {
  const { caller } = runner;
  const { partition, items } = chunk;
  const deadlineMs = performance.now() + (options.timeoutMs ?? runner.timeoutMs);
  if (items.every(({ operation }) => operation.op === "get")) {
    return await runAttempts(runner, chunk, results, options, deadlineMs, undefined);
  }
  // Operation i has the i-th of these sequences: every attempt sends the same operations at the same places.
  const ticket = await caller.reserve(partition, items.length, deadlineMs, options.signal);
  if (ticket === undefined) {
    const error = new PontoonError(
      "The session's window was used up all the time: nothing was sent",
      {
        code: options.signal?.aborted ? "aborted" : "deadline",
        outcome: "none",
        retryable: true,
        cause: options.signal?.reason,
      },
    );
    for (const { place } of items) results[place] = { op: "error", error };
    return;
  }
  try {
    await runAttempts(runner, chunk, results, options, deadlineMs, ticket);
  } finally {
    caller.release(ticket);
  }
}

/**
 * Asks until everything is decided or the time is over. Writes need a ticket, or a key of their own, under
 * which operation i goes as KEY/i (RULES 17).
 */
async function runAttempts<T>(
  runner: BatchRunner,
  chunk: Chunk,
  results: BatchResult<T>[],
  options: CallOptions,
  deadlineMs: number,
  place: Ticket | string | undefined,
): Promise<void> {
  const { partition, items } = chunk;
  const { signal } = options;
  const headers: Record<string, string> = { "content-type": "application/json" };
  const ticket = typeof place === "string" ? undefined : place;
  if (typeof place === "string") headers["idempotency-key"] = place;
  const body = `{"operations":[${items.map(({ text }) => text).join(",")}]}`;
  const unknown = new Set<number>();
  for (let attempt = 0;; attempt++) {
    const timeoutMs = Math.max(1, deadlineMs - performance.now());
    let documents: readonly ResultDocument[];
    try {
      const answer = await runner.caller.call({
        method: "POST",
        route: "/batch",
        target: "/batch",
        headers,
        body,
        partition,
        forward: true,
        kind: place === undefined ? "read" : ticket === undefined ? "keyed" : "session",
        ticket,
      }, { timeoutMs, signal });
      documents = (JSON.parse(answer.text) as { results: ResultDocument[] }).results;
    } catch (error) {
      if (!(error instanceof PontoonError)) throw error;
      // The cluster tells partitions apart in another way than its map said; nothing was done.
      if (error.code === "cross-partition" && ticket !== undefined) {
        return await runAttempts(runner, chunk, results, options, deadlineMs, randomId());
      }
      for (const { place, operation } of items) {
        // What an earlier attempt decided stands.
        if (results[place] !== undefined && results[place].op !== "error") continue;
        const isUnknown = operation.op !== "get" &&
          (unknown.has(place) || error.outcome === "unknown");
        results[place] = { op: "error", error: withOutcome(error, isUnknown) };
      }
      return;
    }
    let open = 0;
    items.forEach(({ place, operation }, i) => {
      const { partition, applied } = documents[i];
      if (partition !== undefined && applied !== undefined) {
        runner.caller.noteApplied(partition, applied);
      }
      const result = resultOf<T>(operation, documents[i]);
      if (result.op === "error") {
        const { error } = result;
        if (error.outcome === "unknown") unknown.add(place);
        results[place] = { op: "error", error: withOutcome(error, unknown.has(place)) };
        if (error.retryable) open++;
      } else results[place] = result;
    });
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(attempt, 10)) *
      (0.5 + Math.random() / 2);
    if (open === 0 || performance.now() + pauseMs >= deadlineMs || signal?.aborted) return;
    await runner.sleep(pauseMs, signal).catch(() => {});
  }
}

function withOutcome(error: PontoonError, unknown: boolean): PontoonError {
  const outcome = unknown ? "unknown" : "none";
  if (error.outcome === outcome) return error;
  const { code, retryable, status, problem, cause } = error;
  return new PontoonError(error.message, { code, outcome, retryable, status, problem, cause });
}

function resultOf<T>(operation: BatchOperation, document: ResultDocument): BatchResult<T> {
  const { status, record, problem } = document;
  const { op, key } = operation;
  const absent = status === 404 && (problem === undefined || problem.code === "not-found");
  const decided = status === 200 || status === 201 || status === 412 || absent;
  if (!decided) return { op: "error", error: errorOf(status, problem, op !== "get") };
  const revision = document.revision ??
    (typeof problem?.revision === "number" ? problem.revision : undefined);
  switch (op) {
    case "get":
      return { op, entry: entryMaybe<T>(key, record) };
    case "put":
      return { op, result: setResultOf(status, { revision }) };
    case "delete":
      return { op, result: deleteResultOf(status, { revision }) };
  }
}

function entryMaybe<T>(key: Key, record: RecordDocument | undefined) {
  return record === undefined
    ? { key, value: null, revision: 0 } as const
    : entryOf<T>(record, key);
}

function errorOf(
  status: number,
  problem: Record<string, unknown> = {},
  write: boolean,
): PontoonError {
  const code = typeof problem.code === "string" ? problem.code : "unexpected-answer";
  return new PontoonError(`${code} (${status}): ${problem.detail ?? ""}`, {
    code,
    outcome: write && problem.outcome !== "none" ? "unknown" : "none",
    retryable: problem.retryable === true,
    status,
    problem,
  });
}
