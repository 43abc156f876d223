// The routes whose documents are checked against schemas, and the description of the whole API. Loaded on
// first use (schema_gate.ts). Bodies that arrive here have been read and bounded.

import { createRoute, OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import type { MemberChange, NodeService } from "../node/service.ts";
import type { Log } from "../platform/ports.ts";
import { keyRouteConfigs, problemResponse } from "./openapi_keys.ts";
import { errorResponse, failureResponse, problem } from "./problem.ts";
import { timeoutMsOf } from "./request_headers.ts";
import {
  AcceptedSchema,
  ClusterSchema,
  HealthSchema,
  MemberChangeSchema,
  TransferSchema,
} from "./schemas.ts";

/** Membership changes wait for commits in two groups. */
const ADMIN_TIMEOUT_MS = 10_000;
const TIMEOUT_HEADER = "pontoon-timeout-ms";

const AdminHeaders = z.object({
  "Pontoon-Timeout-Ms": z.string().optional().openapi({
    description: `1 to 60000; default ${ADMIN_TIMEOUT_MS}.`,
  }),
});

const adminProblems = {
  400: problemResponse("The request is malformed."),
  404: problemResponse("There is no such member."),
  409: problemResponse("It can't be done in the present state; `detail` says why."),
  415: problemResponse("The body is not application/json."),
  503: problemResponse("Definitely not accepted."),
  504: problemResponse("It is unknown whether it was accepted."),
};

const accepted = {
  description: "Accepted; GET /cluster shows it being carried out.",
  content: { "application/json": { schema: AcceptedSchema } },
};

const membersRoute = createRoute({
  method: "post",
  path: "/cluster/members",
  summary: "Add or remove a member",
  request: {
    headers: AdminHeaders,
    body: { required: true, content: { "application/json": { schema: MemberChangeSchema } } },
  },
  responses: { 200: accepted, ...adminProblems },
});

const transferRoute = createRoute({
  method: "post",
  path: "/cluster/transfer",
  summary: "Hand a partition's leadership over",
  request: {
    headers: AdminHeaders,
    body: { required: true, content: { "application/json": { schema: TransferSchema } } },
  },
  responses: { 200: accepted, ...adminProblems },
});

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
    : { kind: "remove", node: body.node };
}

function describe(issues: readonly z.core.$ZodIssue[]): string {
  return issues.slice(0, 5)
    .map(({ path, message }) => path.length === 0 ? message : `${path.join(".")}: ${message}`)
    .join("; ");
}

/** The schema-driven routes over `service`. */
export function createSchemaApp(service: NodeService, log: Log): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result) =>
      result.success ? undefined : problem("invalid-body", describe(result.error.issues)),
  });

  app.openapi(membersRoute, async (context) => {
    const timeoutMs = timeoutMsOf(context.req.header(TIMEOUT_HEADER) ?? null, ADMIN_TIMEOUT_MS);
    const options = { forward: "forward", timeoutMs } as const;
    const answer = await service.changeMembers(changeOf(context.req.valid("json")), options);
    // A problem is built by hand for all routes alike; the schemas know it under its status.
    if (!answer.ok) return failureResponse(answer, context.req.path, false) as never;
    return context.json({ accepted: true as const, epoch: answer.epoch }, 200);
  });

  app.openapi(transferRoute, async (context) => {
    const timeoutMs = timeoutMsOf(context.req.header(TIMEOUT_HEADER) ?? null, ADMIN_TIMEOUT_MS);
    const options = { forward: "forward", timeoutMs } as const;
    const { partition, to } = context.req.valid("json");
    const answer = await service.transferLeadership(partition, to, options);
    if (!answer.ok) return failureResponse(answer, context.req.path, false) as never;
    return context.json({ accepted: true as const }, 200);
  });

  for (const route of [...plainRoutes, ...keyRouteConfigs]) app.openAPIRegistry.registerPath(route);
  let description: string | undefined;
  app.get("/openapi.json", (context) => {
    description ??= JSON.stringify(app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: {
        title: "Pontoon",
        version: "1",
        description:
          "A fault-tolerant, partitioned key-value store. Errors are problem documents " +
          "(RFC 9457) with code, retryable and outcome.",
      },
    }));
    return context.body(description, 200, { "content-type": "application/json" });
  });

  app.onError((error, context) =>
    error instanceof HTTPException && error.status === 400
      ? problem("invalid-json", error.message)
      : errorResponse(error, context.req.method, log)
  );
  return app;
}
