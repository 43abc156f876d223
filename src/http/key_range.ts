// Which keys a query or a watch is about: prefixes and bounds, as text or in base64url, and the partitions
// that can hold such keys. Throws RequestError on what names no range.

import { latin1FromBytes, utf8Bytes } from "../base/bytes.ts";
import type { PartitionId } from "../base/ids.ts";
import { KEY_SIZE_BYTES_MAX } from "../base/limits.ts";
import { hashTag } from "../base/slot.ts";
import type { Failure, NodeService } from "../node/service.ts";
import type { Key } from "../store/types.ts";
import { decodeBase64Url } from "./base64url.ts";
import { RequestError } from "./problem.ts";

/** Half-open; `end` undefined: no bound. */
export interface KeyRange {
  readonly start: Key;
  readonly end: Key | undefined;
}

/**
 * The bytes of `name` or of `name64`, one character each; undefined if neither is given. They may be
 * empty, and as long as a key. Throws RequestError.
 */
export function bytesParameter(
  parameters: ReadonlyMap<string, string>,
  name: string,
): string | undefined {
  const text = parameters.get(name);
  const base64 = parameters.get(`${name}64`);
  if (text !== undefined && base64 !== undefined) {
    throw new RequestError("invalid-parameter", `${name} and ${name}64 exclude each other`);
  }
  let bytes: string | undefined;
  if (text !== undefined) bytes = latin1FromBytes(utf8Bytes(text));
  else if (base64 !== undefined) {
    bytes = decodeBase64Url(base64);
    if (bytes === undefined) {
      throw new RequestError("invalid-parameter", `${name}64 is not base64url without padding`);
    }
  }
  if (bytes !== undefined && bytes.length > KEY_SIZE_BYTES_MAX) {
    throw new RequestError(
      "key-too-long",
      `${name} has ${bytes.length} bytes; ${KEY_SIZE_BYTES_MAX} are allowed`,
    );
  }
  return bytes;
}

/** The first key behind all that begin with `prefix`; undefined if there is none. */
export function prefixEnd(prefix: string): Key | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const code = prefix.charCodeAt(i);
    if (code < 0xff) return prefix.slice(0, i) + String.fromCharCode(code + 1);
  }
  return undefined;
}

/** Keys with `prefix` that are in [start, end) as well; whatever is undefined does not bound. */
export function rangeOf(
  prefix: string | undefined,
  start: Key | undefined,
  end: Key | undefined,
): KeyRange {
  const low = prefix ?? "";
  const high = prefix === undefined ? undefined : prefixEnd(prefix);
  return {
    start: start !== undefined && start > low ? start : low,
    end: high === undefined ? end : end !== undefined && end < high ? end : high,
  };
}

/** This node has not seen a map yet. */
export const NO_MAP: Failure = {
  ok: false,
  code: "no-leader",
  outcome: "none",
  detail: "this node does not know the cluster's partitions yet",
};

/**
 * Partitions that may hold keys with `prefix`, ascending: one, if the prefix has a whole hash tag. Empty
 * while this node knows no map.
 */
export function partitionsOfPrefix(service: NodeService, prefix: string): readonly PartitionId[] {
  const all = service.dataPartitions();
  return all.length > 0 && hashTag(prefix) !== undefined ? [service.partitionOf(prefix)] : all;
}
