// /key/:key: the hot path, validated by hand. Owns the contract of GET, HEAD, PUT, DELETE and of
// POST /key/:key/ttl. It is called before Hono's router, and must never throw or reject: what goes wrong is a problem document.

import { NO_BYTES } from "../base/bytes.ts";
import type { Failure, NodeService, RequestOptions, WriteAnswer } from "../node/service.ts";
import type { Digest, Log } from "../platform/ports.ts";
import type { Command, Condition } from "../store/types.ts";
import { asksForIdempotency, idempotencyOf } from "./idempotency.ts";
import { renderRead, renderWrite } from "./key_answers.ts";
import { errorResponse, failureResponse, problem, RequestError, withoutBody } from "./problem.ts";
import type { BodyReader, BodyReceiver } from "./request_body.ts";
import {
  acceptsZstd,
  forwardMode,
  prefersBytes,
  readCondition,
  RequestHeaders,
  requireJson,
  requireUncoded,
  timeoutMsOf,
  writeCondition,
} from "./request_headers.ts";
import { keyFromBase64Url, keyFromSegment, parseQuery } from "./request_key.ts";
import { ttlMsOf, ttlMsOfBody } from "./time_to_live.ts";
import { appendStaleness, consistencyOf } from "./staleness.ts";
import { storedContentType } from "./value_format.ts";

const PREFIX = "/key/";
const TTL_SUFFIX = "/ttl";
/** The body of POST …/ttl is `{"ttl":SECONDS}`. */
const TTL_BODY_SIZE_BYTES_MAX = 1024;
export const ALLOWED_KEY_METHODS = ["GET", "HEAD", "PUT", "DELETE"] as const;

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();
const PUT_PARAMETERS = ["key64", "ttl"];
const GET_PARAMETERS = ["key64", "consistency", "maxStaleness", "raw"];
const DELETE_PARAMETERS = ["key64"];
const TTL_PARAMETERS = ["key64"];

export interface KeyRouteOptions {
  readonly service: NodeService;
  readonly bodies: BodyReader;
  readonly digest: Digest;
  readonly log: Log;
  readonly requestTimeoutMs: number;
}

interface Target {
  /** One character per byte. */
  readonly key: string;
  /** Path and query as they came. */
  readonly pathAndQuery: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Whether `/key`'s routes serve this path. */
export function isKeyPath(path: string): boolean {
  return path.startsWith(PREFIX) || path === "/key";
}

function parseTarget(path: string, query: string, allowed: readonly string[]): Target {
  const parameters = query === "" ? NO_PARAMETERS : parseQuery(query, allowed);
  const pathAndQuery = query === "" ? path : `${path}?${query}`;
  const key64 = parameters.get("key64");
  if (path.length > PREFIX.length) {
    if (key64 !== undefined) {
      throw new RequestError("invalid-key", "The key is given in the path and as key64");
    }
    return { key: keyFromSegment(path.slice(PREFIX.length)), pathAndQuery, parameters };
  }
  if (key64 === undefined) throw new RequestError("invalid-key", "The key is empty");
  return { key: keyFromBase64Url(key64), pathAndQuery, parameters };
}

/** Whether `?raw` asks for the bare bytes. Throws RequestError. */
function rawOf(text: string | undefined): boolean {
  if (text === undefined || text === "false") return false;
  if (text === "" || text === "true") return true;
  throw new RequestError("invalid-parameter", `raw=${text}: it takes no value, or true or false`);
}

/** What of a condition belongs to a request's identity. */
function conditionDetails(condition: Condition | undefined): (string | number | undefined)[] {
  return condition === undefined
    ? []
    : [condition.kind, condition.kind === "revision" ? condition.revision : undefined];
}

/** Serves `/key/SEGMENT` and `/key?key64=…`. */
export class KeyRoutes {
  readonly #options: KeyRouteOptions;

  constructor(options: KeyRouteOptions) {
    this.#options = options;
  }

  /** Never rejects: whatever goes wrong is a problem document. */
  handle(request: Request, path: string, query: string): Promise<Response> | Response {
    const { method } = request;
    switch (method) {
      case "GET":
        return this.#get(request, path, query);
      case "PUT":
        return this.#put(request, path, query);
      case "DELETE":
        return this.#delete(request, path, query);
      case "HEAD":
        return this.#get(request, path, query).then(withoutBody);
      case "POST":
        if (path.endsWith(TTL_SUFFIX)) return this.#touch(request, path, query);
    }
    return problem("method-not-allowed", `${method} is not possible here`, {
      headers: { allow: ALLOWED_KEY_METHODS.join(", ") },
    });
  }

  #requestOptions(headers: RequestHeaders): RequestOptions {
    return {
      forward: forwardMode(headers.forward),
      timeoutMs: timeoutMsOf(headers.timeoutMs, this.#options.requestTimeoutMs),
    };
  }

  // ---------------------------------------------------------------------------------------- reading

  async #get(request: Request, path: string, query: string): Promise<Response> {
    try {
      const { key, pathAndQuery, parameters } = parseTarget(path, query, GET_PARAMETERS);
      const headers = new RequestHeaders(request.headers);
      const bounds = consistencyOf(parameters, headers.minApplied);
      const raw = rawOf(parameters.get("raw")) || prefersBytes(headers.accept);
      const form = !raw ? "json" : acceptsZstd(headers.acceptEncoding) ? "zstd" : "bytes";
      // Malformed conditions are refused before anything is read.
      readCondition(headers, 0);
      const options = this.#requestOptions(headers);
      const { service } = this.#options;
      const answer = await (bounds === undefined
        ? service.read(key, options)
        : service.readStale(key, bounds, options));
      if (!answer.ok) {
        return failureResponse(answer, pathAndQuery, options.forward === "redirect");
      }
      const { record, stale } = answer;
      const response = renderRead(answer, readCondition(headers, record?.revision ?? 0), form);
      // Only a linearizable answer has a place in the partition's order (RULES 20).
      if (stale === undefined) {
        response.headers.append("pontoon-applied", String(answer.appliedIndex));
      } else response.headers.append("pontoon-applied-at", String(answer.appliedIndex));
      if (bounds !== undefined) {
        appendStaleness(response.headers, stale);
      }
      return response;
    } catch (error) {
      return errorResponse(error, request.method, this.#options.log);
    }
  }

  // ---------------------------------------------------------------------------------------- writing

  #put(request: Request, path: string, query: string): Promise<Response> | Response {
    try {
      const { key, pathAndQuery, parameters } = parseTarget(path, query, PUT_PARAMETERS);
      const headers = new RequestHeaders(request.headers);
      requireUncoded(headers);
      const condition = writeCondition(headers, true);
      const ttlMs = ttlMsOf(parameters.get("ttl"));
      const options = this.#requestOptions(headers);
      const wishes = { key, pathAndQuery, headers, condition, ttlMs, options };
      const { service, bodies } = this.#options;
      return new Promise((resolve) => {
        const put = new Put(this.#options, wishes, resolve);
        bodies.receive(request, headers.contentLength, service.valueSizeBytesMax, put);
      });
    } catch (error) {
      return errorResponse(error, "PUT", this.#options.log);
    }
  }

  async #delete(request: Request, path: string, query: string): Promise<Response> {
    try {
      const { key, pathAndQuery } = parseTarget(path, query, DELETE_PARAMETERS);
      const headers = new RequestHeaders(request.headers);
      const condition = writeCondition(headers, false);
      const options = this.#requestOptions(headers);
      const command: Command = { kind: "delete", key, condition };
      const details = conditionDetails(condition);
      const identity = { method: "DELETE", route: "/key", key, details, contentType: "" };
      const { service, digest } = this.#options;
      const idempotency = idempotencyOf(headers, digest, identity, NO_BYTES);
      const answer = await service.write(command, idempotency, options);
      if (!answer.ok) return failureResponse(answer, pathAndQuery, options.forward === "redirect");
      return renderWrite(answer, key);
    } catch (error) {
      return errorResponse(error, "DELETE", this.#options.log);
    }
  }

  /** Sets or clears a time to live, the value untouched. */
  async #touch(request: Request, path: string, query: string): Promise<Response> {
    try {
      const keyPath = path.slice(0, -TTL_SUFFIX.length);
      const { key } = parseTarget(keyPath, query, TTL_PARAMETERS);
      const headers = new RequestHeaders(request.headers);
      requireJson(headers);
      const condition = writeCondition(headers, false);
      const options = this.#requestOptions(headers);
      const { service, bodies, digest } = this.#options;
      const body = await bodies.read(request, headers.contentLength, TTL_BODY_SIZE_BYTES_MAX);
      const ttlMs = ttlMsOfBody(body);
      const command: Command = { kind: "touch", key, condition, ttlMs };
      const details = [ttlMs, ...conditionDetails(condition)];
      const identity = { method: "POST", route: "/key/ttl", key, details, contentType: "" };
      const idempotency = idempotencyOf(headers, digest, identity, NO_BYTES);
      const answer = await service.write(command, idempotency, options);
      if (answer.ok) return renderWrite(answer, key);
      const target = query === "" ? path : `${path}?${query}`;
      return failureResponse(answer, target, options.forward === "redirect");
    } catch (error) {
      return errorResponse(error, "POST", this.#options.log);
    }
  }
}

/** All that a put's request says beside its body. */
interface PutWishes {
  readonly key: string;
  readonly pathAndQuery: string;
  readonly headers: RequestHeaders;
  readonly condition: Condition | undefined;
  readonly ttlMs: number | undefined;
  readonly options: RequestOptions;
}

/**
 * A put whose body is awaited, and then its outcome. Steps of an object instead of an async function: that and
 * what they await would be four promises more for each put.
 */
class Put implements BodyReceiver {
  readonly #routes: KeyRouteOptions;
  readonly #wishes: PutWishes;
  readonly #answer: (response: Response) => void;

  constructor(routes: KeyRouteOptions, wishes: PutWishes, answer: (response: Response) => void) {
    this.#routes = routes;
    this.#wishes = wishes;
    this.#answer = answer;
  }

  onBody(value: Uint8Array<ArrayBuffer>): void {
    try {
      const { key, headers, condition, ttlMs, options } = this.#wishes;
      const contentType = storedContentType(headers.contentType, value);
      const command: Command = { kind: "put", key, value, contentType, condition, ttlMs };
      const { service, digest } = this.#routes;
      const idempotency = asksForIdempotency(headers)
        ? idempotencyOf(headers, digest, {
          method: "PUT",
          route: "/key",
          key,
          details: [ttlMs, ...conditionDetails(condition)],
          contentType,
        }, value)
        : undefined;
      service.write(command, idempotency, options).then(
        (answer) => this.#onOutcome(answer),
        (error) => this.onBodyFailure(error),
      );
    } catch (error) {
      this.onBodyFailure(error);
    }
  }

  onBodyFailure(error: unknown): void {
    this.#answer(errorResponse(error, "PUT", this.#routes.log));
  }

  #onOutcome(answer: WriteAnswer | Failure): void {
    const { key, pathAndQuery, options } = this.#wishes;
    let response: Response;
    try {
      response = answer.ok
        ? renderWrite(answer, key)
        : failureResponse(answer, pathAndQuery, options.forward === "redirect");
    } catch (error) {
      return this.onBodyFailure(error);
    }
    this.#answer(response);
  }
}
