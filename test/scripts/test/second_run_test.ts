import { assertEquals } from "@std/assert";
import type { FileResult } from "../../../scripts/test/run_file.ts";
import {
  SECOND_RUNS_MAX,
  withSecondRuns,
  worthSecondRun,
} from "../../../scripts/test/second_run.ts";

function resultOf(path: string, failures: string[] = []): FileResult {
  const failed = failures.length;
  const rest = { skipped: 0, durationMs: 1, needs: [], output: "" };
  return { path, passed: 2 - failed, failed, failures, ...rest };
}

Deno.test("a few failures are worth a second run, many are not", () => {
  const failing = Array.from({ length: SECOND_RUNS_MAX + 1 }, (_, i) => resultOf(`f${i}`, ["x"]));
  assertEquals(worthSecondRun([resultOf("good"), failing[0]]), ["f0"]);
  assertEquals(worthSecondRun(failing.slice(1)).length, SECOND_RUNS_MAX);
  assertEquals(worthSecondRun(failing), []);
});

Deno.test("a second run makes flaky what it passes, and leaves what it fails", () => {
  const first = [resultOf("good"), resultOf("flaky", ["a"]), resultOf("broken", ["b"])];
  const second = [resultOf("flaky"), resultOf("broken", ["b", "c"])];
  assertEquals(withSecondRuns(first, second), [
    first[0],
    { ...second[0], flaky: ["a"] },
    first[2],
  ]);
});
