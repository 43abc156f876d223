// The cluster map as canonical JSON: snapshots of the meta group, its state hash, and the map as peers
// and operators see it. Owns validation of a map from outside; equal maps give equal bytes.

import { SLOT_COUNT } from "../base/slot.ts";
import {
  byNodeId,
  detailsConflict,
  detailsOf,
  readDetails,
  readLabel,
  readNodeId,
} from "./members.ts";
import { FieldReader, jsonBytes, PartitionFormatError, readDocument } from "./json.ts";
import {
  type ClusterMap,
  DROPPING_MAX,
  GENESIS_INDEX,
  type Member,
  MEMBERS_MAX,
  type Move,
  type PartitionEntry,
  PARTITIONS_MAX,
  type ReplicaRef,
  REPLICATION_MAX,
  RETIRED_KEPT_MAX,
  type SlotRange,
} from "./map.ts";

/** Version of the encoded map. A newer one is refused by name. */
export const MAP_FORMAT_VERSION = 1;
/** Voters of one partition in the middle of a move, learners of the meta group included. */
const REPLICAS_LISTED_MAX = 2 * MEMBERS_MAX;

/** Canonical bytes of a map. */
export function encodeMap(map: ClusterMap): Uint8Array<ArrayBuffer> {
  return jsonBytes({
    formatVersion: MAP_FORMAT_VERSION,
    clusterId: map.clusterId,
    epoch: map.epoch,
    replication: map.replication,
    members: map.members.map(encodeMember),
    partitions: map.partitions.map(encodeEntry),
  });
}

/** Inverse of {@linkcode encodeMap}. Throws PartitionFormatError, also for a map that contradicts itself. */
export function decodeMap(bytes: Uint8Array): ClusterMap {
  const fields = readDocument(bytes, "cluster map");
  readFormatVersion(fields, MAP_FORMAT_VERSION);
  const map: ClusterMap = {
    clusterId: readClusterId(fields),
    epoch: fields.integer("epoch", GENESIS_INDEX),
    replication: fields.integer("replication", 1, REPLICATION_MAX),
    members: fields.array("members", MEMBERS_MAX, decodeMember),
    partitions: fields.array("partitions", PARTITIONS_MAX + 1, decodeEntry),
  };
  fields.end();
  const contradiction = contradictionIn(map);
  if (contradiction !== undefined) {
    throw new PartitionFormatError(`Cannot read cluster map: ${contradiction}`);
  }
  return map;
}

/** Takes `formatVersion`; a newer one gets its own words. Throws PartitionFormatError. */
export function readFormatVersion(fields: FieldReader, known: number): void {
  const version = fields.integer("formatVersion", 1);
  if (version !== known) {
    fields.fail("formatVersion", `version ${version} is not known here, which knows ${known}`);
  }
}

export function readClusterId(fields: FieldReader): string {
  return fields.string("clusterId", (text) => /^[0-9a-f]{32}$/.test(text), "32 hex digits");
}

function encodeMember(member: Member): unknown {
  return { nodeId: member.nodeId, ...detailsOf(member), state: member.state };
}

function decodeMember(item: unknown, path: string): Member {
  const fields = FieldReader.of(item, path);
  const member: Member = {
    nodeId: readNodeId(fields),
    ...readDetails(fields),
    state: fields.oneOf("state", ["active", "draining", "leaving"]),
  };
  fields.end();
  return member;
}

const encodeRef = ({ replicaId, nodeId }: ReplicaRef): unknown => ({ replicaId, nodeId });

function decodeRef(item: unknown, path: string): ReplicaRef {
  const fields = FieldReader.of(item, path);
  const ref = { replicaId: fields.integer("replicaId", 1), nodeId: readNodeId(fields) };
  fields.end();
  return ref;
}

function decodeRefs(fields: FieldReader, name: string): ReplicaRef[] {
  return fields.array(name, REPLICAS_LISTED_MAX, decodeRef);
}

function encodeEntry(entry: PartitionEntry): unknown {
  return {
    partition: entry.partition,
    slots: entry.slots.map(({ start, end }) => ({ start, end })),
    ...(entry.preferredZone === undefined ? {} : { preferredZone: entry.preferredZone }),
    replicas: entry.replicas.map(encodeRef),
    learners: entry.learners.map(encodeRef),
    ...(entry.move === undefined ? {} : { move: encodeMove(entry.move) }),
    dropping: entry.dropping.map(({ replicaId, nodeId, sinceEpoch }) => ({
      replicaId,
      nodeId,
      sinceEpoch,
    })),
    retired: entry.retired.map(({ replicaId, nodeId, epoch }) => ({ replicaId, nodeId, epoch })),
    nextReplicaId: entry.nextReplicaId,
    confIndex: entry.confIndex,
  };
}

function decodeEntry(item: unknown, path: string): PartitionEntry {
  const fields = FieldReader.of(item, path);
  const entry: PartitionEntry = {
    partition: fields.integer("partition", 0, PARTITIONS_MAX),
    slots: fields.array("slots", SLOT_COUNT, decodeSlots),
    ...(fields.has("preferredZone") ? { preferredZone: readLabel(fields, "preferredZone") } : {}),
    replicas: decodeRefs(fields, "replicas"),
    learners: decodeRefs(fields, "learners"),
    ...(fields.has("move") ? { move: decodeMove(fields.object("move")) } : {}),
    dropping: fields.array("dropping", DROPPING_MAX, (dropping, at) => {
      const inner = FieldReader.of(dropping, at);
      const ref = {
        replicaId: inner.integer("replicaId", 1),
        nodeId: readNodeId(inner),
        sinceEpoch: inner.integer("sinceEpoch", GENESIS_INDEX),
      };
      inner.end();
      return ref;
    }),
    retired: fields.array("retired", RETIRED_KEPT_MAX, (retired, at) => {
      const inner = FieldReader.of(retired, at);
      const ref = {
        replicaId: inner.integer("replicaId", 1),
        nodeId: readNodeId(inner),
        epoch: inner.integer("epoch", GENESIS_INDEX),
      };
      inner.end();
      return ref;
    }),
    nextReplicaId: fields.integer("nextReplicaId", 1),
    confIndex: fields.integer("confIndex", GENESIS_INDEX),
  };
  fields.end();
  return entry;
}

function decodeSlots(item: unknown, path: string): SlotRange {
  const fields = FieldReader.of(item, path);
  const start = fields.integer("start", 0, SLOT_COUNT - 1);
  const end = fields.integer("end", start + 1, SLOT_COUNT);
  fields.end();
  return { start, end };
}

function encodeMove(move: Move): unknown {
  return {
    beganEpoch: move.beganEpoch,
    adding: move.adding.map(encodeRef),
    removing: move.removing.map(encodeRef),
    demoting: move.demoting.map(encodeRef),
    phase: move.phase,
    ...(move.cancelEpoch === undefined ? {} : { cancelEpoch: move.cancelEpoch }),
  };
}

function decodeMove(fields: FieldReader): Move {
  const move: Move = {
    beganEpoch: fields.integer("beganEpoch", GENESIS_INDEX),
    adding: decodeRefs(fields, "adding"),
    removing: decodeRefs(fields, "removing"),
    demoting: decodeRefs(fields, "demoting"),
    phase: fields.oneOf("phase", ["learning", "promoted"]),
    ...(fields.has("cancelEpoch")
      ? { cancelEpoch: fields.integer("cancelEpoch", GENESIS_INDEX) }
      : {}),
  };
  fields.end();
  return move;
}

/** What is wrong with a map as a whole, or undefined. */
export function contradictionIn(map: ClusterMap): string | undefined {
  const conflict = contradictionInMembers(map.members);
  if (conflict !== undefined) return conflict;
  if (map.partitions.length < 2) return "it has no data partition";
  const ranges: { readonly start: number; readonly end: number }[] = [];
  for (let i = 0; i < map.partitions.length; i++) {
    const entry = map.partitions[i];
    if (entry.partition !== i) return `partition ${entry.partition} stands at ${i}`;
    if ((i === 0) !== (entry.slots.length === 0)) return `partition ${i} has wrong slots`;
    ranges.push(...entry.slots);
  }
  ranges.sort((a, b) => a.start - b.start);
  let covered = 0;
  for (const { start, end } of ranges) {
    if (start < covered) return "slots overlap";
    if (start > covered) break;
    covered = end;
  }
  if (covered !== SLOT_COUNT) return "some slots belong to no partition";
  const memberIds = new Set(map.members.map((member) => member.nodeId));
  for (const entry of map.partitions) {
    const wrong = contradictionInEntry(entry, memberIds);
    if (wrong !== undefined) return `partition ${entry.partition}: ${wrong}`;
  }
  return undefined;
}

/** What is wrong with a list of members, or undefined. */
export function contradictionInMembers(members: readonly Member[]): string | undefined {
  for (let i = 0; i < members.length; i++) {
    const member = members[i];
    if (i > 0 && byNodeId(members[i - 1], member) >= 0) return "members are not in order";
    const conflict = detailsConflict(members.slice(i + 1), member.nodeId, member);
    if (conflict !== undefined) return conflict;
  }
  return undefined;
}

/** What is wrong with one entry, or undefined. Holds after every command. */
export function contradictionInEntry(
  entry: PartitionEntry,
  memberIds: ReadonlySet<string>,
): string | undefined {
  const { replicas, learners, move, dropping, retired, nextReplicaId } = entry;
  if (replicas.length === 0) return "no replica";
  const meta = entry.partition === 0;
  if (!meta && learners.length > 0) return "a data partition has settled learners";
  const settled = [...replicas, ...learners];
  const everyId = new Set<number>();
  const fresh = meta ? [] : move?.adding ?? [];
  for (const ref of [...settled, ...fresh, ...dropping, ...retired]) {
    if (ref.replicaId >= nextReplicaId) return `replica ${ref.replicaId} was never handed out`;
    if (everyId.has(ref.replicaId)) return `replica ${ref.replicaId} is named twice`;
    everyId.add(ref.replicaId);
  }
  for (const ref of [...settled, ...fresh]) {
    if (!memberIds.has(ref.nodeId)) return `replica ${ref.replicaId} is on no member`;
  }
  if (new Set(replicas.map((ref) => ref.nodeId)).size < replicas.length) return "two on one node";
  if (move === undefined) return undefined;
  const has = (refs: readonly ReplicaRef[], { replicaId, nodeId }: ReplicaRef) =>
    refs.some((other) => other.replicaId === replicaId && other.nodeId === nodeId);
  if (move.adding.length + move.removing.length + move.demoting.length === 0) return "an idle move";
  if (!meta && move.demoting.length > 0) return "a data partition demotes";
  if (meta && !move.adding.every((ref) => has(learners, ref))) return "adding a non-learner";
  const leaving = [...move.removing, ...move.demoting];
  if (!leaving.every((ref) => has(replicas, ref))) return "a move removes what is not settled";
  const after = [...replicas.filter((ref) => !has(leaving, ref)), ...move.adding];
  if (after.length === 0) return "a move leaves no replica";
  if (new Set(after.map((ref) => ref.nodeId)).size < after.length) return "a move doubles a node";
  return undefined;
}
