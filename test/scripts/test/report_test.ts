import { assert, assertEquals } from "@std/assert";
import { describeFile, summarize } from "../../../scripts/test/report.ts";
import type { FileResult } from "../../../scripts/test/run_file.ts";

const BASE: FileResult = {
  path: "test/a/x_test.ts",
  passed: 3,
  failed: 0,
  skipped: 0,
  durationMs: 1_250,
  failures: [],
  needs: [],
  output: "noise\n",
};

Deno.test("describeFile() shows the output of failed files only", () => {
  assertEquals(describeFile(BASE), ["ok        1.3 s  test/a/x_test.ts  3 passed"]);
  const failed = describeFile({ ...BASE, failed: 1, failures: ["t"], output: "why\n" });
  assertEquals(failed, ["FAILED    1.3 s  test/a/x_test.ts  3 passed, 1 failed", "    why"]);
});

Deno.test("summarize() ends in the totals, after failures and reasons for skips", () => {
  const skipping = { ...BASE, path: "test/b/y_test.ts", skipped: 2, needs: ["needs etcd"] };
  const failing = { ...BASE, path: "test/b/z_test.ts", failed: 1, failures: ["breaks"] };
  const lines = summarize([BASE, skipping, failing], 2_000);
  assertEquals(lines.at(-1), "9 passed, 1 failed, 2 skipped");
  assert(lines.includes("skipped: needs etcd"));
  assert(lines.includes("  test/b/z_test.ts: breaks"));
  assert(lines.includes("     2.5 s  test/b  2 files"));
});

Deno.test("summarize() names what passed only when it was run again", () => {
  const lines = summarize([{ ...BASE, flaky: ["starts"] }], 2_000);
  assert(lines.includes("  test/a/x_test.ts: starts"));
  assertEquals(lines.at(-1), "3 passed, 0 failed, 0 skipped");
});
