// The bench's command line: what it asks for, what it refuses.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Command, parseCommand, UsageError } from "../../chaos/command.ts";
import { commandOf } from "../../chaos/options.ts";
import { MAIN_NEMESES } from "../../chaos/nemeses/mod.ts";
import { WORKLOADS } from "../../chaos/workloads/mod.ts";

function runsOf(line: string): Command & { kind: "runs" } {
  const command = parseCommand(line.split(" ").filter((word) => word !== ""), () => 77);
  assert(command.kind === "runs");
  return command;
}

Deno.test("parseCommand() plans one run by default", () => {
  const { runs, seed } = runsOf("");
  assertEquals(seed, 77);
  assertEquals(runs.length, 1);
  const { system, workload, nemeses, nodes, timeLimitMs } = runs[0]!;
  assertEquals([system, workload, nodes, timeLimitMs], ["pontoon", "register", 3, 10_000]);
  assertEquals(nemeses, ["kill"]);
});

Deno.test("parseCommand() makes a run of each pair, a plus keeps nemeses together", () => {
  const { runs } = runsOf("--workload register,bank --nemesis none,kill+pause --runs 2 --seed 5");
  assertEquals(
    runs.map(({ workload, nemeses, seed }) => `${workload} ${nemeses.join("+")} ${seed}`),
    [
      ...["register  5", "register  6", "register kill+pause 7", "register kill+pause 8"],
      ...["bank  9", "bank  10", "bank kill+pause 11", "bank kill+pause 12"],
    ],
  );
});

Deno.test("parseCommand() takes each workload and each nemesis by one word", () => {
  const { runs } = runsOf("--workload each --nemesis each");
  const proxied = MAIN_NEMESES.filter(({ needs }) => !needs.includes("packet-loss"));
  assertEquals(runs.length, WORKLOADS.length * proxied.length);
});

Deno.test("parseCommand() reads times with their units", () => {
  for (const [text, ms] of [["60s", 60_000], ["500ms", 500], ["2m", 120_000], ["7", 7000]]) {
    assertEquals(runsOf(`--time-limit ${text}`).runs[0]!.timeLimitMs, ms);
  }
});

Deno.test("parseCommand() refuses what it does not know, and says which flag", () => {
  for (
    const [line, words] of [
      ["--system mysql", "--system takes pontoon"],
      ["--workload none", "--workload takes register"],
      ["--nemesis kil", "--nemesis takes all"],
      ["--nodes 0", "--nodes takes a whole number"],
      ["--rate 1e3", "--rate takes a whole number"],
      ["--time-limit soon", "--time-limit takes a time"],
      ["--time-limit 0s", "--time-limit takes a time"],
      ["--clients wild", "--clients takes mixed"],
      ["--net air", "--net takes proxy"],
      ["--mutant none-such", "--mutant takes a name"],
      ["--system etcd --mutant ack-before-fsync", "--mutant is for pontoon"],
      ["--frobnicate", "--frobnicate"],
      ["extra", "extra"],
    ] as const
  ) {
    const error = assertThrows(() => runsOf(line), UsageError);
    assert(error.message.includes(words), `${line}: ${error.message}`);
  }
});

Deno.test("commandOf() gives the command that plans the same run", () => {
  const { runs } = runsOf(
    "--mutant ack-before-fsync --workload txn --nemesis kill+slow --nodes 5 --seed 9 --time-limit 1.5s",
  );
  const again = commandOf(runs[0]!).replace("deno task chaos ", "");
  assertEquals(runsOf(again).runs, runs);
});
