// `deno task test`: finds the test files, runs each in a process of its own, two at a time where they may share the
// machine, and ends in one line of totals. It must end: every file has a time limit, and so has the whole run.

import { parseArgs } from "node:util";
import { endWithParent } from "./test/lifetime.ts";
import { describeFile, summarize } from "./test/report.ts";
import { type FileResult, runCheck, runTestFile } from "./test/run_file.ts";
import { SECOND_RUNS_MAX, withSecondRuns, worthSecondRun } from "./test/second_run.ts";
import { findTestFiles, type TestFile } from "./test/suites.ts";

const HELP = `Usage: deno task test [options] [FILTER…]

Runs every *_test.ts below test, checker, src and chaos whose path contains one of the filters
(all without one), and a type check of the whole repository where there is no filter.

  --gate        only what belongs to \`deno task ok\`: the fast tests, no type check
  --jobs N      files at a time, where they may share the machine   [2]
  --list        print the files that would run
  --help

Up to ${SECOND_RUNS_MAX} failed files of those that start processes are run again, and named as flaky if they pass then.
PONTOON_TEST_REQUIRE=1 turns a test that is skipped for lack of a program into a failure.
PONTOON_TEST_SEED=N fixes the seed of every random test; without it each run draws new ones.
Exit codes: 0 all passed, 1 something failed, 64 usage. Outputs are kept in out/test.`;

const EXIT_USAGE = 64;
const CHECK_TIMEOUT_MS = 180_000;
/** Of the whole run. What has not begun by then counts as failed. */
const RUN_TIMEOUT_MS = 20 * 60_000;
const STILL_RUNNING_MS = 30_000;

interface Options {
  readonly gate: boolean;
  readonly list: boolean;
  readonly jobs: number;
  readonly filters: readonly string[];
}

/** Something to run: a test file or a check. */
interface Job {
  readonly name: string;
  readonly alone: boolean;
  run(): Promise<FileResult>;
}

function readOptions(args: string[]): Options | undefined {
  const { values, positionals } = parseArgs({
    args,
    strict: true,
    allowPositionals: true,
    options: {
      gate: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      jobs: { type: "string", default: "2" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 64) {
    throw new Error(`--jobs takes a whole number from 1 to 64: got ${values.jobs}`);
  }
  return { gate: values.gate, list: values.list, jobs, filters: positionals };
}

function selectFiles(root: URL, options: Options): TestFile[] {
  return findTestFiles(root).filter((file) =>
    (!options.gate || file.suite.gate) &&
    (options.filters.length === 0 || options.filters.some((filter) => file.path.includes(filter)))
  );
}

function planJobs(files: TestFile[], root: URL, outDir: URL, options: Options): Job[] {
  const jobs: Job[] = files.map(({ path, suite }) => ({
    name: path,
    alone: suite.alone,
    run: () => runTestFile(path, { root, outDir, timeoutMs: suite.timeoutMs }),
  }));
  if (options.gate || options.filters.length > 0) return jobs;
  const check = () => runCheck("type check", ["check"], { root, timeoutMs: CHECK_TIMEOUT_MS });
  return [{ name: "type check", alone: false, run: check }, ...jobs];
}

function notRun(job: Job): FileResult {
  const failures = ["(not run: the whole run is out of time)"];
  const none = { passed: 0, skipped: 0, durationMs: 0, needs: [], output: "" };
  return { path: job.name, failed: 1, failures, ...none };
}

/** Runs the jobs in order, `width` at a time. */
async function runAll(
  jobs: readonly Job[],
  width: number,
  endsAtMs: number,
): Promise<FileResult[]> {
  const results: FileResult[] = [];
  const queue = [...jobs];
  const running = new Map<string, number>();
  const watch = setInterval(() => {
    for (const [name, beganMs] of running) {
      const ranMs = performance.now() - beganMs;
      if (ranMs > STILL_RUNNING_MS) console.log(`…      ${(ranMs / 1000).toFixed(0)} s  ${name}`);
    }
  }, STILL_RUNNING_MS);
  const lane = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      running.set(job.name, performance.now());
      const result = performance.now() > endsAtMs ? notRun(job) : await job.run();
      running.delete(job.name);
      results.push(result);
      for (const line of describeFile(result)) console.log(line);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  clearInterval(watch);
  return results;
}

/** Runs those jobs that failed once more, as far as that is allowed. */
async function runAgain(
  jobs: readonly Job[],
  results: FileResult[],
  endsAtMs: number,
): Promise<FileResult[]> {
  const paths = worthSecondRun(results);
  if (paths.length === 0) return results;
  console.log(`\nOnce more: ${paths.join(", ")}`);
  const again = jobs.filter(({ name }) => paths.includes(name));
  return withSecondRuns(results, await runAll(again, 1, endsAtMs));
}

async function main(args: string[]): Promise<number> {
  let options: Options | undefined;
  try {
    options = readOptions(args.filter((arg) => arg !== "--"));
  } catch (cause) {
    console.error(`${cause instanceof Error ? cause.message : cause} (--help)`);
    return EXIT_USAGE;
  }
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  const root = new URL("../", import.meta.url);
  const outDir = new URL("out/test/", root);
  const files = selectFiles(root, options);
  if (options.list) {
    for (const { path } of files) console.log(path);
    return 0;
  }
  if (files.length === 0) {
    console.error(`no test file matches ${options.filters.join(" ")}`);
    return 1;
  }
  await Deno.mkdir(outDir, { recursive: true });
  endWithParent();
  const beganMs = performance.now();
  const endsAtMs = beganMs + RUN_TIMEOUT_MS;
  const jobs = planJobs(files, root, outDir, options);
  const alone = jobs.filter((job) => job.alone);
  const results = [
    ...await runAll(jobs.filter((job) => !job.alone), options.jobs, endsAtMs),
    ...await runAgain(alone, await runAll(alone, 1, endsAtMs), endsAtMs),
  ];
  for (const line of summarize(results, performance.now() - beganMs)) console.log(line);
  return results.some((result) => result.failed > 0) ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main([...Deno.args]));
