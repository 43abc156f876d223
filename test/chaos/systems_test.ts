// Systems behind the bench: the same clients' API on each, and nothing left running however the bench ends.

import { assert, assertEquals } from "@std/assert";
import { NEMESES } from "../../chaos/nemeses/mod.ts";
import { seededRandom } from "../../chaos/random.ts";
import { Cluster } from "../../chaos/systems/cluster.ts";
import { createSystem, WRONG_SYSTEMS } from "../../chaos/systems/mod.ts";
import type { Layout } from "../../chaos/systems/places.ts";
import type { SystemNode } from "../../chaos/types.ts";
import { until } from "../../chaos/wait.ts";
import { lacks } from "../support/needs.ts";

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function ask(
  node: SystemNode,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`http://${node.http}${path}`, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

/** What the bench's clients rely on, for a store that is right while nothing is broken. */
async function checkKeyApi(node: SystemNode, hasTransactions: boolean): Promise<void> {
  assertEquals((await ask(node, "GET", "/key/a")).status, 404);
  const created = await ask(node, "PUT", "/key/a", { x: 1 });
  assertEquals(created.status, 201);
  const { revision } = created.body;
  const read = await ask(node, "GET", "/key/a");
  assertEquals([read.status, read.body.value, read.body.revision], [200, { x: 1 }, revision]);
  const wrongRevision = { "If-Match": `"${Number(revision) + 1000}"` };
  const failed = await ask(node, "PUT", "/key/a", 2, wrongRevision);
  assertEquals([failed.status, failed.body.revision], [412, revision]);
  assertEquals((await ask(node, "PUT", "/key/a", 2, { "If-None-Match": "*" })).status, 412);
  const replaced = await ask(node, "PUT", "/key/a", 2, { "If-Match": `"${revision}"` });
  assertEquals(replaced.status, 200);
  assert(Number(replaced.body.revision) > Number(revision));
  if (hasTransactions) await checkTransactions(node);
  assertEquals((await ask(node, "DELETE", "/key/a")).status, 200);
  assertEquals((await ask(node, "DELETE", "/key/a")).status, 404);
  assertEquals((await ask(node, "GET", "/key/a")).status, 404);
}

async function checkTransactions(node: SystemNode): Promise<void> {
  const transfer = (from: number) =>
    ask(node, "POST", "/txn", {
      if: [{ key: "a{t}", op: "=", json: from }],
      then: [{ op: "put", key: "a{t}", json: from - 1 }, { op: "put", key: "b{t}", json: 1 }],
      else: [{ op: "get", key: "a{t}" }, { op: "get", key: "nobody{t}" }],
    });
  await ask(node, "PUT", "/key/a{t}", 5);
  const done = await transfer(5);
  assertEquals([done.status, done.body.succeeded], [200, true]);
  assertEquals((done.body.results as { created: boolean }[]).map((one) => one.created), [
    false,
    true,
  ]);
  const refused = await transfer(5);
  assertEquals([refused.status, refused.body.succeeded], [200, false]);
  const own = await ask(node, "POST", "/txn", {
    then: [{ op: "put", key: "b{t}", json: 2 }, { op: "get", key: "b{t}" }],
  });
  assertEquals((own.body.results as { revision: number }[])[1]!.revision, own.body.revision);
  const many = await ask(node, "POST", "/txn", {
    then: Array.from({ length: 16 }, (_, i) => ({ op: "get", key: `many${i}{t}` })),
  });
  assertEquals([many.status, (many.body.results as unknown[]).length], [200, 16]);
  const [found, absent] = refused.body.results as { record: { value: unknown } | null }[];
  assertEquals(found!.record?.value, 4);
  assertEquals(absent!.record, null);
}

for (const name of ["deno-kv", ...WRONG_SYSTEMS]) {
  Deno.test(`${name} serves the clients' API through links, and again after a restart`, async () => {
    const dir = Deno.makeTempDirSync({ prefix: "pontoon-chaos-" });
    const system = await createSystem({ name, nodes: 2, dir, net: "proxy", seed: 1 });
    try {
      await system.start();
      const [node] = system.nodes;
      await checkKeyApi(node!, system.features.has("txn"));
      assertEquals((await system.status(node!))?.length, 1);
      await system.kill(node!);
      assertEquals([node!.running, node!.down], [false, true]);
      await system.restart(node!);
      await system.ready(20_000);
      assert((await system.links!.counters(system.links!.all)).forwardedBytes > 0);
    } finally {
      await system.stop();
      Deno.removeSync(dir, { recursive: true });
    }
  });
}

Deno.test({
  name: "etcd serves the clients' API, and its links are told apart by who dialled",
  ignore: lacks("etcd"),
  async fn() {
    const dir = Deno.makeTempDirSync({ prefix: "pontoon-chaos-" });
    const system = await createSystem({ name: "etcd", nodes: 3, dir, net: "proxy", seed: 1 });
    try {
      await system.start();
      await checkKeyApi(system.nodes[0]!, true);
      await until("there is a leader", 10_000, async () => await system.leader() !== undefined);
      const old = await system.leader();
      const nemesis = NEMESES.find(({ name }) => name === "partition-leader")!;
      const random = seededRandom(1);
      const strike = await nemesis.strike({ system, random, stopped: () => false });
      await until("the others have elected another leader", 15_000, async () => {
        const [one, two] = await Promise.all(
          system.nodes.filter(({ name }) => name !== old!.name).map((node) => system.status(node)),
        );
        const leader = one?.[0]?.leader;
        return leader !== undefined && leader !== old!.name && leader === two?.[0]?.leader;
      });
      assert((await strike!.verify()).bit);
      await strike!.heal();
      await until("the old one follows", 15_000, async () => {
        return (await system.status(old!))?.[0]?.leader === (await system.leader())?.name;
      });
    } finally {
      await system.stop();
      Deno.removeSync(dir, { recursive: true });
    }
  },
});

Deno.test({
  name: "the wall clock of a program that knows nothing of the bench can be set",
  ignore: lacks("faketime"),
  async fn() {
    const dir = Deno.makeTempDirSync({ prefix: "pontoon-chaos-" });
    const system = await createSystem({ name: "deno-kv", nodes: 1, dir, faulty: true, seed: 1 });
    try {
      await system.start();
      const [node] = system.nodes;
      const errorMs = async () => (await system.machines!.counters(node!)).wallErrorMs;
      assert(Math.abs(await errorMs()) < 1000);
      await system.machines!.steer(node!, { wallOffsetMs: -86_400_000 });
      assert(Math.abs(await errorMs() + 86_400_000) < 1000);
      await system.machines!.steer(node!, { wallOffsetMs: undefined });
      assert(Math.abs(await errorMs()) < 1000);
    } finally {
      await system.stop();
      Deno.removeSync(dir, { recursive: true });
    }
  },
});

/** Commands that have `text` among their arguments, by process id. */
function processesWith(text: string): number[] {
  return [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name)).filter(
    ({ name }) => {
      try {
        return Deno.readTextFileSync(`/proc/${name}/cmdline`).includes(text);
      } catch {
        return false;
      }
    },
  ).map(({ name }) => Number(name));
}

Deno.test({
  name: "a bench that is killed leaves nothing behind, not even a stopped node",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const dir = Deno.makeTempDirSync({ prefix: "pontoon-chaos-" });
    const module = new URL("../../chaos/systems/mod.ts", import.meta.url);
    const script = `
      import { createSystem } from ${JSON.stringify(module.href)};
      const dir = ${JSON.stringify(dir)};
      const system = await createSystem({ name: "wrong-lww", nodes: 2, dir, net: "proxy", seed: 1 });
      await system.start();
      await system.pause(system.nodes[0]);
      console.log("paused");
      await new Promise(() => setInterval(() => {}, 1000));
    `;
    const path = `${dir}/bench.ts`;
    Deno.writeTextFileSync(path, script);
    const config = decodeURIComponent(new URL("../../deno.json", import.meta.url).pathname);
    const bench = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", "--config", config, path],
      stdout: "piped",
    }).spawn();
    const reader = bench.stdout.getReader();
    const { value } = await reader.read();
    assertEquals(new TextDecoder().decode(value).trim(), "paused");
    // Two nodes, the bench itself, and the proxy, which is told the addresses only.
    assert(processesWith(dir).length >= 3);
    bench.kill("SIGKILL");
    await bench.status;
    await reader.cancel();
    await until("all is gone", 10_000, () => processesWith(dir).length === 0);
    Deno.removeSync(dir, { recursive: true });
  },
});

Deno.test("a node that ended by itself and was to be paused then is started again with the resumption", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-chaos-" });
  const file = (name: string) => `${dir}/${name}`;
  const place = {
    name: "n1",
    http: "127.0.0.1:1",
    clientHttp: "127.0.0.1:1",
    peer: "127.0.0.1:2",
    dataDir: file("data"),
    logFile: file("n1.log"),
  };
  // Each start leaves a line; the first process ends by itself.
  const command = {
    program: "/bin/sh",
    args: [
      "-c",
      'echo started >> "$0"; [ "$(wc -l < "$0")" -gt 1 ] && exec sleep 60',
      file("starts"),
    ],
  };
  const kind = {
    name: "short-lived",
    features: [],
    abilities: [],
    readyPath: "/",
    command: () => command,
    status: () => Promise.resolve(undefined),
    versions: () => Promise.resolve({}),
  };
  const layout = { places: [place], links: [] } as unknown as Layout;
  const cluster = new Cluster({ kind, layout, nodes: 1, seed: 1 });
  try {
    const [node] = cluster.nodes;
    await cluster.restart(node!);
    await until("it ended", 10_000, () => cluster.ends.length === 1);
    await cluster.pause(node!);
    await until("its restart has come due", 10_000, () => node!.owedRestart);
    assert(!node!.running);
    cluster.resume(node!);
    assert(node!.running);
    assertEquals(cluster.ends.length, 1);
  } finally {
    await cluster.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});
