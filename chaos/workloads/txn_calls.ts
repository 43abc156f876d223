// Calls on /txn in the words of the checker's model "kv-txn". `group` names the key group, which is what the
// history is split by.

import {
  type AnyNondeterministicModel,
  type Json,
  kvTxn,
  type TxnCompare,
  type TxnInput,
  type TxnOutput,
  type TxnStep,
  type TxnStepResult,
} from "../../checker/mod.ts";
import { placeOf, undecided } from "./kv_calls.ts";
import type { Answer, Request } from "./session.ts";
import type { Call, Outcome } from "./types.ts";

/** One call may be tried so often under one idempotency key. */
const ATTEMPTS_MAX = 4;

/** Key groups are independent of each other: every key of one carries its `{tag}`. */
export function kvTxnByGroup(): AnyNondeterministicModel {
  return { ...kvTxn(), partition: (operation) => operation.input.group };
}

export interface GroupTxn extends TxnInput {
  readonly group: string;
}

function compareJson(compare: TxnCompare): Json {
  const { key } = compare;
  if (compare.target === "exists") return { key, exists: compare.exists };
  const op = compare.operator;
  return compare.target === "value"
    ? { key, op, json: compare.value }
    : { key, op, [compare.target]: compare.revision };
}

function stepJson(step: TxnStep): Json {
  if (step.kind === "deleteRange") return { op: step.kind, start: step.start, end: step.end };
  return step.kind === "put"
    ? { op: "put", key: step.key, json: step.value }
    : { op: step.kind, key: step.key };
}

export function txnRequest(input: TxnInput): Request {
  const steps = [...input.then ?? [], ...input.else ?? []];
  return {
    method: "POST",
    path: "/txn",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      if: (input.if ?? []).map(compareJson),
      then: (input.then ?? []).map(stepJson),
      else: (input.else ?? []).map(stepJson),
    }),
    reads: steps.every(({ kind }) => kind === "get"),
    decided: [200],
  };
}

function resultOf(result: Readonly<Record<string, Json>>): TxnStepResult {
  switch (result.op) {
    case "get": {
      const revision = result.revision as number;
      // A replay gives the revision without the record.
      const record = result.record as Readonly<Record<string, Json>> | null | undefined;
      return {
        found: revision !== 0,
        revision,
        ...(record === undefined || record === null ? {} : { value: record.value! }),
      };
    }
    case "put":
      return { created: result.created as boolean };
    case "delete":
      return { deleted: result.deleted as boolean };
    default:
      return { deletedCount: result.deletedCount as number };
  }
}

export function txnOutput(input: TxnInput, answer: Answer & { kind: "decided" }): TxnOutput {
  const { body } = answer;
  const succeeded = body.succeeded as boolean;
  const branch = (succeeded ? input.then : input.else) ?? [];
  const readsOnly = branch.every(({ kind }) => kind === "get");
  const results = (body.results as readonly Readonly<Record<string, Json>>[]).map(resultOf);
  return {
    succeeded,
    // Of a branch that only reads the revision says nothing about a key; and not every store has one for a branch that
    // changed nothing.
    ...(readsOnly || body.revision === undefined ? {} : { revision: body.revision as number }),
    results,
  };
}

/** `persists`: repeat it under an idempotency key until it is decided. */
export function txnCall(kind: string, input: GroupTxn, persists: boolean): Call {
  const request = txnRequest(input);
  return {
    kind,
    input: input as unknown as Json,
    async perform(session): Promise<Outcome> {
      const answer = persists
        ? await session.persist(request, session.id, ATTEMPTS_MAX)
        : await session.attempt(request);
      if (answer.kind !== "decided") return undecided(answer);
      const output = txnOutput(input, answer) as unknown as Json;
      return { type: "ok", output, ...placeOf(answer) };
    },
  };
}
