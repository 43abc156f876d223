// How a meta command ends. Types and two constructors only.

import type { LogIndex } from "../base/ids.ts";
import type { ClusterMap } from "./map.ts";

/** Why a command was refused. The map is as it was. */
export type MetaRefusal =
  | "unknown-member"
  | "unknown-partition"
  /** A name or an address belongs to another member, or a nodeId came with other details. */
  | "conflict"
  /** A bound of the map is reached. */
  | "limit"
  /** It would leave no active member. */
  | "last-member"
  /** The member still holds replicas, or is about to. */
  | "holds-replicas"
  | "move-in-progress"
  | "no-such-move"
  /** The plan was made from an older map. */
  | "stale"
  /** The move makes no sense on this map: the detail says why. */
  | "invalid-move"
  /** The move has gone too far to be cancelled. */
  | "too-late"
  /** The configuration names replicas that were never handed out. */
  | "unexpected-configuration";

export type MetaResult =
  /** `changed` is false if the command had been carried out before. `epoch` is the map's, after it. */
  | { readonly ok: true; readonly changed: boolean; readonly epoch: LogIndex }
  | { readonly ok: false; readonly code: MetaRefusal; readonly detail: string };

/** What a command does to a map. */
export type Outcome =
  | { readonly kind: "map"; readonly map: ClusterMap }
  | { readonly kind: "unchanged" }
  | { readonly kind: "refused"; readonly code: MetaRefusal; readonly detail: string };

export const UNCHANGED: Outcome = { kind: "unchanged" };

export function refused(code: MetaRefusal, detail: string): Outcome {
  return { kind: "refused", code, detail };
}

export function changed(map: ClusterMap): Outcome {
  return { kind: "map", map };
}
