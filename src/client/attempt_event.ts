// What a hook is told of one attempt of a call.

import type { Call } from "./call.ts";
import type { PooledNode } from "./node_pool.ts";
import type { AttemptEvent } from "./types.ts";
import { type Answer, verdictOf } from "./verdict.ts";

/** Of the call's attempt with this number: `result` is its answer, or what it failed with. */
export function attemptEvent(
  call: Call,
  { url }: PooledNode,
  number: number,
  durationMs: number,
  result: unknown,
): AttemptEvent {
  const { method, route, partition } = call.request;
  const answer = result instanceof Error ? undefined : result as Answer;
  const status = answer?.status ?? 0;
  let code: string | undefined;
  if (answer === undefined) code = result instanceof Error ? result.name : String(result);
  else {
    const verdict = verdictOf(answer, false);
    if (verdict.kind !== "decided") code = verdict.error.code;
  }
  return {
    method,
    route,
    url,
    partition,
    attempt: number,
    durationMs,
    status,
    ...(code === undefined ? {} : { code }),
  };
}
