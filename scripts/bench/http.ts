// What the HTTP layer costs: PUT and GET of 128-byte values through a bare Hono handler, one that gives the
// layer's answers without checking anything, and the whole layer; all over a Map. In turns, so that a busy
// machine hurts them alike; medians. CPU per request (Linux) is what a busy machine distorts least.
//
//   deno run -A scripts/bench/http.ts [--rounds 3] [--requests 40000] [--json]

import { benchApp } from "./http_server.ts";

const VALUE_SIZE_BYTES = 128;
const CONNECTIONS = 64;
const KINDS = ["bare", "same", "pontoon"] as const;
const METHODS = ["PUT", "GET"] as const;
type Kind = typeof KINDS[number];
type Method = typeof METHODS[number];

interface Sample {
  readonly via: "app.fetch" | "h2load";
  readonly method: Method;
  readonly kind: Kind;
  readonly perSecond: number;
  /** Of the server's process, all threads; undefined where /proc does not tell. */
  readonly cpuUsPerRequest?: number;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Requests a second through `app.fetch`, one after another, in this isolate. */
async function throughFetch(kind: Kind, method: Method, durationMs: number): Promise<number> {
  const app = benchApp(kind);
  const url = "http://127.0.0.1:7001/key/bench";
  const body = new Uint8Array(VALUE_SIZE_BYTES).fill(0x61);
  const put = () =>
    app.fetch(
      new Request(url, {
        method: "PUT",
        body,
        headers: { "content-length": String(VALUE_SIZE_BYTES) },
      }),
    );
  await put();
  const run = method === "PUT" ? put : () => app.fetch(new Request(url));
  const startMs = performance.now();
  let count = 0;
  while (performance.now() - startMs < durationMs) {
    for (let i = 0; i < 100; i++) await run();
    count += 100;
  }
  return count * 1000 / (performance.now() - startMs);
}

interface Server {
  readonly port: number;
  readonly pid: number;
  close(): Promise<void>;
}

async function startServer(kind: Kind): Promise<Server> {
  const script = new URL("http_server.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-net", script, kind],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value).trim());
  return {
    port,
    pid: child.pid,
    close: async () => {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}

/** Processor time used so far, in milliseconds; undefined without /proc. */
function cpuMs(pid: number): number | undefined {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10; // ticks of 1/100 s
  } catch {
    return undefined;
  }
}

/** One run of h2load; undefined if it is not installed. */
async function throughServer(
  server: Server,
  kind: Kind,
  method: Method,
  requests: number,
  valuePath: string,
): Promise<Sample | undefined> {
  const body = method === "PUT" ? ["-d", valuePath, "-H", ":method: PUT"] : [];
  const url = `http://127.0.0.1:${server.port}/key/bench`;
  const args = ["--h1", "-t1", `-c${CONNECTIONS}`, "-n", String(requests), ...body, url];
  const beforeMs = cpuMs(server.pid);
  let text: string;
  try {
    const { stdout } = await new Deno.Command("h2load", { args }).output();
    text = new TextDecoder().decode(stdout);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
  const match = /([\d.]+) req\/s/.exec(text);
  if (match === null || !text.includes(" 0 failed")) throw new Error(`h2load failed:\n${text}`);
  const afterMs = cpuMs(server.pid);
  const cpuUsPerRequest = beforeMs === undefined || afterMs === undefined
    ? undefined
    : (afterMs - beforeMs) * 1000 / requests;
  return { via: "h2load", method, kind, perSecond: Number(match[1]), cpuUsPerRequest };
}

function option(name: string, fallback: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(Deno.args[at + 1]);
}

const rounds = option("rounds", 3);
const requests = option("requests", 40_000);
const samples: Sample[] = [];
const valuePath = await Deno.makeTempFile();
await Deno.writeFile(valuePath, new Uint8Array(VALUE_SIZE_BYTES).fill(0x61));
const servers = new Map<Kind, Server>();
try {
  for (const kind of KINDS) {
    const server = await startServer(kind);
    servers.set(kind, server);
    await throughServer(server, kind, "PUT", requests / 4, valuePath);
  }
  for (let round = 0; round < rounds; round++) {
    for (const method of METHODS) {
      for (const kind of KINDS) {
        const perSecond = await throughFetch(kind, method, 500);
        samples.push({ via: "app.fetch", method, kind, perSecond });
        const served = await throughServer(servers.get(kind)!, kind, method, requests, valuePath);
        if (served !== undefined) samples.push(served);
      }
    }
  }
} finally {
  for (const server of servers.values()) await server.close();
  await Deno.remove(valuePath);
}

const table = [];
for (const via of ["app.fetch", "h2load"] as const) {
  for (const method of METHODS) {
    for (const kind of KINDS) {
      const of = (which: Kind) =>
        samples.filter((one) => one.via === via && one.method === method && one.kind === which);
      const figures = of(kind);
      if (figures.length === 0) continue;
      const perSecond = median(figures.map((one) => one.perSecond));
      const cpu = figures.flatMap(({ cpuUsPerRequest }) => cpuUsPerRequest ?? []);
      table.push({
        via,
        method,
        kind,
        perSecond: Math.round(perSecond),
        toBare: Math.round(perSecond / median(of("bare").map((one) => one.perSecond)) * 100) / 100,
        cpuUsPerRequest: cpu.length === 0 ? undefined : Math.round(median(cpu) * 10) / 10,
      });
    }
  }
}
if (Deno.args.includes("--json")) console.log(JSON.stringify({ table, samples }));
else {
  console.table(table);
  if (!samples.some((one) => one.via === "h2load")) {
    console.log("h2load rows skipped: needs h2load (apt-get install nghttp2-client)");
  }
}
