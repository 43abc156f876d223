import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { renderDiagram } from "./diagram.ts";
import type { RecordedMark, RecordedMessage } from "./recorder.ts";

const messages: RecordedMessage[] = Array.from({ length: 600 }, (_, i) => ({
  from: i % 2 === 0 ? "n0" : "n1",
  to: i % 2 === 0 ? "n1" : "n0",
  sentMs: i,
  deliveredMs: i % 3 === 0 ? undefined : i + 2,
  kind: "append",
  label: `p1 Append t1 i${i} <&>`,
}));
const marks: RecordedMark[] = [
  { atMs: 0, node: "n0", kind: "start", label: "life 1" },
  { atMs: 300, node: "n0", kind: "end", label: "end of life 1" },
  { atMs: 310, node: "n1", kind: "leader", label: "leads p1 in term 2" },
  { atMs: 400, node: undefined, kind: "fault", label: 'partition {left:["n0"]}' },
  { atMs: 599, node: undefined, kind: "failure", label: "one leader per term" },
];

Deno.test("renderDiagram() draws lifelines, the last messages, elections, deaths and faults", () => {
  const svg = renderDiagram({
    title: "a <title>",
    nodes: ["n0", "n1"],
    recorder: { messages, marks },
    endMs: 600,
  });
  assert(svg.startsWith("<svg xmlns=") && svg.endsWith("</svg>\n"));
  assertEquals(svg.split("<g>").length - 1, 500);
  for (
    const words of [
      "a &lt;title&gt;",
      "leads p1 in term 2",
      "end of life 1",
      "partition {left:[&quot;n0&quot;]}",
      "one leader per term",
      "p1 Append t1 i599 &lt;&amp;&gt;",
    ]
  ) assertStringIncludes(svg, words);
  assert(!svg.includes("NaN") && !svg.includes("undefined"));
});
