// The way to the schema-driven routes: bounds and reads what they are sent, and loads them on first use,
// because zod costs 60 ms at start and most nodes never see an administrative request.

import { ADMIN_BODY_SIZE_BYTES_MAX, TXN_SIZE_BYTES_MAX } from "../base/limits.ts";
import { utf8TextOrUndefined } from "../base/bytes.ts";
import type { NodeService } from "../node/service.ts";
import type { Digest, Log } from "../platform/ports.ts";
import { RequestError } from "./problem.ts";
import type { BodyReader } from "./request_body.ts";
import { RequestHeaders, requireJson } from "./request_headers.ts";
import { parseQuery, splitUrl } from "./request_key.ts";

type SchemaModule = typeof import("./schema_routes.ts");

let loaded: SchemaModule | undefined;

/**
 * Loads the schema-driven routes ahead of their first use. A simulation must: loading is the one thing here
 * that does not settle between two virtual events.
 */
export async function preloadSchemaRoutes(): Promise<void> {
  loaded ??= await import("./schema_routes.ts");
}

/** Base64 makes four bytes of three; names and brackets take their share. */
const TXN_BODY_SIZE_BYTES_MAX = 2 * TXN_SIZE_BYTES_MAX;

/** Headers of a request that the routes behind the gate look at. */
const PASSED_HEADERS = [
  "idempotency-key",
  "pontoon-forward",
  "pontoon-session",
  "pontoon-timeout-ms",
];

/** Paths served behind the gate, and how large a body each takes. */
export const SCHEMA_POSTS: ReadonlyMap<string, number> = new Map([
  ["/cluster/members", ADMIN_BODY_SIZE_BYTES_MAX],
  ["/cluster/transfer", ADMIN_BODY_SIZE_BYTES_MAX],
  ["/txn", TXN_BODY_SIZE_BYTES_MAX],
]);

export interface SchemaRouteOptions {
  readonly service: NodeService;
  readonly digest: Digest;
  readonly log: Log;
  readonly requestTimeoutMs: number;
}

export class SchemaGate {
  readonly #options: SchemaRouteOptions;
  readonly #bodies: BodyReader;
  #app: ReturnType<SchemaModule["createSchemaApp"]> | undefined;

  constructor(options: SchemaRouteOptions, bodies: BodyReader) {
    this.#options = options;
    this.#bodies = bodies;
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
    requireJson(headers);
    const limitBytes = SCHEMA_POSTS.get(path) ?? 0;
    const body = await this.#bodies.read(request, headers.contentLength, limitBytes);
    const passed: Record<string, string> = { "content-type": "application/json" };
    for (const name of PASSED_HEADERS) {
      const value = request.headers.get(name);
      if (value !== null) passed[name] = value;
    }
    // What reads it as JSON later would replace bytes that are not UTF-8 without a word.
    const text = utf8TextOrUndefined(body);
    if (text === undefined) throw new RequestError("invalid-json", "The body is not valid UTF-8");
    const bounded = new Request(request.url, { method: "POST", body: text, headers: passed });
    return (await this.#routes()).fetch(bounded);
  }

  async #routes(): Promise<ReturnType<SchemaModule["createSchemaApp"]>> {
    if (this.#app === undefined) {
      if (loaded === undefined) await preloadSchemaRoutes();
      this.#app ??= loaded!.createSchemaApp(this.#options);
    }
    return this.#app;
  }
}
