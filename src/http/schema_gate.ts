// The way to the schema-driven routes: bounds and reads what they are sent, and loads them on first use,
// because zod costs 60 ms at start and most nodes never see an administrative request.

import { ADMIN_BODY_SIZE_BYTES_MAX } from "../base/limits.ts";
import type { NodeService } from "../node/service.ts";
import type { Log } from "../platform/ports.ts";
import { RequestError } from "./problem.ts";
import type { BodyReader } from "./request_body.ts";
import { RequestHeaders } from "./request_headers.ts";
import { parseQuery, splitUrl } from "./request_key.ts";
import { isJson } from "./value_format.ts";

type SchemaModule = typeof import("./schema_routes.ts");

let loaded: SchemaModule | undefined;

/**
 * Loads the schema-driven routes ahead of their first use. A simulation must: loading is the one thing here
 * that does not settle between two virtual events.
 */
export async function preloadSchemaRoutes(): Promise<void> {
  loaded ??= await import("./schema_routes.ts");
}

/** Paths served behind the gate, and how large a body each takes. */
export const SCHEMA_POSTS: ReadonlyMap<string, number> = new Map([
  ["/cluster/members", ADMIN_BODY_SIZE_BYTES_MAX],
  ["/cluster/transfer", ADMIN_BODY_SIZE_BYTES_MAX],
]);

export class SchemaGate {
  readonly #service: NodeService;
  readonly #bodies: BodyReader;
  readonly #log: Log;
  #app: ReturnType<SchemaModule["createSchemaApp"]> | undefined;

  constructor(service: NodeService, bodies: BodyReader, log: Log) {
    this.#service = service;
    this.#bodies = bodies;
    this.#log = log;
  }

  /** GET of a document. Rejects with RequestError. */
  async get(request: Request): Promise<Response> {
    parseQuery(splitUrl(request.url).query, []);
    return (await this.#routes()).fetch(request);
  }

  /**
   * POST of a JSON document. Demanding `application/json` keeps pages of other origins out: a browser asks
   * first, and is never allowed. Rejects with RequestError.
   */
  async post(request: Request): Promise<Response> {
    const { path, query } = splitUrl(request.url);
    parseQuery(query, []);
    const headers = new RequestHeaders(request.headers);
    if (headers.contentType === null || !isJson(headers.contentType)) {
      throw new RequestError("unsupported-media-type", "The body must be application/json");
    }
    if (headers.contentEncoding !== null && headers.contentEncoding !== "identity") {
      throw new RequestError("unsupported-media-type", "Content-Encoding is not supported");
    }
    const limitBytes = SCHEMA_POSTS.get(path) ?? 0;
    const body = await this.#bodies.read(request, headers.contentLength, limitBytes);
    const passed: Record<string, string> = { "content-type": "application/json" };
    if (headers.timeoutMs !== null) passed["pontoon-timeout-ms"] = headers.timeoutMs;
    const bounded = new Request(request.url, { method: "POST", body, headers: passed });
    return (await this.#routes()).fetch(bounded);
  }

  async #routes(): Promise<ReturnType<SchemaModule["createSchemaApp"]>> {
    if (this.#app === undefined) {
      if (loaded === undefined) await preloadSchemaRoutes();
      this.#app ??= loaded!.createSchemaApp(this.#service, this.#log);
    }
    return this.#app;
  }
}
