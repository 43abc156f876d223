// `deno task cluster` with real nodes: what it prints, and what it refuses in one line.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ClusterTool, freePortRange, processesWith, ROOT, until } from "./cluster_tool.ts";

const RUN_TIMEOUT_MS = 60_000;
const linux = Deno.build.os === "linux";

/** What it says beside the line by which deno task names the command. */
function linesOf(output: string): string[] {
  return output.split("\n").filter((line) => line !== "" && !line.startsWith("Task cluster "));
}

async function refusal(args: string[], dir?: string): Promise<string> {
  const tool = new ClusterTool("task", args, dir);
  const { code, output } = await tool.ended();
  assertEquals(code, 1, output);
  const lines = linesOf(output);
  assertEquals(lines.length, 1, output);
  return lines[0];
}

async function put(port: number, key: string, value: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/key/${key}`, {
    method: "PUT",
    body: value,
  });
  await response.body?.cancel();
  return response.status;
}

Deno.test({
  name: "cluster serves when a node dies, says so, and keeps what was written",
  ignore: !linux,
  fn: async () => {
    const port = freePortRange(3);
    const args = ["--port", `${port}`];
    const dir = ClusterTool.tempDir();
    const tool = new ClusterTool("task", args, dir);
    let again: ClusterTool | undefined;
    try {
      await tool.prints("cluster ready");
      await tool.prints("status: n1 ready, n2 ready, n3 ready");
      for (const n of [0, 1, 2]) {
        assertStringIncludes(tool.output, `http://127.0.0.1:${port + n}  `);
      }
      assertEquals(tool.output.match(/^ {2}curl /gm)?.length, 3);
      assertStringIncludes(tool.output, `${tool.dataDir}/n2/node.log`);
      assertEquals(await put(port, "hello", "world"), 201);

      const [victim] = processesWith(`--data ${tool.dataDir}/n2 `);
      Deno.kill(victim.pid, "SIGKILL");
      await tool.prints("n2 died: killed by SIGKILL");
      await tool.prints("n2 ended");
      await until("a write succeeds", RUN_TIMEOUT_MS, async () => await put(port, "a", "1") < 300);

      Deno.kill(tool.runner().pid, "SIGINT");
      assertEquals((await tool.ended()).code, 0);
      again = new ClusterTool("task", args, dir);
      await again.prints("cluster ready");
      const answer = await fetch(`http://127.0.0.1:${port + 1}/key/hello?raw`);
      assertEquals(await answer.text(), "world");
    } finally {
      await (again ?? tool).dispose();
    }
  },
});

Deno.test({
  name: "cluster refuses a taken port and a locked directory in one line each",
  ignore: !linux,
  fn: async () => {
    const port = freePortRange(1);
    const tool = new ClusterTool("task", ["--nodes", "1", "--port", `${port}`]);
    try {
      await tool.prints("cluster ready");
      const other = ClusterTool.tempDir();
      assertMatch(
        await refusal(["--nodes", "1", "--port", `${port}`], other),
        new RegExp(`^pontoon: port ${port} .* is taken`),
      );
      Deno.removeSync(other, { recursive: true });
      const elsewhere = ["--nodes", "1", "--port", `${freePortRange(1)}`];
      assertMatch(await refusal(elsewhere, tool.dir), /^pontoon: data directory \S+ is locked/);
      assertMatch(
        await refusal([...elsewhere, "--fresh"], tool.dir),
        /^pontoon: data directory \S+ is locked/,
      );
      assertEquals(await put(port, "still", "here"), 201);
    } finally {
      await tool.dispose();
    }
  },
});

/** Runs `deno task cluster:add` or `cluster:remove`; the exit code and what it printed. */
async function member(dir: string, ...args: string[]): Promise<{ code: number; output: string }> {
  const [verb, ...rest] = args;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", `cluster:${verb}`, ...rest, "--data", `${dir}/data`],
    cwd: ROOT,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test({
  name: "cluster:add and cluster:remove change a running cluster, show the moves, and last",
  ignore: !linux,
  fn: async () => {
    const port = freePortRange(4);
    const dir = ClusterTool.tempDir();
    const args = ["--port", `${port}`];
    let tool = new ClusterTool("task", [...args, "--partitions", "4"], dir);
    try {
      assertMatch((await member(dir, "remove", "n1")).output, /^pontoon: no cluster runs in /);
      await tool.prints("cluster ready");
      for (let i = 0; i < 20; i++) assertEquals(await put(port, `k${i}`, `v${i}`), 201);
      const added = await member(dir, "add");
      assertEquals(added.code, 0, added.output);
      assertMatch(added.output, /^n4 starts: /);
      assertMatch(added.output, /^partition \d: n\d -> n4, /m);
      assertMatch(added.output, /^n4 holds 3 of 12 replicas, 3 moves$/m);
      const removed = await member(dir, "remove", "n2");
      assertEquals(removed.code, 0, removed.output);
      assertMatch(removed.output, /^n2 is gone, \d+ moves; /m);
      assertEquals(processesWith(`--data ${tool.dataDir}/n2 `).length, 0);
      const unknown = await member(dir, "remove", "n2");
      assertEquals([unknown.code, unknown.output], [
        1,
        "pontoon: there is no node n2; there are n1, n3, n4\n",
      ]);
      Deno.kill(tool.runner().pid, "SIGINT");
      assertEquals((await tool.ended()).code, 0);
      tool = new ClusterTool("task", args, dir);
      await tool.prints("status: n1 ready, n3 ready, n4 ready");
      for (let i = 0; i < 20; i++) {
        const answer = await fetch(`http://127.0.0.1:${port + 3}/key/k${i}?raw`);
        assertEquals(await answer.text(), `v${i}`);
      }
    } finally {
      await tool.dispose();
    }
  },
});

Deno.test({
  name: "cluster --fresh begins empty",
  ignore: !linux,
  fn: async () => {
    const port = freePortRange(1);
    const args = ["--nodes", "1", "--port", `${port}`];
    const dir = ClusterTool.tempDir();
    let tool = new ClusterTool("task", args, dir);
    try {
      await tool.prints("cluster ready");
      assertEquals(await put(port, "old", "1"), 201);
      Deno.kill(tool.runner().pid, "SIGTERM");
      await tool.ended();
      tool = new ClusterTool("task", [...args, "--fresh"], dir);
      await tool.prints("cluster ready");
      const answer = await fetch(`http://127.0.0.1:${port}/key/old`);
      await answer.body?.cancel();
      assertEquals(answer.status, 404);
    } finally {
      await tool.dispose();
    }
  },
});

Deno.test("cluster names a mistake in its flags in one line", async () => {
  const dir = ClusterTool.tempDir();
  assertMatch(await refusal(["--nodes", "0"], dir), /^pontoon: --nodes takes .* got 0$/);
  assertMatch(await refusal(["--bogus"], dir), /^pontoon: .*--bogus.*--help/);
  assert([...Deno.readDirSync(dir)].length === 0);
  Deno.removeSync(dir, { recursive: true });
});
