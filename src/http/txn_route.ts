// POST /txn: a document checked by its schema, run as one command, its results rendered in order.

import type { NodeService, WriteAnswer } from "../node/service.ts";
import type { Digest } from "../platform/ports.ts";
import type { CommandResult, TxnOperationResult } from "../store/types.ts";
import { idempotencyOf } from "./idempotency.ts";
import { JSON_INIT, refusedWrite } from "./key_answers.ts";
import { KeyedHeaders, problemResponse } from "./openapi_keys.ts";
import { failureResponse, problem } from "./problem.ts";
import { forwardMode, timeoutMsOf } from "./request_headers.ts";
import { type SchemaRoute, schemaRoute } from "./schema_route.ts";
import { txnCommandOf } from "./txn_command.ts";
import { TxnResultSchema, TxnSchema } from "./txn_schema.ts";
import { recordJson } from "./value_format.ts";

const PATH = "/txn";

const config = {
  path: PATH,
  summary: "Compare, then one of two branches, atomically within one partition",
  responses: {
    200: {
      description: "Done; `succeeded` says which branch.",
      content: { "application/json": { schema: TxnResultSchema } },
    },
    400: problemResponse("The request is malformed."),
    409: problemResponse("Keys of several partitions, or a range of too many keys."),
    413: problemResponse("A value, or all together, is too large."),
    415: problemResponse("The body is not application/json."),
    421: problemResponse("Another node leads, and Pontoon-Forward: never forbids forwarding."),
    422: problemResponse("The idempotency key was used for another request."),
    429: problemResponse("No further outcome can be remembered just now."),
    503: problemResponse("Definitely not applied."),
    504: problemResponse("The outcome is unknown."),
  },
};

export interface TxnRouteOptions {
  readonly service: NodeService;
  readonly digest: Digest;
  readonly requestTimeoutMs: number;
}

/** A replayed get has no record, only its revision (RULES 17). */
function resultJson(result: TxnOperationResult, replayed: boolean): string {
  switch (result.kind) {
    case "get": {
      const { revision, record } = result;
      const found = record === undefined ? "null" : recordJson(record);
      return `{"op":"get","revision":${revision}${replayed ? "" : `,"record":${found}`}}`;
    }
    case "put":
      return `{"op":"put","created":${result.created},"revision":${result.revision}}`;
    case "delete":
      return `{"op":"delete","deleted":${result.deleted},"revision":${result.revision}}`;
    case "deleteRange":
      return `{"op":"deleteRange","deletedCount":${result.deletedCount}}`;
  }
}

function txnJson(result: Extract<CommandResult, { kind: "txn" }>, replayed: boolean): string {
  const results = result.results.map((one) => resultJson(one, replayed)).join(",");
  return `{"succeeded":${result.succeeded},"revision":${result.revision},"results":[${results}]}`;
}

function renderTxn({ partition, applied }: WriteAnswer): Response {
  const { result, replayed, appliedIndex } = applied;
  let response: Response;
  if (result.kind === "txn") response = new Response(txnJson(result, replayed), JSON_INIT);
  else if (result.kind === "range-too-large") {
    response = problem(result.kind, "A range holds too many keys; nothing was done");
  } else response = refusedWrite(applied);
  const { headers } = response;
  headers.append("pontoon-partition", String(partition));
  headers.append("pontoon-applied", String(appliedIndex));
  if (replayed) headers.append("pontoon-replayed", "true");
  return response;
}

export function txnRoute(options: TxnRouteOptions): SchemaRoute {
  const { service, digest, requestTimeoutMs } = options;
  return schemaRoute(config, TxnSchema, KeyedHeaders, async (document, { headers, body }) => {
    const command = txnCommandOf(document, service);
    const forward = forwardMode(headers.forward);
    const timeoutMs = timeoutMsOf(headers.timeoutMs, requestTimeoutMs);
    const identity = { method: "POST", route: PATH, key: "", details: [], contentType: "" };
    const idempotency = idempotencyOf(headers, digest, identity, body);
    const answer = await service.write(command, idempotency, { forward, timeoutMs });
    return answer.ok ? renderTxn(answer) : failureResponse(answer, PATH, forward === "redirect");
  });
}
