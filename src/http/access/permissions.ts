// What a request needs to be allowed: roles by route, keys by prefix. Decides from method, path, query and
// document alone; parses keys with the routes' own functions, so that both speak of the same key.

import { latin1FromBytes, utf8Bytes } from "../../base/bytes.ts";
import { decodeBase64Url } from "../base64url.ts";
import { isBackupPath } from "../backup_path.ts";
import { isKeyPath } from "../key_routes.ts";
import { keyFromBase64Url, keyFromSegment, parseQuery } from "../request_key.ts";
import type { Principal, Role } from "./tokens.ts";

/** Who needs no token: probes, and pages that hold no data themselves. */
const OPEN_PATHS: ReadonlySet<string> = new Set([
  "/",
  "/health/live",
  "/health/ready",
  "/openapi.json",
  "/docs",
]);
const TTL_SUFFIX = "/ttl";
const KEY_PREFIX = "/key/";
/** Parameters that bound what a scan or a watch sees. */
const RANGE_PARAMETERS = ["prefix", "prefix64", "start", "start64", "end", "end64", "key", "key64"];

/** The role that a request needs; "open" for none; undefined where nothing is served. */
export function roleFor(method: string, path: string): Role | "open" | undefined {
  const reads = method === "GET" || method === "HEAD";
  if (OPEN_PATHS.has(path)) return "open";
  if (isKeyPath(path)) return reads ? "read" : "write";
  if (path === "/keys" || path === "/watch" || path === "/metrics") return "read";
  // What a transaction or a batch does is in its document: see `documentRoles`.
  if (path === "/txn" || path === "/batch") return "open";
  if (path === "/cluster" || path.startsWith("/cluster/")) return reads ? "read" : "admin";
  if (path.startsWith("/dashboard/")) return "read";
  return undefined;
}

function isWithin(key: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => key.startsWith(prefix));
}

/** The first byte string behind all that begin with `prefix`; undefined if there is none. */
function endOf(prefix: string): string | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const code = prefix.charCodeAt(i);
    if (code < 0xff) return prefix.slice(0, i) + String.fromCharCode(code + 1);
  }
  return undefined;
}

/** Whether all of [start, end) lies behind one of the prefixes. */
function isRangeWithin(
  start: string,
  end: string | undefined,
  prefixes: readonly string[],
): boolean {
  return prefixes.some((prefix) => {
    const prefixEnd = endOf(prefix);
    const endsWithin = prefixEnd === undefined || (end !== undefined && end <= prefixEnd);
    return start >= prefix && endsWithin;
  });
}

/**
 * Whether a request to /key, /keys or /watch stays within the prefixes. A request that the routes will
 * refuse anyway may be said to be within: they answer what is wrong with it. Throws RequestError.
 */
export function isRequestWithin(
  prefixes: readonly string[],
  method: string,
  path: string,
  query: string,
): boolean {
  if (isKeyPath(path)) return isWithin(keyOf(method, path, query), prefixes);
  if (isBackupPath(path)) return false; // all keys of a partition
  if (path !== "/keys" && path !== "/watch") return true;
  const range = new Map<string, string>();
  for (const part of query.split("&")) {
    const name = part.slice(0, part.indexOf("="));
    if (!RANGE_PARAMETERS.includes(name)) continue;
    for (const [, value] of parseQuery(part, RANGE_PARAMETERS)) range.set(name, value);
  }
  const bound = (name: string): string | undefined => {
    const text = range.get(name);
    if (text !== undefined) return latin1FromBytes(utf8Bytes(text));
    const text64 = range.get(`${name}64`);
    return text64 === undefined ? undefined : decodeBase64Url(text64);
  };
  const key = bound("key");
  if (key !== undefined) return isWithin(key, prefixes);
  const prefix = bound("prefix");
  if (prefix !== undefined) return isWithin(prefix, prefixes);
  return isRangeWithin(bound("start") ?? "", bound("end"), prefixes);
}

function keyOf(method: string, path: string, query: string): string {
  const isTouch = method === "POST" && path.endsWith(TTL_SUFFIX);
  const named = isTouch ? path.slice(0, -TTL_SUFFIX.length) : path;
  if (named.startsWith(KEY_PREFIX) && named.length > KEY_PREFIX.length) {
    return keyFromSegment(named.slice(KEY_PREFIX.length));
  }
  const key64 = query.split("&").find((part) => part.startsWith("key64="));
  return key64 === undefined ? "" : keyFromBase64Url(key64.slice("key64=".length));
}

/** What a transaction's or a batch's document does. */
export interface DocumentNeeds {
  readonly roles: ReadonlySet<Role>;
  /** Whether every key and range in it lies within the prefixes. */
  isWithin(prefixes: readonly string[]): boolean;
}

/**
 * What the document of /txn or /batch needs. Reads every list of operations there is; what it can't
 * read counts as outside all prefixes and as both reading and writing.
 */
export function documentNeeds(document: unknown): DocumentNeeds {
  const roles = new Set<Role>();
  const ranges: ([string, string | undefined] | undefined)[] = [];
  const lists = typeof document === "object" && document !== null ? Object.entries(document) : [];
  for (const [name, list] of lists) {
    for (const item of Array.isArray(list) ? list : [list]) {
      const isRead = name === "if" || operationOf(item) === "get";
      roles.add(isRead ? "read" : "write");
      ranges.push(rangeOf(item));
    }
  }
  if (ranges.length === 0) roles.add("read");
  return {
    roles,
    isWithin: (prefixes) =>
      ranges.every((range) => range !== undefined && isRangeWithin(range[0], range[1], prefixes)),
  };
}

function operationOf(item: unknown): unknown {
  return typeof item === "object" && item !== null && "op" in item ? item.op : undefined;
}

function rangeOf(item: unknown): [string, string | undefined] | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const fields = item as Record<string, unknown>;
  const bound = (name: string): string | undefined => {
    const text = fields[name];
    if (typeof text === "string") return latin1FromBytes(utf8Bytes(text));
    const text64 = fields[`${name}64`];
    return typeof text64 === "string" ? decodeBase64Url(text64) : undefined;
  };
  const key = bound("key");
  if (key !== undefined) return [key, `${key}\0`];
  const start = bound("start");
  const end = bound("end");
  return start === undefined || end === undefined ? undefined : [start, end];
}

/** The first role of those needed that the holder lacks. */
export function missingRole(principal: Principal, needed: Iterable<Role>): Role | undefined {
  for (const role of needed) if (!principal.roles.has(role)) return role;
  return undefined;
}
