// What durability costs: writes a second of one node and of three, synced as they are acknowledged, without
// the sync, and without a log at all. `deno task bench:persistence [rounds] [seconds]`.

import { TestCluster } from "./support/cluster.ts";
import { hasCommand } from "./support/etcd.ts";
import { h2load } from "./support/h2load.ts";
import { numbersOf } from "./support/numbers.ts";
import { median, printTable, writeJson } from "./support/report.ts";

const [[ROUNDS], [SECONDS]] = numbersOf(
  "deno task bench:persistence [ROUNDS [SECONDS]]",
  "3",
  "3",
);
const CONNECTIONS = [1, 64];
const VARIANTS_SCRIPT = decodeURIComponent(
  new URL("./support/node_variants.ts", import.meta.url).pathname,
);
const VARIANTS: readonly { readonly name: string; readonly main?: readonly string[] }[] = [
  { name: "log, synced" },
  { name: "log, not synced", main: [VARIANTS_SCRIPT, "no-sync"] },
  { name: "no log", main: [VARIANTS_SCRIPT, "memory"] },
];

if (!hasCommand("h2load")) {
  console.log("skipped: needs h2load (apt-get install nghttp2-client)");
  Deno.exit(0);
}
const valueFile = Deno.makeTempFileSync({ prefix: "pontoon-value-" });
Deno.writeTextFileSync(valueFile, "v".repeat(128));

const rates = new Map<string, number[]>();
for (let round = 0; round < ROUNDS; round++) {
  for (const nodes of [1, 3]) {
    for (const { name, main } of VARIANTS) {
      await using cluster = TestCluster.start({ nodes, main, flags: ["--log-level", "warn"] });
      await cluster.ready();
      const leader = await cluster.leaderOf("bench");
      for (const connections of CONNECTIONS) {
        const { perSecond, failed } = await h2load({
          url: `http://${leader.http}/key/bench`,
          connections,
          seconds: SECONDS,
          http1: true,
          method: "PUT",
          bodyFile: valueFile,
          headers: ["content-type: text/plain"],
        });
        if (failed > 0) throw new Error(`${name}: ${failed} requests failed`);
        const key = `${nodes}|${connections}|${name}`;
        rates.set(key, [...rates.get(key) ?? [], perSecond]);
      }
    }
  }
}
Deno.removeSync(valueFile);

const rows = [...rates].map(([key, values]) => {
  const [nodes, connections, variant] = key.split("|");
  const synced = rates.get(`${nodes}|${connections}|${VARIANTS[0].name}`)!;
  return {
    nodes: Number(nodes),
    connections: Number(connections),
    variant,
    "writes/s": Math.round(median(values)),
    "x synced": median(values.map((value, i) => value / synced[i])).toFixed(2),
  };
});
printTable(rows);
writeJson("persistence", rows);
