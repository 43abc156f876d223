// The documents of POST /txn, as zod schemas. A key is `key` (text) or `key64` (base64url), a value is
// `value` (text, or base64 with `encoding`) or `json`; exactly one of each.

import { z } from "@hono/zod-openapi";
import { TTL_MS_MAX, TXN_OPERATIONS_MAX } from "../base/limits.ts";
import { RecordSchema } from "./schemas.ts";

/** How a document names a key. */
export const KeyNames = {
  key: z.string().optional().openapi({ description: "The key as text." }),
  key64: z.string().optional().openapi({ description: "The key in base64url, instead." }),
};

const valueMembers = {
  value: z.string().optional().openapi({ description: "Text, or base64 with `encoding`." }),
  encoding: z.literal("base64").optional(),
  // Not z.json(), which copies the value and would lose members such as __proto__.
  json: z.unknown().optional().openapi({
    description: "Any JSON value instead of `value`, kept in its compact form, numbers as doubles.",
  }),
};

const Operator = z.enum(["=", "!=", "<", ">"]).optional().openapi({ description: 'Default "=".' });

/** What a put takes beside its key. */
export const PutMembers = {
  ...valueMembers,
  contentType: z.string().optional().openapi({
    description: "Default: application/json for `json`, else as for PUT without a type.",
  }),
  ttl: z.number().min(0.001).max(TTL_MS_MAX / 1000).optional().openapi({
    description: "Seconds to live.",
  }),
};

export const CompareSchema = z.union([
  z.strictObject({ ...KeyNames, op: Operator, revision: z.int().min(0) }),
  z.strictObject({ ...KeyNames, op: Operator, createRevision: z.int().min(0) }),
  z.strictObject({ ...KeyNames, exists: z.boolean() }),
  z.strictObject({ ...KeyNames, op: Operator, ...valueMembers }),
]).openapi("Compare");

export const OperationSchema = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("get"), ...KeyNames }),
  z.strictObject({ op: z.literal("put"), ...KeyNames, ...PutMembers }),
  z.strictObject({ op: z.literal("delete"), ...KeyNames }),
  z.strictObject({
    op: z.literal("deleteRange"),
    start: z.string().optional(),
    start64: z.string().optional(),
    end: z.string().optional(),
    end64: z.string().optional(),
  }).openapi({ description: "Every key in [start, end); both with the same {tag}." }),
]).openapi("Operation");

const operations = z.array(OperationSchema).max(TXN_OPERATIONS_MAX);

export const TxnSchema = z.strictObject({
  if: z.array(CompareSchema).max(TXN_OPERATIONS_MAX).default([]),
  then: operations.default([]),
  else: operations.default([]),
}).openapi("Transaction");

export const TxnResultSchema = z.object({
  succeeded: z.boolean().openapi({ description: "Whether every `if` held, and `then` was done." }),
  revision: z.int().openapi({ description: "Of all changes." }),
  results: z.array(z.object({
    op: z.enum(["get", "put", "delete", "deleteRange"]),
    revision: z.int().optional().openapi({ description: "0: there is no such key." }),
    record: RecordSchema.nullable().optional().openapi({
      description: "Of a get; null if there is no such key, absent on a replay.",
    }),
    created: z.boolean().optional(),
    deleted: z.boolean().optional(),
    deletedCount: z.int().optional(),
  })),
}).openapi("TransactionResult");

export type TxnDocument = z.infer<typeof TxnSchema>;
export type CompareDocument = z.infer<typeof CompareSchema>;
export type OperationDocument = z.infer<typeof OperationSchema>;
