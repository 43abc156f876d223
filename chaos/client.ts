// One operation against one node, once: sends it and says what its answer proves. Never retries.
// 503, 429 and 421 did not happen; 504, 500 on a write and any network error are unknown.

import type { KvInput, KvOutput } from "../checker/mod.ts";

/** What an answer proves. `fail`: it did not happen. `info`: nobody knows. */
export type Outcome =
  | {
    readonly type: "ok";
    readonly output: KvOutput;
    readonly applied?: number;
    readonly partition?: string;
  }
  | { readonly type: "fail" | "info"; readonly error: string };

const DECIDED: Readonly<Record<KvInput["f"], readonly number[]>> = {
  get: [200, 404],
  put: [200, 201, 412],
  cas: [200, 201, 412],
  delete: [200, 404, 412],
};
const REFUSED = [421, 429, 503];

/** Sends one operation to `http` (HOST:PORT) and waits at most `timeoutMs`. */
export async function perform(http: string, input: KvInput, timeoutMs: number): Promise<Outcome> {
  const headers: Record<string, string> = {};
  if (input.ifMatch !== undefined) {
    headers["If-Match"] = input.ifMatch === "*" ? "*" : `"${input.ifMatch}"`;
  }
  if (input.ifNoneMatch !== undefined) headers["If-None-Match"] = "*";
  const isPut = input.f === "put" || input.f === "cas";
  if (isPut) headers["Content-Type"] = "application/json";
  const undecided = input.f === "get" ? "fail" : "info";
  let response: Response;
  let body: Record<string, unknown>;
  try {
    response = await fetch(`http://${http}/key/${encodeURIComponent(String(input.key))}`, {
      method: isPut ? "PUT" : input.f === "delete" ? "DELETE" : "GET",
      headers,
      ...(isPut ? { body: JSON.stringify(input.value) } : {}),
      signal: AbortSignal.timeout(timeoutMs),
    });
    body = await response.json();
  } catch (cause) {
    return { type: undecided, error: cause instanceof Error ? cause.message : String(cause) };
  }
  const { status } = response;
  if (REFUSED.includes(status)) return { type: "fail", error: String(status) };
  if (!DECIDED[input.f].includes(status)) {
    if (status >= 500) return { type: undecided, error: String(status) };
    throw new Error(`Cannot read the answer to ${input.f}: status ${status} is not in the API`);
  }
  const output: { status: number; value?: KvInput["value"]; revision?: number } = { status };
  if (typeof body.revision === "number") output.revision = body.revision;
  if (input.f === "get" && status === 200) output.value = body.value as KvInput["value"];
  const applied = response.headers.get("Pontoon-Applied");
  const partition = response.headers.get("Pontoon-Partition");
  return {
    type: "ok",
    output: output as KvOutput,
    ...(applied === null ? {} : { applied: Number(applied) }),
    ...(partition === null ? {} : { partition }),
  };
}
