// What a member's details may look like: names, addresses, labels, weight. Owns their reading and
// writing wherever they appear (genesis, commands, map), so that all three refuse the same things.

import type { NodeId } from "../base/ids.ts";
import type { FieldReader } from "./json.ts";
import { type Member, type MemberDetails, WEIGHT_MAX } from "./map.ts";

/** A DNS name (253) or a bracketed IPv6 address, a colon and a port. */
const ADDRESS_LENGTH_MAX = 259;

/** 32 lower-case hex digits. */
export function isNodeId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

/** A member's name or a host or zone label. */
export function isLabel(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(text);
}

/** `host:port` with a port of 1..65535; IPv6 hosts in brackets. */
export function isAddress(text: string): boolean {
  if (text.length > ADDRESS_LENGTH_MAX) return false;
  const match = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})$/.exec(text);
  return match !== null && Number(match[1]) >= 1 && Number(match[1]) <= 65535;
}

/** Takes a nodeId from `fields`. Throws PartitionFormatError. */
export function readNodeId(fields: FieldReader, name = "nodeId"): NodeId {
  return fields.string(name, isNodeId, "32 lower-case hex digits");
}

/** Takes name, peer, http, host, zone and weight from `fields`. Throws PartitionFormatError. */
/** A name, host or zone. */
export function readLabel(fields: FieldReader, name: string): string {
  const expected = "1 to 64 letters, digits, '_', '.', '-', beginning with a letter or digit";
  return fields.string(name, isLabel, expected);
}

export function readDetails(fields: FieldReader): MemberDetails {
  return {
    name: readLabel(fields, "name"),
    peer: fields.string("peer", isAddress, "host:port"),
    http: fields.string("http", isAddress, "host:port"),
    ...(fields.has("host") ? { host: readLabel(fields, "host") } : {}),
    ...(fields.has("zone") ? { zone: readLabel(fields, "zone") } : {}),
    weight: fields.integer("weight", 1, WEIGHT_MAX),
  };
}

/** The details alone, in canonical field order. */
export function detailsOf(source: MemberDetails): MemberDetails {
  const { name, peer, http, host, zone, weight } = source;
  return {
    name,
    peer,
    http,
    ...(host === undefined ? {} : { host }),
    ...(zone === undefined ? {} : { zone }),
    weight,
  };
}

/** Whether two members say the same about themselves. */
export function sameDetails(a: MemberDetails, b: MemberDetails): boolean {
  return a.name === b.name && a.peer === b.peer && a.http === b.http && a.host === b.host &&
    a.zone === b.zone && a.weight === b.weight;
}

/** Why `details` cannot be those of `nodeId` among `members`, or undefined. */
export function detailsConflict(
  members: readonly Member[],
  nodeId: NodeId,
  details: MemberDetails,
): string | undefined {
  for (const other of members) {
    if (other.nodeId === nodeId) continue;
    if (other.name === details.name) {
      return `the name ${details.name} belongs to node ${other.nodeId}`;
    }
    if (other.peer === details.peer) {
      return `the peer address ${details.peer} belongs to ${other.name}`;
    }
    if (other.http === details.http) {
      return `the HTTP address ${details.http} belongs to ${other.name}`;
    }
  }
  return undefined;
}

/** Members by nodeId: the order of the map and of every decision that walks them. */
export function byNodeId(a: { nodeId: NodeId }, b: { nodeId: NodeId }): number {
  return a.nodeId < b.nodeId ? -1 : a.nodeId > b.nodeId ? 1 : 0;
}
