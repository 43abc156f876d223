// GET /watch as OpenAPI sees it; validated by hand in watch_route.ts.

import { type RouteConfig, z } from "@hono/zod-openapi";
import { problemResponse, RoutingHeaders } from "./openapi_keys.ts";
import { EVENTS_TYPE, WATCH_PATH } from "./watch_route.ts";
import { PROGRESS_INTERVAL_MS } from "./watch_session.ts";

export const watchRouteConfig: RouteConfig = {
  method: "get",
  path: WATCH_PATH,
  summary: "Follow changes of keys as server-sent events",
  description:
    "Events: put, delete, expire (data as a record, or the key and its revision, with `partition`); " +
    `progress (at once when the watch is in place, then every ${
      PROGRESS_INTERVAL_MS / 1000
    } s while nothing else is sent: ` +
    "`applied` by partition); bye (the node stops) and error (a problem document) end the stream. " +
    "Each event's id is a cursor: sent as Last-Event-ID to any node it goes on behind that event. In " +
    "order within a partition, without gap or duplicate.",
  request: {
    query: z.object({
      prefix: z.string().optional().openapi({
        description: "Keys that begin with it; may be empty.",
      }),
      prefix64: z.string().optional().openapi({ description: "prefix in base64url, instead." }),
      key: z.string().optional().openapi({ description: "One key. Excludes prefix." }),
      key64: z.string().optional().openapi({ description: "key in base64url, instead." }),
      after: z.string().optional().openapi({
        description:
          "A cursor: an event's id, or the watchCursor of GET /keys. Default: from now on.",
      }),
    }),
    headers: z.object({
      ...RoutingHeaders,
      "Last-Event-ID": z.string().optional().openapi({ description: "Goes before `after`." }),
    }),
  },
  responses: {
    200: {
      description: "The stream.",
      content: { [EVENTS_TYPE]: { schema: z.string() } },
    },
    400: problemResponse("The request is malformed; invalid-cursor: not one of this watch."),
    410: problemResponse("history-gone: scan, then watch from that scan's watchCursor."),
    414: problemResponse("The key or prefix is too long."),
    503: problemResponse("A partition can't be read just now, or there are too many streams."),
  },
};
