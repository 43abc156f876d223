// The HTTP API of a node as one Hono app. Its `fetch` is what Deno.serve calls, and what simulated
// clients call. Every error, expected or not, leaves as a problem document.

import { Hono } from "hono";
import type { Operation } from "../node/meters.ts";
import type { NodeService } from "../node/service.ts";
import type { Clock, Digest, Log } from "../platform/ports.ts";
import type { RequestEnvironment } from "./access/mod.ts";
import { addAdminRoutes, PLAIN_GETS } from "./admin_routes.ts";
import { CHANGES_ROUTE, COPY_ROUTE, isBackupPath } from "./backup_path.ts";
import { BackupRoutes } from "./backup_routes.ts";
import { DASHBOARD_EVENTS_PATH, DashboardRoutes } from "./dashboard/routes.ts";
import { isKeyPath, KeyRoutes } from "./key_routes.ts";
import { errorResponse, problem } from "./problem.ts";
import { BodyReader } from "./request_body.ts";
import { parseQuery, splitUrl } from "./request_key.ts";
import { handleScan, SCAN_PATH } from "./scan_route.ts";
import { SCHEMA_POSTS, SchemaGate, schemaPathOf } from "./schema_gate.ts";
import { WATCH_PATH, WatchRoute } from "./watch_route.ts";

export { preloadSchemaRoutes } from "./schema_gate.ts";

export interface AppOptions {
  readonly clock: Clock;
  readonly digest: Digest;
  readonly log: Log;
  /** How long a request waits for its outcome unless it says otherwise. */
  readonly requestTimeoutMs: number;
  /** A body that sends nothing for this long is given up. */
  readonly bodyIdleMs: number;
}

/** How much of an unknown path an error repeats. */
const PATH_SHOWN = 200;
const DESCRIPTION_PATH = "/openapi.json";
const METRICS_PATH = "/metrics";
const KEY_OPERATIONS: Readonly<Record<string, Operation>> = {
  GET: "get",
  HEAD: "get",
  PUT: "put",
  DELETE: "delete",
  POST: "ttl",
};
const DOCS_PATH = "/docs";
const GETS: ReadonlySet<string> = new Set([
  ...PLAIN_GETS,
  METRICS_PATH,
  DESCRIPTION_PATH,
  DOCS_PATH,
  SCAN_PATH,
]);

/** Methods possible at a path, for Allow; undefined if it is not served. */
function allowedAt(path: string): string | undefined {
  if (GETS.has(path)) return "GET, HEAD";
  if (path === WATCH_PATH || path === DASHBOARD_EVENTS_PATH || isBackupPath(path)) return "GET";
  return schemaPathOf(path) === undefined ? undefined : "POST";
}

/** What a request counts as among the timed operations. */
function operationOf(method: string, path: string): Operation | undefined {
  if (isKeyPath(path)) return KEY_OPERATIONS[method];
  if (path === SCAN_PATH) return "scan";
  return path === "/txn" ? "txn" : path === "/batch" ? "batch" : undefined;
}

function isRead(operation: Operation): boolean {
  return operation === "get" || operation === "scan";
}

function numberIn(headers: Headers, name: string): number | undefined {
  const text = headers.get(name);
  return text === null ? undefined : Number(text);
}

/** The API over `service`. */
export function createApp(service: NodeService, options: AppOptions): Hono {
  const { clock, digest, log, requestTimeoutMs, bodyIdleMs } = options;
  const bodies = new BodyReader(clock, bodyIdleMs);
  const keys = new KeyRoutes({ service, bodies, digest, log, requestTimeoutMs });
  // `getPath` keeps the router from decoding: a key is decoded once, by us.
  const app = new Hono({
    getPath: (request) => splitUrl(request.url).path,
  });
  const gate = new SchemaGate({ service, clock, digest, log, requestTimeoutMs }, bodies);
  const dashboard = new DashboardRoutes({ service, clock, digest });
  dashboard.addTo(app);
  addAdminRoutes(app, service, (request) => dashboard.page(request));
  app.get(DESCRIPTION_PATH, (context) => gate.describe(context.req.raw));
  app.get(DOCS_PATH, (context) => gate.docs(context.req.raw));
  for (const template of SCHEMA_POSTS.keys()) {
    // As much of a number as the gate takes: a path that differs is nobody's.
    const pattern = template.replace("{partition}", ":partition{0|[1-9][0-9]{0,3}}");
    app.post(pattern, (context) => {
      const { principal } = context.env as RequestEnvironment ?? {};
      return gate.post(context.req.raw, principal);
    });
  }
  const scans = { service, clock, digest, requestTimeoutMs };
  app.get(SCAN_PATH, (context) => handleScan(context.req.raw, scans));
  const watches = new WatchRoute({ service, clock, log, requestTimeoutMs });
  app.get(WATCH_PATH, (context) => watches.handle(context.req.raw));
  const backups = new BackupRoutes({ service, clock, log, requestTimeoutMs });
  app.get(COPY_ROUTE, (context) => backups.copy(context.req.raw));
  app.get(CHANGES_ROUTE, (context) => backups.changes(context.req.raw));
  app.get(METRICS_PATH, async (context) => {
    parseQuery(splitUrl(context.req.url).query, []);
    service.meters.watchers = watches.count;
    const { metricsDocument } = await import("./metrics_document.ts");
    const { contentType, text } = await metricsDocument(service);
    return new Response(text, { headers: { "content-type": contentType } });
  });
  app.notFound((context) => {
    const { path } = splitUrl(context.req.url);
    const allow = allowedAt(path);
    return allow === undefined
      ? problem("no-such-route", `There is nothing at ${path.slice(0, PATH_SHOWN)}; see /`)
      : problem("method-not-allowed", `${context.req.method} is not possible here`, {
        headers: { allow },
      });
  });
  app.onError((error, context) => errorResponse(error, context.req.method, log));
  // /key goes past the router, which would cost each request two promises more.
  const { fetch } = app;
  app.fetch = (request, ...rest) => {
    const startedMs = clock.monotonicMs();
    const { path, query } = splitUrl(request.url);
    const answer = isKeyPath(path) ? keys.handle(request, path, query) : fetch(request, ...rest);
    const operation = operationOf(request.method, path);
    if (operation === undefined) return answer;
    const count = ({ status, headers }: Response) => {
      const durationMs = clock.monotonicMs() - startedMs;
      service.meters.answered(operation, status, durationMs);
      if (!service.slowRequests.isSlow(durationMs)) return;
      const partition = numberIn(headers, "pontoon-partition");
      const index = isRead(operation) ? "read" : numberIn(headers, "pontoon-applied");
      service.slowRequests.tell({ operation, target: path, status, partition, index, startedMs });
    };
    // What is refused by its head alone is answered at once, and is an answer like any other.
    if (answer instanceof Promise) answer.then(count);
    else count(answer);
    return answer;
  };
  return app;
}
