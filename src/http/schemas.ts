// The JSON documents of the schema-driven routes, as zod schemas that both check requests and describe the
// API in /openapi.json. Loading zod costs 60 ms and 12 MB, so only schema_routes.ts may import this.

import { z } from "@hono/zod-openapi";
import { PROBLEMS } from "./problem.ts";
import { TTL_SECONDS_MAX, TTL_SECONDS_MIN } from "./time_to_live.ts";

const codes = Object.keys(PROBLEMS) as [string, ...string[]];

export const ProblemSchema = z.object({
  type: z.string().openapi({ example: "urn:pontoon:problem:condition-failed" }),
  title: z.string(),
  status: z.int().min(300).max(599),
  detail: z.string(),
  code: z.enum(codes),
  retryable: z.boolean().openapi({
    description: "The same request may succeed later; a write of unknown outcome needs an " +
      "idempotency key to be sent again safely.",
  }),
  outcome: z.enum(["none", "unknown"]).openapi({
    description: "none: this attempt had no effect and never will have; unknown: it may have.",
  }),
  revision: z.int().optional().openapi({
    description: "With condition-failed: the key's revision, 0 if it is absent.",
  }),
  remedy: z.string().optional().openapi({ description: "With history-gone: what to do." }),
  leader: z.string().optional().openapi({ description: "With not-leader: where to go." }),
  epoch: z.int().optional().openapi({ description: "With not-leader: epoch of the map known." }),
}).openapi("Problem");

const KeyMembers = {
  key: z.string().optional().openapi({ description: "Absent if the key is not UTF-8." }),
  key64: z.string().optional().openapi({ description: "base64url, for keys that are not UTF-8." }),
};

const RecordMetadata = {
  revision: z.int(),
  createRevision: z.int(),
  contentType: z.string(),
  ttlMs: z.number().optional().openapi({ description: "Partition time left to live." }),
};

export const RecordSchema = z.object({
  ...KeyMembers,
  value: z.unknown().openapi({
    description: "JSON values as they were put, text as a string, other bytes in base64.",
  }),
  encoding: z.literal("base64").optional(),
  ...RecordMetadata,
}).openapi("Record");

export const KeyRecordSchema = z.object({ ...KeyMembers, ...RecordMetadata }).openapi("KeyRecord");

export const WrittenSchema = z.object({
  ...KeyMembers,
  revision: z.int(),
  created: z.boolean(),
}).openapi("Written");

export const DeletedSchema = z.object({
  ...KeyMembers,
  deleted: z.literal(true),
  revision: z.int(),
}).openapi("Deleted");

export const TouchedSchema = z.object({
  ...KeyMembers,
  revision: z.int(),
}).openapi("Touched");

export const TimeToLiveSchema = z.strictObject({
  ttl: z.number().min(TTL_SECONDS_MIN).max(TTL_SECONDS_MAX).nullable().openapi({
    description: "Seconds to live from now; null: for ever.",
  }),
}).openapi("TimeToLive");

const NodeName = z.string().min(1).max(255);

export const MemberChangeSchema = z.discriminatedUnion("action", [
  z.strictObject({
    action: z.literal("add"),
    peer: z.string().max(300).regex(/^[^\s/@]+:\d{1,5}$/, "it takes host:port").openapi({
      description: "Peer address of a running node that belongs to no cluster.",
      example: "127.0.0.1:7104",
    }),
  }),
  z.strictObject({
    action: z.literal("remove"),
    node: NodeName.openapi({ description: "Name or nodeId of a member.", example: "n3" }),
  }),
  z.strictObject({
    action: z.literal("drain"),
    node: NodeName.openapi({ description: "Its replicas go elsewhere; it stays a member." }),
  }),
  z.strictObject({
    action: z.literal("activate"),
    node: NodeName.openapi({ description: "Takes a drain or a removal under way back." }),
  }),
]).openapi("MemberChange");

export const MoveSchema = z.strictObject({
  from: NodeName.openapi({ description: "Name or nodeId of the node that gives its replica up." }),
  to: NodeName.openapi({ description: "Name or nodeId of the node that gets one." }),
}).openapi("Move");

export const HandOverSchema = z.strictObject({
  to: NodeName.openapi({ description: "Name or nodeId of the node that shall lead." }),
}).openapi("HandOver");

export const ZoneSchema = z.strictObject({
  preferredZone: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/).nullable().openapi({
    description: "A zone of members; the leader goes there if a voter is there. null: anywhere.",
  }),
}).openapi("PreferredZone");

export const TransferSchema = z.strictObject({
  partition: z.int().min(0),
  to: NodeName.openapi({ description: "Name or nodeId of the node that shall lead." }),
}).openapi("Transfer");

export const AcceptedSchema = z.object({
  accepted: z.literal(true),
  epoch: z.int().optional().openapi({ description: "Epoch of the map that holds the intent." }),
}).openapi("Accepted");

export const HealthSchema = z.object({
  ready: z.boolean(),
  reason: z.string(),
}).openapi("Health");

const ReplicaSchema = z.object({
  replicaId: z.int(),
  nodeId: z.string(),
  role: z.enum(["voter", "learner"]),
  matchIndex: z.int().optional().openapi({ description: "Known to the leader only." }),
  lag: z.int().optional(),
}).openapi("Replica");

export const HashesSchema = z.object({
  node: z.string().openapi({ description: "nodeId" }),
  partitions: z.array(z.object({
    partition: z.int(),
    applied: z.int().openapi({ description: "The log index at which the hash was taken." }),
    hash: z.string().openapi({ description: "16 hex digits." }),
  })),
}).openapi("Hashes");

export const ClusterSchema = z.object({
  clusterId: z.string(),
  nodeId: z.string(),
  name: z.string(),
  version: z.string(),
  epoch: z.int(),
  members: z.array(
    z.object({
      nodeId: z.string(),
      name: z.string(),
      http: z.string(),
      peer: z.string(),
      state: z.enum(["active", "draining", "drained", "leaving"]),
      replicas: z.int().openapi({ description: "Of data partitions, by the map." }),
      weight: z.number(),
      zone: z.string().optional(),
      host: z.string().optional(),
      reachable: z.boolean(),
      gossip: z.enum(["alive", "suspect", "dead"]).optional(),
      load: z.object({
        requestsPerSecond: z.number(),
        leaderCount: z.int(),
        replicaCount: z.int(),
        logBytes: z.number(),
        diskFreeBytes: z.number(),
      }).optional(),
    }).openapi("Member"),
  ),
  partitions: z.array(
    z.object({
      partition: z.int(),
      term: z.int(),
      leader: z.int().openapi({ description: "replicaId; 0 if none is known." }),
      leaderNodeId: z.string().optional(),
      commitIndex: z.int(),
      appliedIndex: z.int(),
      replicas: z.array(ReplicaSchema),
      asleep: z.boolean().openapi({ description: "Idle: its clocks stand still." }),
      keys: z.int().optional(),
      logBytes: z.number().openapi({ description: "Since the last snapshot." }),
      snapshotBytes: z.number(),
      health: z.string(),
    }).openapi("Partition"),
  ),
  routing: z.array(
    z.object({
      partition: z.int(),
      slots: z.array(z.tuple([z.int(), z.int()])).openapi({
        description: "Hash slots, each pair half-open: [start, end).",
      }),
      replicas: z.array(z.string()).openapi({ description: "Nodes of the settled voters." }),
      leader: z.string().optional().openapi({ description: "Absent while none is known." }),
      preferredZone: z.string().optional(),
    }).openapi("Routing"),
  ).openapi({ description: "Every data partition: where clients send requests for its keys." }),
  moves: z.array(
    z.object({
      partition: z.int(),
      beganEpoch: z.int(),
      adding: z.array(z.string()).openapi({ description: "Nodes." }),
      removing: z.array(z.string()).openapi({ description: "Nodes." }),
      phase: z.enum(["learning", "promoted"]),
      cancelled: z.boolean(),
      progress: z.array(z.object({
        nodeId: z.string(),
        matchIndex: z.int(),
        lag: z.int().openapi({ description: "Log entries that it lacks." }),
      })).optional().openapi({ description: "On the node that leads the partition." }),
      waitingFor: z.string().optional(),
    }).openapi("MoveUnderWay"),
  ),
  plan: z.object({
    waiting: z.int().openapi({ description: "Moves that wait for those under way." }),
    blocked: z.array(z.object({ partition: z.int(), reason: z.string() })),
  }).optional().openapi({ description: "On the node that leads the meta group." }),
}).openapi("Cluster");
