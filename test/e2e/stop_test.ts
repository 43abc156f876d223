// How nodes stop and why they don't start: graceful stop under clients, exit codes with one clear line.

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { TestCluster, until } from "../../scripts/bench/support/cluster.ts";

const CLIENTS = 100;

Deno.test("a node asked to stop answers what is in flight, hands over and exits with 0", async () => {
  await using cluster = TestCluster.start({ nodes: 3 });
  await cluster.ready();
  const leader = await cluster.leader();
  const others = cluster.nodes.filter((node) => node !== leader);
  let stopping = false;
  let answered = 0;
  const wrong: string[] = [];
  const client = async (id: number) => {
    while (!stopping) {
      try {
        const response = await fetch(`http://${leader.http}/key/c${id}`, {
          method: "PUT",
          body: "x",
        });
        await response.body?.cancel();
        if (response.ok || response.status === 503) answered++;
        else wrong.push(`${response.status}`);
      } catch {
        return; // no connection any more: the node is gone
      }
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, id) => client(id));
  await until("clients are being answered", 10_000, () => answered > CLIENTS);
  const startMs = performance.now();
  const child = leader.process!;
  child.kill("SIGTERM");
  const { code } = await child.status;
  leader.process = undefined;
  stopping = true;
  await Promise.all(clients);
  assertEquals(code, 0);
  assertEquals(wrong, []);
  assert(performance.now() - startMs < 8000, "the stop is bounded");
  const response = await fetch(`http://${others[0].http}/key/after`, { method: "PUT", body: "x" });
  await response.body?.cancel();
  assertEquals(response.status, 201);
});

Deno.test("a second process on a data directory says so and exits with 73", async () => {
  await using cluster = TestCluster.start({ nodes: 1 });
  await cluster.ready();
  const [node] = cluster.nodes;
  const { code, stderr } = await cluster.runOnce(["--data", node.dataDir]);
  assertEquals(code, 73);
  assertMatch(stderr, /^pontoon: Cannot use data directory .*another process holds its lock\n$/);
});

Deno.test("a taken address is one line and exit code 69", async () => {
  await using cluster = TestCluster.start({ nodes: 1 });
  await cluster.ready();
  const [node] = cluster.nodes;
  const { code, stderr } = await cluster.runOnce([
    "--data",
    `${cluster.dir}/other`,
    "--peer",
    node.peer,
  ]);
  assertEquals(code, 69);
  assertMatch(stderr, /^pontoon: Cannot listen on 127\.0\.0\.1:\d+: .*\n$/);
});

Deno.test("wrong options are one line and exit code 64, before the data directory is touched", async () => {
  await using cluster = TestCluster.start({ nodes: 0 });
  const empty = `${cluster.dir}/empty`;
  Deno.writeFileSync(empty, new Uint8Array(0));
  const wrong: [flags: string[], said: RegExp][] = [
    [["--http", "127.0.0.1:99999"], /--http takes host:port: got 127\.0\.0\.1:99999/],
    [["--http", "127.0.0.1:0"], /--http takes host:port/],
    [["--advertise-peer", "http://a:1"], /--advertise-peer takes host:port/],
    [["--name", ".x"], /--name takes 1\.\.64 of .*: got \.x/],
    [["--zone", "a/b"], /--zone takes 1\.\.64 of .*: got a\/b/],
    [["--join", "somewhere"], /--join takes host:port: got somewhere/],
    [["--dial-override", "n2=somewhere"], /--dial-override takes name=host:port/],
    [["--initial", "x=127.0.0.1:1,x=127.0.0.1:2"], /--initial names something twice/],
    [["--secret-file", empty], /--secret-file .* is empty/],
  ];
  const dataDir = `${cluster.dir}/data`;
  for (const [flags, said] of wrong) {
    const { code, stderr } = await cluster.runOnce(["--data", dataDir, ...flags]);
    assertEquals(code, 64, stderr);
    assertMatch(stderr, said);
    assertMatch(stderr, /^pontoon: .* \(--help\)\n$/);
  }
  assertThrows(() => Deno.statSync(dataDir), Deno.errors.NotFound);
});
