// A rolling upgrade on real processes: a cluster of the version before this one becomes one of this version node by
// node, one goes back and comes again, and one loses its data meanwhile. Clients see no error, nothing is lost or done
// twice, and replicas of both versions are in the same state.

import { assert, assertEquals } from "@std/assert";
import { connect, type Kv } from "../../src/client/mod.ts";
import {
  clusterView,
  type Program,
  TestCluster,
  type TestNode,
  until,
} from "../../scripts/bench/support/cluster.ts";
import { earlierCommit, layOut } from "../support/earlier_version.ts";

const PATIENCE_MS = 60_000;
const PARTITIONS = 3;
const COUNTERS = 6;
const PAUSE_MS = 20;
/** So that there are snapshots, and a node that has lost its data needs them. */
const SNAPSHOT_LOG_BYTES = 1024 * 1024;

const commit = earlierCommit();
// No program to install would help: it is a skip wherever the tests run.
if (commit === undefined) console.log("skipped: no earlier version in the history of this copy");

/** One of each kind of value, and more than a log holds without a snapshot. */
async function seed(kv: Kv): Promise<Map<string, unknown>> {
  const values = new Map<string, unknown>([
    ["text", "plain"],
    ["json", { nested: [1, 2, { three: "ü" }] }],
    ["bytes", new Uint8Array([0, 1, 254, 255])],
    ["long", "compressible ".repeat(20_000)],
  ]);
  for (let i = 0; i < 40; i++) {
    const noise = crypto.getRandomValues(new Uint8Array(65_000)); // no codec makes it shorter
    values.set(`noise-${i}`, noise);
  }
  for (const [key, value] of values) await kv.set(key, value);
  await kv.set("leased", "for a day", { ttlMs: 86_400_000 });
  values.set("leased", "for a day");
  return values;
}

/** Counts up keys of its own until `stopped`; returns how often each. */
async function count(kv: Kv, stopped: () => boolean): Promise<number[]> {
  return await Promise.all(Array.from({ length: COUNTERS }, async (_, i) => {
    let counted = 0;
    while (!stopped()) {
      const { value, revision } = await kv.get<number>(`counter-${i}`);
      assertEquals(value ?? 0, counted, `counter-${i}`);
      const result = await kv.set(`counter-${i}`, counted + 1, { ifRevision: revision });
      assert(result.ok, "nobody else writes it");
      counted++;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return counted;
  }));
}

/** The same write under the same key, whoever answers: done once, and remembered by everybody. */
async function putOnce(node: TestNode): Promise<{ revision: number; replayed: boolean }> {
  const response = await fetch(`http://${node.http}/key/once`, {
    method: "PUT",
    headers: { "idempotency-key": "upgrade" },
    body: "done once",
  });
  assertEquals(response.status, 201);
  const { revision } = await response.json();
  return { revision, replayed: response.headers.get("pontoon-replayed") === "true" };
}

interface Hashes {
  readonly partitions: readonly { partition: number; applied: number; hash: string }[];
}

/** Waits until all replicas of each partition have told their hashes at one index, and compares them. */
async function compareStates(nodes: readonly TestNode[]): Promise<void> {
  const compared = new Set<number>();
  await until("all replicas tell a hash at one index", PATIENCE_MS, async () => {
    const answers = await Promise.all(nodes.map(async ({ http }): Promise<Hashes> => {
      return await (await fetch(`http://${http}/cluster/hash`)).json();
    }));
    for (let partition = 1; partition <= PARTITIONS; partition++) {
      const told = answers.flatMap(({ partitions }) =>
        partitions?.filter((one) => one.partition === partition) ?? []
      );
      if (told.length < nodes.length || new Set(told.map(({ applied }) => applied)).size > 1) {
        continue;
      }
      assertEquals(new Set(told.map(({ hash }) => hash)).size, 1, JSON.stringify(told));
      compared.add(partition);
    }
    return compared.size === PARTITIONS;
  });
}

Deno.test({
  name: `nodes of the version before this one (${commit?.slice(0, 9)}) are replaced one by one`,
  ignore: commit === undefined,
  async fn() {
    const dir = Deno.makeTempDirSync({ prefix: "pontoon-earlier-" });
    try {
      layOut(commit!, dir);
      const earlier: Program = { main: `${dir}/src/main.ts`, config: `${dir}/deno.json` };
      await using cluster = TestCluster.start({
        nodes: 3,
        partitions: PARTITIONS,
        program: earlier,
        flags: ["--snapshot-log-bytes", String(SNAPSHOT_LOG_BYTES)],
      });
      await cluster.ready(PATIENCE_MS);
      await using kv = await connect(cluster.nodes.map(({ http }) => http));
      const values = await seed(kv);
      const { revision } = await putOnce(cluster.nodes[0]);

      const look = async () => {
        for (const node of cluster.nodes) {
          assertEquals(await putOnce(node), { revision, replayed: true });
          await using own = await connect(node.http);
          for (const [key, value] of values) {
            assertEquals((await own.get(key)).value, value, `${key} by ${node.name}`);
          }
        }
      };
      /** Under writes; then, with none, every replica is compared. */
      const replace = async (node: TestNode, program: Program | undefined, wipe = false) => {
        let stopped = false;
        const counting = count(kv, () => stopped).finally(() => stopped = true);
        try {
          cluster.signal(node, "SIGTERM");
          assertEquals((await node.process!.status).code, 0, `${node.name} stops gracefully`);
          if (wipe) Deno.removeSync(node.dataDir, { recursive: true });
          node.program = program;
          cluster.spawn(node);
          await cluster.ready(PATIENCE_MS);
          if (wipe) await settled(cluster);
        } finally {
          stopped = true;
        }
        for (const counted of await counting) assert(counted > 0);
        for (let i = 0; i < COUNTERS; i++) await kv.delete(`counter-${i}`);
        await look();
        await compareStates(cluster.nodes);
      };

      const [n1, n2, n3] = cluster.nodes;
      await look();
      await replace(n1, undefined);
      await replace(n1, undefined, true); // its new state comes from leaders of the earlier version
      await replace(n2, undefined);
      await replace(n3, earlier, true); // and here the other way round
      await replace(n2, earlier);
      await replace(n2, undefined);
      await replace(n3, undefined);
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  },
});

/** Every partition has three voters again and nothing moves. */
function settled(cluster: TestCluster): Promise<unknown> {
  return until("every partition has its replicas", PATIENCE_MS, async () => {
    const views = await Promise.all(cluster.nodes.map(({ http }) => clusterView(http)));
    return views.every((view) =>
      view !== undefined && view.moves.length === 0 && view.members.length === 3 &&
      [0, 1, 2, 3].every((partition) => {
        const row = view.partitions.find((one) => one.partition === partition);
        return row?.health === "ok" &&
          row.replicas.filter(({ role }) => role === "voter").length === 3;
      })
    );
  });
}
