// Inputs as real nodes make them: what a simulated cluster says on its links and leaves on its disks while it serves
// writes, reads, scans and watches, takes a node in and lets one go.

import { FrameReader, FrameType } from "../../src/transport/frame.ts";
import { type IdleCluster, withIdleCluster } from "../sim/idle_cluster.ts";

/** Of each kind. */
const KEPT_MAX = 400;

export interface Recording {
  /** Payloads by frame type. */
  readonly frames: ReadonlyMap<number, readonly Uint8Array[]>;
  /** Files of one node's disk, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Runs the cluster; takes about a second. */
export async function record(): Promise<Recording> {
  const frames = new Map<number, Uint8Array[]>();
  const seen = new Set<string>();
  const { next } = FrameReader.prototype;
  FrameReader.prototype.next = function (this: FrameReader) {
    const frame = next.call(this);
    if (frame !== undefined) {
      const list = frames.get(frame.type) ?? [];
      frames.set(frame.type, list);
      // One of each length and beginning tells enough.
      const looks = `${frame.type} ${frame.payload.length} ${frame.payload.subarray(16, 40)}`;
      if (list.length < KEPT_MAX && !seen.has(looks)) {
        seen.add(looks);
        list.push(frame.payload.slice());
      }
    }
    return frame;
  };
  let files: ReadonlyMap<string, Uint8Array> = new Map();
  try {
    await withIdleCluster({ nodes: 3, partitions: 2 }, async (cluster) => {
      await serve(cluster);
      const joined = cluster.join("n3");
      await cluster.until(
        "n3 is ready",
        60_000,
        () => joined.life?.running?.node.api.ready().ready ?? false,
      );
      await serve(cluster);
      await cluster.post(cluster.nodes[0], "/cluster/members", { action: "remove", node: "n3" });
      await cluster.until(
        "n3 is gone",
        60_000,
        () => cluster.view(cluster.nodes[0]).members.length === 3,
      );
      files = cluster.nodes[0].files();
    });
  } finally {
    FrameReader.prototype.next = next;
  }
  return { frames, files };
}

async function serve(cluster: IdleCluster): Promise<void> {
  const [one, other] = cluster.nodes;
  for (let i = 0; i < 30; i++) {
    const node = cluster.nodes[i % 3];
    const key = `/key/k${i}`;
    const init = {
      method: "PUT",
      body: "v".repeat(i * 20),
      headers: { "idempotency-key": `i${i}` },
    };
    await cluster.fetch(node, i % 3 === 0 ? `${key}?ttl=60` : key, init);
    await cluster.fetch(other, key);
    if (i % 7 === 0) await cluster.fetch(node, key, { method: "DELETE" });
  }
  await cluster.fetch(one, "/keys?prefix=k&limit=7");
  const text = { "content-type": "text/plain" };
  const session = { "pontoon-session": "s1;1;0", ...text };
  await cluster.fetch(other, "/key/s", { method: "PUT", body: "in a session", headers: session });
  await cluster.post(other, "/txn", {
    if: [{ key: "{t}a", exists: false }],
    then: [{ op: "put", key: "{t}a", value: "x" }, { op: "get", key: "{t}a" }],
    else: [{ op: "deleteRange", start: "{t}", end: "{t}z" }],
  });
  await cluster.post(one, "/batch", {
    operations: [{ op: "put", key: "b1", value: "x" }, { op: "get", key: "b2" }],
  });
  await cluster.run(500);
}

export { FrameType };
