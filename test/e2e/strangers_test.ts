// A node that does not know the cluster's secret, on real processes: refused and told why, and nobody else notices.

import { assert, assertEquals } from "@std/assert";
import {
  clusterView,
  isReady,
  TestCluster,
  type TestNode,
  until,
} from "../../scripts/bench/support/cluster.ts";

const PATIENCE_MS = 60_000;

async function put(node: TestNode, key: string): Promise<number> {
  const response = await fetch(`http://${node.http}/key/${key}`, { method: "PUT", body: "v" });
  await response.body?.cancel();
  return response.status;
}

Deno.test("a node with another peer secret is refused, both sides say so, and the cluster goes on", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-strangers-" });
  try {
    for (const name of ["ours", "theirs"]) {
      Deno.writeFileSync(`${dir}/${name}`, crypto.getRandomValues(new Uint8Array(32)));
    }
    await using cluster = TestCluster.start({
      nodes: 3,
      nodeFlags: (name) => ["--secret-file", `${dir}/${name === "n4" ? "theirs" : "ours"}`],
    });
    await cluster.ready(PATIENCE_MS);
    const [asked] = cluster.nodes;
    const stranger = cluster.join("n4", asked);
    const says = (node: TestNode, message: RegExp) =>
      Deno.readTextFileSync(node.logFile).split("\n")
        .some((line) => message.test(line) && /secret/.test(line));
    let written = 0;
    await until("the refusal is in both logs", PATIENCE_MS, async () => {
      assertEquals(await put(asked, `k${written++}`), 201);
      return says(asked, /refused/) && says(stranger, /secret/);
    });
    assertEquals(await isReady(stranger.http), false);
    const view = await clusterView(asked.http);
    assertEquals(view?.members.map(({ name }) => name).toSorted(), ["n1", "n2", "n3"]);
    assert(view!.members.every(({ reachable }) => reachable));
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
