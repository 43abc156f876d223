// One route whose body is checked against a zod schema before its handler sees it. The schema that checks is
// the one that /openapi.json shows. Hono's own validator is not used: its second request, context and
// promises cost a transaction of four puts 7 us, the schema itself 3.

import type { RouteConfig, z } from "@hono/zod-openapi";
import type { PartitionId } from "../base/ids.ts";
import { problem } from "./problem.ts";
import type { RequestHeaders } from "./request_headers.ts";

/** A document's origin: the headers it came with and its bytes. */
export interface DocumentRequest {
  readonly headers: RequestHeaders;
  readonly body: Uint8Array;
  /** Named in the path, if the route's template asks for one. */
  readonly partition?: PartitionId;
}

/** A POST of a JSON document. */
export interface SchemaRoute {
  readonly config: RouteConfig;
  /** `document` as parsed from JSON. Rejects with RequestError. */
  handle(document: unknown, request: DocumentRequest): Promise<Response>;
}

/** Where the first few things are that the schema does not allow. */
function describe(issues: readonly z.core.$ZodIssue[]): string {
  return issues.slice(0, 5)
    .map(({ path, message }) => path.length === 0 ? message : `${path.join(".")}: ${message}`)
    .join("; ");
}

/** The route POST `path` with a body of `schema`. */
export function schemaRoute<Schema extends z.ZodType>(
  config: Omit<RouteConfig, "method" | "request">,
  schema: Schema,
  headers: z.ZodObject,
  run: (document: z.infer<Schema>, request: DocumentRequest) => Promise<Response>,
  params?: z.ZodObject,
): SchemaRoute {
  const body = { required: true, content: { "application/json": { schema } } };
  return {
    config: { ...config, method: "post", request: { headers, body, params } } as RouteConfig,
    handle(document, request) {
      const checked = schema.safeParse(document);
      return checked.success
        ? run(checked.data, request)
        : Promise.resolve(problem("invalid-body", describe(checked.error.issues)));
    },
  };
}
