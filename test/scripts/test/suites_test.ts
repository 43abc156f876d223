import { assert, assertEquals } from "@std/assert";
import { findTestFiles, suiteOf, TEST_ROOTS } from "../../../scripts/test/suites.ts";

Deno.test("suiteOf() takes the longest path that holds a file", () => {
  const defaults = { gate: false, alone: false, timeoutMs: 1 };
  const suites = [
    { path: "test", ...defaults },
    { path: "test/raft", ...defaults },
    { path: "test/raft/long_test.ts", ...defaults },
  ];
  const path = (file: string) => suiteOf(file, suites).path;
  assertEquals(path("test/raft/log_test.ts"), "test/raft");
  assertEquals(path("test/raft/long_test.ts"), "test/raft/long_test.ts");
  assertEquals(path("test/rafting/log_test.ts"), "test");
});

Deno.test("suiteOf() runs a file that no suite names alone and outside the gate", () => {
  const { gate, alone } = suiteOf("elsewhere/x_test.ts");
  assertEquals([gate, alone], [false, true]);
});

Deno.test("findTestFiles() finds this file, below the roots only, those to run alone last", () => {
  const root = new URL("../../../", import.meta.url);
  const files = findTestFiles(root);
  const paths = files.map(({ path }) => path);
  assert(paths.includes("test/scripts/test/suites_test.ts"));
  assert(paths.every((path) => TEST_ROOTS.some((name) => path.startsWith(`${name}/`))));
  assertEquals(new Set(paths).size, paths.length);
  const firstAlone = files.findIndex(({ suite }) => suite.alone);
  if (firstAlone >= 0) assert(files.slice(firstAlone).every(({ suite }) => suite.alone));
});
