// The commands of the meta group and their encoding in its log. Owns their validation: what decodes is
// well formed, whether it applies is the state machine's to say. Small JSON documents, versioned.

import { unreachable } from "../base/assert.ts";
import type { LogIndex, NodeId, PartitionId, ReplicaId } from "../base/ids.ts";
import { FieldReader, jsonBytes, readDocument } from "./json.ts";
import {
  GENESIS_INDEX,
  type MemberDetails,
  MEMBERS_MAX,
  PARTITIONS_MAX,
  REPLICATION_MAX,
} from "./map.ts";
import { detailsOf, readDetails, readLabel, readNodeId } from "./members.ts";

/** Version of the encoded commands. A newer one is refused by name. */
export const COMMAND_FORMAT_VERSION = 1;

/** Ids in one command's list; a configuration may name every member twice while replicas change. */
const REPLICA_LIST_MAX = 4 * MEMBERS_MAX;

/** Idempotent by nodeId. The member also becomes a learner of the meta group. */
export interface AddMember {
  readonly kind: "addMember";
  readonly nodeId: NodeId;
  readonly details: MemberDetails;
}

/** Replaces what a member says about itself; proposed when a node restarts with other addresses. */
export interface UpdateMember {
  readonly kind: "updateMember";
  readonly nodeId: NodeId;
  readonly details: MemberDetails;
}

/** Starts moving a member's replicas elsewhere; it stays a member. */
export interface DrainMember {
  readonly kind: "drainMember";
  readonly nodeId: NodeId;
}

/** Starts draining a member that is to be removed then. */
export interface LeaveMember {
  readonly kind: "leaveMember";
  readonly nodeId: NodeId;
}

/** Takes {@linkcode DrainMember} or {@linkcode LeaveMember} back. */
export interface StayMember {
  readonly kind: "stayMember";
  readonly nodeId: NodeId;
}

/** Takes a member that holds no replica off the map. */
export interface RemoveMember {
  readonly kind: "removeMember";
  readonly nodeId: NodeId;
}

/** Starts a change of a partition's voters. */
export interface BeginMove {
  readonly kind: "beginMove";
  readonly partition: PartitionId;
  /** Nodes that are to get a voter; in the meta group their learner is promoted. */
  readonly add: readonly NodeId[];
  /** Settled voters that are to go; in the meta group they become learners. */
  readonly remove: readonly ReplicaId[];
  /** Suspect replicas (RULES 4), each to be replaced under a new replicaId on its own node. */
  readonly replace: readonly ReplicaId[];
  /** The settled voters that the plan was made from; anything else is refused as stale. */
  readonly expected: readonly ReplicaId[];
}

/** Asks for a move to be given up; wins only if none of its additions has been promoted. */
export interface CancelMove {
  readonly kind: "cancelMove";
  readonly partition: PartitionId;
  /** The move's `beganEpoch`, so that a later move is not hit. */
  readonly beganEpoch: LogIndex;
}

/** Says in which zone a data partition's leader should be, or that it does not matter. */
export interface PreferZone {
  readonly kind: "preferZone";
  readonly partition: PartitionId;
  /** Absent: anywhere. */
  readonly zone?: string;
}

/** Tells the configuration that a group has committed and applied, from its leader. */
export interface RecordConfiguration {
  readonly kind: "recordConfiguration";
  readonly partition: PartitionId;
  /** Index of the configuration change in the group's own log. */
  readonly confIndex: LogIndex;
  /** Epoch of the map from which that change was made. */
  readonly confEpoch: LogIndex;
  readonly voters: readonly ReplicaId[];
  /** Empty unless the configuration is joint. */
  readonly votersOutgoing: readonly ReplicaId[];
  /** Learners, and outgoing voters about to become learners. */
  readonly learners: readonly ReplicaId[];
}

export type MetaCommand =
  | AddMember
  | UpdateMember
  | DrainMember
  | LeaveMember
  | StayMember
  | RemoveMember
  | BeginMove
  | CancelMove
  | PreferZone
  | RecordConfiguration;

const KINDS = [
  "addMember",
  "updateMember",
  "drainMember",
  "leaveMember",
  "stayMember",
  "removeMember",
  "beginMove",
  "cancelMove",
  "preferZone",
  "recordConfiguration",
] as const satisfies readonly MetaCommand["kind"][];

/** Canonical bytes of a command, for the meta group's log. */
export function encodeCommand(command: MetaCommand): Uint8Array<ArrayBuffer> {
  return jsonBytes({ version: COMMAND_FORMAT_VERSION, ...canonical(command) });
}

function canonical(command: MetaCommand): MetaCommand {
  const { kind } = command;
  switch (kind) {
    case "addMember":
    case "updateMember":
      return { kind, nodeId: command.nodeId, details: detailsOf(command.details) };
    case "drainMember":
    case "leaveMember":
    case "stayMember":
    case "removeMember":
      return { kind, nodeId: command.nodeId };
    case "beginMove": {
      const { partition, add, remove, replace, expected } = command;
      return { kind, partition, add, remove, replace, expected };
    }
    case "cancelMove":
      return { kind, partition: command.partition, beganEpoch: command.beganEpoch };
    case "preferZone": {
      const { partition, zone } = command;
      return { kind, partition, ...(zone === undefined ? {} : { zone }) };
    }
    case "recordConfiguration": {
      const { partition, confIndex, confEpoch, voters, votersOutgoing, learners } = command;
      return { kind, partition, confIndex, confEpoch, voters, votersOutgoing, learners };
    }
    default:
      return unreachable(kind);
  }
}

/** Inverse of {@linkcode encodeCommand}. Throws PartitionFormatError. */
export function decodeCommand(bytes: Uint8Array): MetaCommand {
  const fields = readDocument(bytes, "meta command");
  const version = fields.integer("version", 1);
  if (version !== COMMAND_FORMAT_VERSION) {
    fields.fail("version", `${version} is not known here, which knows ${COMMAND_FORMAT_VERSION}`);
  }
  const command = readCommand(fields);
  fields.end();
  return command;
}

function readCommand(fields: FieldReader): MetaCommand {
  const kind = fields.oneOf("kind", KINDS);
  switch (kind) {
    case "addMember":
    case "updateMember": {
      const nodeId = readNodeId(fields);
      const inner = fields.object("details");
      const details = readDetails(inner);
      inner.end();
      return { kind, nodeId, details };
    }
    case "drainMember":
    case "leaveMember":
    case "stayMember":
    case "removeMember":
      return { kind, nodeId: readNodeId(fields) };
    case "beginMove":
      return {
        kind,
        partition: readPartition(fields),
        add: fields.array("add", REPLICATION_MAX, (item, path) => {
          const wrapped = FieldReader.of({ nodeId: item }, path);
          return readNodeId(wrapped);
        }),
        remove: readIds(fields, "remove"),
        replace: readIds(fields, "replace"),
        expected: readIds(fields, "expected"),
      };
    case "cancelMove":
      return {
        kind,
        partition: readPartition(fields),
        beganEpoch: fields.integer("beganEpoch", GENESIS_INDEX),
      };
    case "preferZone":
      return {
        kind,
        partition: readPartition(fields),
        ...(fields.has("zone") ? { zone: readLabel(fields, "zone") } : {}),
      };
    case "recordConfiguration":
      return {
        kind,
        partition: readPartition(fields),
        confIndex: fields.integer("confIndex", GENESIS_INDEX),
        confEpoch: fields.integer("confEpoch", GENESIS_INDEX),
        voters: readIds(fields, "voters"),
        votersOutgoing: readIds(fields, "votersOutgoing"),
        learners: readIds(fields, "learners"),
      };
    default:
      return unreachable(kind);
  }
}

function readPartition(fields: FieldReader): PartitionId {
  return fields.integer("partition", 0, PARTITIONS_MAX);
}

function readIds(fields: FieldReader, name: string): ReplicaId[] {
  const ids = fields.integers(name, REPLICA_LIST_MAX, 1);
  if (new Set(ids).size < ids.length) fields.fail(name, "an id is listed twice");
  return ids;
}
