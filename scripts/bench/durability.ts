// Rounds of SIGKILL of all nodes at once under load, then restart: every acknowledged write must be there,
// and no refused one (4xx, 503). `deno task bench:durability [rounds]`; exit code 1 on a violation.

import { TestCluster } from "./support/cluster.ts";
import { numbersOf } from "./support/numbers.ts";
import { printTable, writeJson } from "./support/report.ts";

const [[ROUNDS]] = numbersOf("deno task bench:durability [ROUNDS]", "20");
const WRITERS = 16;
const LOAD_MS = 1500;

/** What a writer saw of each value it wrote, by key. Every key has one writer, which waits its turn. */
interface KeyHistory {
  /** Values in the order they were sent, with what came back. */
  readonly writes: {
    readonly value: string;
    readonly fate: "acknowledged" | "refused" | "unknown";
  }[];
}

const histories = new Map<string, KeyHistory>();

async function writer(cluster: TestCluster, id: number, round: number, signal: AbortSignal) {
  for (let i = 0; !signal.aborted; i++) {
    const key = `w${id}-${i % 20}`;
    const value = `${round}.${i}`;
    const history = histories.get(key) ?? { writes: [] };
    histories.set(key, history);
    const node = cluster.nodes[(id + i) % cluster.nodes.length];
    let fate: "acknowledged" | "refused" | "unknown" = "unknown";
    try {
      const response = await fetch(`http://${node.http}/key/${key}`, {
        method: "PUT",
        body: value,
        signal: AbortSignal.timeout(6000),
      });
      await response.body?.cancel();
      if (response.ok) fate = "acknowledged";
      else if (response.status < 500 || response.status === 503) fate = "refused";
    } catch {
      // The node was killed: nobody knows.
    }
    history.writes.push({ value, fate });
  }
}

/** Why what is stored contradicts what was answered, or undefined. */
function contradiction(
  writes: KeyHistory["writes"],
  stored: string | undefined,
): string | undefined {
  const last = writes.findLastIndex(({ fate }) => fate === "acknowledged");
  const allowed = writes.slice(Math.max(0, last)).filter(({ fate }) => fate !== "refused")
    .map(({ value }) => value as string | undefined);
  if (last < 0) allowed.push(undefined);
  if (allowed.includes(stored)) return undefined;
  return `found ${stored}, expected one of ${allowed.join(", ")}`;
}

await using cluster = TestCluster.start({ nodes: 3, flags: ["--log-level", "warn"] });
await cluster.ready();
let acknowledged = 0;
let violations = 0;
const startMs: number[] = [];
for (let round = 1; round <= ROUNDS; round++) {
  const abort = new AbortController();
  const writers = Array.from(
    { length: WRITERS },
    (_, id) => writer(cluster, id, round, abort.signal),
  );
  await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
  await Promise.all(cluster.nodes.map((node) => cluster.kill(node)));
  abort.abort();
  await Promise.all(writers);
  const restartMs = performance.now();
  for (const node of cluster.nodes) cluster.spawn(node);
  await cluster.ready();
  startMs.push(performance.now() - restartMs);
  acknowledged = 0;
  for (const [key, { writes }] of histories) {
    acknowledged += writes.filter(({ fate }) => fate === "acknowledged").length;
    const node = cluster.nodes[key.length % cluster.nodes.length];
    const response = await fetch(`http://${node.http}/key/${key}?raw`);
    const stored = response.status === 404 ? undefined : await response.text();
    if (response.status === 404) await response.body?.cancel();
    const wrong = contradiction(writes, stored);
    if (wrong === undefined) continue;
    violations++;
    console.log(`round ${round}, ${key}: ${wrong}`);
  }
  console.log(`round ${round}: ${acknowledged} acknowledged so far, ${violations} violations`);
}
const rows = [{
  rounds: ROUNDS,
  "acknowledged writes": acknowledged,
  violations,
  "restart to ready ms, max": Math.round(Math.max(...startMs)),
}];
printTable(rows);
writeJson("durability", rows);
if (violations > 0) Deno.exitCode = 1;
