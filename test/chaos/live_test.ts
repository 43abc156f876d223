// What a run looks like while it goes on, on a terminal and without one.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LiveView, plainLine, recentRate, terminalLines } from "../../chaos/live/live_view.ts";
import type { RunView } from "../../chaos/run.ts";
import type { RecordedCall } from "../../chaos/workloads/types.ts";

function viewOf(elapsedMs: number): RunView {
  const calls = Array.from({ length: Math.floor(elapsedMs / 10) }, (_, i): RecordedCall => ({
    process: 0,
    client: 0,
    node: "n1",
    kind: "read",
    input: null,
    call: 2 * i,
    atMs: 10 * i,
    doneMs: 10 * i + 1,
    outcome: { type: "ok", output: null },
    attempts: 1,
  }));
  return {
    name: "pontoon-register-kill-1",
    options: {
      system: "pontoon",
      workload: "register",
      nemeses: ["kill"],
      nodes: 3,
      concurrency: 1,
      keys: 1,
      rate: 100,
      clients: "mixed",
      net: "proxy",
      expect: [],
      timeLimitMs: 10_000,
      seed: 1,
    },
    phase: "running",
    elapsedMs,
    counts: { ok: 1234, fail: 5, info: 6 },
    calls,
    faults: [{ kind: "kill", targets: ["n2"], atMs: 1, untilMs: Infinity, bit: true, detail: "" }],
    leader: "n3",
    term: 4,
    elections: 2,
  };
}

Deno.test("a line without a terminal says operations, failures, faults and leader", () => {
  assertEquals(
    plainLine(viewOf(5000)),
    "5.0s running; 1,234 ok, 5 refused, 6 unknown; 100/s; leader n3 (term 4); broken: kill n2",
  );
});

Deno.test("recentRate() looks at the last two seconds only", () => {
  assertEquals(recentRate(viewOf(0)), 0);
  assertEquals(Math.round(recentRate(viewOf(1000))), 100);
  assertEquals(Math.round(recentRate({ ...viewOf(5000), elapsedMs: 6000 })), 50);
});

Deno.test("a terminal's lines are taken back before the next ones, and none is too wide", () => {
  let text = "";
  const view = new LiveView({ isTerminal: true, columns: 40, write: (more) => text += more });
  view.show(viewOf(3000), "[2/5, 40 s left] ");
  const lines = text.split("\n").slice(0, -1);
  assertEquals(lines.length, terminalLines(viewOf(3000), "").length);
  // deno-lint-ignore no-control-regex
  for (const line of lines) assert(line.replace(/\x1b\[[0-9;]*m/g, "").length <= 40, line);
  text = "";
  view.end("held");
  assertEquals(text, `\x1b[${lines.length}A\x1b[Jheld\n`);
});

Deno.test("a run without a terminal is named once, and its end stands on a line", () => {
  let text = "";
  const view = new LiveView({
    isTerminal: false,
    columns: Infinity,
    write: (more) => text += more,
  });
  view.show(viewOf(3000), "[2/5, 40 s left] ");
  view.end("held");
  assertEquals(text, "[2/5, 40 s left] pontoon-register-kill-1\nheld\n");
  assertStringIncludes(terminalLines(viewOf(3000), "").join("\n"), "broken: kill n2");
});
