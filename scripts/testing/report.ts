// Reads what one `deno test` run reported (JUnit XML) and printed.

export interface FileTime {
  readonly file: string;
  readonly seconds: number;
}

export interface TestReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly files: readonly FileTime[];
  /** Names of failed tests. */
  readonly failures: readonly string[];
  /** Lines "skipped: needs X (…)". */
  readonly skips: readonly string[];
}

const SUITE =
  /<testsuite name="([^"]*)" tests="(\d+)" disabled="(\d+)" errors="(\d+)" failures="(\d+)"/;

/** A run that died before it wrote its report counts nothing; its exit code tells. */
export function readReport(path: string, output: string): TestReport {
  const skips = [...output.matchAll(/^.*?(skipped: needs .*)$/gm)].map((match) => match[1].trim());
  let xml: string;
  try {
    xml = Deno.readTextFileSync(path);
  } catch {
    return { passed: 0, failed: 0, skipped: 0, files: [], failures: [], skips };
  }
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const files: FileTime[] = [];
  const failures: string[] = [];
  for (const suite of xml.split("<testsuite ").slice(1)) {
    const match = SUITE.exec(`<testsuite ${suite}`);
    if (match === null) continue;
    const [, file, tests, disabled, errors, failing] = match;
    failed += Number(errors) + Number(failing);
    skipped += Number(disabled);
    passed += Number(tests) - Number(disabled) - Number(errors) - Number(failing);
    let seconds = 0;
    for (const test of suite.split("<testcase ").slice(1)) {
      seconds += Number(/ time="([\d.]+)"/.exec(test)?.[1] ?? 0);
      if (/<(?:failure|error)/.test(test)) {
        failures.push(`${file}: ${/name="([^"]*)"/.exec(test)?.[1] ?? "?"}`);
      }
    }
    files.push({ file, seconds });
  }
  return { passed, failed, skipped, files, failures, skips };
}
