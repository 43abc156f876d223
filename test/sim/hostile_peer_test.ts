// A peer that holds the secret and forwards what is no command: it must not get into the log, where it would end
// every node that applies it, again at each start.

import { assertEquals } from "@std/assert";
import { encodeWriteRequest } from "../../src/node/forward.ts";
import { withIdleCluster } from "./idle_cluster.ts";

Deno.test("a forwarded write that is no command is refused, and nobody ends", async () => {
  await withIdleCluster({ nodes: 3, partitions: 1 }, async (cluster) => {
    const leader = cluster.nodes.find((node) =>
      cluster.replicas([node]).some(({ kind, replica }) => kind === "data" && replica.isLeader)
    )!;
    const peer = cluster.nodes.find((node) => node !== leader)!;
    const { transport } = peer.life!.running!.node;
    const to = leader.life!.running!.node.nodeId;
    for (const envelope of [new Uint8Array(), new Uint8Array(3), new Uint8Array(60).fill(255)]) {
      let kind = "";
      transport.request(to, encodeWriteRequest(1, envelope), 1000).then((result) => {
        kind = result.kind;
      });
      await cluster.until("an answer", 2000, () => kind !== "");
      assertEquals(kind, "answered");
    }
    assertEquals((await cluster.fetch(peer, "/key/k", { method: "PUT", body: "v" })).status, 201);
  });
});
