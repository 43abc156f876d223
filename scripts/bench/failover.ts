// Time from the loss of the leader to the next acknowledged write through another node, under load: by
// SIGKILL (a connection reset tells), by SIGSTOP and by links that swallow everything (nothing tells).
// `deno task bench:failover [rounds]`.

import { freePorts, TestCluster, type TestNode } from "./support/cluster.ts";
import { numbersOf } from "./support/numbers.ts";
import { median, printTable, writeJson } from "./support/report.ts";

const [[ROUNDS]] = numbersOf("deno task bench:failover [ROUNDS]", "20");
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
    const leader = await cluster.leaderOf("probe");
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

/** Relays of every directed link, in a process of their own that is told whose links to swallow. */
class Relays {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(links: readonly { from: string; to: string; port: number; target: string }[]) {
    const script = decodeURIComponent(new URL("./support/relays.ts", import.meta.url).pathname);
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-net", script, JSON.stringify(links)],
      stdin: "piped",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
  }

  /** Swallows everything to and from `node`, connections staying open; undefined heals. */
  async swallow(node: string | undefined): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(`${node ?? ""}\n`));
  }

  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

async function measureBlackhole(): Promise<number[]> {
  const names = ["n1", "n2", "n3"];
  const pairs = names.flatMap((from) =>
    names.filter((to) => to !== from).map((to) => ({ from, to }))
  );
  const ports = freePorts(pairs.length);
  const portOf = (from: string, to: string) =>
    ports[pairs.findIndex((pair) => pair.from === from && pair.to === to)];
  await using cluster = TestCluster.start({
    nodes: 3,
    flags: ["--log-level", "info"],
    nodeFlags: (name) => [
      "--dial-override",
      names.filter((to) => to !== name).map((to) => `${to}=127.0.0.1:${portOf(name, to)}`).join(
        ",",
      ),
    ],
  });
  const relays = new Relays(pairs.map(({ from, to }) => ({
    from,
    to,
    port: portOf(from, to),
    target: cluster.nodes.find(({ name }) => name === to)!.peer,
  })));
  const times: number[] = [];
  try {
    await cluster.ready();
    for (let round = 0; round < ROUNDS; round++) {
      const leader = await cluster.leaderOf("probe");
      const others = cluster.nodes.filter((node) => node !== leader);
      const abort = new AbortController();
      const loads = Array.from(
        { length: LOAD_CONNECTIONS },
        () => load(() => others, abort.signal),
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
      await relays.swallow(leader.name);
      times.push(await nextWriteMs(others, round));
      abort.abort();
      await Promise.all(loads);
      await relays.swallow(undefined);
      await cluster.ready();
    }
  } finally {
    await relays.close();
  }
  return times;
}

const rows = [];
const faults = [
  ["SIGKILL", 600, () => measure("SIGKILL")],
  ["SIGSTOP", 1200, () => measure("SIGSTOP")],
  ["silent blackhole", 1200, measureBlackhole],
] as const;
for (const [fault, barMs, run] of faults) {
  const times = await run();
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
