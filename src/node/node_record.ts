// The node's own small record: who it is, how often it started, which cluster it belongs to. One file,
// replaced as a whole and synced with its directory before anyone may rely on it.
//
// NODE: one line of JSON, a newline, and the CRC-32 of that line as eight hex digits.

import { crc32 } from "node:zlib";
import { utf8Bytes, utf8TextOrUndefined } from "../base/bytes.ts";
import { hexFromBytes } from "../base/bytes.ts";
import type { NodeId } from "../base/ids.ts";
import type { Disk, Random } from "../platform/ports.ts";

const FILE = "NODE";
const TEMPORARY = "NODE.new";
const FORMAT_VERSION = 1;

/** What a node remembers of itself. */
export interface NodeRecord {
  readonly nodeId: NodeId;
  /** Starts so far; distinguishes one life of the node from the next. */
  readonly boots: number;
  /** "" while the node belongs to no cluster. */
  readonly clusterId: string;
  /** The genesis record as text, on the first nodes of a cluster. */
  readonly genesis?: string;
  /** All first nodes were seen to hold the genesis: elections may take place (RULES 8). */
  readonly genesisComplete?: boolean;
}

/** A data directory that can't be used. The message says why and what to do. */
export class NodeRecordError extends Error {
  override name = "NodeRecordError";
}

/** The record of this directory, or undefined in an empty one. */
export function loadNodeRecord(disk: Disk): NodeRecord | undefined {
  if (!disk.exists(FILE)) return undefined;
  const file = disk.open(FILE);
  const bytes = new Uint8Array(file.sizeSync());
  file.readSync(bytes, 0);
  file.close();
  const text = utf8TextOrUndefined(bytes);
  const [line, checksum] = text?.split("\n") ?? [];
  if (line === undefined || checksum !== checksumOf(line)) {
    throw new NodeRecordError(
      `Cannot read ${FILE}: it is damaged. The node's identity is lost; start with an empty data ` +
        `directory and add it to the cluster as a new node.`,
    );
  }
  const { formatVersion, ...record } = JSON.parse(line);
  if (formatVersion !== FORMAT_VERSION) {
    throw new NodeRecordError(
      `Cannot read ${FILE}: format ${formatVersion} is newer than ${FORMAT_VERSION}; use a newer Pontoon`,
    );
  }
  return record as NodeRecord;
}

/** Replaces the record; durable when this returns. */
export function saveNodeRecord(disk: Disk, record: NodeRecord): void {
  const line = JSON.stringify({ formatVersion: FORMAT_VERSION, ...record });
  const file = disk.open(TEMPORARY, { create: true, truncate: true });
  file.writeSync(utf8Bytes(`${line}\n${checksumOf(line)}`), 0);
  file.syncSync();
  file.close();
  disk.rename(TEMPORARY, FILE);
  disk.syncDirectorySync("");
}

/** Loads or draws the identity and counts this start. */
export function startNodeRecord(disk: Disk, random: Random): NodeRecord {
  const known = loadNodeRecord(disk);
  const record: NodeRecord = known === undefined
    ? { nodeId: hexFromBytes(random.bytes(16)), boots: 1, clusterId: "" }
    : { ...known, boots: known.boots + 1 };
  saveNodeRecord(disk, record);
  return record;
}

function checksumOf(line: string): string {
  return crc32(utf8Bytes(line)).toString(16).padStart(8, "0");
}
