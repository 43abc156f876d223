// Routes beside the data that need no schema to be checked: the index, health, and the cluster as this node
// sees it. Answers here never wait for another node.

import type { Context, Hono } from "hono";
import type { NodeService } from "../node/service.ts";
import { parseQuery, splitUrl } from "./request_key.ts";

const INDEX = `Pontoon

PUT    /key/:key          set a value     curl -X PUT --data-binary hello URL/key/greeting
GET    /key/:key          read it         curl URL/key/greeting
DELETE /key/:key          remove it       curl -X DELETE URL/key/greeting
POST   /key/:key/ttl      {"ttl":SECONDS}, or null: set or clear its time to live
GET    /keys              scan: prefix, start, end, limit, cursor, reverse, keysOnly, countOnly
POST   /txn               {"if":[…],"then":[…],"else":[…]} over keys of one partition
POST   /batch             {"operations":[{"op":"get","key":…},…]}, each with its own status
GET    /cluster           members, leaders, log indexes
POST   /cluster/members   {"action":"add","peer":"host:port"} or {"action":"remove","node":"name"}
POST   /cluster/transfer  {"partition":1,"to":"name"}
GET    /health/live       is the process there
GET    /health/ready      does it take traffic
GET    /openapi.json      every route, parameter and answer
`;

/** Paths that answer GET. */
export const PLAIN_GETS = ["/", "/health/live", "/health/ready", "/cluster"];

/** Adds the routes to `app`. */
export function addAdminRoutes(app: Hono, service: NodeService): void {
  const add = (path: string, answer: (context: Context) => Response) =>
    app.get(path, (context) => {
      parseQuery(splitUrl(context.req.url).query, []);
      return answer(context);
    });
  add("/", (context) => context.text(INDEX));
  add("/health/live", (context) => context.json({ live: true }));
  add("/health/ready", (context) => {
    const { ready, reason } = service.ready();
    return context.json({ ready, reason }, ready ? 200 : 503);
  });
  add("/cluster", (context) => context.json(service.cluster()));
}
