// GET /keys: a scan over all partitions in key order, as one JSON page or as a stream of lines. What is
// read runs no further ahead of the client than one page a partition.

import { utf8Bytes } from "../base/bytes.ts";
import type { PartitionId } from "../base/ids.ts";
import { SCAN_ANSWER_SIZE_BYTES_MAX, SCAN_LIMIT_MAX } from "../base/limits.ts";
import type { Failure, NodeService, PageAnswer } from "../node/service.ts";
import type { Clock, Digest } from "../platform/ports.ts";
import { pageAfter, type PageQuery, plainLength } from "../store/mod.ts";
import type { Key } from "../store/types.ts";
import { JSON_INIT } from "./key_answers.ts";
import { NO_MAP, partitionsOfPrefix } from "./key_range.ts";
import { watchCursor } from "./positions.ts";
import { failureProblem, failureResponse } from "./problem.ts";
import { forwardMode, RequestHeaders, timeoutMsOf } from "./request_headers.ts";
import { parseQuery, splitUrl } from "./request_key.ts";
import { pageSizeBytes, ScanMerge, type Scanned } from "./scan_merge.ts";
import {
  type FirstApplied,
  positionsAt,
  SCAN_PARAMETERS,
  scanCursor,
  type ScanRequest,
  scanRequestOf,
} from "./scan_request.ts";
import { keyRecordJson, oneLine, recordJson } from "./value_format.ts";

export const SCAN_PATH = "/keys";
export const LINES_TYPE = "application/x-ndjson";
/** Text of one chunk of a stream of lines. */
const CHUNK_RECORDS = 1000;
const CHUNK_SIZE_BYTES = 128 * 1024;

export interface ScanRouteOptions {
  readonly service: NodeService;
  readonly clock: Clock;
  readonly digest: Digest;
  readonly requestTimeoutMs: number;
}

/** Whether an Accept header asks for lines. */
function wantsLines(accept: string | null): boolean {
  return accept !== null && /application\/(?:x-)?ndjson/i.test(accept);
}

/** One scan under way: the merge, and what its answers say beside the records. */
class Scan {
  readonly request: ScanRequest;
  readonly merge: ScanMerge;

  constructor(request: ScanRequest, merge: ScanMerge) {
    this.request = request;
    this.merge = merge;
  }

  /** Where each partition stood at this scan's first look at it, earlier pages of it included. */
  #firstApplied(): FirstApplied {
    return new Map([...this.merge.applied, ...this.request.firstApplied]);
  }

  cursor(lastKey: Key): string {
    return scanCursor(this.request, lastKey, this.#firstApplied());
  }

  /** `"watchCursor":…,"applied":…` */
  placesJson(): string {
    return placesJson(this.#firstApplied(), this.merge.applied);
  }

  recordJson({ record, timeMs }: Scanned): string {
    return this.request.want === "keys"
      ? keyRecordJson(record, timeMs)
      : recordJson(record, timeMs);
  }
}

function placesJson(firstApplied: FirstApplied, applied: FirstApplied): string {
  const cursor = watchCursor(positionsAt(firstApplied));
  return `"watchCursor":"${cursor}","applied":${JSON.stringify(Object.fromEntries(applied))}`;
}

/** Answers GET /keys. Rejects with RequestError. */
export async function handleScan(request: Request, options: ScanRouteOptions): Promise<Response> {
  const { service, clock, digest, requestTimeoutMs } = options;
  const { query } = splitUrl(request.url);
  const headers = new RequestHeaders(request.headers);
  const lines = wantsLines(headers.accept);
  const scanRequest = scanRequestOf(parseQuery(query, SCAN_PARAMETERS), lines, digest);
  forwardMode(headers.forward); // a scan is of many partitions: it is served where it was asked for
  const timeoutMs = timeoutMsOf(headers.timeoutMs, requestTimeoutMs);
  const partitions = partitionsOfPrefix(service, scanRequest.prefix);
  if (partitions.length === 0) return failureResponse(NO_MAP, SCAN_PATH, false);
  const { range, reverse, want, limit, consistency } = scanRequest;
  const first: PageQuery = {
    ...range,
    reverse,
    want,
    limit: want === "count" ? Number.MAX_SAFE_INTEGER : rowsOf(limit, partitions.length),
    sizeBytesMax: pageSizeBytes(partitions.length),
  };
  // A stream of lines has as long as its client listens; each page of it has the time of a request.
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  // The watch cursor stands where the scan began: a later page of an older state would leave out changes
  // that a watch from there does not give either (RULES 22).
  const seen = new Map<PartitionId, number>(scanRequest.firstApplied);
  const fetchPage = async (partition: PartitionId, page: PageQuery) => {
    const leftMs = lines ? timeoutMs : Math.max(1, deadlineMs - clock.monotonicMs());
    const minApplied = seen.get(partition);
    const bounds = consistency === undefined || minApplied === undefined
      ? consistency
      : { ...consistency, minApplied };
    const answer = await service.scanPage(partition, page, bounds, {
      forward: "forward",
      timeoutMs: leftMs,
    });
    if (answer.ok) seen.set(partition, Math.max(minApplied ?? 0, answer.appliedIndex));
    return answer;
  };
  if (want === "count") return await count(partitions, first, fetchPage);
  const scan = new Scan(scanRequest, new ScanMerge(partitions, first, fetchPage));
  if (!lines) return await answerPage(scan);
  // What can't even begin is an error with a status of its own.
  const failure = await scan.merge.fill();
  return failure === undefined ? answerLines(scan) : failureResponse(failure, SCAN_PATH, false);
}

/** Records to ask each partition for: its share and some more, since hashing spreads keys unevenly. */
function rowsOf(limit: number, partitions: number): number {
  if (limit === Infinity) return SCAN_LIMIT_MAX;
  const share = Math.ceil(limit / partitions);
  return Math.min(limit, Math.ceil(share + 4 * Math.sqrt(share) + 64));
}

async function count(
  partitions: readonly PartitionId[],
  first: PageQuery,
  fetchPage: (partition: PartitionId, page: PageQuery) => Promise<PageAnswer | Failure>,
): Promise<Response> {
  const applied = new Map<PartitionId, number>();
  const countOne = async (partition: PartitionId): Promise<number | Failure> => {
    let total = 0;
    for (let query = first;;) {
      const page = await fetchPage(partition, query);
      if (!page.ok) return page;
      if (!applied.has(partition)) applied.set(partition, page.appliedIndex);
      total += page.count;
      if (page.resume === undefined) return total;
      query = pageAfter(query, page.resume);
    }
  };
  let total = 0;
  for (const one of await Promise.all(partitions.map(countOne))) {
    if (typeof one !== "number") return failureResponse(one, SCAN_PATH, false);
    total += one;
  }
  return new Response(`{"count":${total},${placesJson(applied, applied)}}`, JSON_INIT);
}

async function answerPage(scan: Scan): Promise<Response> {
  const { merge, request: { limit } } = scan;
  const records: string[] = [];
  let sizeBytes = 0;
  let lastKey: Key | undefined;
  do {
    const failure = await merge.fill();
    if (failure !== undefined) return failureResponse(failure, SCAN_PATH, false);
    const left = SCAN_ANSWER_SIZE_BYTES_MAX - sizeBytes;
    for (const scanned of merge.take(limit - records.length, left)) {
      const { key, value } = scanned.record;
      sizeBytes += key.length + plainLength(value);
      lastKey = key;
      records.push(scan.recordJson(scanned));
    }
  } while (records.length < limit && sizeBytes < SCAN_ANSWER_SIZE_BYTES_MAX && !merge.done);
  const more = lastKey !== undefined && !merge.done;
  const cursor = more ? `"${scan.cursor(lastKey!)}"` : "null";
  return new Response(
    `{"keys":[${records.join(",")}],"cursor":${cursor},${scan.placesJson()}}`,
    JSON_INIT,
  );
}

/** The merge is filled. */
function answerLines(scan: Scan): Response {
  const { merge, request: { limit } } = scan;
  let sent = 0;
  let lastKey: Key | undefined;
  const resumeCursor = () => lastKey === undefined ? "null" : `"${scan.cursor(lastKey)}"`;
  const nextChunk = async (): Promise<{ text: string; last: boolean }> => {
    const failure = await merge.fill();
    if (failure !== undefined) {
      const error = JSON.stringify(failureProblem(failure));
      return { text: `{"error":${error},"cursor":${resumeCursor()}}\n`, last: true };
    }
    let text = "";
    for (const scanned of merge.take(Math.min(CHUNK_RECORDS, limit - sent), CHUNK_SIZE_BYTES)) {
      text += oneLine(scan.recordJson(scanned)) + "\n";
      sent++;
      lastKey = scanned.record.key;
    }
    const last = merge.done || sent >= limit;
    if (last) {
      const cursor = merge.done ? "null" : resumeCursor();
      text += `{"done":true,"cursor":${cursor},"count":${sent},${scan.placesJson()}}\n`;
    }
    return { text, last };
  };
  // Nothing is read ahead of what the connection takes.
  const stream = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { text, last } = await nextChunk();
      controller.enqueue(utf8Bytes(text));
      if (last) controller.close();
    },
  }, { highWaterMark: 0 });
  // Left alone, the server would compress the lines, and hold them back until a block is full.
  const headers = { "content-type": LINES_TYPE, "cache-control": "no-store, no-transform" };
  return new Response(stream, { headers });
}
