// What GET /keys is asked for, from its query and its cursor. A cursor holds the last key that was sent, a
// hash of what it belongs to, and where each partition's history stood when the scan first read it.

import type { LogIndex, PartitionId } from "../base/ids.ts";
import { latin1FromBytes, utf8Bytes } from "../base/bytes.ts";
import { SCAN_LIMIT_MAX } from "../base/limits.ts";
import type { Digest } from "../platform/ports.ts";
import { type PageQuery, WHOLE_REVISION } from "../store/mod.ts";
import type { Key } from "../store/types.ts";
import { bytesParameter, type KeyRange, rangeOf } from "./key_range.ts";
import { CursorWriter, type PartitionPosition, readCursor } from "./positions.ts";
import { RequestError } from "./problem.ts";
import { type Consistency, consistencyOf } from "./staleness.ts";

export const SCAN_PARAMETERS = [
  "prefix",
  "prefix64",
  "start",
  "start64",
  "end",
  "end64",
  "limit",
  "cursor",
  "reverse",
  "keysOnly",
  "countOnly",
  "consistency",
  "maxStaleness",
];
const JSON_LIMIT_DEFAULT = 1000;
const SCAN_TAG = 2;
const PARAMETERS_HASH_BYTES = 8;

/** Where each partition stood at the scan's first look at it. */
export type FirstApplied = ReadonlyMap<PartitionId, LogIndex>;

export interface ScanRequest {
  /** What is left of it, behind the cursor. */
  readonly range: KeyRange;
  readonly prefix: string;
  readonly reverse: boolean;
  readonly want: PageQuery["want"];
  /** Infinity: all of it. */
  readonly limit: number;
  readonly consistency: Consistency;
  /** From the cursor; empty at the beginning. */
  readonly firstApplied: FirstApplied;
  /** Of everything that a cursor belongs to. */
  readonly parametersHash: string;
}

/** A parameter without a value, or true or false. Throws RequestError. */
function flagOf(parameters: ReadonlyMap<string, string>, name: string): boolean {
  const text = parameters.get(name);
  if (text === undefined || text === "false") return false;
  if (text === "" || text === "true") return true;
  throw new RequestError(
    "invalid-parameter",
    `${name}=${text}: it takes no value, or true or false`,
  );
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > SCAN_LIMIT_MAX) {
    throw new RequestError("invalid-parameter", `limit=${text}: it takes 1 to ${SCAN_LIMIT_MAX}`);
  }
  return limit;
}

/** The request, `lines` if it asks for NDJSON. Throws RequestError. */
export function scanRequestOf(
  parameters: ReadonlyMap<string, string>,
  lines: boolean,
  digest: Digest,
): ScanRequest {
  const prefix = bytesParameter(parameters, "prefix");
  const start = bytesParameter(parameters, "start");
  const end = bytesParameter(parameters, "end");
  const reverse = flagOf(parameters, "reverse");
  const keysOnly = flagOf(parameters, "keysOnly");
  const countOnly = flagOf(parameters, "countOnly");
  const limit = limitOf(parameters.get("limit"));
  const cursor = parameters.get("cursor");
  if (countOnly && (keysOnly || limit !== undefined || cursor !== undefined || lines)) {
    throw new RequestError(
      "invalid-parameter",
      "countOnly counts the whole range: it takes no keysOnly, limit, cursor or NDJSON",
    );
  }
  const range = rangeOf(prefix, start, end);
  const parametersHash = hashOf(digest, [range.start, range.end ?? null, reverse, keysOnly]);
  const resumed = cursor === undefined ? undefined : scanCursorOf(cursor, parametersHash);
  return {
    range: resumed === undefined ? range : rangeBehind(range, resumed.lastKey, reverse),
    prefix: prefix ?? "",
    reverse,
    want: countOnly ? "count" : keysOnly ? "keys" : "records",
    limit: limit ?? (lines || countOnly ? Infinity : JSON_LIMIT_DEFAULT),
    consistency: consistencyOf(parameters),
    firstApplied: resumed?.firstApplied ?? new Map(),
    parametersHash,
  };
}

function hashOf(digest: Digest, parts: readonly unknown[]): string {
  const hash = digest.sha256(utf8Bytes(JSON.stringify(parts)));
  return latin1FromBytes(hash.subarray(0, PARAMETERS_HASH_BYTES));
}

function rangeBehind(range: KeyRange, lastKey: Key, reverse: boolean): KeyRange {
  // No key lies between a key and itself with a zero byte behind it.
  return reverse ? { ...range, end: lastKey } : { ...range, start: lastKey + "\0" };
}

/** Everything up to these log indexes, as places in the partitions' histories. */
export function positionsAt(applied: FirstApplied): PartitionPosition[] {
  return [...applied].sort(([a], [b]) => a - b).map(([partition, index]) => {
    const revision: number = index; // a revision is the log index of the change
    return { partition, position: { revision, subIndex: WHOLE_REVISION } };
  });
}

/** The cursor of a scan that goes on behind `lastKey`. */
export function scanCursor(
  request: ScanRequest,
  lastKey: Key,
  firstApplied: FirstApplied,
): string {
  return new CursorWriter().number(SCAN_TAG).bytes(request.parametersHash).bytes(lastKey)
    .positions(positionsAt(firstApplied)).finish();
}

function scanCursorOf(
  text: string,
  parametersHash: string,
): { lastKey: Key; firstApplied: FirstApplied } {
  const cursor = readCursor(text, (reader) => ({
    tag: reader.number(),
    hash: reader.bytes(),
    lastKey: reader.bytes(),
    positions: reader.positions(),
  }));
  if (cursor === undefined || cursor.tag !== SCAN_TAG) {
    throw new RequestError("invalid-cursor", "The cursor is none that GET /keys gave");
  }
  if (cursor.hash !== parametersHash) {
    throw new RequestError("invalid-cursor", "The cursor belongs to a scan of other parameters");
  }
  const firstApplied = new Map<PartitionId, LogIndex>();
  for (const { partition, position } of cursor.positions) {
    const index: number = position.revision;
    firstApplied.set(partition, index);
  }
  return { lastKey: cursor.lastKey, firstApplied };
}
