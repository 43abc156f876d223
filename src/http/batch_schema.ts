// The documents of POST /batch, as zod schemas.

import { z } from "@hono/zod-openapi";
import { BATCH_OPERATIONS_MAX } from "../base/limits.ts";
import { KeyNames, PutMembers } from "./txn_schema.ts";
import { ProblemSchema, RecordSchema } from "./schemas.ts";

const BatchOperationSchema = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("get"), ...KeyNames }),
  z.strictObject({
    op: z.literal("put"),
    ...KeyNames,
    ...PutMembers,
    ifRevision: z.int().min(0).optional().openapi({
      description: "Only if the key is at this revision; 0: only if it is absent.",
    }),
  }),
  z.strictObject({
    op: z.literal("delete"),
    ...KeyNames,
    ifRevision: z.int().min(1).optional().openapi({
      description: "Only if the key is at this revision.",
    }),
  }),
]).openapi("BatchOperation");

export const BatchSchema = z.strictObject({
  operations: z.array(BatchOperationSchema).max(BATCH_OPERATIONS_MAX).openapi({
    description: "Independent operations: no order and no atomicity among them.",
  }),
}).openapi("Batch");

export const BatchResultSchema = z.object({
  results: z.array(
    z.object({
      status: z.int().min(200).max(599).openapi({ description: "As the operation alone." }),
      partition: z.int().optional(),
      applied: z.int().optional().openapi({ description: "As the header Pontoon-Applied." }),
      record: RecordSchema.optional(),
      created: z.boolean().optional(),
      deleted: z.literal(true).optional(),
      revision: z.int().optional(),
      replayed: z.literal(true).optional(),
      problem: ProblemSchema.optional().openapi({ description: "Of what did not succeed." }),
    }).openapi("BatchResult"),
  ).openapi({ description: "One for each operation, in their order." }),
}).openapi("BatchResults");

export type BatchDocument = z.infer<typeof BatchSchema>;
export type BatchOperationDocument = z.infer<typeof BatchOperationSchema>;
