// Scans over partitions that no node holds all of, on real processes: the same from every node, and a cursor
// that outlives the death of a node.

import { assertEquals } from "@std/assert";
import { TestCluster, type TestNode, until } from "../../scripts/bench/support/cluster.ts";

interface Page {
  readonly keys: readonly { readonly key: string }[];
  readonly cursor: string | null;
}

async function page(node: TestNode, query: string): Promise<Page | undefined> {
  const response = await fetch(`http://${node.http}/keys?${query}`);
  if (response.ok) return await response.json();
  await response.body?.cancel();
  return undefined;
}

interface Hash {
  readonly partition: number;
  readonly applied: number;
  readonly hash: string;
}

/** Every replica of every data partition has the same hash at the same index. */
async function replicasAgree(nodes: readonly TestNode[]): Promise<void> {
  await until("equal hashes at equal indexes", 20_000, async () => {
    const answers = await Promise.all(nodes.map(async ({ http }) => {
      const response = await fetch(`http://${http}/cluster/hash`);
      return (await response.json()).partitions as Hash[];
    }));
    const hashes = answers.flat().filter(({ partition }) => partition > 0);
    assertEquals(hashes.length, 12);
    for (const { partition, applied, hash } of hashes) {
      const same = hashes.filter((one) => one.partition === partition);
      if (same.some((one) => one.applied !== applied)) return false; // not at rest yet
      assertEquals(same.map((one) => one.hash), [hash, hash, hash]);
    }
    return true;
  });
}

Deno.test("a scan is the same from every node, and its cursor outlives a node", async () => {
  await using cluster = TestCluster.start({
    nodes: 4,
    flags: ["--partitions", "4", "--replicas", "3"],
  });
  await cluster.ready();
  const keys = Array.from({ length: 200 }, (_, i) => `k${String(i).padStart(3, "0")}`);
  await Promise.all(keys.map(async (key, i) => {
    const url = `http://${cluster.nodes[i % 4].http}/key/${key}`;
    const response = await fetch(url, { method: "PUT", body: `value of ${key}` });
    assertEquals(response.status, 201, await response.text());
  }));
  for (const node of cluster.nodes) {
    const all = await page(node, "limit=1000");
    assertEquals(all?.keys.map(({ key }) => key), keys);
    assertEquals(all?.cursor, null);
  }
  await replicasAgree(cluster.nodes);
  const [, ...survivors] = cluster.nodes;
  const found: string[] = [];
  for (let cursor: string | null = "", i = 0; cursor !== null; i++) {
    if (i === 2) await cluster.kill(cluster.nodes[0]);
    const query: string = `limit=30${cursor === "" ? "" : `&cursor=${cursor}`}`;
    const next = await until("a page", 30_000, () => page(survivors[i % 3], query));
    found.push(...next.keys.map(({ key }) => key));
    cursor = next.cursor;
  }
  assertEquals(found, keys);
});
