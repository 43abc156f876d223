// POST /batch: many independent operations in one request, each with a status of its own. All begin in one
// turn, so what goes to one partition shares its round, its log batch and its link.

import { NO_BYTES } from "../base/bytes.ts";
import type { NodeService, RequestOptions } from "../node/service.ts";
import type { Digest, Log } from "../platform/ports.ts";
import type { Applied, Command, Condition, Key } from "../store/types.ts";
import { type BatchOperationDocument, BatchResultSchema, BatchSchema } from "./batch_schema.ts";
import { idempotencyOf, type PlaceHeaders, placesOf } from "./idempotency.ts";
import { keyOf, storedValueOf } from "./json_members.ts";
import { JSON_INIT, refusalOf } from "./key_answers.ts";
import { KeyedHeaders, problemResponse } from "./openapi_keys.ts";
import {
  type AnyProblemCode,
  failureProblem,
  problemDocument,
  PROBLEMS,
  RequestError,
} from "./problem.ts";
import { forwardMode, type RequestHeaders, timeoutMsOf } from "./request_headers.ts";
import { type SchemaRoute, schemaRoute } from "./schema_route.ts";
import { recordJson } from "./value_format.ts";

const PATH = "/batch";

const config = {
  path: PATH,
  summary: "Independent operations in one request, each with its own status",
  responses: {
    200: {
      description: "Each operation's result, in order.",
      content: { "application/json": { schema: BatchResultSchema } },
    },
    400: problemResponse("The request is malformed; nothing was done."),
    409: problemResponse("Under a session: writes of several partitions; nothing was done."),
    408: problemResponse("The body stalled."),
    413: problemResponse("The body is too large."),
    415: problemResponse("The body is not application/json."),
  },
};

export interface BatchRouteOptions {
  readonly service: NodeService;
  readonly digest: Digest;
  readonly log: Log;
  readonly requestTimeoutMs: number;
}

function problemJson(
  code: AnyProblemCode,
  detail: string,
  members: Readonly<Record<string, unknown>> = {},
  place = "",
): string {
  const document = JSON.stringify(problemDocument(code, detail, { members }));
  return `{"status":${PROBLEMS[code].status},"problem":${document}${place}}`;
}

function conditionOf(ifRevision: number | undefined): Condition | undefined {
  if (ifRevision === undefined) return undefined;
  return ifRevision === 0 ? { kind: "absent" } : { kind: "revision", revision: ifRevision };
}

function writtenJson(applied: Applied, place: string): string {
  const { result } = applied;
  const rest = `${place}${applied.replayed ? ',"replayed":true' : ""}`;
  switch (result.kind) {
    case "put": {
      const status = result.created ? 201 : 200;
      return `{"status":${status},"revision":${result.revision},"created":${result.created}${rest}}`;
    }
    case "deleted":
      return `{"status":200,"deleted":true,"revision":${result.revision}${rest}}`;
    default: {
      const { code, detail, members } = refusalOf(applied);
      return problemJson(code, detail, members, rest);
    }
  }
}

/** One request's operations. */
class Batch {
  readonly #options: BatchRouteOptions;
  readonly #request: RequestOptions;

  readonly #placeOf: (index: number) => PlaceHeaders;

  constructor(
    options: BatchRouteOptions,
    headers: RequestHeaders,
    operations: readonly BatchOperationDocument[],
  ) {
    this.#options = options;
    this.#placeOf = placesOf(headers);
    if (headers.session !== null) this.#assertOnePartition(operations);
    forwardMode(headers.forward); // many partitions: it is served where it was asked for
    const timeoutMs = timeoutMsOf(headers.timeoutMs, options.requestTimeoutMs);
    this.#request = { forward: "forward", timeoutMs };
  }

  /** What a session acknowledges, it acknowledges of one partition. */
  #assertOnePartition(operations: readonly BatchOperationDocument[]): void {
    const { service } = this.#options;
    let partition: number | undefined;
    for (const { op, key, key64 } of operations) {
      if (op === "get") continue;
      const own = service.partitionOf(keyOf(key, key64, "key"));
      if (own === (partition ??= own)) continue;
      throw new RequestError(
        "cross-partition",
        "The writes of a batch under Pontoon-Session belong to one partition: send a batch for each",
      );
    }
  }

  /** The result of operation number `index`, as JSON. Never rejects. */
  async run(operation: BatchOperationDocument, index: number): Promise<string> {
    try {
      const key = keyOf(operation.key, operation.key64, "key");
      return operation.op === "get"
        ? await this.#get(key)
        : await this.#write(key, operation, index);
    } catch (error) {
      if (error instanceof RequestError) return problemJson(error.code, error.message);
      this.#options.log.log("error", "operation of a batch failed", { error: String(error) });
      const outcome = operation.op === "get" ? "none" : "unknown";
      return problemJson("internal", "The node failed to handle it; its log says more", {
        outcome,
      });
    }
  }

  async #get(key: Key): Promise<string> {
    const answer = await this.#options.service.read(key, this.#request);
    if (!answer.ok) return failureJson(answer);
    const { record, partition, appliedIndex, timeMs } = answer;
    const place = `,"partition":${partition},"applied":${appliedIndex}`;
    if (record === undefined) return problemJson("not-found", "There is no such key", {}, place);
    return `{"status":200,"record":${recordJson(record, timeMs)}${place}}`;
  }

  async #write(
    key: Key,
    operation: Exclude<BatchOperationDocument, { op: "get" }>,
    index: number,
  ): Promise<string> {
    const { service, digest } = this.#options;
    const condition = conditionOf(operation.ifRevision);
    let command: Command;
    let body: Uint8Array = NO_BYTES;
    let contentType = "";
    let ttlMs: number | undefined;
    if (operation.op === "put") {
      const stored = storedValueOf(operation, key, service.valueSizeBytesMax);
      ({ value: body, contentType } = stored);
      ttlMs = operation.ttl === undefined ? undefined : Math.round(operation.ttl * 1000);
      command = { kind: "put", key, ...stored, condition, ttlMs };
    } else command = { kind: "delete", key, condition };
    const details = [operation.op, ttlMs, operation.ifRevision];
    const identity = { method: "POST", route: PATH, key, details, contentType };
    const idempotency = idempotencyOf(this.#placeOf(index), digest, identity, body);
    const answer = await service.write(command, idempotency, this.#request);
    if (!answer.ok) return failureJson(answer);
    const { partition, applied } = answer;
    const place = `,"partition":${partition},"applied":${applied.appliedIndex}`;
    return writtenJson(applied, place);
  }
}

function failureJson(failure: Parameters<typeof failureProblem>[0]): string {
  const { status } = PROBLEMS[failure.code];
  return `{"status":${status},"problem":${JSON.stringify(failureProblem(failure))}}`;
}

export function batchRoute(options: BatchRouteOptions): SchemaRoute {
  return schemaRoute(config, BatchSchema, KeyedHeaders, async ({ operations }, { headers }) => {
    const batch = new Batch(options, headers, operations);
    const results = await Promise.all(
      operations.map((operation, index) => batch.run(operation, index)),
    );
    return new Response(`{"results":[${results.join(",")}]}`, JSON_INIT);
  });
}
