// Finds the test files and says how each is run: beside others or alone, for how long, in the gate or not.
// A file under one of the roots that no suite names is run all the same, with the cautious defaults.

/** How the test files below one folder are run. */
export interface Suite {
  /** Path of a folder or file from the repository's root. */
  readonly path: string;
  /** Part of the gate: neither starts processes nor takes long. */
  readonly gate: boolean;
  /** Runs while nothing else does: it starts processes and waits for elections. */
  readonly alone: boolean;
  /** After so long a file is killed and counts as failed. */
  readonly timeoutMs: number;
}

/** One test file and the suite it falls under. */
export interface TestFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly suite: Suite;
}

/** Folders that are searched for `*_test.ts`. */
export const TEST_ROOTS: readonly string[] = ["test", "checker", "src", "chaos"];

const UNIT = { gate: true, alone: false, timeoutMs: 120_000 } as const;
const LONG = { gate: false, alone: false, timeoutMs: 240_000 } as const;
const PROCESSES = { gate: false, alone: true, timeoutMs: 240_000 } as const;

/** The most specific path wins. Those that take longest come first, so that no core idles at the end. */
export const SUITES: readonly Suite[] = [
  { path: "checker/test/fuzz_test.ts", ...LONG },
  { path: "checker/test/page_test.ts", ...LONG },
  { path: "checker/test/portable_test.ts", ...LONG },
  { path: "checker/test/verdict_test.ts", ...LONG },
  { path: "test/partition/placement_test.ts", ...LONG },
  { path: "test/raft/safety_test.ts", ...LONG },
  { path: "test/wal/power_cut_test.ts", ...LONG },
  { path: "test/http/property_test.ts", ...LONG },
  { path: "test/sim", ...LONG },
  { path: "test/sim/clock_test.ts", ...UNIT },
  { path: "test/sim/network_test.ts", ...UNIT },
  { path: "test/sim/disk_test.ts", ...UNIT },
  { path: "test/sim/shrink_test.ts", ...UNIT },
  { path: "test/sim/judge_test.ts", ...UNIT },
  { path: "test/sim/diagram_test.ts", ...UNIT },
  { path: "test/partition", ...UNIT },
  { path: "test/store", ...UNIT },
  { path: "test/wal", ...UNIT },
  { path: "test/transport", ...UNIT },
  { path: "test/raft", ...UNIT },
  { path: "test/snapshot", ...UNIT },
  { path: "test/http", ...UNIT },
  { path: "test/replica", ...UNIT },
  { path: "test/gossip", ...UNIT },
  { path: "test/client", ...UNIT },
  { path: "test/backup", ...UNIT },
  { path: "test/client/e2e", ...PROCESSES },
  { path: "test/conformance", ...UNIT },
  { path: "test/fuzz/fuzz_test.ts", ...LONG },
  { path: "test/platform", ...UNIT },
  { path: "test/base", ...UNIT },
  { path: "test/support", ...UNIT },
  { path: "test/faulty", ...UNIT },
  { path: "test/scripts/test", ...UNIT },
  { path: "test/chaos/bounded_test.ts", ...UNIT },
  { path: "test/chaos/campaign_parts_test.ts", ...UNIT },
  { path: "test/chaos/command_test.ts", ...UNIT },
  { path: "test/chaos/histories_test.ts", ...UNIT },
  { path: "test/chaos/judges_test.ts", ...UNIT },
  { path: "test/chaos/live_test.ts", ...UNIT },
  { path: "test/chaos/serve_test.ts", ...UNIT },
  { path: "test/chaos/page_test.ts", ...LONG },
  { path: "test/dashboard", ...UNIT },
  { path: "test/dashboard/e2e", ...PROCESSES },
  { path: "test/node", ...LONG },
  { path: "test/mutants", ...LONG },
  { path: "test/mutants/catalogue_test.ts", ...UNIT },
  { path: "test/boundaries_test.ts", ...UNIT },
  { path: "checker", ...UNIT },
  { path: "test", ...PROCESSES },
  { path: "chaos", ...PROCESSES },
];

const UNNAMED: Suite = { path: "", ...PROCESSES };

/** The suite of the longest path that holds `path`. */
export function suiteOf(path: string, suites: readonly Suite[] = SUITES): Suite {
  let found = UNNAMED;
  for (const suite of suites) {
    const holds = path === suite.path || path.startsWith(`${suite.path}/`);
    if (holds && suite.path.length > found.path.length) found = suite;
  }
  return found;
}

function* walk(root: URL, path: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(path, root))) {
    const child = `${path}/${entry.name}`;
    if (entry.isDirectory && entry.name !== "node_modules") yield* walk(root, child);
    else if (entry.isFile && entry.name.endsWith("_test.ts")) yield child;
  }
}

/**
 * All test files below the roots, in the order to start them: those that may share the machine first, each group in
 * the order of its suites.
 *
 * @param root the repository's root, ending in a slash
 */
export function findTestFiles(root: URL): TestFile[] {
  const files: TestFile[] = [];
  for (const name of TEST_ROOTS) {
    try {
      for (const path of walk(root, name)) files.push({ path, suite: suiteOf(path) });
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    }
  }
  const rank = (file: TestFile) =>
    SUITES.indexOf(file.suite) + (file.suite.alone ? SUITES.length : 0);
  return files.sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
}
