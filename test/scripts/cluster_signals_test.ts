// Whatever ends a running cluster, and at whichever process it is aimed, nothing is left.

import { assertEquals } from "@std/assert";
import { ClusterTool, freePortRange, processesWith, until } from "./cluster_tool.ts";

const GONE_TIMEOUT_MS = 20_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const;
const TARGETS = ["npx", "task", "runner"] as const;

function targetPid(tool: ClusterTool, target: typeof TARGETS[number]): number {
  if (target === "npx") return tool.child.pid;
  const runner = tool.runner();
  return target === "runner" ? runner.pid : runner.parentPid;
}

for (const target of TARGETS) {
  for (const signal of SIGNALS) {
    Deno.test({
      name: `cluster leaves nothing when ${target} gets ${signal}`,
      ignore: Deno.build.os !== "linux",
      fn: async () => {
        // One node is enough to be left behind, and starts fastest; the first pair has three.
        const nodes = target === "npx" && signal === "SIGINT" ? 3 : 1;
        const port = freePortRange(nodes);
        const tool = new ClusterTool("npx", ["--nodes", `${nodes}`, "--port", `${port}`]);
        try {
          await tool.prints("Ctrl-C stops");
          await tool.prints("status: n1 ready");
          Deno.kill(targetPid(tool, target), signal);
          await until(
            "nothing is left",
            GONE_TIMEOUT_MS,
            () => processesWith(tool.dir).length === 0,
          );
          if (signal !== "SIGKILL") {
            const { output } = await tool.ended();
            assertEquals(output.match(/^(stopping|stopped|killing)/gm), ["stopping", "stopped"]);
          }
        } finally {
          await tool.dispose();
        }
      },
    });
  }
}

Deno.test({
  name: "cluster leaves nothing when a terminal's Ctrl-C reaches the whole group",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const port = freePortRange(1);
    const tool = new ClusterTool("npx", ["--nodes", "1", "--port", `${port}`]);
    try {
      await tool.prints("Ctrl-C stops");
      // A negative id names the group: npx leads one of its own here, as under a shell.
      new Deno.Command("kill", { args: ["-INT", "--", `-${tool.child.pid}`] }).outputSync();
      await until("nothing is left", GONE_TIMEOUT_MS, () => processesWith(tool.dir).length === 0);
      const { output } = await tool.ended();
      // The interrupt comes directly and through the task; were it two, the nodes would be killed.
      assertEquals(output.match(/^(stopping|stopped|killing)/gm), ["stopping", "stopped"]);
    } finally {
      await tool.dispose();
    }
  },
});
