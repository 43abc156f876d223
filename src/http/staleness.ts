// How fresh a read must be, from its query: linearizable, or from any replica that is fresh enough.

import { STALENESS_MS_MAX } from "../base/limits.ts";
import type { StaleBounds, Staleness } from "../node/service.ts";
import { RequestError } from "./problem.ts";

/** `undefined`: linearizable. */
export type Consistency = StaleBounds | undefined;

const NO_BOUNDS: StaleBounds = {};

/** From `consistency` and `maxStaleness`, and the header `Pontoon-Min-Applied`. Throws RequestError. */
export function consistencyOf(
  parameters: ReadonlyMap<string, string>,
  minAppliedHeader: string | null = null,
): Consistency {
  const consistency = parameters.get("consistency");
  const maxStaleness = parameters.get("maxStaleness");
  if (consistency !== undefined && consistency !== "linearizable" && consistency !== "stale") {
    throw new RequestError(
      "invalid-parameter",
      `consistency=${consistency}: it takes "linearizable" or "stale"`,
    );
  }
  const minApplied = minAppliedHeader === null ? undefined : indexOf(minAppliedHeader);
  if (consistency !== "stale") {
    if (maxStaleness === undefined) return undefined;
    throw new RequestError("invalid-parameter", "maxStaleness belongs to consistency=stale");
  }
  if (maxStaleness === undefined && minApplied === undefined) return NO_BOUNDS;
  return {
    ...(maxStaleness === undefined ? {} : { maxStalenessMs: millisecondsOf(maxStaleness) }),
    ...(minApplied === undefined ? {} : { minApplied }),
  };
}

/** Says how old a stale read's answer may be, if that is known; 0 for one that the leader gave. */
export function appendStaleness(headers: Headers, stale: Staleness | undefined): void {
  const ageMs = stale === undefined ? 0 : stale.ageMs;
  if (ageMs !== undefined) headers.append("pontoon-staleness-ms", String(Math.ceil(ageMs)));
}

function millisecondsOf(text: string): number {
  const ms = /^\d{1,9}$/.test(text) ? Number(text) : Infinity;
  if (ms > STALENESS_MS_MAX) {
    throw new RequestError(
      "invalid-parameter",
      `maxStaleness=${text}: it takes whole milliseconds from 0 to ${STALENESS_MS_MAX}`,
    );
  }
  return ms;
}

function indexOf(text: string): number {
  const index = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(index)) {
    throw new RequestError(
      "invalid-header",
      `Pontoon-Min-Applied: ${text}: it takes a log index, as Pontoon-Applied gives it`,
    );
  }
  return index;
}
