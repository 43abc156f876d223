// Whatever ends a bench, at whichever process it is aimed and while a node is stopped by SIGSTOP at that, nothing is left;
// and a signal that can be caught still leaves a report.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BenchTool, processesWith, until } from "./bench_tool.ts";

const GONE_TIMEOUT_MS = 20_000;
const ARGS = ["--nemesis", "pause", "--time-limit", "60s", "--seed", "5"];

for (
  const [target, signal] of [
    ["task", "SIGINT"],
    ["runner", "SIGTERM"],
    ["task", "SIGKILL"],
    ["runner", "SIGKILL"],
  ] as const
) {
  Deno.test({
    name: `the bench leaves nothing when its ${target} gets ${signal} while nodes are paused`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      const tool = new BenchTool(ARGS);
      try {
        await tool.prints("broken: pause");
        Deno.kill(target === "task" ? tool.child.pid : tool.runner(), signal);
        await until(
          "nothing is left",
          GONE_TIMEOUT_MS,
          () => processesWith(tool.dir).length === 0,
        );
        if (signal === "SIGKILL") return;
        const { output } = await tool.ended();
        assertStringIncludes(output, "it was interrupted");
        const run = `${tool.dir}/pontoon-register-pause-5`;
        const results = JSON.parse(Deno.readTextFileSync(`${run}/results.json`));
        assertEquals([results.valid, results.interrupted], ["unknown", true]);
        assert(Deno.statSync(`${run}/index.html`).size > 10_000);
      } finally {
        await tool.dispose();
      }
    },
  });
}
