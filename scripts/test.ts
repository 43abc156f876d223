// Runs every test of the repository in groups, each in a process of its own with a time limit, and says
// where the time went. `deno task test [FILTER…]`: only files whose path contains a filter.

import { discover, groupsOf, type TestGroup } from "./testing/groups.ts";
import { readReport, type TestReport } from "./testing/report.ts";

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);

interface GroupResult {
  readonly group: TestGroup;
  readonly seconds: number;
  readonly report: TestReport;
  /** Why the run itself failed, beyond the tests it reports. */
  readonly problem: string | undefined;
}

/** Copies a child's output to ours, and keeps it. */
async function pass(stream: ReadableStream<Uint8Array>, to: typeof Deno.stdout): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    to.writeSync(chunk);
  }
  return text;
}

async function runGroup(group: TestGroup, reportFile: string): Promise<GroupResult> {
  const startMs = performance.now();
  const args = ["test", "--quiet", "--no-prompt", "-A", "--reporter=dot"];
  if (group.parallel) args.push("--parallel");
  args.push(`--junit-path=${reportFile}`, ...group.files);
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, group.secondsMax * 1000);
  const [stdout, stderr, status] = await Promise.all([
    pass(child.stdout, Deno.stdout),
    pass(child.stderr, Deno.stderr),
    child.status,
  ]);
  clearTimeout(timer);
  const report = readReport(reportFile, stdout + stderr);
  const problem = timedOut
    ? `not finished within ${group.secondsMax} s`
    : status.success || report.failed > 0
    ? undefined
    : `deno test ended with exit code ${status.code}`;
  return { group, seconds: (performance.now() - startMs) / 1000, report, problem };
}

const files = discover(ROOT).filter((file) =>
  Deno.args.length === 0 || Deno.args.some((filter) => file.includes(filter))
);
const groups = groupsOf(files);
const temporary = Deno.makeTempDirSync({ prefix: "pontoon-test-" });
const results: GroupResult[] = [];
for (const group of groups) {
  console.log(`\n== ${group.name} (${group.files.length} files)`);
  results.push(await runGroup(group, `${temporary}/${group.name.replaceAll("/", "-")}.xml`));
}
Deno.removeSync(temporary, { recursive: true });

console.log("\nWhere the time goes:");
for (const { group, seconds, report } of results.toSorted((a, b) => b.seconds - a.seconds)) {
  const tests = String(report.passed + report.failed).padStart(5);
  console.log(`${seconds.toFixed(1).padStart(7)} s ${tests} tests  ${group.name}`);
}
console.log("\nSlowest files:");
const slowest = results.flatMap(({ report }) => report.files)
  .toSorted((a, b) => b.seconds - a.seconds).slice(0, 10);
for (const { file, seconds } of slowest) console.log(`${seconds.toFixed(1).padStart(7)} s ${file}`);

const skips = results.flatMap(({ report }) => report.skips);
if (skips.length > 0) console.log(`\n${[...new Set(skips)].join("\n")}`);
const problems = results.filter(({ problem }) => problem !== undefined);
for (const { group, problem } of problems) console.log(`\nFAILED ${group.name}: ${problem}`);
for (const { report } of results) {
  for (const failure of report.failures) console.log(`FAILED ${failure}`);
}
const sum = (count: (report: TestReport) => number) =>
  results.reduce((total, { report }) => total + count(report), 0);
const failed = sum((report) => report.failed) + problems.length;
console.log(
  `\n${sum((report) => report.passed)} passed, ${failed} failed, ${
    sum((report) => report.skipped)
  } skipped`,
);
Deno.exit(failed === 0 ? 0 : 1);
