// Whether a node has all that the cluster had when it came.

import type { NodeId } from "../base/ids.ts";
import { NONE } from "../raft/mod.ts";
import type { Hosting } from "./hosting.ts";
import type { Topology } from "./topology.ts";

/** A node's answer to `/health/ready`. */
export interface Readiness {
  readonly ready: boolean;
  /** "ok", or what it waits for, in words. */
  readonly reason: string;
}

export function caughtUp(
  nodeId: NodeId,
  topology: Topology,
  hosting: Hosting | undefined,
): Readiness {
  if (hosting === undefined) return { ready: false, reason: "not in a cluster yet" };
  if (topology.member(nodeId) === undefined) {
    return { ready: false, reason: "not a member of the cluster" };
  }
  for (const hosted of hosting.all()) {
    const { partition } = hosted;
    if (hosted.kind === "suspect") {
      // Of a replica whose very id is lost the map may want nothing more here.
      if (hosted.replicaId === NONE) continue;
      return { ready: false, reason: `partition ${partition}: replica is damaged` };
    }
    const { replica } = hosted;
    if (replica.leader === NONE) {
      return { ready: false, reason: `partition ${partition}: no leader` };
    }
    if (!replica.serving || replica.appliedIndex < replica.core.committed) {
      return { ready: false, reason: `partition ${partition}: catching up` };
    }
  }
  if (hosting.awaitsNewestMap) {
    return { ready: false, reason: "the log is damaged: asking the meta group what it held" };
  }
  return { ready: true, reason: "ok" };
}
