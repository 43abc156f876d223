// A replica far behind, in a group that is written to faster than a snapshot can be written and sent: the log
// behind that snapshot must still be there when it arrives, or it has come in vain, and so has every later one.

import { assert } from "@std/assert";
import { type IdleCluster, withIdleCluster } from "./idle_cluster.ts";
import type { SimNode } from "./sim_node.ts";
import type { RunningReplica } from "./standing.ts";

const KEYS = 8;
const WRITE_INTERVAL_MS = 5;
const VALUE = "v".repeat(200);
/** About ten writes. */
const LOG_WINDOW_BYTES = 4 * 1024;
/** Files are synced several times each, so that the window has passed by long before a snapshot is there. */
const SYNC_MS = 60;

function dataReplica(cluster: IdleCluster, node: SimNode): RunningReplica | undefined {
  return cluster.replicas([node]).find(({ kind }) => kind === "data");
}

/** Puts come to `node` at a steady rate, whoever waits for answers. */
function write(cluster: IdleCluster, node: SimNode, isOver: () => boolean): void {
  let count = 0;
  const next = () => {
    if (isOver()) return;
    const { incarnation, handler } = node.life!;
    incarnation.run(() => {
      handler!(
        new Request(`http://localhost/key/k${count++ % KEYS}`, { method: "PUT", body: VALUE }),
      );
    });
    cluster.scheduler.schedule(WRITE_INTERVAL_MS, next);
  };
  next();
}

Deno.test("a replica far behind catches up though the log outruns every snapshot", async () => {
  const options = { nodes: 3, partitions: 1, logWindowBytes: LOG_WINDOW_BYTES };
  await withIdleCluster(options, async (cluster) => {
    const leader = cluster.nodes.find((node) => dataReplica(cluster, node)?.replica.isLeader)!;
    const behind = cluster.nodes.find((node) => node !== leader)!;
    let isOver = false;
    write(cluster, leader, () => isOver);
    behind.powerCut(false);
    await cluster.run(500);
    for (const node of cluster.nodes) node.slowSyncs(SYNC_MS, 60_000);
    behind.start();
    const applied = (node: SimNode) => dataReplica(cluster, node)?.replica.appliedIndex ?? 0;
    await cluster.until("it is there again", 2000, () => applied(behind) > 0);
    const goal = applied(leader);
    await cluster.until("it has caught up", 5000, () => applied(behind) >= goal);
    // Having caught up, it keeps up: no further snapshot is needed.
    const held = dataReplica(cluster, behind)!.replica;
    await cluster.until("it follows closely", 2000, () => applied(leader) - held.appliedIndex < 40);
    isOver = true;
    assert(cluster.failures.length === 0);
  });
});
