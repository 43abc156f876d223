// The HTTP API of a node as one Hono app. Its `fetch` is what Deno.serve calls, and what simulated
// clients call. Every error, expected or not, leaves as a problem document.

import { Hono } from "hono";
import type { NodeService } from "../node/service.ts";
import type { Clock, Digest, Log } from "../platform/ports.ts";
import { addAdminRoutes, noSuchRoute } from "./admin_routes.ts";
import { KeyRoutes } from "./key_routes.ts";
import { problem, RequestError } from "./problem.ts";
import { BodyReader } from "./request_body.ts";
import { splitUrl } from "./request_key.ts";

export interface AppOptions {
  readonly clock: Clock;
  readonly digest: Digest;
  readonly log: Log;
  /** How long a request waits for its outcome unless it says otherwise. */
  readonly requestTimeoutMs: number;
  /** A body that sends nothing for this long is given up. */
  readonly bodyIdleMs: number;
}

const KNOWN_ROUTES: ReadonlyMap<string, string> = new Map([
  ["/", "GET"],
  ["/cluster", "GET"],
  ["/cluster/members", "POST"],
  ["/cluster/transfer", "POST"],
  ["/health/live", "GET"],
  ["/health/ready", "GET"],
]);

/** The API over `service`. */
export function createApp(service: NodeService, options: AppOptions): Hono {
  const { clock, digest, log, requestTimeoutMs, bodyIdleMs } = options;
  const bodies = new BodyReader(clock, bodyIdleMs);
  const keys = new KeyRoutes({ service, bodies, digest, requestTimeoutMs });
  // `getPath` keeps the router from decoding: a key is decoded once, by us.
  const app = new Hono({ getPath: (request) => splitUrl(request.url).path });
  const handleKey = (context: { req: { raw: Request } }) => keys.handle(context.req.raw);
  app.all("/key/*", handleKey);
  app.all("/key", handleKey);
  addAdminRoutes(app, service, bodies);
  app.notFound((context) => {
    const { path } = splitUrl(context.req.url);
    const allow = KNOWN_ROUTES.get(path);
    return allow === undefined
      ? noSuchRoute(path)
      : problem("method-not-allowed", `${context.req.method} is not possible here`, {
        headers: { allow },
      });
  });
  app.onError((error, context) => {
    if (error instanceof RequestError) return problem(error.code, error.message);
    log.log("error", "request failed", {
      method: context.req.method,
      error: error.stack ?? String(error),
    });
    const reads = context.req.method === "GET" || context.req.method === "HEAD";
    return problem("internal", "The node failed to handle the request; its log says more", {
      outcome: reads ? "none" : "unknown",
    });
  });
  return app;
}
