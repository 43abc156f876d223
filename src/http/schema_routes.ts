// The routes whose documents are checked against schemas, and the description of the whole API. Loaded on
// first use (schema_gate.ts). Bodies that arrive here have been read and bounded.

import { OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import { assert } from "../base/assert.ts";
import type { PartitionId } from "../base/ids.ts";
import { REQUEST_TIMEOUT_MS_MAX } from "../base/limits.ts";
import type { MemberChange, NodeService, RequestOptions } from "../node/service.ts";
import { batchRoute } from "./batch_route.ts";
import { type ApiDocument, docsPage } from "./docs_page.ts";
import { keyRouteConfigs, problemResponse } from "./openapi_keys.ts";
import { backupRouteConfigs } from "./openapi_backup.ts";
import { scanRouteConfig } from "./openapi_scan.ts";
import { watchRouteConfig } from "./openapi_watch.ts";
import { failureResponse } from "./problem.ts";
import { timeoutMsOf } from "./request_headers.ts";
import { type DocumentRequest, type SchemaRoute, schemaRoute } from "./schema_route.ts";
import type { SchemaRouteOptions } from "./schema_gate.ts";
import {
  AcceptedSchema,
  ClusterSchema,
  HandOverSchema,
  HashesSchema,
  HealthSchema,
  MemberChangeSchema,
  MoveSchema,
  TransferSchema,
  ZoneSchema,
} from "./schemas.ts";
import { txnRoute } from "./txn_route.ts";

/** Membership changes wait for commits in two groups. */
const ADMIN_TIMEOUT_MS = 10_000;

const AdminHeaders = z.object({
  "Pontoon-Timeout-Ms": z.int().min(1).max(REQUEST_TIMEOUT_MS_MAX).optional().openapi({
    description: `Default ${ADMIN_TIMEOUT_MS}.`,
  }),
});

const adminProblems = {
  400: problemResponse("The request is malformed."),
  404: problemResponse("There is no such member or partition."),
  409: problemResponse("It can't be done in the present state; `detail` says why."),
  415: problemResponse("The body is not application/json."),
  503: problemResponse("Definitely not accepted."),
  504: problemResponse("It is unknown whether it was accepted."),
};

const accepted = {
  description: "Accepted; GET /cluster shows it being carried out.",
  content: { "application/json": { schema: AcceptedSchema } },
};

const adminResponses = { 200: accepted, ...adminProblems };

const plainRoutes: readonly RouteConfig[] = [
  {
    method: "get",
    path: "/",
    summary: "An index of the API",
    responses: { 200: { description: "Text.", content: { "text/plain": { schema: z.string() } } } },
  },
  {
    method: "get",
    path: "/health/live",
    summary: "Is the process there",
    responses: {
      200: {
        description: "It is.",
        content: { "application/json": { schema: z.object({ live: z.literal(true) }) } },
      },
    },
  },
  {
    method: "get",
    path: "/health/ready",
    summary: "Does the node take traffic",
    responses: {
      200: { description: "Ready.", content: { "application/json": { schema: HealthSchema } } },
      503: { description: "Not ready.", content: { "application/json": { schema: HealthSchema } } },
    },
  },
  {
    method: "get",
    path: "/cluster",
    summary: "The cluster as this node sees it",
    responses: {
      200: {
        description: "Epoch, members and partitions.",
        content: { "application/json": { schema: ClusterSchema } },
      },
    },
  },
  {
    method: "get",
    path: "/cluster/hash",
    summary: "State hashes of the replicas on this node",
    description: "Replicas of a partition are equal if their hashes at an equal index are.",
    request: {
      query: z.object({
        partition: z.int().min(0).optional().openapi({ description: "This one only." }),
        applied: z.int().min(0).optional().openapi({
          description: "With partition: not before its replica has applied this index.",
        }),
      }),
      headers: AdminHeaders,
    },
    responses: {
      200: {
        description: "Hashes, each with the index at which it was taken.",
        content: { "application/json": { schema: HashesSchema } },
      },
      400: problemResponse("The request is malformed."),
      409: problemResponse("This node holds no whole replica of the partition."),
      503: problemResponse("The replica was not far enough in time."),
    },
  },
  ...backupRouteConfigs,
  {
    method: "get",
    path: "/docs",
    summary: "This description as a page",
    responses: { 200: { description: "HTML.", content: { "text/html": { schema: z.string() } } } },
  },
  {
    method: "get",
    path: "/openapi.json",
    summary: "This document",
    responses: {
      200: {
        description: "OpenAPI 3.1.",
        content: { "application/json": { schema: z.looseObject({}) } },
      },
    },
  },
];

function changeOf(body: z.infer<typeof MemberChangeSchema>): MemberChange {
  return body.action === "add"
    ? { kind: "add", peer: body.peer }
    : { kind: body.action, node: body.node };
}

function adminOptions({ headers }: DocumentRequest): RequestOptions {
  return { forward: "forward", timeoutMs: timeoutMsOf(headers.timeoutMs, ADMIN_TIMEOUT_MS) };
}

function membersRoute(service: NodeService): SchemaRoute {
  const path = "/cluster/members";
  const config = { path, summary: "Add, drain or remove a member", responses: adminResponses };
  return schemaRoute(config, MemberChangeSchema, AdminHeaders, async (body, request) => {
    const answer = await service.changeMembers(changeOf(body), adminOptions(request));
    if (!answer.ok) return failureResponse(answer, path, false);
    return Response.json({ accepted: true, epoch: answer.epoch });
  });
}

const PartitionParams = z.object({
  partition: z.int().min(0).openapi({ description: "0 is the meta group.", example: 1 }),
});

function partitionOf({ partition }: DocumentRequest): PartitionId {
  assert(partition !== undefined, "the path names a partition");
  return partition;
}

function moveRoute(service: NodeService): SchemaRoute {
  const path = "/cluster/partitions/{partition}/move";
  const config = {
    path,
    summary: "Move a replica from one member to another",
    responses: adminResponses,
  };
  return schemaRoute(config, MoveSchema, AdminHeaders, async ({ from, to }, request) => {
    const partition = partitionOf(request);
    const answer = await service.moveReplica(partition, from, to, adminOptions(request));
    if (!answer.ok) return failureResponse(answer, path, false);
    return Response.json({ accepted: true, epoch: answer.epoch });
  }, PartitionParams);
}

function handOverRoute(service: NodeService): SchemaRoute {
  const path = "/cluster/partitions/{partition}/transfer";
  const config = { path, summary: "Hand a partition's leadership over", responses: adminResponses };
  return schemaRoute(config, HandOverSchema, AdminHeaders, async ({ to }, request) => {
    const partition = partitionOf(request);
    const answer = await service.transferLeadership(partition, to, adminOptions(request));
    return answer.ok ? Response.json({ accepted: true }) : failureResponse(answer, path, false);
  }, PartitionParams);
}

function zoneRoute(service: NodeService): SchemaRoute {
  const path = "/cluster/partitions/{partition}/zone";
  const config = {
    path,
    summary: "Prefer a zone for a partition's leader",
    responses: adminResponses,
  };
  return schemaRoute(config, ZoneSchema, AdminHeaders, async ({ preferredZone }, request) => {
    const zone = preferredZone ?? undefined;
    const answer = await service.preferZone(partitionOf(request), zone, adminOptions(request));
    if (!answer.ok) return failureResponse(answer, path, false);
    return Response.json({ accepted: true, epoch: answer.epoch });
  }, PartitionParams);
}

function transferRoute(service: NodeService): SchemaRoute {
  const path = "/cluster/transfer";
  const config = { path, summary: "Hand leadership over", responses: adminResponses };
  return schemaRoute(config, TransferSchema, AdminHeaders, async ({ partition, to }, request) => {
    const answer = await service.transferLeadership(partition, to, adminOptions(request));
    return answer.ok ? Response.json({ accepted: true }) : failureResponse(answer, path, false);
  });
}

/** The routes behind the gate. */
export interface SchemaRoutes {
  /** By path. */
  readonly posts: ReadonlyMap<string, SchemaRoute>;
  /** The OpenAPI document of the whole API, as JSON. */
  describe(): string;
  /** The same as a page to read. */
  docs(): string;
}

/** The schema-driven routes. */
export function createSchemaRoutes(options: SchemaRouteOptions): SchemaRoutes {
  const { service } = options;
  const routes = [
    membersRoute(service),
    moveRoute(service),
    handOverRoute(service),
    zoneRoute(service),
    transferRoute(service),
    txnRoute(options),
    batchRoute(options),
  ];
  const document = () =>
    describeApi([
      ...plainRoutes,
      ...keyRouteConfigs,
      scanRouteConfig,
      watchRouteConfig,
      ...routes.map((one) => one.config),
    ]);
  return {
    posts: new Map(routes.map((route) => [route.config.path, route])),
    describe: () => JSON.stringify(document()),
    docs: () => docsPage(document() as ApiDocument),
  };
}

function describeApi(configs: readonly RouteConfig[]): unknown {
  const app = new OpenAPIHono();
  for (const config of configs) app.openAPIRegistry.registerPath(config);
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Pontoon",
      version: "1",
      description: "A fault-tolerant, partitioned key-value store. Errors are problem documents " +
        "(RFC 9457) with code, retryable and outcome.",
    },
  });
}
