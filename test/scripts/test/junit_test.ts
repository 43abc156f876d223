import { assertEquals } from "@std/assert";
import { parseJunit } from "../../../scripts/test/junit.ts";

function file(...cases: [name: string, body: string][]): string {
  const elements = cases.map(([name, body]) =>
    `<testcase name="${name}" classname="./x_test.ts" time="0.250" line="1" col="6">\n${body}\n</testcase>`
  );
  return `<testsuites><testsuite name="./x_test.ts">${
    elements.join("\n")
  }</testsuite></testsuites>`;
}

const FAILURE = '<failure message="Uncaught">at <![CDATA[x]]></failure>';

function outcomes(xml: string): [string, string][] {
  return parseJunit(xml).map(({ name, outcome }) => [name, outcome]);
}

Deno.test("parseJunit() reads names, outcomes and durations", () => {
  const xml = file(["a &lt;b&gt; &quot;c&quot; &amp;amp; &#x41;", ""], ["d", FAILURE], [
    "e",
    "<skipped/>",
  ]);
  assertEquals(outcomes(xml), [['a <b> "c" &amp; A', "passed"], ["d", "failed"], ["e", "skipped"]]);
  assertEquals(parseJunit(xml)[0].durationMs, 250);
});

Deno.test("parseJunit() counts a test with steps by its steps", () => {
  assertEquals(outcomes(file(["t", ""], ["t &gt; one", ""], ["t &gt; two", ""])), [
    ["t > one", "passed"],
    ["t > two", "passed"],
  ]);
  assertEquals(outcomes(file(["t", FAILURE], ["t &gt; one", FAILURE])), [["t > one", "failed"]]);
});

Deno.test("parseJunit() keeps a test that failed outside of its steps", () => {
  assertEquals(outcomes(file(["t", FAILURE], ["t &gt; one", ""])), [
    ["t", "failed"],
    ["t > one", "passed"],
  ]);
});

Deno.test("parseJunit() finds nothing in an empty report", () => {
  assertEquals(parseJunit('<testsuites name="deno test" tests="0">\n</testsuites>'), []);
});
