// The commands that are about several nodes, against three: hashes, leaderships, a member more, a node less.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { TestCluster, until } from "../../scripts/bench/support/cluster.ts";
import { run } from "./terminal.ts";

const TIMEOUT_MS = 30_000;

Deno.test("the commands about nodes work on a cluster that changes", async () => {
  await using cluster = TestCluster.start({ nodes: 3, flags: ["--partitions", "4"] });
  await cluster.ready();
  const env = { PONTOON_ENDPOINTS: cluster.nodes[0].http };
  const kv = (...args: string[]) => run(args, { env });
  const json = async (...args: string[]) => {
    const { code, out, err } = await kv(...args, "-o", "json");
    assertEquals(code, 0, `${args.join(" ")}: ${err}`);
    return out.trim().split("\n").map((line) => JSON.parse(line));
  };
  const load = await kv("bench", "--duration", "300ms", "--concurrency", "8", "--keep");
  assertEquals(load.code, 0, load.err);

  const hashes = await kv("endpoint", "hash");
  assertEquals(hashes.code, 0, hashes.err);
  // The meta group is partition 0.
  assertEquals(hashes.out.match(/ equal /g)?.length, 5, hashes.out);

  const [{ partition, leader }] = await json("partition", "list");
  const to = leader === "n1" ? "n2" : "n1";
  await until(`${to} leads partition ${partition}`, TIMEOUT_MS, async () => {
    await kv("partition", "transfer", String(partition), to);
    return (await json("partition", "list"))[0].leader === to;
  });

  cluster.join("n4", cluster.nodes[1]);
  const names = async () => (await json("member", "list")).map(({ name }) => name).sort().join();
  await until("n4 is a member", TIMEOUT_MS, async () => await names() === "n1,n2,n3,n4");
  // 4, a conflict, as long as the plan can't do without it.
  await until(
    "the removal is accepted",
    TIMEOUT_MS,
    async () => (await kv("member", "remove", "n4")).code === 0,
  );
  await until("n4 is gone", TIMEOUT_MS, async () => await names() === "n1,n2,n3");

  await cluster.kill(cluster.nodes[2]);
  const health = await kv("endpoint", "health", "--timeout", "2s");
  assertEquals(health.code, 5);
  assertMatch(health.out, new RegExp(`${cluster.nodes[2].http} +no `));
  const top = await kv("top", "--count", "1", "--interval", "200ms", "-o", "raw");
  assertMatch(top.out, / down n3$/m);
  const written = await kv("put", "after", "loss");
  assertEquals(written.code, 0, written.err);
  const verbose = await kv("get", "after", "-v");
  assertEquals(verbose.out, "loss");
  assert(/GET \/key at http.*, attempt \d+: 200/.test(verbose.err), verbose.err);
});
