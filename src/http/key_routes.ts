// /key/:key: the hot path, validated by hand. Owns the contract of PUT, GET, HEAD and DELETE.

import { bytesFromLatin1 } from "../base/bytes.ts";
import type { NodeService, RequestOptions, WriteAnswer } from "../node/service.ts";
import type { Digest } from "../platform/ports.ts";
import type { Applied, Command } from "../store/types.ts";
import { failureResponse, problem, RequestError } from "./problem.ts";
import type { BodyReader } from "./request_body.ts";
import {
  conditionOf,
  forwardModeOf,
  idempotencyOf,
  matchesEntityTag,
  timeoutMsOf,
  ttlMsOf,
} from "./request_headers.ts";
import { keyFromBase64Url, keyFromSegment, parseQuery, splitUrl } from "./request_key.ts";
import { keyMember, recordJson, storedContentType } from "./value_format.ts";

const PREFIX = "/key/";
const JSON_TYPE = "application/json";
const ALLOWED = "GET, HEAD, PUT, DELETE";

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();
const PUT_PARAMETERS = ["key64", "ttl"];
const GET_PARAMETERS = ["key64", "consistency", "raw"];
const DELETE_PARAMETERS = ["key64"];

export interface KeyRouteOptions {
  readonly service: NodeService;
  readonly bodies: BodyReader;
  readonly digest: Digest;
  readonly requestTimeoutMs: number;
}

interface ParsedUrl {
  readonly key: string;
  readonly path: string;
  readonly query: string;
  readonly parameters: ReadonlyMap<string, string>;
}

function parseUrl(url: string, allowed: readonly string[]): ParsedUrl {
  const { path, query } = splitUrl(url);
  const parameters = query === "" ? NO_PARAMETERS : parseQuery(query, allowed);
  const key64 = parameters.get("key64");
  if (path.length > PREFIX.length) {
    if (key64 !== undefined) {
      throw new RequestError("invalid-key", "The key is given in the path and as key64");
    }
    return { key: keyFromSegment(path.slice(PREFIX.length)), path, query, parameters };
  }
  if (key64 === undefined) throw new RequestError("invalid-key", "The key is empty");
  return { key: keyFromBase64Url(key64), path, query, parameters };
}

/** Serves `/key/SEGMENT` and `/key?key64=…`. Throws RequestError for the app to render. */
export class KeyRoutes {
  readonly #options: KeyRouteOptions;

  constructor(options: KeyRouteOptions) {
    this.#options = options;
  }

  handle(request: Request): Promise<Response> | Response {
    switch (request.method) {
      case "GET":
      case "HEAD":
        return this.#get(request);
      case "PUT":
        return this.#put(request);
      case "DELETE":
        return this.#delete(request);
      default:
        return problem("method-not-allowed", `${request.method} is not possible here`, {
          headers: { allow: ALLOWED },
        });
    }
  }

  #requestOptions(headers: Headers): RequestOptions {
    return {
      forward: forwardModeOf(headers),
      timeoutMs: timeoutMsOf(headers, this.#options.requestTimeoutMs),
    };
  }

  // ---------------------------------------------------------------------------------------- reading

  async #get(request: Request): Promise<Response> {
    const { key, path, query, parameters } = parseUrl(request.url, GET_PARAMETERS);
    const { headers } = request;
    const consistency = parameters.get("consistency") ?? "linearizable";
    if (consistency !== "linearizable" && consistency !== "stale") {
      throw new RequestError(
        "invalid-parameter",
        `consistency=${consistency}: it takes "linearizable" or "stale"`,
      );
    }
    const options = this.#requestOptions(headers);
    const { service } = this.#options;
    const answer = consistency === "stale"
      ? await service.readStale(key, options)
      : await service.read(key, options);
    if (!answer.ok) return this.#failed(answer, path, query, options);

    const stamps: Record<string, string> = {
      "pontoon-partition": String(answer.partition),
      "vary": "Accept",
    };
    // Only a linearizable answer has a place in the partition's order (RULES 20).
    if (consistency === "linearizable") stamps["pontoon-applied"] = String(answer.appliedIndex);
    const { record } = answer;
    if (record === undefined) {
      return problem("not-found", "There is no such key", { headers: stamps });
    }
    stamps.etag = `"${record.revision}"`;
    const ifNoneMatch = headers.get("if-none-match");
    if (ifNoneMatch !== null && matchesEntityTag(ifNoneMatch, record.revision)) {
      return new Response(null, { status: 304, headers: stamps });
    }
    if (parameters.has("raw") || headers.get("accept") === "application/octet-stream") {
      stamps["content-type"] = record.contentType;
      stamps["content-length"] = String(record.value.length);
      stamps["x-content-type-options"] = "nosniff";
      const body = request.method === "HEAD" ? null : bytesFromLatin1(record.value);
      return new Response(body, { headers: stamps });
    }
    stamps["content-type"] = JSON_TYPE;
    const body = request.method === "HEAD" ? null : recordJson(record, answer.timeMs);
    return new Response(body, { headers: stamps });
  }

  // ---------------------------------------------------------------------------------------- writing

  async #put(request: Request): Promise<Response> {
    const { key, path, query, parameters } = parseUrl(request.url, PUT_PARAMETERS);
    const { headers } = request;
    if (headers.has("content-encoding")) {
      throw new RequestError(
        "unsupported-media-type",
        "Content-Encoding is not supported: values are stored as they come",
      );
    }
    const condition = conditionOf(headers, true);
    const ttlMs = ttlMsOf(parameters);
    const options = this.#requestOptions(headers);
    const { service, bodies } = this.#options;
    const body = bodies.read(request, service.valueSizeBytesMax);
    const value = body instanceof Uint8Array ? body : await body;
    const contentType = storedContentType(headers.get("content-type"), value);
    const command: Command = { kind: "put", key, value, contentType, condition, ttlMs };
    return this.#write(request, command, { path, query }, value, options);
  }

  #delete(request: Request): Promise<Response> {
    const { key, path, query } = parseUrl(request.url, DELETE_PARAMETERS);
    const condition = conditionOf(request.headers, false);
    const options = this.#requestOptions(request.headers);
    const command: Command = { kind: "delete", key, condition };
    return this.#write(request, command, { path, query }, new Uint8Array(0), options);
  }

  async #write(
    request: Request,
    command: Extract<Command, { kind: "put" | "delete" }>,
    url: { readonly path: string; readonly query: string },
    body: Uint8Array,
    options: RequestOptions,
  ): Promise<Response> {
    const { headers } = request;
    const idempotency = headers.has("idempotency-key") || headers.has("pontoon-session")
      ? idempotencyOf(headers, this.#options.digest, [
        request.method,
        command.key,
        url.query,
        headers.get("if-match") ?? "",
        headers.get("if-none-match") ?? "",
        headers.get("content-type") ?? "",
      ], body)
      : undefined;
    const answer = await this.#options.service.write(command, idempotency, options);
    if (!answer.ok) return this.#failed(answer, url.path, url.query, options);
    return renderWrite(answer, command.key);
  }

  #failed(
    failure: Parameters<typeof failureResponse>[0],
    path: string,
    query: string,
    options: RequestOptions,
  ): Response {
    const target = query === "" ? path : `${path}?${query}`;
    return failureResponse(failure, target, options.forward === "redirect");
  }
}

/** The answer to a decided put or delete. */
function renderWrite(answer: WriteAnswer, key: string): Response {
  const { applied, partition } = answer;
  const { result } = applied;
  const headers: Record<string, string> = {
    "content-type": JSON_TYPE,
    "pontoon-partition": String(partition),
    "pontoon-applied": String(applied.appliedIndex),
  };
  if (applied.replayed) headers["pontoon-replayed"] = "true";
  switch (result.kind) {
    case "put": {
      const { created, revision } = result;
      headers.etag = `"${revision}"`;
      return new Response(`{${keyMember(key)},"revision":${revision},"created":${created}}`, {
        status: created ? 201 : 200,
        headers,
      });
    }
    case "deleted":
      return new Response(`{${keyMember(key)},"deleted":true,"revision":${result.revision}}`, {
        headers,
      });
    case "not-found":
      return problem("not-found", "There is no such key", { headers: stampsOf(headers) });
    case "condition-failed":
      return problem(
        "condition-failed",
        result.revision === 0
          ? "There is no such key"
          : `The key is at revision ${result.revision}`,
        { headers: stampsOf(headers), members: { revision: result.revision } },
      );
    default:
      return renderRefusal(applied, headers);
  }
}

function stampsOf(headers: Record<string, string>): Record<string, string> {
  const { "content-type": _, ...stamps } = headers;
  return stamps;
}

function renderRefusal(applied: Applied, headers: Record<string, string>): Response {
  const stamps = { headers: stampsOf(headers) };
  switch (applied.result.kind) {
    case "idempotency-stale":
      return problem("idempotency-stale", "The session has acknowledged this sequence", stamps);
    case "idempotency-key-reused":
      return problem("idempotency-key-reused", "The first request under it was another", stamps);
    case "idempotency-table-full":
      return problem("idempotency-table-full", "No outcome can be remembered just now");
    default:
      throw new Error(`A write of one key can't end in "${applied.result.kind}"`);
  }
}
