// What a decided read or write of one key looks like as a Response. Owns bodies and headers of /key's
// answers; knows nothing of requests beyond what they asked for.

import type { ReadAnswer, WriteAnswer } from "../node/service.ts";
import { compressedBytes, plainValue } from "../store/mod.ts";
import type { Applied } from "../store/types.ts";
import { problem, type RequestProblemCode } from "./problem.ts";
import { BYTES_TYPE, keyMember, recordJson, TEXT_TYPE, valueBody } from "./value_format.ts";

/**
 * How the usual answer is built. Further headers are appended to the Response: when built with them, Deno
 * makes a native twin of it, with a finaliser, which costs 4.3 us where appending costs 2.7.
 */
export const JSON_INIT: ResponseInit = { headers: { "content-type": "application/json" } };
const CREATED_INIT: ResponseInit = { ...JSON_INIT, status: 201 };

/** A stored page must not run as one of this origin, whose admin routes it could call. */
const RAW_POLICY = "sandbox; default-src 'none'";

/** A document; the value's bytes; or these, left compressed if they are kept so. */
export type ReadForm = "json" | "bytes" | "zstd";

/** A decided read, all but `Pontoon-Applied`. `verdict` is what the conditions make of the record. */
export function renderRead(
  answer: ReadAnswer,
  verdict: "send" | "unmodified" | "failed",
  form: ReadForm,
): Response {
  const { record, partition } = answer;
  let response: Response;
  if (verdict === "failed") response = conditionFailed(record?.revision ?? 0);
  else if (record === undefined) response = problem("not-found", "There is no such key");
  else {
    if (verdict === "unmodified") response = new Response(null, { status: 304 });
    else if (form !== "json") {
      const { value } = record;
      const coded = form === "zstd" && typeof value !== "string";
      response = new Response(coded ? compressedBytes(value) : valueBody(plainValue(value)));
      const { headers } = response;
      if (coded) headers.append("content-encoding", "zstd");
      headers.set("content-type", record.contentType);
      headers.append("x-content-type-options", "nosniff");
      // Plain text and unspecified bytes can't run anywhere.
      if (record.contentType !== TEXT_TYPE && record.contentType !== BYTES_TYPE) {
        headers.append("content-security-policy", RAW_POLICY);
      }
    } else response = new Response(recordJson(record, answer.timeMs), JSON_INIT);
    response.headers.append("etag", `"${record.revision}"`);
  }
  response.headers.append("vary", "Accept, Accept-Encoding");
  response.headers.append("pontoon-partition", String(partition));
  return response;
}

/** A decided put, delete or touch of `key`. */
export function renderWrite(answer: WriteAnswer, key: string): Response {
  const { applied, partition } = answer;
  const response = writeResponse(applied, key);
  const { headers } = response;
  headers.append("pontoon-partition", String(partition));
  headers.append("pontoon-applied", String(applied.appliedIndex));
  if (applied.replayed) headers.append("pontoon-replayed", "true");
  return response;
}

function writeResponse(applied: Applied, key: string): Response {
  const { result } = applied;
  switch (result.kind) {
    case "put": {
      const { created, revision } = result;
      const body = `{${keyMember(key)},"revision":${revision},"created":${created}}`;
      const response = new Response(body, created ? CREATED_INIT : JSON_INIT);
      response.headers.append("etag", `"${revision}"`);
      return response;
    }
    case "deleted":
      return new Response(
        `{${keyMember(key)},"deleted":true,"revision":${result.revision}}`,
        JSON_INIT,
      );
    case "touched": {
      const response = new Response(`{${keyMember(key)},"revision":${result.revision}}`, JSON_INIT);
      response.headers.append("etag", `"${result.revision}"`);
      return response;
    }
    default:
      return refusedWrite(applied);
  }
}

/** Why a write was refused when it was applied, and what a problem document says of it beside that. */
export interface Refusal {
  readonly code: RequestProblemCode | "idempotency-table-full";
  readonly detail: string;
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Throws on a result that is no refusal. */
export function refusalOf({ result }: Applied): Refusal {
  switch (result.kind) {
    case "not-found":
      return { code: result.kind, detail: "There is no such key" };
    case "condition-failed":
      return conditionRefusal(result.revision);
    case "idempotency-stale":
      return { code: result.kind, detail: "The session has acknowledged this sequence already" };
    case "idempotency-key-reused":
      return { code: result.kind, detail: "The first request under this key was another one" };
    case "idempotency-table-full":
      return {
        code: result.kind,
        detail: "No further outcome can be remembered just now; nothing was done",
      };
    default:
      throw new Error(`A write can't end in "${result.kind}"`);
  }
}

/** `revision` is the current one, 0 if the key is absent. */
function conditionRefusal(revision: number): Refusal {
  const detail = revision === 0 ? "There is no such key" : `The key is at revision ${revision}`;
  return { code: "condition-failed", detail, members: { revision } };
}

function conditionFailed(revision: number): Response {
  return refusalResponse(conditionRefusal(revision));
}

function refusalResponse({ code, detail, members }: Refusal): Response {
  return problem(code, detail, { members });
}

/** The response to a write that was refused when it was applied. Throws on any other result. */
export function refusedWrite(applied: Applied): Response {
  return refusalResponse(refusalOf(applied));
}
