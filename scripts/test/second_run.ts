// Which failed files are run a second time, and what both runs come to. A busy machine can fail a test that waits for
// real processes; a defect fails it again, or fails many. Pure. Whatever needed a second run is named as flaky.

import type { FileResult } from "./run_file.ts";

/** Where more files failed it was not the machine. */
export const SECOND_RUNS_MAX = 3;

/** The paths to run again; empty where there are none or too many. */
export function worthSecondRun(results: readonly FileResult[]): string[] {
  const failed = results.filter((result) => result.failed > 0);
  return failed.length > SECOND_RUNS_MAX ? [] : failed.map(({ path }) => path);
}

/** The first results, with those that passed the second time in place of their failures. */
export function withSecondRuns(
  first: readonly FileResult[],
  second: readonly FileResult[],
): FileResult[] {
  const passed = new Map(
    second.filter(({ failed }) => failed === 0).map((result) => [result.path, result]),
  );
  return first.map((result) => {
    const again = result.failed > 0 ? passed.get(result.path) : undefined;
    return again === undefined ? result : { ...again, flaky: result.failures };
  });
}
