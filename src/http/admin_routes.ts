// Routes beside the data: health, the cluster as this node sees it, and the verbs that change it.

import type { Hono } from "hono";
import type { MemberChange, NodeService } from "../node/service.ts";
import { failureResponse, problem, RequestError } from "./problem.ts";
import type { BodyReader } from "./request_body.ts";
import { timeoutMsOf } from "./request_headers.ts";
import { parseQuery, splitUrl } from "./request_key.ts";

const BODY_BYTES_MAX = 64 * 1024;
/** Membership changes wait for commits in two groups. */
const ADMIN_TIMEOUT_MS = 10_000;

const INDEX = `Pontoon

PUT    /key/:key          set a value            curl -X PUT --data-binary hello URL/key/greeting
GET    /key/:key          read it                curl URL/key/greeting
DELETE /key/:key          remove it              curl -X DELETE URL/key/greeting
GET    /cluster           members, leaders, indexes
POST   /cluster/members   {"action":"add","peer":"host:port"} or {"action":"remove","node":"name"}
POST   /cluster/transfer  {"partition":1,"to":"name"}
GET    /health/live       is the process there
GET    /health/ready      does it take traffic
`;

/** Adds the routes to `app`. */
export function addAdminRoutes(app: Hono, service: NodeService, bodies: BodyReader): void {
  app.get("/", (context) => context.text(INDEX));
  app.get("/health/live", (context) => context.json({ live: true }));
  app.get("/health/ready", (context) => {
    const { ready, reason } = service.ready();
    return context.json({ ready, reason }, ready ? 200 : 503);
  });
  app.get("/cluster", (context) => {
    parseQuery(splitUrl(context.req.url).query, []);
    return context.json(service.cluster());
  });
  app.post("/cluster/members", async (context) => {
    const request = context.req.raw;
    const change = readMemberChange(await readJson(request, bodies));
    const timeoutMs = timeoutMsOf(request.headers, ADMIN_TIMEOUT_MS);
    const answer = await service.changeMembers(change, { forward: "forward", timeoutMs });
    if (!answer.ok) return failureResponse(answer, "/cluster/members", false);
    return context.json({ accepted: true, epoch: answer.epoch });
  });
  app.post("/cluster/transfer", async (context) => {
    const request = context.req.raw;
    const body = await readJson(request, bodies);
    const { partition, to } = body;
    if (!Number.isSafeInteger(partition) || (partition as number) < 0 || typeof to !== "string") {
      throw new RequestError(
        "invalid-body",
        'It takes {"partition": number, "to": "node name or id"}',
      );
    }
    const timeoutMs = timeoutMsOf(request.headers, ADMIN_TIMEOUT_MS);
    const answer = await service.transferLeadership(partition as number, to, {
      forward: "forward",
      timeoutMs,
    });
    if (!answer.ok) return failureResponse(answer, "/cluster/transfer", false);
    return context.json({ accepted: true });
  });
}

async function readJson(request: Request, bodies: BodyReader): Promise<Record<string, unknown>> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new RequestError("unsupported-media-type", "The body must be application/json");
  }
  const body = await bodies.read(request, BODY_BYTES_MAX);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new RequestError("invalid-json", "The body is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new RequestError("invalid-body", "The body must be a JSON object");
  }
  return value as Record<string, unknown>;
}

function readMemberChange(body: Record<string, unknown>): MemberChange {
  const { action, peer, node, ...rest } = body;
  const unknown = Object.keys(rest);
  if (unknown.length > 0) {
    throw new RequestError("invalid-body", `Unknown member "${unknown[0]}"`);
  }
  if (action === "add" && typeof peer === "string" && node === undefined) {
    return { kind: "add", peer };
  }
  if (action === "remove" && typeof node === "string" && peer === undefined) {
    return { kind: "remove", node };
  }
  throw new RequestError(
    "invalid-body",
    'It takes {"action":"add","peer":"host:port"} or {"action":"remove","node":"name or id"}',
  );
}

/** The answer to a path that no route serves. */
export function noSuchRoute(path: string): Response {
  return problem("no-such-route", `There is nothing at ${path}; see /`);
}
