// /key's routes as OpenAPI sees them. They are validated by hand (key_routes.ts); this describes them, and
// is loaded with the schema-driven routes only.

import { type RouteConfig, z } from "@hono/zod-openapi";
import {
  IDEMPOTENCY_KEY_SIZE_BYTES_MAX,
  KEY_SIZE_BYTES_MAX,
  STALENESS_MS_MAX,
} from "../base/limits.ts";
import { ALLOWED_KEY_METHODS } from "./key_routes.ts";
import { PROBLEM_TYPE } from "./problem.ts";
import { TTL_SECONDS_MAX, TTL_SECONDS_MIN } from "./time_to_live.ts";
import {
  DeletedSchema,
  ProblemSchema,
  RecordSchema,
  TimeToLiveSchema,
  TouchedSchema,
  WrittenSchema,
} from "./schemas.ts";

type Responses = RouteConfig["responses"];

/** A problem response under a status, or `default`. */
export function problemResponse(description: string) {
  return { description, content: { [PROBLEM_TYPE]: { schema: ProblemSchema } } };
}

function json(description: string, schema: z.ZodType) {
  return { description, content: { "application/json": { schema } } };
}

/** Every code point takes a byte or more, so that a longer text is a longer key. */
const Key = z.string().min(1).max(KEY_SIZE_BYTES_MAX).regex(/^(?!\.{1,2}$)/).openapi({
  description: "The key, 1 to 4096 bytes of UTF-8, percent-encoded; a slash as %2F; not . or ..",
});
/** Without padding, unused bits zero. */
const BASE64URL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;
const Key64 = z.string().min(2).max(Math.ceil(KEY_SIZE_BYTES_MAX * 4 / 3)).regex(BASE64URL).openapi(
  {
    description: "The key in base64url without padding: for . and .. and bytes that are not UTF-8.",
  },
);

/** Of every request for data. */
export const RoutingHeaders = {
  "Pontoon-Forward": z.enum(["never", "redirect"]).optional().openapi({
    description: "If another node leads: 421 or 307 instead of forwarding.",
  }),
  "Pontoon-Timeout-Ms": z.int().min(1).max(60_000).optional(),
};

const SESSION = /^[0-9a-f]{32} *; *seq=[1-9]\d{0,14} *; *ack=(?:0|[1-9]\d{0,14})$/;

const keyedHeaders = {
  ...RoutingHeaders,
  "Idempotency-Key": z.string().regex(/^[\x21-\x7e]+$/).max(IDEMPOTENCY_KEY_SIZE_BYTES_MAX)
    .optional(),
  "Pontoon-Session": z.string().regex(SESSION).optional().openapi({
    description: "SESSION;seq=N;ack=M with 32 hex digits, N from 1. Excludes Idempotency-Key.",
  }),
};

/** Of writes without a condition. */
export const KeyedHeaders = z.object(keyedHeaders);

/** One revision as ETag gives it, or *. */
const IfMatch = z.string().regex(/^(?:\*|"(?:0|[1-9]\d{0,15})")$/).optional().openapi({
  description: 'One revision ("7") or *.',
});
const ENTITY_TAGS = /^(?:\*|(?:W\/)?"[\x21\x23-\x7e]*"(?: *, *(?:W\/)?"[\x21\x23-\x7e]*")*)$/;

const WriteHeaders = {
  ...keyedHeaders,
  "If-Match": IfMatch,
};

const ReadHeaders = {
  ...RoutingHeaders,
  "Pontoon-Min-Applied": z.int().min(0).optional().openapi({
    description: "With stale: the replica must have applied this log index.",
  }),
  "If-Match": IfMatch,
  "If-None-Match": z.string().regex(ENTITY_TAGS).optional().openapi({
    description: "* or a list of entity tags: 304 if the key's is among them.",
  }),
};

const ReadQuery = {
  raw: z.enum(["", "true", "false"]).optional().openapi({
    description: "The bare bytes instead of JSON.",
  }),
  consistency: z.enum(["linearizable", "stale"]).optional(),
  maxStaleness: z.int().min(0).max(STALENESS_MS_MAX).optional().openapi({
    description: "With stale: milliseconds; what is older is read from the leader.",
  }),
};

const PutQuery = {
  ttl: z.number().min(TTL_SECONDS_MIN).max(TTL_SECONDS_MAX).optional().openapi({
    description: "Seconds to live, fractions allowed.",
  }),
};

const common: Responses = {
  307: { description: "The leader's address in Location, as Pontoon-Forward: redirect asked." },
  400: problemResponse("The request is malformed; `detail` says where."),
  414: problemResponse("The key is too long."),
  421: problemResponse("Another node leads, and Pontoon-Forward: never forbids forwarding."),
  500: problemResponse("A fault of the node; a write's outcome is unknown."),
  503: problemResponse("Definitely not applied."),
};

const writeResponses: Responses = {
  ...common,
  409: problemResponse("The session has acknowledged this sequence already."),
  412: problemResponse("The condition failed; `revision` is the current one."),
  422: problemResponse("The idempotency key was used for another request."),
  429: problemResponse("No further outcome can be remembered just now."),
  504: problemResponse("The outcome is unknown."),
};

const readResponses: Responses = {
  ...common,
  200: {
    description: "The record, or its bare bytes. ETag is its revision.",
    content: {
      "application/json": { schema: RecordSchema },
      "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
    },
  },
  304: { description: "The revision is among If-None-Match." },
  404: problemResponse("There is no such key."),
  412: problemResponse("If-Match does not hold."),
};

interface Place {
  readonly path: string;
  readonly params?: z.ZodObject;
  readonly query: Readonly<Record<string, z.ZodType>>;
}

const PLACES: readonly Place[] = [
  { path: "/key/{key}", params: z.object({ key: Key }), query: {} },
  { path: "/key", query: { key64: Key64 } },
];

function routeOf(place: Place, method: string): RouteConfig {
  const { path, params } = place;
  const query = (more: Readonly<Record<string, z.ZodType>>) =>
    z.object({ ...place.query, ...more });
  switch (method) {
    case "PUT":
      return {
        method: "put",
        path,
        summary: "Set a value",
        request: {
          params,
          query: query(PutQuery),
          headers: z.object({
            ...WriteHeaders,
            "If-None-Match": z.literal("*").optional().openapi({
              description: "Only if the key is absent.",
            }),
          }),
          body: {
            description: "The value, kept byte for byte with its content type.",
            content: { "*/*": { schema: z.string().openapi({ format: "binary" }) } },
          },
        },
        responses: {
          ...writeResponses,
          200: json("Replaced.", WrittenSchema),
          201: json("Created.", WrittenSchema),
          408: problemResponse("The body stalled."),
          413: problemResponse("The value is too large."),
          415: problemResponse("Content-Encoding is not supported."),
        },
      };
    case "DELETE":
      return {
        method: "delete",
        path,
        summary: "Remove a key",
        request: { params, query: query({}), headers: z.object(WriteHeaders) },
        responses: {
          ...writeResponses,
          200: json("Removed.", DeletedSchema),
          404: problemResponse("There is no such key."),
        },
      };
    default:
      return {
        method: method === "HEAD" ? "head" : "get",
        path,
        summary: method === "HEAD" ? "A record's headers" : "Read a record",
        request: { params, query: query(ReadQuery), headers: z.object(ReadHeaders) },
        responses: readResponses,
      };
  }
}

function ttlRouteOf(place: Place): RouteConfig {
  return {
    method: "post",
    path: `${place.path}/ttl`,
    summary: "Set or clear a time to live, the value untouched",
    request: {
      params: place.params,
      query: z.object(place.query),
      headers: z.object(WriteHeaders),
      body: { required: true, content: { "application/json": { schema: TimeToLiveSchema } } },
    },
    responses: {
      ...writeResponses,
      200: json("Done; the key has a new revision.", TouchedSchema),
      404: problemResponse("There is no such key."),
      415: problemResponse("The body is not application/json."),
    },
  };
}

/** Every route that key_routes.ts serves. */
export const keyRouteConfigs: readonly RouteConfig[] = PLACES.flatMap((place) => [
  ...ALLOWED_KEY_METHODS.map((method) => routeOf(place, method)),
  ttlRouteOf(place),
]);
