// Routes beside the data that need no schema to be checked: the index, health, and the cluster as this node
// sees it. Answers here never wait for another node.

import type { Context, Hono } from "hono";
import type { NodeService } from "../node/service.ts";
import { wantsPage } from "./dashboard/routes.ts";
import { failureResponse, RequestError } from "./problem.ts";
import { RequestHeaders, timeoutMsOf } from "./request_headers.ts";
import { parseQuery, splitUrl } from "./request_key.ts";

const INDEX = `Pontoon

PUT    /key/:key          set a value     curl -X PUT --data-binary hello URL/key/greeting
GET    /key/:key          read it         curl URL/key/greeting
DELETE /key/:key          remove it       curl -X DELETE URL/key/greeting
POST   /key/:key/ttl      {"ttl":SECONDS}, or null: set or clear its time to live
GET    /keys              scan: prefix, start, end, limit, cursor, reverse, keysOnly, countOnly
GET    /watch             changes as server-sent events: prefix or key, after (or Last-Event-ID)
POST   /txn               {"if":[…],"then":[…],"else":[…]} over keys of one partition
POST   /batch             {"operations":[{"op":"get","key":…},…]}, each with its own status
GET    /cluster           members, leaders, log indexes
POST   /cluster/members   {"action":"add","peer":"host:port"}; "drain", "remove", "activate" with "node"
POST   /cluster/partitions/:id/move      {"from":"name","to":"name"}
POST   /cluster/partitions/:id/transfer  {"to":"name"}: hand leadership over
POST   /cluster/partitions/:id/zone      {"preferredZone":"zone"}, or null: where to lead it
GET    /cluster/hash      state hashes of this node's replicas, and the index of each
GET    /cluster/partitions/:id/copy      for backups: a partition at one index, as blocks
GET    /cluster/partitions/:id/changes   for backups: what changed behind an index
GET    /health/live       is the process there
GET    /health/ready      does it take traffic
GET    /                  in a browser: the dashboard
GET    /docs              the API as a page; for machines: GET /openapi.json
`;

const HASH_PATH = "/cluster/hash";
/** A million keys take a second or two, more while the node is busy. */
const HASH_TIMEOUT_MS = 30_000;

/** Paths that answer GET. */
export const PLAIN_GETS = ["/", "/health/live", "/health/ready", "/cluster", HASH_PATH];

/** Adds the routes to `app`; `page` answers who asks for `/` as a page. */
export function addAdminRoutes(
  app: Hono,
  service: NodeService,
  page: (request: Request) => Promise<Response>,
): void {
  const add = (path: string, answer: (context: Context) => Response | Promise<Response>) =>
    app.get(path, (context) => {
      parseQuery(splitUrl(context.req.url).query, []);
      return answer(context);
    });
  add("/", (context) => {
    context.header("vary", "accept");
    return wantsPage(context.req.raw) ? page(context.req.raw) : context.text(INDEX);
  });
  add("/health/live", (context) => context.json({ live: true }));
  add("/health/ready", (context) => {
    const { ready, reason } = service.ready();
    return context.json({ ready, reason }, ready ? 200 : 503);
  });
  add("/cluster", (context) => context.json(service.cluster()));
  app.get(HASH_PATH, (context) => hashes(context.req.raw, service));
}

/** GET /cluster/hash. Rejects with RequestError. */
async function hashes(request: Request, service: NodeService): Promise<Response> {
  const parameters = parseQuery(splitUrl(request.url).query, ["partition", "applied"]);
  const headers = new RequestHeaders(request.headers);
  const timeoutMs = timeoutMsOf(headers.timeoutMs, HASH_TIMEOUT_MS);
  const partition = wholeNumber(parameters, "partition");
  const applied = wholeNumber(parameters, "applied");
  if (partition === undefined && applied !== undefined) {
    throw new RequestError("invalid-parameter", "applied is an index of one partition: name it");
  }
  const wanted = partition === undefined ? undefined : { partition, applied: applied ?? 0 };
  const answer = await service.stateHashes(wanted, { forward: "never", timeoutMs });
  if (!answer.ok) return failureResponse(answer, HASH_PATH, false);
  return Response.json({ node: answer.nodeId, partitions: answer.partitions });
}

function wholeNumber(parameters: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new RequestError("invalid-parameter", `${name}=${text}: it takes a whole number`);
}
