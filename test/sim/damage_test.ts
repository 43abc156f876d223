// Damage of what was durable, wherever it is: the node that suffered it may lose its copies, but never begins
// anew under an id that has voted, and the cluster goes on and mends itself (RULES 4).

import { assert, assertEquals } from "@std/assert";
import type { Fault } from "./faults.ts";
import { withIdleCluster } from "./idle_cluster.ts";
import { runSchedule } from "./run.ts";
import { drawSchedule, type SimSchedule } from "./schedule.ts";

function scheduleOf(seed: number, fault: Fault, safetyMs = 900): SimSchedule {
  const schedule = drawSchedule(seed, {
    nodes: 3,
    spares: 0,
    partitions: 2,
    clients: 4,
    keys: 3,
    operationsPerSecond: 60,
    networkDelayMsMean: 1,
    syncDelayMsMean: 1,
    safetyMs,
    lostNode: -1,
    snapshotLogBytes: 4 * 1024,
  });
  return { ...schedule, faults: [fault] };
}

Deno.test("a node whose log has rotted anywhere before its durable mark is mended", async () => {
  let noticed = 0;
  for (let i = 0; i < 8; i++) {
    const fault: Fault = {
      atMs: 700,
      kind: "rot",
      node: i % 3,
      file: "log",
      power: i % 2 === 0,
      downMs: 50,
      // What stands before is the segment's header, most of it empty; then the records of creation.
      places: [0.4 + 0.6 * (i + 0.5) / 8],
    };
    const result = await runSchedule(scheduleOf(100 + i, fault), { record: true });
    assertEquals(result.failure, undefined, `rot at ${fault.places}`);
    if (result.lines.some((line) => line.includes("acknowledged data is damaged"))) noticed++;
  }
  assert(noticed >= 6, `damage was noticed in ${noticed} runs`);
});

Deno.test("a node whose snapshot files have rotted gets new ones", async () => {
  for (const place of [0.01, 0.5, 0.99]) {
    const fault: Fault = {
      atMs: 700,
      kind: "rot",
      node: 1,
      file: "snapshot",
      power: true,
      downMs: 50,
      places: [place],
    };
    const result = await runSchedule(scheduleOf(200, fault));
    assertEquals(result.failure, undefined, `rot at ${place}`);
  }
});

Deno.test("a write of the log that landed elsewhere is noticed at the next start", async () => {
  let noticed = 0;
  for (const place of [0.02, 0.1, 0.6]) {
    const fault: Fault = { atMs: 200, kind: "misdirect", node: 2, place, downMs: 50 };
    const result = await runSchedule(scheduleOf(300, fault, 2500), { record: true });
    assertEquals(result.failure, undefined, `landing at ${place}`);
    if (result.lines.some((line) => line.includes("acknowledged data is damaged"))) noticed++;
  }
  assert(noticed > 0);
});

/** The names of the log's lines about replicas that began, and of those that were given up unseen. */
function replicaLines(): {
  readonly created: string[];
  readonly mourned: string[];
  onLog(node: string, message: string, fields: Record<string, unknown>): void;
} {
  const created: string[] = [];
  const mourned: string[] = [];
  return {
    created,
    mourned,
    onLog(node, message, { partition, replicaId }) {
      const line = `${node} ${partition}/${replicaId}`;
      if (message === "replica created") created.push(line);
      if (message.startsWith("replica may have lost")) mourned.push(line);
    },
  };
}

Deno.test("what the map names only after a damaged node has come back begins at once", async () => {
  const { created, mourned, onLog } = replicaLines();
  await withIdleCluster({ nodes: 3, partitions: 3, onLog }, async (cluster) => {
    const [asked, node] = cluster.nodes;
    await cluster.fetch(asked, "/key/k", { method: "PUT", body: "v" });
    const early = node.files();
    for (let i = 0; i < 40; i++) {
      await cluster.fetch(asked, `/key/k${i}`, { method: "PUT", body: "v" });
    }
    await cluster.run(3000); // the mark is written now and then
    node.crash();
    for (const [path, content] of early) {
      if (path.endsWith(".wal")) node.replaceFile(path, content);
    }
    node.start();
    await cluster.run(1000);
    await cluster.atRest(60_000);
    assertEquals(mourned, []);
    assertEquals(created.length, 4, created.join());
  });
});

Deno.test("a replica whose very creation was in the lost end of the log does not begin anew", async () => {
  const { created, mourned, onLog } = replicaLines();
  await withIdleCluster({ nodes: 4, partitions: 1, onLog }, async (cluster) => {
    const [asked] = cluster.nodes;
    const nameOf = (id: string) =>
      cluster.view(asked).members.find(({ nodeId }) => nodeId === id)!.name;
    const holders = () => cluster.view(asked).routing[0].replicas.map(nameOf);
    const move = async (from: string, to: string) => {
      const { status } = await cluster.post(asked, "/cluster/partitions/1/move", { from, to });
      assertEquals(status, 200);
      await cluster.atRest(40_000);
      assert(holders().includes(to) && !holders().includes(from));
    };
    await cluster.fetch(asked, "/key/k", { method: "PUT", body: "v" });
    const there = holders().find((name) => name !== asked.name)!;
    const node = cluster.nodes.find(({ name }) => name === there)!;
    const free = cluster.nodes.find(({ name }) => !holders().includes(name))!.name;
    const early = node.files();
    await move(there, free);
    await move(free, there);
    const again = created.findLast((line) => line.startsWith(`${there} 1/`))!;
    created.length = 0;
    node.crash();
    // The log as it was before the replica left and another one came; the mark tells that it went on.
    for (const [path, content] of early) {
      if (path.endsWith(".wal")) node.replaceFile(path, content);
    }
    node.start();
    await cluster.atRest(60_000);
    assert(mourned.includes(again), mourned.join());
    assert(!created.includes(again), `${again} was created again`);
    assertEquals(cluster.view(asked).routing[0].replicas.length, 3);
    assertEquals((await cluster.fetch(asked, "/key/k")).status, 200);
  });
});
