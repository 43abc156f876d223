// Real network namespaces: packets vanish where they are to, and nothing of it stays on the machine, not even after a
// bench that was killed.

import { assert, assertEquals } from "@std/assert";
import { NEMESES } from "../../chaos/nemeses/mod.ts";
import { netnsObstacle, removeLeftovers, run } from "../../chaos/links/netns.ts";
import { seededRandom } from "../../chaos/random.ts";
import { createSystem } from "../../chaos/systems/mod.ts";
import type { System } from "../../chaos/types.ts";
import { until } from "../../chaos/wait.ts";
import { lacks } from "../support/needs.ts";

const LACKS = lacks("nft") || isNoRoot();
const READY_TIMEOUT_MS = 30_000;
const BITE_TIMEOUT_MS = 10_000;

function isNoRoot(): boolean {
  const obstacle = netnsObstacle();
  if (obstacle !== undefined) console.log(`skipped: ${obstacle}`);
  return obstacle !== undefined;
}

/** Names of namespaces, links and tables that a bench may have made. */
async function named(): Promise<string[]> {
  const said = await Promise.all([
    run("ip", ["netns", "list"]),
    run("ip", ["-brief", "link", "show"]),
    run("nft", ["list", "tables"]),
  ]);
  return said.join("\n").match(/\bpnt[0-9a-z]+_\w+/g) ?? [];
}

function namesOfProcess(pid: number, names: readonly string[]): string[] {
  return names.filter((name) => name.startsWith(`pnt${pid.toString(36)}_`));
}

async function strike(system: System, name: string): Promise<void> {
  const nemesis = NEMESES.find((one) => one.name === name)!;
  const made = await nemesis.strike({ system, random: seededRandom(1), stopped: () => false });
  assert(made !== undefined);
  try {
    await until(`${name} bites`, BITE_TIMEOUT_MS, async () => (await made.verify()).bit);
  } finally {
    await made.heal();
  }
}

Deno.test({
  name: "namespaces lose packets by rules, and are removed at the end",
  ignore: LACKS,
  async fn() {
    const dir = Deno.makeTempDirSync({ prefix: "pontoon-chaos-" });
    const system = await createSystem({ name: "pontoon", nodes: 3, dir, net: "netns", seed: 1 });
    try {
      assert(namesOfProcess(Deno.pid, await named()).length > 0);
      await system.start();
      for (const name of ["partition-leader", "partition-one-way", "loss"]) {
        await strike(system, name);
        await system.ready(READY_TIMEOUT_MS);
      }
      // A client cut off from a node gets nowhere.
      const [node] = system.nodes;
      await system.links!.set([{ from: "client", to: node!.name }], { kind: "blackhole" });
      const cut = await fetch(`http://${node!.http}/key/k`, { signal: AbortSignal.timeout(500) })
        .then((response) => response.body?.cancel(), (cause) => cause.name);
      assertEquals(cut, "TimeoutError");
      await system.links!.heal();
      await system.ready(READY_TIMEOUT_MS);
    } finally {
      await system.stop();
      Deno.removeSync(dir, { recursive: true });
    }
    assertEquals(namesOfProcess(Deno.pid, await named()), []);
  },
});

Deno.test({
  name: "what a bench that was killed has left of its network goes with the next one",
  ignore: LACKS,
  async fn() {
    const module = new URL("../../chaos/links/netns.ts", import.meta.url);
    const script = `
      import { createNetwork } from ${JSON.stringify(module.href)};
      await createNetwork(["n1"]);
      console.log("made");
      await new Promise(() => setInterval(() => {}, 1000));
    `;
    const bench = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", script],
      stdout: "piped",
    }).spawn();
    const reader = bench.stdout.getReader();
    await reader.read();
    assert(namesOfProcess(bench.pid, await named()).length >= 2);
    await removeLeftovers();
    assert(namesOfProcess(bench.pid, await named()).length >= 2, "it is alive");
    bench.kill("SIGKILL");
    await bench.status;
    await reader.cancel();
    await removeLeftovers();
    assertEquals(namesOfProcess(bench.pid, await named()), []);
  },
});
