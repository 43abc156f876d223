// GET /keys as OpenAPI sees it; validated by hand in scan_request.ts.

import { type RouteConfig, z } from "@hono/zod-openapi";
import { SCAN_LIMIT_MAX, STALENESS_MS_MAX } from "../base/limits.ts";
import { problemResponse, RoutingHeaders } from "./openapi_keys.ts";
import { KeyRecordSchema, RecordSchema } from "./schemas.ts";
import { LINES_TYPE, SCAN_PATH } from "./scan_route.ts";

const Flag = z.enum(["", "true", "false"]).optional();

/** A bound as text or in base64url, at most one of the two. */
function bytes(name: string, description: string) {
  return {
    [name]: z.string().optional().openapi({ description }),
    [`${name}64`]: z.string().optional().openapi({ description: `${name} in base64url, instead.` }),
  };
}

const Applied = z.record(z.string(), z.int()).openapi({
  description: "By partition: the log index at which this answer first read it.",
});
const WatchCursor = z.string().openapi({
  description: "GET /watch?after=… goes on where this scan began, without a gap.",
});

const PageSchema = z.union([
  z.object({
    keys: z.array(z.union([RecordSchema, KeyRecordSchema])),
    cursor: z.string().nullable().openapi({
      description: "Goes on behind the last key; null: done.",
    }),
    watchCursor: WatchCursor,
    applied: Applied,
  }),
  z.object({ count: z.int(), watchCursor: WatchCursor, applied: Applied }),
]).openapi("Page");

export const scanRouteConfig: RouteConfig = {
  method: "get",
  path: SCAN_PATH,
  summary: "Scan records in key order, over all partitions",
  description:
    "Each partition's part of a page is linearizable; a whole scan is no snapshot: a key " +
    "that is there throughout shows exactly once, one that changes meanwhile may show either state.",
  request: {
    query: z.object({
      ...bytes("prefix", "Only keys that begin with it."),
      ...bytes("start", "Only keys from it on."),
      ...bytes("end", "Only keys before it."),
      limit: z.int().min(1).max(SCAN_LIMIT_MAX).optional().openapi({
        description: "Default 1000; lines: no limit. A page of large values may be shorter.",
      }),
      cursor: z.string().optional().openapi({ description: "Of a scan with equal parameters." }),
      reverse: Flag,
      keysOnly: Flag.openapi({ description: "Records without their values." }),
      countOnly: Flag.openapi({ description: "The number of records only." }),
      consistency: z.enum(["linearizable", "stale"]).optional(),
      maxStaleness: z.int().min(0).max(STALENESS_MS_MAX).optional(),
    }),
    headers: z.object(RoutingHeaders),
  },
  responses: {
    200: {
      description: "A page; or, if Accept asks for it, one record a line, then a line " +
        '{"done":true,"cursor","count","watchCursor","applied"}, or {"error":Problem,"cursor"}.',
      content: {
        "application/json": { schema: PageSchema },
        [LINES_TYPE]: { schema: z.string() },
      },
    },
    400: problemResponse("The request is malformed; invalid-cursor: not one of this scan."),
    414: problemResponse("A bound is too long."),
    503: problemResponse("A partition can't be read just now."),
  },
};
