// What scans and watches cost: records a second through GET /keys, and 5,000 idle watchers in memory and
// CPU beside as many streams of a bare Deno.serve.
//
//   deno run -A scripts/bench/streams.ts [--watchers 5000] [--records 200000] [--nodes 3] [--json]

import { parseArgs } from "node:util";
import { cpuMs, residentBytes, TestCluster, until } from "./support/cluster.ts";

const VALUE_SIZE_BYTES = 128;
const BATCH = 1000;
/** How long idle streams are watched. */
const IDLE_MS = 20_000;
const OPENING_AT_ONCE = 100;

interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
}

async function load(http: string, records: number): Promise<void> {
  const value = "v".repeat(VALUE_SIZE_BYTES);
  for (let first = 0; first < records; first += BATCH) {
    const operations = Array.from({ length: Math.min(BATCH, records - first) }, (_, i) => ({
      op: "put",
      key: `key${String(first + i).padStart(9, "0")}`,
      value,
    }));
    const response = await fetch(`http://${http}/batch`, {
      method: "POST",
      headers: { "content-type": "application/json", "pontoon-timeout-ms": "30000" },
      body: JSON.stringify({ operations }),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`load: ${response.status}`);
  }
}

/** Records a second of one scan as lines, counted by their breaks only. */
async function scanRate(http: string, query: string, records: number): Promise<number> {
  const startMs = performance.now();
  const response = await fetch(`http://${http}/keys?${query}`, {
    headers: { accept: "application/x-ndjson" },
  });
  let lines = 0;
  for await (const chunk of response.body!) {
    for (let i = chunk.indexOf(10); i >= 0; i = chunk.indexOf(10, i + 1)) lines++;
  }
  if (lines !== records + 1) throw new Error(`${lines} lines instead of ${records + 1}`);
  return records * 1000 / (performance.now() - startMs);
}

/** Opens idle streams by hand: a fetch for each would cost this process more than it costs the server. */
async function openStreams(address: string, count: number): Promise<Deno.Conn[]> {
  const [hostname, port] = address.split(":");
  const request = new TextEncoder().encode(
    `GET /watch?prefix=idle HTTP/1.1\r\nhost: ${address}\r\naccept: text/event-stream\r\n\r\n`,
  );
  const open = async () => {
    const connection = await Deno.connect({ hostname, port: Number(port) });
    await connection.write(request);
    await connection.read(new Uint8Array(4096));
    return connection;
  };
  const connections: Deno.Conn[] = [];
  while (connections.length < count) {
    const more = Math.min(OPENING_AT_ONCE, count - connections.length);
    connections.push(...await Promise.all(Array.from({ length: more }, open)));
  }
  return connections;
}

/** Takes whatever comes, so that the server never waits for us. */
function drain(connections: readonly Deno.Conn[]): void {
  for (const connection of connections) {
    const buffer = new Uint8Array(4096);
    const read = async () => {
      while (await connection.read(buffer) !== null);
    };
    read().catch(() => {});
  }
}

async function idleCost(what: string, pid: number, address: string, count: number): Promise<Row[]> {
  const baseBytes = residentBytes(pid);
  const baseMs = cpuMs(pid);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const idleMs = cpuMs(pid) - baseMs;
  const connections = await openStreams(address, count);
  drain(connections);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const beforeMs = cpuMs(pid);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const cpu = (cpuMs(pid) - beforeMs - idleMs) / 1000;
  const rows = [
    { what: `${count} ${what}: memory`, value: (residentBytes(pid) - baseBytes) / 1e6, unit: "MB" },
    { what: `${count} ${what}: CPU`, value: 100 * cpu * 1000 / IDLE_MS, unit: "% of a core" },
  ];
  for (const connection of connections) connection.close();
  return rows;
}

/** As many streams from nothing but Deno.serve, each told something as often as a watcher is. */
const BARE_SERVER = `
const text = new TextEncoder().encode("event: progress\\nid: AAAA\\ndata: {}\\n\\n");
const open = new Set();
setInterval(() => { for (const controller of open) controller.enqueue(text); }, 10_000);
Deno.serve({ port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen() {} }, () => {
  let own;
  const stream = new ReadableStream({
    start(controller) { own = controller; open.add(controller); controller.enqueue(text); },
    cancel() { open.delete(own); },
  });
  return new Response(stream, { headers: { "content-type": "text/event-stream" } });
});
`;

async function bareCost(count: number): Promise<Row[]> {
  const script = Deno.makeTempFileSync({ suffix: ".js" });
  Deno.writeTextFileSync(script, BARE_SERVER);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--v8-flags=--heap-growing-percent=50,--initial-old-space-size=96",
      "--allow-net",
      script,
      String(port),
    ],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  try {
    const address = `127.0.0.1:${port}`;
    await until("the bare server listens", 10_000, async () => {
      const response = await fetch(`http://${address}/`).catch(() => undefined);
      await response?.body?.cancel();
      return response?.ok;
    });
    return await idleCost("bare streams", child.pid, address, count);
  } finally {
    child.kill("SIGKILL");
    await child.status;
    Deno.removeSync(script);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      watchers: { type: "string", default: "5000" },
      records: { type: "string", default: "200000" },
      nodes: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
    },
  });
  const records = Number(values.records);
  const rows: Row[] = [];
  {
    await using cluster = TestCluster.start({ nodes: Number(values.nodes) });
    await cluster.ready();
    const leader = await cluster.leader();
    if (records > 0) {
      await load(leader.http, records);
      for (const query of ["", "keysOnly", "reverse"]) {
        const rate = await scanRate(leader.http, query, records);
        rows.push({ what: `scan as lines ${query}`.trimEnd(), value: rate, unit: "records/s" });
      }
      const other = cluster.nodes.find((node) => node !== leader);
      if (other !== undefined) {
        const rate = await scanRate(other.http, "", records);
        rows.push({ what: "scan as lines through another node", value: rate, unit: "records/s" });
        const stale = await scanRate(other.http, "consistency=stale", records);
        rows.push({ what: "stale scan as lines", value: stale, unit: "records/s" });
      }
    }
  }
  const watchers = Number(values.watchers);
  if (watchers > 0) {
    await using cluster = TestCluster.start({ nodes: Number(values.nodes) });
    await cluster.ready();
    const node = await cluster.leader();
    rows.push(...await idleCost("watchers", node.process!.pid, node.http, watchers));
    rows.push(...await bareCost(watchers));
  }
  if (values.json) console.log(JSON.stringify(rows));
  else {
    for (const { what, value, unit } of rows) {
      console.log(`${what.padEnd(40)} ${value.toFixed(value < 100 ? 1 : 0).padStart(9)} ${unit}`);
    }
  }
}

await main();
