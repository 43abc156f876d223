// What backups read by as OpenAPI sees it; validated by hand in backup_routes.ts.

import { type RouteConfig, z } from "@hono/zod-openapi";
import { BLOCKS_TYPE } from "./backup_routes.ts";
import { problemResponse, RoutingHeaders } from "./openapi_keys.ts";

const blocks = (description: string) => ({
  description,
  content: { [BLOCKS_TYPE]: { schema: z.string().openapi({ format: "binary" }) } },
});
const params = z.object({ partition: z.int().min(1) });
const headers = z.object({ ...RoutingHeaders });
const problems = {
  400: problemResponse("The request is malformed."),
  404: problemResponse("There is no such data partition."),
  503: problemResponse("Not now: no leader, or as many copies as this node may make."),
};

export const backupRouteConfigs: readonly RouteConfig[] = [
  {
    method: "get",
    path: "/cluster/partitions/{partition}/copy",
    summary: "A partition at one applied index, as blocks",
    description:
      "Frozen at an index behind everything acknowledged before the request, then streamed in key order " +
      "while writes go on: begin (index, partition time), records, end (content and state hash). It " +
      "needs a token for all keys. A stream that broke off is taken up by `copy`, named in its first " +
      "block, and `after64`, the last key that arrived, for a minute.",
    request: {
      params,
      query: z.object({
        want: z.enum(["records", "hash"]).optional().openapi({
          description: "hash: beginning and end only. Default records.",
        }),
        copy: z.string().optional().openapi({ description: "Go on with this copy." }),
        after64: z.string().optional().openapi({
          description: "With copy: behind this key, in base64url.",
        }),
      }),
      headers,
    },
    responses: {
      200: blocks("The blocks; their layout is in PROTOCOL.md."),
      ...problems,
      410: problemResponse("The copy is not kept any more."),
      421: problemResponse("This node holds no whole replica; `leader` may be told."),
    },
  },
  {
    method: "get",
    path: "/cluster/partitions/{partition}/changes",
    summary: "What changed in a partition behind an index, as one block",
    request: {
      params,
      query: z.object({
        after: z.string().openapi({
          description: "A revision, or a revision and a place within it: `1200.3`.",
        }),
      }),
      headers,
    },
    responses: {
      200: blocks("One block: the changes there are by now, up to about a MiB of them."),
      ...problems,
      410: problemResponse("history-gone: some of them are no longer kept."),
    },
  },
];
