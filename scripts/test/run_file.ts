// Runs one test file in a process of its own and says what came of it. A file that does not load, runs out of time,
// dies or declares nothing has failed: no way of ending may look like success by silence.

import { runBounded } from "./bounded_process.ts";
import { parseJunit, type TestCase } from "./junit.ts";

/** What came of one file, or of one check of the whole repository. */
export interface FileResult {
  readonly path: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly durationMs: number;
  /** Names of what failed. */
  readonly failures: readonly string[];
  /** `needs …` of each skip that named its reason. */
  readonly needs: readonly string[];
  readonly output: string;
  /** It failed at first, of this, and passed when it was run again. */
  readonly flaky?: readonly string[];
}

function testsAreRequired(): boolean {
  return Deno.env.get("PONTOON_TEST_REQUIRE") === "1";
}

function needsIn(output: string): string[] {
  const lines = output.matchAll(/^\s*skipped: (needs .*\S)\s*$/gm);
  return [...lines].map(([, reason]) => reason);
}

function readReport(path: URL): TestCase[] {
  try {
    return parseJunit(Deno.readTextFileSync(path));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return [];
    throw cause;
  }
}

/**
 * Counts a file's tests from what its process left. Pure, so that each way of ending can be tested.
 *
 * @param required a lacking program is a failure, not a skip
 */
export function judge(
  path: string,
  cases: readonly TestCase[],
  ended: { code: number; timedOut: boolean; output: string; durationMs: number },
  required: boolean,
): FileResult {
  const count = (outcome: TestCase["outcome"]) =>
    cases.filter((test) => test.outcome === outcome).length;
  const failures = cases.filter((test) => test.outcome === "failed").map((test) => test.name);
  const needs = needsIn(ended.output);
  // A test may be marked as ignored, or say what it lacks and return; some do both.
  const said = required ? 0 : Math.max(0, needs.length - count("skipped"));
  const skipped = count("skipped") + Math.min(said, count("passed"));
  if (ended.timedOut) {
    failures.push(`(killed after ${(ended.durationMs / 1000).toFixed(0)} s)`);
  } else if (ended.code !== 0 && failures.length === 0) {
    failures.push(`(ended with code ${ended.code})`);
  } else if (required && needs.length > 0 && failures.length === 0) {
    failures.push(...needs.map((reason) => `(${reason})`));
  } else if (cases.length === 0 && needs.length === 0 && failures.length === 0) {
    failures.push("(declares no test)");
  }
  return {
    path,
    passed: count("passed") + count("skipped") - skipped,
    failed: failures.length,
    skipped: cases.length === 0 && !required ? needs.length : skipped,
    durationMs: ended.durationMs,
    failures,
    needs: required ? [] : [...new Set(needs)],
    output: ended.output,
  };
}

/**
 * Runs a test file, and keeps its output and JUnit file below `outDir`.
 *
 * @param outDir ends in a slash
 */
export async function runTestFile(
  path: string,
  options: { root: URL; outDir: URL; timeoutMs: number },
): Promise<FileResult> {
  const base = path.replaceAll("/", "__");
  const junit = new URL(`${base}.xml`, options.outDir);
  await Deno.remove(junit).catch(() => {});
  const ended = await runBounded(Deno.execPath(), {
    // Not --quiet: that would swallow what tests print, the reasons for skips among it.
    args: [
      "test",
      "--no-check",
      // All permissions: tests start processes anyway, and files below /dev are open to nothing less.
      "--allow-all",
      "--preload=scripts/test/orphan_guard.ts",
      `--junit-path=${junit.pathname}`,
      path,
    ],
    cwd: options.root,
    env: { NO_COLOR: "1" },
    timeoutMs: options.timeoutMs,
  });
  await Deno.writeTextFile(new URL(`${base}.log`, options.outDir), ended.output);
  return judge(path, readReport(junit), ended, testsAreRequired());
}

/** Runs `deno` with a whole-repository check, counted as one test. */
export async function runCheck(
  name: string,
  args: string[],
  options: { root: URL; timeoutMs: number },
): Promise<FileResult> {
  const ended = await runBounded(Deno.execPath(), {
    args,
    cwd: options.root,
    env: { NO_COLOR: "1" },
    timeoutMs: options.timeoutMs,
  });
  const outcome = ended.code === 0 ? "passed" : "failed";
  return judge(name, [{ name, outcome, durationMs: ended.durationMs }], ended, false);
}
