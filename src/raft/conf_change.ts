// Membership changes as values and their encoding in a log entry's data.
// Neither validates a change against a configuration (changer.ts does) nor applies it.
//
// Encoding, little-endian:
//   V1  offset 0: type u8 | 1: replica id u64 | 9: context, the rest
//   V2  offset 0: transition u8 | 1: count u16 | 3: count x { type u8, replica id u64 } | context
//   Empty data is a V2 change without changes: leave the joint configuration.

import type { ReplicaId } from "../base/ids.ts";
import { NO_DATA } from "./types.ts";

export enum ConfChangeType {
  AddVoter = 0,
  Remove = 1,
  /** No effect on the membership; for applications that keep addresses in it. */
  Update = 2,
  AddLearner = 3,
}

/** One step of a membership change. A `replicaId` of 0 turns it into a no-op. */
export interface ConfChangeSingle {
  readonly type: ConfChangeType;
  readonly replicaId: ReplicaId;
}

/** How several changes take effect. */
export enum ConfChangeTransition {
  /** Simple if at most one change, else joint with automatic leaving. */
  Auto = 0,
  /** Joint; the leader leaves by itself. */
  JointImplicit = 1,
  /** Joint; an empty change has to be proposed to leave. */
  JointExplicit = 2,
}

/** A membership change of a single step, never joint. */
export interface ConfChange {
  readonly kind: "v1";
  readonly type: ConfChangeType;
  readonly replicaId: ReplicaId;
  /** The application's own, opaque. */
  readonly context: Uint8Array;
}

/** A membership change of any number of steps. */
export interface ConfChangeV2 {
  readonly kind: "v2";
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  /** The application's own, opaque. */
  readonly context: Uint8Array;
}

export type AnyConfChange = ConfChange | ConfChangeV2;

/** More steps than this in one change are refused at encoding. */
export const CONF_CHANGE_STEPS_MAX = 0xffff;

/** The same change in its general form. */
export function toV2(change: AnyConfChange): ConfChangeV2 {
  if (change.kind === "v2") return change;
  return {
    kind: "v2",
    transition: ConfChangeTransition.Auto,
    changes: [{ type: change.type, replicaId: change.replicaId }],
    context: change.context,
  };
}

/** Whether applying the change leaves a joint configuration. */
export function leavesJoint(change: ConfChangeV2): boolean {
  return change.transition === ConfChangeTransition.Auto && change.changes.length === 0;
}

/** Whether applying the change enters a joint configuration; if so, whether it is left by itself. */
export function entersJoint(change: ConfChangeV2): { joint: boolean; autoLeave: boolean } {
  const joint = change.transition !== ConfChangeTransition.Auto || change.changes.length > 1;
  return { joint, autoLeave: joint && change.transition !== ConfChangeTransition.JointExplicit };
}

/** Encodes a change for an entry of the type that fits its kind. Throws RangeError on bad ids. */
export function encodeConfChange(change: AnyConfChange): Uint8Array {
  if (change.kind === "v1") {
    const bytes = new Uint8Array(9 + change.context.length);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, change.type);
    writeId(view, 1, change.replicaId);
    bytes.set(change.context, 9);
    return bytes;
  }
  const count = change.changes.length;
  if (count > CONF_CHANGE_STEPS_MAX) {
    throw new RangeError(`Cannot encode a membership change of ${count} steps: too many`);
  }
  if (leavesJoint(change) && change.context.length === 0) return NO_DATA;
  const bytes = new Uint8Array(3 + 9 * count + change.context.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, change.transition);
  view.setUint16(1, count, true);
  for (let i = 0; i < count; i++) {
    view.setUint8(3 + 9 * i, change.changes[i].type);
    writeId(view, 4 + 9 * i, change.changes[i].replicaId);
  }
  bytes.set(change.context, 3 + 9 * count);
  return bytes;
}

/** Decodes an entry of type ConfChange. Throws RangeError if the bytes are not one. */
export function decodeConfChange(data: Uint8Array): ConfChange {
  if (data.length < 9) {
    throw new RangeError(`Cannot decode a membership change: got ${data.length} bytes, need 9`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return {
    kind: "v1",
    type: checkedType(view.getUint8(0)),
    replicaId: readId(view, 1),
    context: data.slice(9),
  };
}

/** Decodes an entry of type ConfChangeV2. Throws RangeError if the bytes are not one. */
export function decodeConfChangeV2(data: Uint8Array): ConfChangeV2 {
  if (data.length === 0) {
    return { kind: "v2", transition: ConfChangeTransition.Auto, changes: [], context: NO_DATA };
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const count = data.length < 3 ? 0 : view.getUint16(1, true);
  const contextOffset = 3 + 9 * count;
  if (data.length < contextOffset) {
    throw new RangeError(
      `Cannot decode a membership change: got ${data.length} bytes, need ${contextOffset}`,
    );
  }
  const transition = view.getUint8(0);
  if (transition > ConfChangeTransition.JointExplicit) {
    throw new RangeError(`Cannot decode a membership change: unknown transition ${transition}`);
  }
  const changes: ConfChangeSingle[] = [];
  for (let i = 0; i < count; i++) {
    changes.push({
      type: checkedType(view.getUint8(3 + 9 * i)),
      replicaId: readId(view, 4 + 9 * i),
    });
  }
  return { kind: "v2", transition, changes, context: data.slice(contextOffset) };
}

function checkedType(type: number): ConfChangeType {
  if (type > ConfChangeType.AddLearner) {
    throw new RangeError(`Cannot decode a membership change: unknown type ${type}`);
  }
  return type;
}

function writeId(view: DataView, offset: number, id: ReplicaId): void {
  if (!Number.isSafeInteger(id) || id < 0) {
    throw new RangeError(`Cannot encode a membership change: replica id ${id} is no safe integer`);
  }
  view.setUint32(offset, id % 0x100000000, true);
  view.setUint32(offset + 4, Math.floor(id / 0x100000000), true);
}

function readId(view: DataView, offset: number): ReplicaId {
  const id = view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 0x100000000;
  if (!Number.isSafeInteger(id)) {
    throw new RangeError(`Cannot decode a membership change: replica id ${id} is no safe integer`);
  }
  return id;
}
