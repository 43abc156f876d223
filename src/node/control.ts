// Control calls: what nodes say to each other before they share a cluster, as small JSON documents.
// Whoever calls holds the shared secret; what is said is still validated before it is believed.

import { utf8Bytes, utf8TextOrUndefined } from "../base/bytes.ts";
import type { NodeId } from "../base/ids.ts";
import type { MemberDetails } from "../partition/mod.ts";

/** A question. */
export type ControlQuestion =
  /** Who are you, and which cluster do you belong to? */
  | { readonly ask: "identity" }
  /** Take this genesis record, if your directory is empty. */
  | { readonly ask: "genesis"; readonly genesis: string }
  /** Take me into your cluster. */
  | { readonly ask: "join"; readonly nodeId: NodeId; readonly details: MemberDetails }
  /** Belong to this cluster, whose map is this. */
  | { readonly ask: "adopt"; readonly clusterId: string; readonly map: string }
  /** Which map have you applied? */
  | { readonly ask: "map" };

export interface Identity {
  readonly nodeId: NodeId;
  readonly details: MemberDetails;
  readonly clusterId: string;
  readonly genesis?: string;
}

/** An answer; which members are present depends on the question. */
export interface ControlAnswer {
  readonly ok: boolean;
  readonly reason?: string;
  readonly identity?: Identity;
  readonly clusterId?: string;
  /** Encoded as partition/map_codec.ts does. */
  readonly map?: string;
}

export function encodeControl(message: ControlQuestion | ControlAnswer): Uint8Array<ArrayBuffer> {
  return utf8Bytes(JSON.stringify(message));
}

/** Undefined if it is no JSON object. */
export function decodeControl<T>(bytes: Uint8Array): T | undefined {
  const text = utf8TextOrUndefined(bytes);
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value as T : undefined;
  } catch {
    return undefined;
  }
}
