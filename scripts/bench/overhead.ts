// What it costs to be looked after: puts a second with tokens, logs and metrics scraped each second, against none of
// these, side by side; and with Deno's OpenTelemetry on top. `deno task bench:overhead [rounds] [seconds]`.

import { createHash } from "node:crypto";
import { TestCluster, type TestNode, until } from "./support/cluster.ts";
import { hasCommand } from "./support/etcd.ts";
import { h2load } from "./support/h2load.ts";
import { numbersOf } from "./support/numbers.ts";
import { median, printTable, writeJson } from "./support/report.ts";

const [[ROUNDS], [SECONDS]] = numbersOf("deno task bench:overhead [ROUNDS [SECONDS]]", "6", "4");
const CONNECTIONS = 64;
const SCRAPE_MS = 1000;
/** Until the code under load is compiled; measured cold, one variant or the other seemed faster by a quarter. */
const WARM_SECONDS = 3;
const TOKEN = "t".repeat(40);

if (!hasCommand("h2load")) {
  console.log("skipped: needs h2load (apt-get install nghttp2-client)");
  Deno.exit(0);
}

const dir = Deno.makeTempDirSync({ prefix: "pontoon-overhead-" });
const valueFile = `${dir}/value`;
const tokenFile = `${dir}/tokens.json`;
Deno.writeTextFileSync(valueFile, "v".repeat(128));
const sha256 = createHash("sha256").update(TOKEN).digest("hex");
const roles = ["read", "write", "admin"];
Deno.writeTextFileSync(tokenFile, JSON.stringify({ tokens: [{ name: "bench", sha256, roles }] }));

let receivedBytes = 0;
const collector = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: () => {} },
  async (request) => {
    receivedBytes += (await request.arrayBuffer()).byteLength;
    return Response.json({});
  },
);

const OBSERVED = ["--token-file", tokenFile, "--log-level", "info"];
interface Variant {
  readonly name: string;
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly scrape: boolean;
}

const VARIANTS: readonly Variant[] = [
  { name: "nothing", flags: ["--log-level", "error", "--slow-ms", "0"], env: {}, scrape: false },
  { name: "tokens, logs, metrics", flags: OBSERVED, env: {}, scrape: true },
  {
    name: "… and OpenTelemetry",
    flags: OBSERVED,
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
      OTEL_SERVICE_NAME: "pontoon",
    },
    scrape: true,
  },
];
const AUTHORIZATION = { authorization: `Bearer ${TOKEN}` };

/** Who takes a write for `key` without forwarding it. */
function leaderOf(cluster: TestCluster, key: string): Promise<TestNode> {
  return until("a leader", 20_000, async () => {
    for (const node of cluster.nodes) {
      const headers = { ...AUTHORIZATION, "pontoon-forward": "never" };
      const url = `http://${node.http}/key/${key}`;
      const answer = await fetch(url, { method: "PUT", body: "x", headers, redirect: "manual" });
      await answer.body?.cancel();
      if (answer.ok) return node;
    }
    return undefined;
  });
}

async function scrapeAll(cluster: TestCluster): Promise<void> {
  await Promise.all(cluster.nodes.map(async ({ http }) => {
    const answer = await fetch(`http://${http}/metrics`, { headers: AUTHORIZATION });
    await answer.text();
  }));
}

const rates = new Map<string, number[]>();
for (let round = 0; round < ROUNDS; round++) {
  // Each is the first as often as the others: who comes after what the machine has recovered from differs.
  const turn = round % VARIANTS.length;
  const inTurn = [...VARIANTS.slice(turn), ...VARIANTS.slice(0, turn)];
  for (const { name, flags, env, scrape } of inTurn) {
    await using cluster = TestCluster.start({ nodes: 3, flags, env });
    await cluster.ready();
    const leader = await leaderOf(cluster, "bench");
    const load = (seconds: number) =>
      h2load({
        url: `http://${leader.http}/key/bench`,
        connections: CONNECTIONS,
        seconds,
        http1: true,
        method: "PUT",
        bodyFile: valueFile,
        headers: ["content-type: text/plain", `authorization: Bearer ${TOKEN}`],
      });
    await load(WARM_SECONDS);
    // Waited for: the nodes are gone right behind the last one.
    const scrapes: Promise<void>[] = [];
    const timer = scrape
      ? setInterval(() => scrapes.push(scrapeAll(cluster)), SCRAPE_MS)
      : undefined;
    const { perSecond, failed } = await load(SECONDS);
    clearInterval(timer);
    await Promise.all(scrapes);
    if (failed > 0) throw new Error(`${name}: ${failed} requests failed`);
    rates.set(name, [...rates.get(name) ?? [], perSecond]);
  }
}
await collector.shutdown();
Deno.removeSync(dir, { recursive: true });
if (receivedBytes === 0) throw new Error("no span ever reached the collector");

const bare = rates.get(VARIANTS[0].name)!;
const rows = VARIANTS.map(({ name }) => {
  const values = rates.get(name)!;
  const ratios = values.map((value, i) => value / bare[i]);
  return {
    with: name,
    "puts/s": Math.round(median(values)),
    "x nothing": median(ratios).toFixed(2),
    from: Math.min(...ratios).toFixed(2),
    to: Math.max(...ratios).toFixed(2),
  };
});
printTable(rows);
console.log(`${Math.round(receivedBytes / 1024)} KiB of spans and metrics came to the collector`);
writeJson("overhead", rows);
