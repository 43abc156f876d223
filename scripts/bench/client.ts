// What the SDK costs and what it carries, on a real three-node cluster from this one process: overhead over a
// bare fetch loop, a long load, transactions, scans, watches. `deno task bench:client [PART…] [--seconds N]`.

import process from "node:process";
import { parseArgs } from "node:util";
import { connect, type Kv } from "../../src/client/mod.ts";
import { clusterView, residentBytes, TestCluster } from "./support/cluster.ts";
import { median, printTable, writeJson } from "./support/report.ts";

const HELP = `Usage: deno task bench:client [PART…] [options]

  overhead   puts and gets at 64 in flight: SDK against a bare fetch loop
  steady     puts at full rate: memory, refusals (10 minutes: --seconds 600)
  txn        atomic changes of 4 keys against puts
  scan       keys of 128 bytes a second
  watch      a watcher under a full-rate load, and its lag at 30% of that
All parts without one.

  --seconds N   of one measurement [4]
  --rounds N    of what is compared [5]
  --keys N      of the scan [200000]`;

const PARTS = ["overhead", "steady", "txn", "scan", "watch"];
const IN_FLIGHT = 64;
const KEYS = 1000;
const VALUE = "v".repeat(128);
const OPEN_LOOP_SHARE = 0.3;

const { values: flags, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    keys: { type: "string", default: "200000" },
    help: { type: "boolean", short: "h", default: false },
  },
});
const parts = positionals.length === 0 ? PARTS : positionals;
const [seconds, rounds, scanKeys] = [flags.seconds, flags.rounds, flags.keys].map(Number);
if (flags.help || !parts.every((part) => PARTS.includes(part)) || !(seconds > 0 && rounds > 0)) {
  console.log(HELP);
  Deno.exit(flags.help ? 0 : 64);
}

/** A measured stretch of a closed loop. */
interface Run {
  readonly perSecond: number;
  /** Of this process, user and system. */
  readonly cpuMicros: number;
  readonly count: number;
}

/** `operation` with IN_FLIGHT on the way, for a time. */
async function closedLoop(
  operation: (i: number) => Promise<unknown>,
  forSeconds = seconds,
): Promise<Run> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const endMs = startedMs + forSeconds * 1000;
  let next = 0;
  let count = 0;
  await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
    while (performance.now() < endMs) {
      await operation(next++);
      count++;
    }
  }));
  const { user, system } = process.cpuUsage(before);
  const elapsedMs = performance.now() - startedMs;
  return { perSecond: count / elapsedMs * 1000, cpuMicros: (user + system) / count, count };
}

const rows: Record<string, unknown>[] = [];

function row(part: string, what: string, figure: string, more = ""): void {
  rows.push({ part, what, figure, more });
  console.log(`${part.padEnd(9)} ${what.padEnd(34)} ${figure.padEnd(18)} ${more}`);
}

const perSecond = (rate: number) => `${Math.round(rate).toLocaleString("en")}/s`;

// -------------------------------------------------------------------------------------------- overhead

/** What the SDK sends and reads, without the SDK. */
function bareLoop(first: string) {
  let leader = first;
  const session = "ab".repeat(16);
  let sequence = 0;
  const send = async (
    method: string,
    key: string,
    headers: Record<string, string>,
    body?: string,
  ) => {
    const controller = new AbortController();
    const response = await fetch(`${leader}/key/${key}`, {
      method,
      headers: { "pontoon-timeout-ms": "2500", "pontoon-forward": "never", ...headers },
      body,
      signal: controller.signal,
    });
    const text = await response.text();
    if (response.status === 421) {
      // An election between two measurements; within one it shows as the spread of the rounds.
      leader = JSON.parse(text).leader ?? leader;
      return;
    }
    if (!response.ok) throw new Error(`the bare loop got ${response.status}: ${text}`);
  };
  return {
    put: (key: string) => {
      const place = `${session};seq=${++sequence};ack=${Math.max(0, sequence - IN_FLIGHT)}`;
      const headers = { "content-type": "text/plain; charset=utf-8", "pontoon-session": place };
      return send("PUT", key, headers, VALUE);
    },
    get: (key: string) => send("GET", key, {}),
  };
}

async function overhead(kv: Kv, cluster: TestCluster): Promise<void> {
  const leader = `http://${(await cluster.leader(1)).http}`;
  const bare = bareLoop(leader);
  const key = (i: number) => `k${i % KEYS}`;
  const operations = {
    put: { bare: (i: number) => bare.put(key(i)), sdk: (i: number) => kv.set(key(i), VALUE) },
    get: { bare: (i: number) => bare.get(key(i)), sdk: (i: number) => kv.get(key(i)) },
  };
  await kv.batch(
    Array.from({ length: KEYS }, (_, i) => ({ op: "put", key: key(i), value: VALUE })),
  );
  for (const [name, { bare, sdk }] of Object.entries(operations)) {
    await closedLoop(bare, 1);
    await closedLoop(sdk, 1);
    const runs: { bare: Run; sdk: Run }[] = [];
    for (let round = 0; round < rounds; round++) {
      // Whoever comes first has the cooler machine: they take turns.
      const first = await closedLoop(round % 2 === 0 ? bare : sdk);
      const second = await closedLoop(round % 2 === 0 ? sdk : bare);
      runs.push(
        round % 2 === 0 ? { bare: first, sdk: second } : { bare: second, sdk: first },
      );
    }
    const middle = (figure: (run: { bare: Run; sdk: Run }) => number) => median(runs.map(figure));
    const costs = middle(({ bare, sdk }) => bare.perSecond / sdk.perSecond) - 1;
    const cpu = middle(({ bare, sdk }) => sdk.cpuMicros / bare.cpuMicros) - 1;
    row(
      "overhead",
      `${name}, bare loop`,
      perSecond(middle(({ bare }) => bare.perSecond)),
      `${middle(({ bare }) => bare.cpuMicros).toFixed(0)} us of CPU each`,
    );
    row(
      "overhead",
      `${name}, SDK`,
      perSecond(middle(({ sdk }) => sdk.perSecond)),
      `${middle(({ sdk }) => sdk.cpuMicros).toFixed(0)} us of CPU each`,
    );
    row(
      "overhead",
      `${name}, SDK over bare`,
      `${(costs * 100).toFixed(1)}% time`,
      `${(cpu * 100).toFixed(1)}% CPU; bar 15%`,
    );
  }
}

// -------------------------------------------------------------------------------------------- steady

async function steady(cluster: TestCluster): Promise<void> {
  const refusals = new Map<number, number>();
  await using kv = await connect(cluster.nodes.map(({ http }) => http), {
    hooks: {
      onAttempt: ({ status }) => {
        if (status === 0 || status >= 400) refusals.set(status, (refusals.get(status) ?? 0) + 1);
      },
    },
  });
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  const samples: { client: number; nodes: number }[] = [];
  const sample = () =>
    samples.push({
      client: megabytes(Deno.memoryUsage().rss),
      nodes: megabytes(
        Math.max(...cluster.nodes.map(({ process }) => residentBytes(process!.pid))),
      ),
    });
  const stretches = Math.max(2, Math.ceil(seconds / 4));
  // The first stretch fills caches and pools.
  await closedLoop((i) => kv.set(`k${i % KEYS}`, VALUE), seconds / stretches);
  let count = 0;
  const startedMs = performance.now();
  for (let stretch = 0; stretch < stretches; stretch++) {
    sample();
    count += (await closedLoop((i) => kv.set(`k${i % KEYS}`, VALUE), seconds / stretches)).count;
  }
  sample();
  const elapsedMs = performance.now() - startedMs;
  const said = [...refusals].map(([status, times]) => `${times} x ${status}`).join(", ");
  row(
    "steady",
    `puts for ${Math.round(elapsedMs / 1000)} s`,
    perSecond(count / elapsedMs * 1000),
    `refused or lost: ${said || "none"}`,
  );
  const curve = (who: "client" | "nodes") => {
    const figures = samples.map((one) => one[who]);
    return `${figures[0]} -> ${figures.at(-1)} MB`;
  };
  row(
    "steady",
    "resident, client",
    curve("client"),
    `highest ${Math.max(...samples.map((s) => s.client))} MB`,
  );
  row(
    "steady",
    "resident, largest node",
    curve("nodes"),
    `highest ${Math.max(...samples.map((s) => s.nodes))} MB`,
  );
}

// -------------------------------------------------------------------------------------------- txn

async function txn(kv: Kv): Promise<void> {
  const put = (i: number) => kv.set(`k${i % KEYS}`, VALUE);
  const commit = (i: number) => {
    const tag = `{t${i % KEYS}}`;
    const operation = kv.atomic();
    for (let part = 0; part < 4; part++) operation.set(`${tag}${part}`, VALUE);
    return operation.commit();
  };
  await closedLoop(put, 1);
  await closedLoop(commit, 1);
  const ratios: number[] = [];
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const puts = await closedLoop(put);
    const commits = await closedLoop(commit);
    ratios.push(commits.perSecond / puts.perSecond);
    rates.push(commits.perSecond);
  }
  row(
    "txn",
    "transactions of 4 keys",
    perSecond(median(rates)),
    `${median(ratios).toFixed(2)} of the put rate; bar 0.70`,
  );
}

// -------------------------------------------------------------------------------------------- scan

/** Without idempotency keys: a node remembers 200,000 outcomes a partition, and the bench has used some. */
async function loadScanKeys(cluster: TestCluster): Promise<void> {
  const { http } = await cluster.leader(1);
  const chunk = 1000;
  for (let i = 0; i < scanKeys; i += chunk) {
    const operations = Array.from({ length: Math.min(chunk, scanKeys - i) }, (_, j) => ({
      op: "put",
      key: `scan/${String(i + j).padStart(8, "0")}`,
      value: VALUE,
    }));
    const response = await fetch(`http://${http}/batch`, {
      method: "POST",
      headers: { "content-type": "application/json", "pontoon-timeout-ms": "60000" },
      body: JSON.stringify({ operations }),
    });
    const { results } = await response.json();
    const refused = results.find(({ status }: { status: number }) => status > 201);
    if (refused !== undefined) throw new Error(`load: ${JSON.stringify(refused)}`);
  }
}

async function scan(kv: Kv, cluster: TestCluster): Promise<void> {
  await loadScanKeys(cluster);
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    let count = 0;
    let bytes = 0;
    for await (const { value } of kv.list<string>({ prefix: "scan/" }, { pageSize: 5000 })) {
      count++;
      bytes += value.length;
    }
    if (count !== scanKeys || bytes !== scanKeys * VALUE.length) {
      throw new Error(`the scan gave ${count} keys of ${scanKeys}`);
    }
    rates.push(count / (performance.now() - startedMs) * 1000);
  }
  row(
    "scan",
    `${scanKeys.toLocaleString("en")} keys of 128 bytes`,
    perSecond(median(rates)),
    `best ${perSecond(Math.max(...rates))}; bar 200,000/s`,
  );
}

// -------------------------------------------------------------------------------------------- watch

/** Follows puts below a prefix; the value begins with the put's number. */
function follow(kv: Kv, prefix: string) {
  const watch = kv.watch<string>({ prefix });
  const arrivedMs: number[] = [];
  let seen = 0;
  let waiting: { count: number; resolve: () => void } | undefined;
  const done = (async () => {
    for await (const event of watch) {
      if (event.type !== "put") continue;
      const number = Number.parseInt(event.value);
      if (arrivedMs[number] !== undefined) throw new Error(`put ${number} came twice`);
      arrivedMs[number] = performance.now();
      if (waiting !== undefined && ++seen >= waiting.count) waiting.resolve();
      else if (waiting === undefined) seen++;
    }
  })();
  return {
    watch,
    arrivedMs,
    all: (count: number) =>
      Promise.race([
        done,
        new Promise<void>((resolve) => {
          waiting = { count, resolve };
          if (seen >= count) resolve();
        }),
      ]),
  };
}

async function watch(kv: Kv): Promise<void> {
  const value = (i: number) => `${i} ${VALUE}`.slice(0, 128);
  const full = follow(kv, "full/");
  await full.watch.ready;
  const load = await closedLoop((i) => kv.set(`full/${i % KEYS}`, value(i)));
  const endedMs = performance.now();
  await full.all(load.count);
  const behindMs = performance.now() - endedMs;
  await full.watch.return();
  row(
    "watch",
    "puts at full rate, all seen once",
    perSecond(load.perSecond),
    `the last ${behindMs.toFixed(0)} ms after the load`,
  );
  const paced = follow(kv, "paced/");
  await paced.watch.ready;
  const rate = load.perSecond * OPEN_LOOP_SHARE;
  const sentMs: number[] = [];
  const ackedMs: number[] = [];
  const startedMs = performance.now();
  const open: Promise<unknown>[] = [];
  for (let i = 0; i < rate * seconds; i++) {
    const dueMs = startedMs + i * 1000 / rate;
    const waitMs = dueMs - performance.now();
    if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
    sentMs[i] = performance.now();
    open.push(kv.set(`paced/${i % KEYS}`, value(i)).then(() => ackedMs[i] = performance.now()));
  }
  await Promise.all(open);
  await paced.all(open.length);
  await paced.watch.return();
  const sorted = (sinceMs: readonly number[]) =>
    paced.arrivedMs.map((atMs, i) => Math.max(0, atMs - sinceMs[i])).sort((a, b) => a - b);
  const at = (lags: readonly number[], share: number) =>
    `${lags[Math.floor((lags.length - 1) * share)].toFixed(1)} ms`;
  const [lags, ages] = [sorted(ackedMs), sorted(sentMs)];
  row(
    "watch",
    `lag at ${perSecond(rate)}, open loop`,
    `p99 ${at(lags, 0.99)}`,
    `behind the put's answer, max ${at(lags, 1)}; behind its sending p50 ${at(ages, 0.5)}, p99 ${
      at(ages, 0.99)
    }; bar 50 ms`,
  );
}

// -------------------------------------------------------------------------------------------- all of it

await using cluster = TestCluster.start({ nodes: 3, flags: ["--partitions", "1"] });
await cluster.ready();
if (await clusterView(cluster.nodes[0].http) === undefined) throw new Error("the cluster is gone");
{
  await using kv = await connect(cluster.nodes.map(({ http }) => http));
  const run: Record<string, () => Promise<void>> = {
    overhead: () => overhead(kv, cluster),
    steady: () => steady(cluster),
    txn: () => txn(kv),
    scan: () => scan(kv, cluster),
    watch: () => watch(kv),
  };
  for (const part of parts) await run[part]();
}
console.log();
printTable(rows);
writeJson("client", rows);
