// A great many keys due at the same moment: how long until the last is reaped, and what other requests wait
// meanwhile. Reads show them gone at once, since expiry is logical; reaping follows in batches.
//
//   deno run -A scripts/bench/expiry.ts [--keys 300000] [--seconds 60: to load them in] [--nodes 3]

import { parseArgs } from "node:util";
import { TestCluster } from "./support/cluster.ts";

const BATCH = 1000;
const BASELINE_MS = 3000;
async function batch(http: string, operations: unknown[]): Promise<void> {
  const response = await fetch(`http://${http}/batch`, {
    method: "POST",
    headers: { "content-type": "application/json", "pontoon-timeout-ms": "30000" },
    body: JSON.stringify({ operations }),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`batch: ${response.status}`);
}

async function count(http: string): Promise<number> {
  const response = await fetch(`http://${http}/keys?countOnly&prefix=due`);
  return (await response.json()).count;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "300000" },
    seconds: { type: "string", default: "60" },
    nodes: { type: "string", default: "3" },
  },
});
const keys = Number(values.keys);
await using cluster = TestCluster.start({ nodes: Number(values.nodes) });
await cluster.ready();
const { http } = await cluster.leader();
const dueMs = performance.now() + Number(values.seconds) * 1000;
/** A key's time counts from its apply, so the last ones are due so much later. */
let slowestMs = 0;
for (let first = 0; first < keys; first += BATCH) {
  const startMs = performance.now();
  const ttl = (dueMs - performance.now()) / 1000;
  if (ttl <= 0.1) throw new Error(`only ${first} keys could be loaded in time`);
  await batch(
    http,
    Array.from(
      { length: Math.min(BATCH, keys - first) },
      (_, i) => ({ op: "put", key: `due${first + i}`, value: "v", ttl }),
    ),
  );
  slowestMs = Math.max(slowestMs, performance.now() - startMs);
}
console.log(`${keys} keys loaded, due in ${((dueMs - performance.now()) / 1000).toFixed(1)} s`);
await sleep(dueMs - performance.now() - BASELINE_MS);

/** Put and get of another key, one after the other, until told to stop; apart by when they began. */
const before: number[] = [];
const meanwhile: number[] = [];
let stopping = false;
const others = (async () => {
  while (!stopping) {
    const startMs = performance.now();
    const put = await fetch(`http://${http}/key/other`, { method: "PUT", body: "v" });
    await put.body?.cancel();
    const get = await fetch(`http://${http}/key/other`);
    await get.body?.cancel();
    (startMs < dueMs ? before : meanwhile).push(performance.now() - startMs);
  }
})();
await sleep(dueMs - performance.now() - BASELINE_MS / 2);
const counted = await count(http);
await sleep(dueMs - performance.now() + slowestMs + 200);
const visible = await count(http);
const goneMs = performance.now();
// A watch sees the expire events as they are reaped.
let reapedMs = performance.now();
for (;;) {
  const response = await fetch(`http://${http}/watch?prefix=due`);
  const reader = response.body!.getReader();
  const progress = new TextDecoder().decode((await reader.read()).value);
  const next = await Promise.race([reader.read(), sleep(300)]);
  await reader.cancel();
  if (next === undefined) break;
  reapedMs = performance.now();
  if (!progress.startsWith("event: progress")) throw new Error("a watch begins with progress");
}
stopping = true;
await others;
function words(latencies: number[]): string {
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(share * (latencies.length - 1))].toFixed(1);
  return `median ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)} ms`;
}
console.log(`counted ${counted} before they are due, ${visible} from 200 ms after the last is`);
console.log(`the last was reaped ${(reapedMs - goneMs).toFixed(0)} ms after that, or sooner`);
console.log(`put and get of another key before:    ${words(before)}`);
console.log(`put and get of another key meanwhile: ${words(meanwhile)}`);
