// Time from the loss of the leader to the next acknowledged write through another node, under load: by
// SIGKILL (a connection reset tells), by SIGSTOP (nothing tells). `deno task bench:failover`.

import { TestCluster, type TestNode } from "./support/cluster.ts";
import { median, printTable, writeJson } from "./support/report.ts";

const ROUNDS = Number(Deno.args[0] ?? 20);
const LOAD_CONNECTIONS = 8;

/** Writes without pause through `targets`, until aborted. */
async function load(targets: () => TestNode[], signal: AbortSignal): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    const nodes = targets();
    const node = nodes[i % nodes.length];
    try {
      const response = await fetch(`http://${node.http}/key/load-${i % 100}`, {
        method: "PUT",
        body: `value ${i}`,
        signal: AbortSignal.timeout(2000),
      });
      await response.body?.cancel();
    } catch {
      // The node is being killed; the next one is asked.
    }
  }
}

/** Milliseconds until a write through one of `nodes` is acknowledged. */
async function nextWriteMs(nodes: readonly TestNode[], round: number): Promise<number> {
  const startMs = performance.now();
  const attempts = nodes.map(async (node) => {
    for (;;) {
      try {
        const response = await fetch(`http://${node.http}/key/probe`, {
          method: "PUT",
          body: `round ${round}`,
          headers: { "pontoon-timeout-ms": "10000" },
          signal: AbortSignal.timeout(12_000),
        });
        await response.body?.cancel();
        if (response.ok) return performance.now() - startMs;
      } catch {
        // Asked again.
      }
      if (performance.now() - startMs > 30_000) throw new Error("no write within 30 s");
    }
  });
  return await Promise.race(attempts);
}

async function measure(fault: "SIGKILL" | "SIGSTOP"): Promise<number[]> {
  await using cluster = TestCluster.start({ nodes: 3, flags: ["--log-level", "info"] });
  await cluster.ready();
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const leader = await cluster.leader();
    const others = cluster.nodes.filter((node) => node !== leader);
    const abort = new AbortController();
    const loads = Array.from({ length: LOAD_CONNECTIONS }, () => load(() => others, abort.signal));
    await new Promise((resolve) => setTimeout(resolve, 500));
    if (fault === "SIGKILL") leader.process!.kill("SIGKILL");
    else leader.process!.kill("SIGSTOP");
    times.push(await nextWriteMs(others, round));
    abort.abort();
    await Promise.all(loads);
    if (fault === "SIGKILL") {
      await cluster.kill(leader);
      cluster.spawn(leader);
    } else leader.process!.kill("SIGCONT");
    await cluster.ready();
  }
  return times;
}

const rows = [];
for (const [fault, barMs] of [["SIGKILL", 600], ["SIGSTOP", 1200]] as const) {
  const times = await measure(fault);
  rows.push({
    fault,
    rounds: times.length,
    "median ms": Math.round(median(times)),
    "max ms": Math.round(Math.max(...times)),
    "bar ms": barMs,
  });
}
printTable(rows);
writeJson("failover", rows);
