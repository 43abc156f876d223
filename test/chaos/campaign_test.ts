// A short campaign for real: Pontoon holds while its nodes are killed, each system that is wrong on purpose is caught,
// and every run leaves a whole report and no process.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { WRONG_SYSTEMS } from "../../chaos/systems/mod.ts";
import type { RunResults } from "../../chaos/report/write.ts";
import { check, kv, parseHistory } from "../../checker/mod.ts";
import { BenchTool, processesWith } from "./bench_tool.ts";
import { testSeed } from "../support/seed.ts";

const SEED = 1 + testSeed() % 1e6;

function resultsIn(dir: string): RunResults {
  return JSON.parse(Deno.readTextFileSync(`${dir}/results.json`));
}

async function bench(
  args: readonly string[],
  check: (dir: string, end: { code: number; output: string }) => void,
): Promise<void> {
  console.log(`seed ${SEED}`);
  const tool = new BenchTool([...args, "--seed", `${SEED}`]);
  try {
    const end = await tool.ended();
    assertEquals(processesWith(tool.dir), [], "something is left running");
    check(tool.dir, end);
  } finally {
    await tool.dispose();
  }
}

Deno.test("a campaign: pontoon holds while nodes are killed, and the canary is caught", async () => {
  await bench(["--nemesis", "kill,none", "--time-limit", "8s"], (dir, { code, output }) => {
    assertEquals(code, 0, output);
    const campaign = `${dir}/campaign-${SEED}`;
    assertStringIncludes(output, "caught: wrong-");
    assertStringIncludes(output, "3 of 3 runs came out as they should");
    assertStringIncludes(Deno.readTextFileSync(`${campaign}/index.html`), "held in all of 2 runs");
    const run = `${campaign}/pontoon-register-kill-${SEED}`;
    const results = resultsIn(run);
    assertEquals([results.valid, results.interrupted], [true, false]);
    assert(results.faults.some(({ kind, bit }) => kind === "kill" && bit));
    for (
      const file of ["index.html", "history.edn", "nodes/n1.log", "nodes/n2.log", "nodes/n3.log"]
    ) {
      assert(Deno.statSync(`${run}/${file}`).size > 0, `${file} is empty`);
    }
    // Whoever reads the history judges as the bench did.
    const history = parseHistory(Deno.readTextFileSync(`${run}/history.ndjson`));
    assertEquals(check(history.operations, kv()).verdict, "linearizable");
  });
});

for (const system of WRONG_SYSTEMS) {
  Deno.test(`${system} is caught`, async () => {
    const nemesis = system === "wrong-unsynced" ? "kill-all" : "none";
    const args = ["--system", system, "--nemesis", nemesis, "--time-limit", "4s"];
    await bench(args, (dir, { code, output }) => {
      assertEquals(code, 1, output);
      const { valid, reason, checker } = resultsIn(`${dir}/${system}-register-${nemesis}-${SEED}`);
      assertEquals(valid, false);
      assertStringIncludes(reason, "can't be placed");
      assertEquals(checker?.verdict, "illegal");
    });
  });
}

Deno.test("usage errors exit with 64 and start nothing", async () => {
  const tool = new BenchTool(["--nemesis", "earthquake"]);
  try {
    const { code, output } = await tool.ended();
    assertEquals(code, 64);
    assertStringIncludes(output, "--nemesis takes");
    assertEquals([...Deno.readDirSync(tool.dir)], []);
  } finally {
    await tool.dispose();
  }
});
