// Reads the JUnit file that `deno test --junit-path` writes. It must count a test with steps by its steps, once.

/** One test or test step. */
export interface TestCase {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  readonly durationMs: number;
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name] ?? whole;
  });
}

/** Every `testcase` of the file, steps (named `test > step`) included. */
function readCases(xml: string): TestCase[] {
  const cases: TestCase[] = [];
  for (const [, attributes, body] of xml.matchAll(/<testcase ([^>]*)>([^]*?)<\/testcase>/g)) {
    const name = /\bname="([^"]*)"/.exec(attributes)?.[1] ?? "";
    const seconds = /\btime="([^"]*)"/.exec(attributes)?.[1] ?? "0";
    const failed = /<(failure|error)\b/.test(body);
    const skipped = /<skipped\b/.test(body);
    cases.push({
      name: unescapeXml(name),
      outcome: failed ? "failed" : skipped ? "skipped" : "passed",
      durationMs: Number(seconds) * 1000,
    });
  }
  return cases;
}

/**
 * The tests of a JUnit file. A test that has steps stands for them and is left out, unless it failed and none of its
 * steps did.
 */
export function parseJunit(xml: string): TestCase[] {
  const cases = readCases(xml);
  return cases.filter((parent) => {
    const steps = cases.filter((step) => step.name.startsWith(`${parent.name} > `));
    if (steps.length === 0) return true;
    return parent.outcome === "failed" && steps.every((step) => step.outcome !== "failed");
  });
}
