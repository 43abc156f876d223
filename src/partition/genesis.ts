// The genesis record: what the first nodes agree on before any election, and the map that follows from
// it. Counts as a snapshot at index 1, term 1 of every group, so each log starts at index 2. It must
// give the same map on every node and in every later version (RULES 8).

import type { NodeId } from "../base/ids.ts";
import { FieldReader, jsonBytes, PartitionFormatError, readDocument } from "./json.ts";
import {
  type ClusterMap,
  GENESIS_INDEX,
  type Member,
  type MemberDetails,
  MEMBERS_MAX,
  metaVoterTarget,
  type PartitionEntry,
  PARTITIONS_MAX,
  type ReplicaRef,
  REPLICATION_MAX,
  slotsOf,
} from "./map.ts";
import {
  contradictionIn,
  contradictionInMembers,
  readClusterId,
  readFormatVersion,
} from "./map_codec.ts";
import { byNodeId, detailsOf, readDetails, readNodeId } from "./members.ts";
import { initialPlacement, metaPlacement } from "./initial_placement.ts";

export const GENESIS_FORMAT_VERSION = 1;

export type GenesisMember = MemberDetails & { readonly nodeId: NodeId };

export interface Genesis {
  /** 32 hex digits, drawn once by the node that writes the record. */
  readonly clusterId: string;
  readonly replication: number;
  /** Data partitions, 1..PARTITIONS_MAX; fixed for the life of the cluster. */
  readonly partitionCount: number;
  readonly members: readonly GenesisMember[];
}

/** Canonical bytes: members by nodeId, fields in fixed order. */
export function encodeGenesis(genesis: Genesis): Uint8Array<ArrayBuffer> {
  return jsonBytes({
    formatVersion: GENESIS_FORMAT_VERSION,
    clusterId: genesis.clusterId,
    replication: genesis.replication,
    partitionCount: genesis.partitionCount,
    members: genesis.members.toSorted(byNodeId).map((member) => ({
      nodeId: member.nodeId,
      ...detailsOf(member),
    })),
  });
}

/** Throws PartitionFormatError for anything but a consistent genesis record of a known version. */
export function decodeGenesis(bytes: Uint8Array): Genesis {
  const fields = readDocument(bytes, "genesis record");
  readFormatVersion(fields, GENESIS_FORMAT_VERSION);
  const genesis: Genesis = {
    clusterId: readClusterId(fields),
    replication: fields.integer("replication", 1, REPLICATION_MAX),
    partitionCount: fields.integer("partitionCount", 1, PARTITIONS_MAX),
    members: fields.array("members", MEMBERS_MAX, (item, path) => {
      const member = FieldReader.of(item, path);
      const read = { nodeId: readNodeId(member), ...readDetails(member) };
      member.end();
      return read;
    }),
  };
  fields.end();
  if (genesis.members.length === 0) fields.fail("members", "there must be one at least");
  const wrong = contradictionInMembers(activeMembers(genesis));
  if (wrong !== undefined) fields.fail("members", wrong);
  return genesis;
}

/** The map at epoch 1. Throws PartitionFormatError if the members contradict each other. */
export function initialMap(genesis: Genesis): ClusterMap {
  const members = activeMembers(genesis);
  const voters = metaPlacement(members, metaVoterTarget(members.length));
  const rest = members.filter((member) => !voters.includes(member.nodeId));
  const metaRefs = numbered([...voters, ...rest.map((member) => member.nodeId)]);
  const partitions: PartitionEntry[] = [{
    ...emptyEntry(0),
    replicas: metaRefs.slice(0, voters.length),
    learners: metaRefs.slice(voters.length),
    nextReplicaId: metaRefs.length + 1,
  }];
  const slots = slotsOf(genesis.partitionCount);
  const placed = initialPlacement(genesis.partitionCount, members, genesis.replication);
  for (let i = 0; i < genesis.partitionCount; i++) {
    partitions.push({
      ...emptyEntry(i + 1),
      slots: [slots[i]],
      replicas: numbered(placed[i]),
      nextReplicaId: placed[i].length + 1,
    });
  }
  const map: ClusterMap = {
    clusterId: genesis.clusterId,
    epoch: GENESIS_INDEX,
    replication: genesis.replication,
    members,
    partitions,
  };
  const contradiction = contradictionIn(map);
  if (contradiction !== undefined) {
    throw new PartitionFormatError(`Cannot use genesis record: ${contradiction}`);
  }
  return map;
}

function activeMembers(genesis: Genesis): Member[] {
  return genesis.members.toSorted(byNodeId).map((member): Member => ({
    nodeId: member.nodeId,
    ...detailsOf(member),
    state: "active",
  }));
}

function emptyEntry(partition: number): PartitionEntry {
  return {
    partition,
    slots: [],
    replicas: [],
    learners: [],
    dropping: [],
    retired: [],
    nextReplicaId: 1,
    confIndex: GENESIS_INDEX,
  };
}

function numbered(nodeIds: readonly NodeId[]): ReplicaRef[] {
  return nodeIds.map((nodeId, i) => ({ replicaId: i + 1, nodeId }));
}
