// The way to the schema-driven routes: bounds and reads what they are sent, and loads them on first use,
// because zod costs 60 ms at start and most nodes never see an administrative request.

import { assert } from "../base/assert.ts";
import { utf8TextOrUndefined } from "../base/bytes.ts";
import {
  ADMIN_BODY_SIZE_BYTES_MAX,
  BATCH_BODY_SIZE_BYTES_MAX,
  TXN_SIZE_BYTES_MAX,
} from "../base/limits.ts";
import type { PartitionId } from "../base/ids.ts";
import type { NodeService } from "../node/service.ts";
import type { Clock, Digest, Log } from "../platform/ports.ts";
import { Audit, documentNeeds, forbidden, missingRole, type Principal } from "./access/mod.ts";
import { RequestError } from "./problem.ts";
import type { BodyReader } from "./request_body.ts";
import { RequestHeaders, requireJson } from "./request_headers.ts";
import { parseQuery, splitUrl } from "./request_key.ts";

type SchemaModule = typeof import("./schema_routes.ts");
type SchemaRoutes = ReturnType<SchemaModule["createSchemaRoutes"]>;

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

/** Path templates served behind the gate, and how large a body each takes. */
export const SCHEMA_POSTS: ReadonlyMap<string, number> = new Map([
  ["/cluster/members", ADMIN_BODY_SIZE_BYTES_MAX],
  ["/cluster/transfer", ADMIN_BODY_SIZE_BYTES_MAX],
  ["/cluster/partitions/{partition}/move", ADMIN_BODY_SIZE_BYTES_MAX],
  ["/cluster/partitions/{partition}/transfer", ADMIN_BODY_SIZE_BYTES_MAX],
  ["/cluster/partitions/{partition}/zone", ADMIN_BODY_SIZE_BYTES_MAX],
  ["/txn", TXN_BODY_SIZE_BYTES_MAX],
  ["/batch", BATCH_BODY_SIZE_BYTES_MAX],
]);

/** The template that a path fits, and the partition that it names if it names one. */
export interface SchemaPath {
  readonly template: string;
  readonly partition?: PartitionId;
}

const PARTITION_PATH = /^(\/cluster\/partitions\/)(0|[1-9]\d{0,3})(\/.*)$/;

/** Where a POST to `path` goes; undefined if nothing behind the gate is there. */
export function schemaPathOf(path: string): SchemaPath | undefined {
  const [, start, partition, end] = PARTITION_PATH.exec(path) ?? [];
  if (partition !== undefined) {
    const template = `${start}{partition}${end}`;
    return SCHEMA_POSTS.has(template) ? { template, partition: Number(partition) } : undefined;
  }
  // A path with the template's braces in it is nobody's.
  return SCHEMA_POSTS.has(path) && !path.includes("{") ? { template: path } : undefined;
}

/** What is posted below it changes the cluster. */
const ADMIN_PREFIX = "/cluster/";

/** The page is text and its own style. */
const DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

export interface SchemaRouteOptions {
  readonly service: NodeService;
  readonly clock: Clock;
  readonly digest: Digest;
  readonly log: Log;
  readonly requestTimeoutMs: number;
}

export class SchemaGate {
  readonly #options: SchemaRouteOptions;
  readonly #bodies: BodyReader;
  readonly #audit: Audit;
  #routes: SchemaRoutes | undefined;
  #description: string | undefined;
  #docs: string | undefined;

  constructor(options: SchemaRouteOptions, bodies: BodyReader) {
    this.#options = options;
    this.#bodies = bodies;
    this.#audit = new Audit(options.clock, options.log);
  }

  /** GET /openapi.json. Rejects with RequestError. */
  async describe(request: Request): Promise<Response> {
    parseQuery(splitUrl(request.url).query, []);
    const routes = this.#routes ?? await this.#load();
    this.#description ??= routes.describe();
    return new Response(this.#description, { headers: { "content-type": "application/json" } });
  }

  /** GET /docs. Rejects with RequestError. */
  async docs(request: Request): Promise<Response> {
    parseQuery(splitUrl(request.url).query, []);
    const routes = this.#routes ?? await this.#load();
    this.#docs ??= routes.docs();
    return new Response(this.#docs, {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": DOCS_POLICY,
        "x-content-type-options": "nosniff",
      },
    });
  }

  /** POST of a JSON document to one of SCHEMA_POSTS. Rejects with RequestError. */
  async post(request: Request, principal?: Principal): Promise<Response> {
    const { path, query } = splitUrl(request.url);
    parseQuery(query, []);
    const headers = new RequestHeaders(request.headers);
    requireJson(headers);
    const target = schemaPathOf(path);
    assert(target !== undefined, `nothing is served at ${path}`);
    const limitBytes = SCHEMA_POSTS.get(target.template) ?? 0;
    const body = await this.#bodies.read(request, headers.contentLength, limitBytes);
    const document = parseJson(body);
    if (principal !== undefined && !path.startsWith(ADMIN_PREFIX)) {
      const refused = refusal(document, principal);
      if (refused !== undefined) return refused;
    }
    const route = (this.#routes ?? await this.#load()).posts.get(target.template);
    assert(route !== undefined, `no schema-driven route at ${path}`);
    const response = await route.handle(document, { headers, body, partition: target.partition });
    if (path.startsWith(ADMIN_PREFIX)) {
      this.#audit.answered(principal?.name ?? null, path, document, response.status);
    }
    return response;
  }

  async #load(): Promise<SchemaRoutes> {
    if (loaded === undefined) await preloadSchemaRoutes();
    return this.#routes ??= loaded!.createSchemaRoutes(this.#options);
  }
}

/** What the holder may not do of what the document says; undefined if it may do all of it. */
function refusal(document: unknown, principal: Principal): Response | undefined {
  const needs = documentNeeds(document);
  const missing = missingRole(principal, needs.roles);
  if (missing !== undefined) return forbidden(principal, `the role ${missing}`);
  const { prefixes } = principal;
  const isWithin = prefixes === undefined || needs.isWithin(prefixes);
  return isWithin ? undefined : forbidden(principal, "these keys");
}

function parseJson(body: Uint8Array): unknown {
  const text = utf8TextOrUndefined(body);
  if (text === undefined) throw new RequestError("invalid-json", "The body is not valid UTF-8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RequestError("invalid-json", `The body is not JSON: ${reason}`);
  }
}
