// Recorded calls as the checker's operations.

import type { Operation } from "../checker/mod.ts";
import type { RecordedCall } from "./workloads/types.ts";

/** Every call as the checker wants it; what failed did not happen. */
export function operationsOf(calls: readonly RecordedCall[]): Operation[] {
  return calls.flatMap(({ process, call, return: returned, input, outcome }) => {
    if (outcome?.type === "fail") return [];
    if (outcome?.type !== "ok") return [{ process, call, input }];
    const { output, applied, partition } = outcome;
    return [{
      process,
      call,
      return: returned,
      input,
      output,
      ...(applied === undefined ? {} : { applied }),
      ...(partition === undefined ? {} : { partition }),
    }];
  });
}
