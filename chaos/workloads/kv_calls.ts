// Calls on /key/KEY in the words of the checker's model "kv".

import type { Json, KvInput } from "../../checker/mod.ts";
import type { Answer, Request } from "./session.ts";
import type { Call, Outcome } from "./types.ts";

const DECIDED: Readonly<Record<KvInput["f"], readonly number[]>> = {
  get: [200, 404],
  put: [200, 201, 412],
  cas: [200, 201, 412],
  delete: [200, 404, 412],
  touch: [200, 404, 412],
};

export interface KvCallOptions {
  /** For how it is counted. Default: the input's `f`. */
  readonly kind?: string;
  /** Seconds. */
  readonly ttlSeconds?: number;
  /** Send it so many times at most until it is decided; a write under an idempotency key. Default 1. */
  readonly attemptsMax?: number;
}

export function kvRequest(input: KvInput, ttlSeconds?: number): Request {
  const { f, key, ifMatch, ifNoneMatch } = input;
  const puts = f === "put" || f === "cas";
  const headers: Record<string, string> = {};
  if (ifMatch !== undefined) headers["If-Match"] = ifMatch === "*" ? "*" : `"${ifMatch}"`;
  if (ifNoneMatch !== undefined) headers["If-None-Match"] = "*";
  if (puts) headers["Content-Type"] = "application/json";
  const query = ttlSeconds === undefined ? "" : `?ttl=${ttlSeconds}`;
  return {
    method: puts ? "PUT" : f === "delete" ? "DELETE" : "GET",
    path: `/key/${encodeURIComponent(String(key))}${query}`,
    headers,
    ...(puts ? { body: JSON.stringify(input.value) } : {}),
    reads: f === "get",
    decided: DECIDED[f],
  };
}

/** An answer in the model's words. */
export function kvOutcome(f: KvInput["f"], answer: Answer): Outcome {
  if (answer.kind !== "decided") return undecided(answer);
  const { status, body } = answer;
  const output: Record<string, Json> = { status };
  if (typeof body.revision === "number") output.revision = body.revision;
  if (f === "get" && status === 200) output.value = body.value ?? null;
  return { type: "ok", output, ...placeOf(answer) };
}

export function undecided(answer: Answer & { kind: "refused" | "unknown" }): Outcome {
  return { type: answer.kind === "refused" ? "fail" : "info", error: answer.error };
}

/** Where the system says that it belongs. */
export function placeOf(
  { applied, partition }: { readonly applied?: number; readonly partition?: string },
): { applied?: number; partition?: string } {
  return {
    ...(applied === undefined ? {} : { applied }),
    ...(partition === undefined ? {} : { partition }),
  };
}

export function kvCall(input: KvInput, options: KvCallOptions = {}): Call {
  const { kind = input.f, ttlSeconds, attemptsMax = 1 } = options;
  const request = kvRequest(input, ttlSeconds);
  return {
    kind,
    input: input as unknown as Json,
    perform: async (session) =>
      kvOutcome(
        input.f,
        attemptsMax === 1
          ? await session.attempt(request)
          : await session.persist(request, session.id, attemptsMax),
      ),
  };
}
