// The JSON blocks of a copy and of a backup file: their fields, and the checks that make them so. A document
// of another format version is refused by name.

import { utf8Bytes, utf8TextOrUndefined } from "../base/bytes.ts";
import { CodecError } from "../base/codec.ts";
import type { WatchPosition } from "../store/history.ts";
import type { Content, ContentPart } from "./content_hash.ts";

/** Version of the blocks, their payloads and these documents together. */
export const BACKUP_FORMAT_VERSION = 1;

/** The first block of a file. */
export interface FileHeader {
  readonly formatVersion: number;
  readonly clusterId: string;
  /** Program version of the node that gave the map. */
  readonly version: string;
  /** When the backup began, ms since the epoch by the clock of who made it. */
  readonly createdMs: number;
  /** The data partitions and their hash slots, each pair half-open. */
  readonly partitions: readonly {
    readonly partition: number;
    readonly slots: readonly (readonly [number, number])[];
  }[];
}

/** The beginning of a partition's copy. */
export interface CopyBegin {
  readonly formatVersion: number;
  readonly partition: number;
  /** Names the copy on its node, for going on with it. */
  readonly copy: string;
  readonly nodeId: string;
  /** The copy holds exactly what the log up to this index made. */
  readonly applied: number;
  /** Partition time then; expiry is relative to it. */
  readonly timeMs: number;
  /** Records in the state, those that have expired but are not reaped yet included. */
  readonly records: number;
  /** When it began by the clock of who made the backup; 0 on the wire. */
  readonly wallMs: number;
  /** The node's API; empty on the wire. */
  readonly url: string;
}

/** The end of a partition's copy, as its node computed it over the same frozen state. */
export interface CopyEnd {
  /** Of the live records. */
  readonly content: Content;
  /** What `GET /cluster/hash` gives for a replica at the copy's index. */
  readonly stateHash: string;
}

/** Why changes end before the backup does. */
export interface ChangesGone {
  readonly reason: string;
}

/** A partition in a whole file. */
export interface PartitionSummary {
  readonly partition: number;
  readonly run: number;
  readonly applied: number;
  readonly timeMs: number;
  readonly stateHash: string;
  readonly content: Content;
  /** How far its changes go, and the partition's time there. */
  readonly changesTo: WatchPosition;
  readonly changesTimeMs: number;
}

/** The last block of a whole file. */
export interface FileTrailer {
  readonly finishedMs: number;
  readonly partitions: readonly PartitionSummary[];
  /** Of the copies together, each at its index. */
  readonly content: Content;
  /** Of every byte before this block. 64 hex digits. */
  readonly sha256: string;
}

export function encodeDocument(document: unknown): Uint8Array<ArrayBuffer> {
  return utf8Bytes(JSON.stringify(document));
}

type Fields = Record<string, unknown>;

function fail(what: string): never {
  throw new CodecError(`Cannot read a backup's document: ${what}`);
}

function fieldsOf(value: unknown, what: string): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Fields
    : fail(`${what} is no object`);
}

function parse(payload: Uint8Array): Fields {
  try {
    return fieldsOf(JSON.parse(utf8TextOrUndefined(payload) ?? "null"), "it");
  } catch (cause) {
    if (cause instanceof CodecError) throw cause;
    fail("it is not JSON");
  }
}

function integer(fields: Fields, name: string): number {
  const value = fields[name];
  return Number.isSafeInteger(value) && (value as number) >= 0
    ? value as number
    : fail(`${name} is no whole number`);
}

function text(fields: Fields, name: string, pattern = /^/): string {
  const value = fields[name];
  return typeof value === "string" && pattern.test(value) ? value : fail(`${name} is wrong`);
}

function list(fields: Fields, name: string): unknown[] {
  const value = fields[name];
  return Array.isArray(value) ? value : fail(`${name} is no list`);
}

function checkVersion(fields: Fields): number {
  const version = integer(fields, "formatVersion");
  if (version === BACKUP_FORMAT_VERSION) return version;
  return fail(`format version ${version}; this program knows ${BACKUP_FORMAT_VERSION}`);
}

function contentPart(value: unknown, name: string): ContentPart {
  const fields = fieldsOf(value, name);
  return { count: integer(fields, "count"), hash: text(fields, "hash", /^[\da-f]{32}$/) };
}

function contentOf(fields: Fields): Content {
  const content = fieldsOf(fields.content, "content");
  return {
    lasting: contentPart(content.lasting, "lasting"),
    expiring: contentPart(content.expiring, "expiring"),
  };
}

/** Throws CodecError, as all of these do. */
export function decodeHeader(payload: Uint8Array): FileHeader {
  const fields = parse(payload);
  return {
    formatVersion: checkVersion(fields),
    clusterId: text(fields, "clusterId"),
    version: text(fields, "version"),
    createdMs: integer(fields, "createdMs"),
    partitions: list(fields, "partitions").map((item) => {
      const one = fieldsOf(item, "a partition");
      const slots = list(one, "slots").map((pair): [number, number] => {
        const ends = Array.isArray(pair) ? pair : fail("slots are no pair");
        return [integer({ start: ends[0] }, "start"), integer({ end: ends[1] }, "end")];
      });
      return { partition: integer(one, "partition"), slots };
    }),
  };
}

export function decodeBegin(payload: Uint8Array): CopyBegin {
  const fields = parse(payload);
  return {
    formatVersion: checkVersion(fields),
    partition: integer(fields, "partition"),
    copy: text(fields, "copy", /^[\w-]{1,64}$/),
    nodeId: text(fields, "nodeId"),
    applied: integer(fields, "applied"),
    timeMs: integer(fields, "timeMs"),
    records: integer(fields, "records"),
    wallMs: integer(fields, "wallMs"),
    url: text(fields, "url"),
  };
}

export function decodeEnd(payload: Uint8Array): CopyEnd {
  const fields = parse(payload);
  return { content: contentOf(fields), stateHash: text(fields, "stateHash", /^[\da-f]{16}$/) };
}

export function decodeChangesGone(payload: Uint8Array): ChangesGone {
  return { reason: text(parse(payload), "reason") };
}

export function decodeTrailer(payload: Uint8Array): FileTrailer {
  const fields = parse(payload);
  return {
    finishedMs: integer(fields, "finishedMs"),
    content: contentOf(fields),
    sha256: text(fields, "sha256", /^[\da-f]{64}$/),
    partitions: list(fields, "partitions").map((item) => {
      const one = fieldsOf(item, "a partition");
      const position = fieldsOf(one.changesTo, "changesTo");
      return {
        partition: integer(one, "partition"),
        run: integer(one, "run"),
        applied: integer(one, "applied"),
        timeMs: integer(one, "timeMs"),
        stateHash: text(one, "stateHash"),
        content: contentOf(one),
        changesTo: {
          revision: integer(position, "revision"),
          subIndex: integer(position, "subIndex"),
        },
        changesTimeMs: integer(one, "changesTimeMs"),
      };
    }),
  };
}
