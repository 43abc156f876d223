// The README's tour does what it says: its program and its command lines run as they stand there.

import { assertEquals, assertMatch } from "@std/assert";
import { TestCluster } from "../../scripts/bench/support/cluster.ts";
import { run } from "./terminal.ts";

const ROOT = new URL("../../", import.meta.url);
const README = Deno.readTextFileSync(new URL("README.md", ROOT));
/** Where the tour has its cluster. */
const TOUR_URL = "http://127.0.0.1:7001";
const ONE_NODE = { nodes: 1, flags: ["--partitions", "4"] };

Deno.test("the tour's program runs", async () => {
  await using cluster = TestCluster.start(ONE_NODE);
  const program = /```ts\n([^]*?)```/.exec(README)![1];
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-tour-" });
  try {
    const source = program.replace("./src/", new URL("src/", ROOT).href)
      .replace(TOUR_URL, `http://${cluster.nodes[0].http}`);
    Deno.writeTextFileSync(`${dir}/tour.ts`, source);
    await cluster.ready();
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--check", "--no-prompt", "--allow-net", `${dir}/tour.ts`],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    assertEquals(new TextDecoder().decode(stderr), "");
    assertEquals(
      new TextDecoder().decode(stdout),
      "visit counted\nuser/7 Ada\nnew: user/8\n",
    );
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("the tour's command lines run", async () => {
  await using cluster = TestCluster.start(ONE_NODE);
  await cluster.ready();
  const lines = [...README.matchAll(/^\$ deno task kv (.*)$/gm)].map(([, line]) => line);
  assertMatch(lines[0], /^put /);
  const before = Deno.cwd();
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-tour-" });
  Deno.chdir(dir);
  try {
    for (const line of lines) {
      const [command, stdin] = line.split(/ <<< '(.*)'$/);
      const args = command.split(" ");
      // It would go on for ever.
      if (args[0] === "top") args.push("--count", "1", "--interval", "200ms");
      if (args[0] === "bench") args[args.indexOf("3s")] = "200ms";
      const env = { PONTOON_ENDPOINTS: cluster.nodes[0].http };
      const { code, err } = await run(args, { env, stdin });
      assertEquals(code, 0, `${line}: ${err}`);
    }
  } finally {
    Deno.chdir(before);
    Deno.removeSync(dir, { recursive: true });
  }
});
