// What the HTTP layer costs: PUT and GET of 128-byte values through a bare Hono handler and through the
// whole layer, both over a Map. In turns, so that a busy machine hurts both alike; medians and ratios.
//
//   deno run -A scripts/bench/http.ts [--rounds 3] [--seconds 3] [--json]

import { benchApp } from "./http_server.ts";

const VALUE_SIZE_BYTES = 128;
const CONNECTIONS = 64;
const KINDS = ["bare", "pontoon"] as const;
const METHODS = ["PUT", "GET"] as const;
type Kind = typeof KINDS[number];
type Method = typeof METHODS[number];

interface Sample {
  readonly via: "app.fetch" | "h2load";
  readonly method: Method;
  readonly kind: Kind;
  readonly perSecond: number;
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
    close: async () => {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}

/** Requests a second as h2load counts them; undefined if h2load is not installed. */
async function throughServer(
  server: Server,
  method: Method,
  seconds: number,
  valuePath: string,
): Promise<number | undefined> {
  const body = method === "PUT" ? ["-d", valuePath, "-H", ":method: PUT"] : [];
  try {
    const { stdout } = await new Deno.Command("h2load", {
      args: [
        "--h1",
        "-t1",
        `-c${CONNECTIONS}`,
        "-D",
        String(seconds),
        "--warm-up-time=1",
        ...body,
        `http://127.0.0.1:${server.port}/key/bench`,
      ],
    }).output();
    const text = new TextDecoder().decode(stdout);
    const match = /([\d.]+) req\/s/.exec(text);
    if (match === null || !/ 0 failed/.test(text)) throw new Error(`h2load failed:\n${text}`);
    return Number(match[1]);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
}

function option(name: string, fallback: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(Deno.args[at + 1]);
}

const rounds = option("rounds", 3);
const seconds = option("seconds", 3);
const samples: Sample[] = [];
const valuePath = await Deno.makeTempFile();
await Deno.writeFile(valuePath, new Uint8Array(VALUE_SIZE_BYTES).fill(0x61));
const servers = new Map<Kind, Server>();
for (const kind of KINDS) servers.set(kind, await startServer(kind));
try {
  for (let round = 0; round < rounds; round++) {
    for (const method of METHODS) {
      for (const kind of KINDS) {
        const fetched = await throughFetch(kind, method, seconds * 300);
        samples.push({ via: "app.fetch", method, kind, perSecond: fetched });
        const served = await throughServer(servers.get(kind)!, method, seconds, valuePath);
        if (served === undefined) continue;
        samples.push({ via: "h2load", method, kind, perSecond: served });
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
    const of = (kind: Kind) =>
      median(
        samples.filter((one) => one.via === via && one.method === method && one.kind === kind)
          .map((one) => one.perSecond),
      );
    if (!samples.some((one) => one.via === via)) continue;
    table.push({
      via,
      method,
      bare: Math.round(of("bare")),
      pontoon: Math.round(of("pontoon")),
      ratio: Math.round(of("pontoon") / of("bare") * 1000) / 1000,
    });
  }
}
if (Deno.args.includes("--json")) console.log(JSON.stringify({ table, samples }));
else {
  console.table(table);
  if (!samples.some((one) => one.via === "h2load")) {
    console.log("h2load rows skipped: needs h2load (apt-get install nghttp2-client)");
  }
}
