import { assertEquals } from "@std/assert";
import type { TestCase } from "../../../scripts/test/junit.ts";
import { judge } from "../../../scripts/test/run_file.ts";

const PASSED: TestCase = { name: "a", outcome: "passed", durationMs: 1 };
const IGNORED: TestCase = { name: "b", outcome: "skipped", durationMs: 0 };
const FAILED: TestCase = { name: "c", outcome: "failed", durationMs: 1 };
const ENDED = { code: 0, timedOut: false, output: "", durationMs: 5_000 };
const LACKING = { ...ENDED, output: "skipped: needs etcd (apt-get install etcd-server)\n" };

type Ended = Parameters<typeof judge>[2];

function counts(cases: TestCase[], ended: Ended, required: boolean): [number, number, number] {
  const { passed, failed, skipped } = judge("x_test.ts", cases, ended, required);
  return [passed, failed, skipped];
}

Deno.test("judge() counts passed, failed and ignored tests", () => {
  assertEquals(counts([PASSED, PASSED, IGNORED], ENDED, false), [2, 0, 1]);
  assertEquals(counts([PASSED, FAILED], { ...ENDED, code: 1 }, false), [1, 1, 0]);
});

Deno.test("judge() counts a test that says what it needs as skipped, once", () => {
  assertEquals(counts([PASSED, PASSED], LACKING, false), [1, 0, 1]);
  assertEquals(counts([PASSED, IGNORED], LACKING, false), [1, 0, 1]);
  assertEquals(counts([], LACKING, false), [0, 0, 1]);
  assertEquals(judge("x_test.ts", [PASSED], LACKING, false).needs, [
    "needs etcd (apt-get install etcd-server)",
  ]);
});

Deno.test("judge() fails a skip for lack of something where everything is required", () => {
  assertEquals(counts([PASSED], LACKING, true), [1, 1, 0]);
  assertEquals(counts([], LACKING, true), [0, 1, 0]);
  assertEquals(counts([FAILED], { ...LACKING, code: 1 }, true), [0, 1, 0]);
});

Deno.test("judge() fails a file that declares nothing, dies, or runs out of time", () => {
  assertEquals(counts([], ENDED, false), [0, 1, 0]);
  assertEquals(counts([], { ...ENDED, code: 1 }, false), [0, 1, 0]);
  assertEquals(counts([PASSED], { ...ENDED, code: 1 }, false), [1, 1, 0]);
  assertEquals(counts([], { ...ENDED, code: -1, timedOut: true }, false), [0, 1, 0]);
  assertEquals(judge("x_test.ts", [], { ...ENDED, code: -1, timedOut: true }, false).failures, [
    "(killed after 5 s)",
  ]);
});
