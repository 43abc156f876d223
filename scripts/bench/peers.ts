// Pontoon against etcd on the same machine: three nodes each, durable puts and linearizable gets of one
// 128-byte value at 1, 64 and 256 connections, load to the leader, alternating rounds, medians. `ceiling`
// and Deno KV are rows of their own. `deno task bench:peers [rounds] [seconds]`.

import { freePorts, TestCluster, until } from "./support/cluster.ts";
import { EtcdCluster, grpcBody, hasCommand, hasEtcd } from "./support/etcd.ts";
import { h2load } from "./support/h2load.ts";
import { numbersOf } from "./support/numbers.ts";
import { median, printTable, writeJson } from "./support/report.ts";

const [[ROUNDS], [SECONDS], CONNECTIONS] = numbersOf(
  "deno task bench:peers [ROUNDS [SECONDS [CONNECTIONS,…]]]",
  "5",
  "4",
  "1,64,256",
);
const VALUE = new TextEncoder().encode("v".repeat(128));
const KEY = new TextEncoder().encode("bench");

if (!hasCommand("h2load")) {
  console.log("skipped: needs h2load (apt-get install nghttp2-client)");
  Deno.exit(0);
}

/** One system that can be loaded. */
interface Contender {
  readonly name: string;
  put(connections: number): Promise<number>;
  get(connections: number): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
}

const files = Deno.makeTempDirSync({ prefix: "pontoon-bench-" });
const valueFile = `${files}/value`;
Deno.writeFileSync(valueFile, VALUE);
Deno.writeFileSync(`${files}/put.grpc`, grpcBody(KEY, VALUE));
Deno.writeFileSync(`${files}/range.grpc`, grpcBody(KEY));

function httpContender(
  name: string,
  url: () => Promise<string>,
  dispose: () => Promise<void>,
): Contender {
  const load = async (connections: number, put: boolean): Promise<number> => {
    const target = await url();
    const result = await h2load({
      url: `${target}/key/bench`,
      connections,
      seconds: SECONDS,
      http1: true,
      ...(put ? { method: "PUT" as const, bodyFile: valueFile } : {}),
      headers: put ? ["content-type: text/plain"] : [],
    });
    if (result.failed > 0) throw new Error(`${name}: ${result.failed} requests failed`);
    // Leaders move while a young cluster finds its balance: what was forwarded is not what is asked.
    return await url() === target ? result.perSecond : load(connections, put);
  };
  return {
    name,
    put: (connections) => load(connections, true),
    get: (connections) => load(connections, false),
    [Symbol.asyncDispose]: dispose,
  };
}

async function startPontoon(): Promise<Contender> {
  const cluster = TestCluster.start({ nodes: 3, flags: ["--log-level", "warn"] });
  await cluster.ready();
  return httpContender(
    "pontoon",
    async () => `http://${(await cluster.leaderOf("bench")).http}`,
    () => cluster[Symbol.asyncDispose](),
  );
}

async function startEtcd(): Promise<Contender> {
  const cluster = await EtcdCluster.start(3);
  const leader = (await cluster.leader())!;
  const load = async (connections: number, method: "Put" | "Range") => {
    const before = await cluster.revision();
    const result = await h2load({
      url: `${leader}/etcdserverpb.KV/${method}`,
      connections,
      seconds: SECONDS,
      http1: false,
      bodyFile: `${files}/${method.toLowerCase()}.grpc`,
      headers: ["content-type: application/grpc", "te: trailers"],
    });
    const applied = await cluster.revision() - before;
    if (method === "Put" && applied < result.perSecond * SECONDS) {
      throw new Error("etcd answered puts that it did not apply");
    }
    return result.perSecond;
  };
  return {
    name: "etcd",
    put: (connections) => load(connections, "Put"),
    get: (connections) => load(connections, "Range"),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

function script(name: string, ...args: string[]): Deno.ChildProcess {
  const path = decodeURIComponent(new URL(`./support/${name}`, import.meta.url).pathname);
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--unstable-kv", path, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}

async function startScripts(
  name: string,
  port: number,
  children: readonly Deno.ChildProcess[],
): Promise<Contender> {
  await until(`${name} listens`, 10_000, async () => {
    const response = await fetch(`http://127.0.0.1:${port}/key/bench`, { method: "PUT", body: "x" })
      .catch(() => undefined);
    await response?.body?.cancel();
    return response?.ok;
  });
  return httpContender(name, () => Promise.resolve(`http://127.0.0.1:${port}`), async () => {
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.map((child) => child.status));
  });
}

async function startCeiling(): Promise<Contender> {
  const dir = Deno.makeTempDirSync({ dir: files });
  const [http, ...peers] = freePorts(3);
  const followers = peers.map((port, i) =>
    script("ceiling.ts", "follower", String(port), `${dir}/f${i}`)
  );
  for (const port of peers) {
    await until("a follower listens", 10_000, async () => {
      const probe = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
      probe?.close();
      return probe !== undefined;
    });
  }
  const leader = script("ceiling.ts", "leader", String(http), `${dir}/l`, ...peers.map(String));
  return startScripts("ceiling", http, [leader, ...followers]);
}

function startDenoKv(name: string, path: string): Promise<Contender> {
  const [port] = freePorts(1);
  return startScripts(name, port, [script("deno_kv.ts", String(port), path)]);
}

const starters: (() => Promise<Contender>)[] = [startPontoon];
if (hasEtcd()) starters.push(startEtcd);
else console.log("skipped: needs etcd (apt-get install etcd-server): no comparison");
starters.push(startCeiling);
const baselines = [
  () => startDenoKv("Deno KV, file", `${files}/baseline.kv`),
  () => startDenoKv("Deno KV, memory", ":memory:"),
];

/** system|operation|connections -> rates. */
const rates = new Map<string, number[]>();

async function measure(start: () => Promise<Contender>): Promise<void> {
  await using contender = await start();
  for (const connections of CONNECTIONS) {
    for (const operation of ["put", "get"] as const) {
      const rate = await contender[operation](connections);
      const key = `${contender.name}|${operation}|${connections}`;
      rates.set(key, [...rates.get(key) ?? [], rate]);
      console.log(`${contender.name} ${operation} x${connections}: ${Math.round(rate)}/s`);
    }
  }
}

for (let round = 1; round <= ROUNDS; round++) {
  console.log(`round ${round} of ${ROUNDS}`);
  for (const start of starters) await measure(start);
}
if (Deno.env.get("NOBASE") === undefined) { for (const start of baselines) await measure(start); }

const BARS: Record<string, [floor: number, aim: number]> = {
  "put|1": [1.2, 1.5],
  "put|64": [3, 4],
  "put|256": [2, 2.5],
  "get|64": [3.5, 4],
};
const rows = [...rates].map(([key, values]) => {
  const [system, operation, connections] = key.split("|");
  const ratioTo = (other: string) => {
    const theirs = rates.get(`${other}|${operation}|${connections}`);
    if (theirs === undefined || system !== "pontoon") return "";
    // Rounds alternate, so each round's pair saw the same machine.
    return median(values.map((value, i) => value / theirs[i])).toFixed(2);
  };
  const bar = system === "pontoon" ? BARS[`${operation}|${connections}`] : undefined;
  return {
    system,
    operation,
    connections: Number(connections),
    "per second": Math.round(median(values)),
    "x etcd": ratioTo("etcd"),
    "floor/aim": bar === undefined ? "" : bar.join("/"),
    "x ceiling": ratioTo("ceiling"),
  };
});
printTable(rows);
writeJson("peers", rows);
Deno.removeSync(files, { recursive: true });
