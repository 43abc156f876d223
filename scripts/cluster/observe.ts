// Asks a node over HTTP how it is: readiness, and what it knows of its partitions.
// Never waits longer than its limit, and never throws: a node that can't be asked is silent.

import { askLocal } from "./local_http.ts";

/** One partition as one node sees it. */
export interface PartitionStatus {
  readonly partition: number;
  readonly term: number;
  /** Name of the leader the node follows; undefined if it knows none. */
  readonly leader: string | undefined;
  readonly commitIndex: number;
}

/** How a node answers. */
export interface Observation {
  readonly health: "ready" | "not ready" | "silent";
  readonly partitions: readonly PartitionStatus[];
}

const SILENT: Observation = { health: "silent", partitions: [] };

function partitionsOf(body: string): PartitionStatus[] {
  const { members, partitions } = JSON.parse(body) as {
    members: { nodeId: string; name: string }[];
    partitions: {
      partition: number;
      term: number;
      leaderNodeId?: string;
      commitIndex: number;
    }[];
  };
  const names = new Map(members.map((member) => [member.nodeId, member.name]));
  return partitions.map(({ partition, term, leaderNodeId, commitIndex }) => ({
    partition,
    term,
    leader: leaderNodeId ? names.get(leaderNodeId) ?? leaderNodeId.slice(0, 8) : undefined,
    commitIndex,
  }));
}

/** How the node at `address` (host:port) answers now. */
export async function observe(address: string): Promise<Observation> {
  try {
    const [ready, cluster] = await Promise.all([
      askLocal(address, "/health/ready"),
      askLocal(address, "/cluster"),
    ]);
    return {
      health: ready.status === 200 ? "ready" : "not ready",
      partitions: cluster.status === 200 ? partitionsOf(cluster.body) : [],
    };
  } catch {
    return SILENT;
  }
}
