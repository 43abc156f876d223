// What the membership commands do to a map. Pure. Owns the rule that every member has a replica of the
// meta group and that nobody leaves the map while it holds, or is about to hold, anything else.

import { type LogIndex, META_PARTITION, type NodeId } from "../base/ids.ts";
import type { AddMember, UpdateMember } from "./commands.ts";
import {
  type ClusterMap,
  DROPPING_MAX,
  type Member,
  MEMBERS_MAX,
  type MemberState,
  type PartitionEntry,
} from "./map.ts";
import { byNodeId, detailsConflict, detailsOf, sameDetails } from "./members.ts";
import { changed, type Outcome, refused, UNCHANGED } from "./result.ts";

export function addMember(map: ClusterMap, epoch: LogIndex, command: AddMember): Outcome {
  const { nodeId, details } = command;
  const known = memberOf(map, nodeId);
  if (known !== undefined) {
    if (sameDetails(known, details)) return UNCHANGED;
    return refused("conflict", `node ${nodeId} is a member with other details; update it instead`);
  }
  const conflict = detailsConflict(map.members, nodeId, details);
  if (conflict !== undefined) return refused("conflict", conflict);
  if (map.members.length >= MEMBERS_MAX) {
    return refused(
      "limit",
      `the cluster has ${MEMBERS_MAX} members, which is the most it may have`,
    );
  }
  const member: Member = { nodeId, ...detailsOf(details), state: "active" };
  const meta = map.partitions[META_PARTITION];
  return changed({
    ...map,
    epoch,
    members: [...map.members, member].sort(byNodeId),
    partitions: withEntry(map, {
      ...meta,
      learners: [...meta.learners, { replicaId: meta.nextReplicaId, nodeId }],
      nextReplicaId: meta.nextReplicaId + 1,
    }),
  });
}

export function updateMember(map: ClusterMap, epoch: LogIndex, command: UpdateMember): Outcome {
  const { nodeId, details } = command;
  const known = memberOf(map, nodeId);
  if (known === undefined) return unknownMember(nodeId);
  if (sameDetails(known, details)) return UNCHANGED;
  const conflict = detailsConflict(map.members, nodeId, details);
  if (conflict !== undefined) return refused("conflict", conflict);
  return withMember(map, epoch, { nodeId, ...detailsOf(details), state: known.state });
}

/** Draining, leaving, and taking either back. */
export function setMemberState(
  map: ClusterMap,
  epoch: LogIndex,
  nodeId: NodeId,
  state: MemberState,
): Outcome {
  const known = memberOf(map, nodeId);
  if (known === undefined) return unknownMember(nodeId);
  if (known.state === state) return UNCHANGED;
  const others = map.members.some((member) =>
    member.nodeId !== nodeId && member.state === "active"
  );
  if (state !== "active" && !others) {
    return refused(
      "last-member",
      `${known.name} is the last active member; its data has nowhere to go`,
    );
  }
  return withMember(map, epoch, { ...known, state });
}

export function removeMember(map: ClusterMap, epoch: LogIndex, nodeId: NodeId): Outcome {
  const known = memberOf(map, nodeId);
  if (known === undefined) return UNCHANGED;
  if (map.members.length === 1) {
    return refused("last-member", `${known.name} is the last member of the cluster`);
  }
  const holding = map.partitions.filter((entry) => votesOrWill(entry, nodeId));
  if (holding.length > 0) {
    const which = holding.slice(0, 8).map((entry) => entry.partition).join(", ");
    return refused(
      "holds-replicas",
      `${known.name} holds replicas of ${holding.length} partitions (${which}${
        holding.length > 8 ? ", …" : ""
      }); drain it first`,
    );
  }
  const meta = map.partitions[META_PARTITION];
  const leaving = meta.learners.filter((ref) => ref.nodeId === nodeId);
  const dropping = [
    ...meta.dropping,
    ...leaving.map((ref) => ({ ...ref, sinceEpoch: epoch })),
  ];
  if (dropping.length > DROPPING_MAX) {
    return refused("limit", "too many removed members are still in the meta group; try again");
  }
  return changed({
    ...map,
    epoch,
    members: map.members.filter((member) => member !== known),
    partitions: withEntry(map, {
      ...meta,
      learners: meta.learners.filter((ref) => ref.nodeId !== nodeId),
      dropping,
    }),
  });
}

/** The map's partitions with one entry replaced. */
export function withEntry(map: ClusterMap, entry: PartitionEntry): readonly PartitionEntry[] {
  return map.partitions.with(entry.partition, entry);
}

export function memberOf(map: ClusterMap, nodeId: NodeId): Member | undefined {
  return map.members.find((member) => member.nodeId === nodeId);
}

function votesOrWill(entry: PartitionEntry, nodeId: NodeId): boolean {
  const refs = [...entry.replicas, ...entry.move?.adding ?? []];
  return refs.some((ref) => ref.nodeId === nodeId);
}

function withMember(map: ClusterMap, epoch: LogIndex, member: Member): Outcome {
  const members = map.members.map((other) => other.nodeId === member.nodeId ? member : other);
  return changed({ ...map, epoch, members });
}

function unknownMember(nodeId: NodeId): Outcome {
  return refused("unknown-member", `node ${nodeId} is not a member`);
}
