// The cluster as this node sees it, for `GET /cluster`.

import type { NodeId, PartitionId } from "../base/ids.ts";
import type { MemberNews } from "../gossip/mod.ts";
import { PONTOON_VERSION } from "./config.ts";
import type { Hosted } from "./group.ts";
import type { Hosting } from "./hosting.ts";
import { routingView } from "./routing_view.ts";
import type { ClusterView, PartitionView, ReplicaView } from "./service.ts";
import type { Topology } from "./topology.ts";

interface ViewSources {
  readonly nodeId: NodeId;
  readonly name: string;
  readonly clusterId: string;
  readonly topology: Topology;
  readonly hosting: Hosting | undefined;
  /** By partition, as far as this node knows. */
  readonly leaders: ReadonlyMap<PartitionId, NodeId>;
  isConnected(nodeId: NodeId): boolean;
  newsOf(nodeId: NodeId): MemberNews | undefined;
}

export function clusterView(sources: ViewSources): ClusterView {
  const { nodeId, name, clusterId, topology, hosting } = sources;
  const partitions: PartitionView[] = [];
  for (const hosted of hosting?.all() ?? []) partitions.push(partitionView(hosted, topology));
  return {
    clusterId,
    nodeId,
    name,
    version: PONTOON_VERSION,
    epoch: topology.epoch,
    members: topology.map.members.map((member) => {
      const news = sources.newsOf(member.nodeId);
      return {
        nodeId: member.nodeId,
        name: member.name,
        http: member.http,
        peer: member.peer,
        state: member.state,
        weight: member.weight,
        ...(member.zone === undefined ? {} : { zone: member.zone }),
        ...(member.host === undefined ? {} : { host: member.host }),
        reachable: sources.isConnected(member.nodeId),
        ...(news === undefined ? {} : { gossip: news.status, load: news.load }),
      };
    }),
    partitions: partitions.sort((a, b) => a.partition - b.partition),
    routing: routingView(topology, sources.leaders),
  };
}

function partitionView(hosted: Hosted, topology: Topology): PartitionView {
  const { partition } = hosted;
  if (hosted.kind === "suspect") {
    return {
      partition,
      term: 0,
      leader: 0,
      leaderNodeId: undefined,
      commitIndex: 0,
      appliedIndex: 0,
      replicas: [],
      health: `corrupt: ${hosted.reason}`,
    };
  }
  const { replica } = hosted;
  const { confState } = replica.configuration;
  const progress = new Map(replica.core.status().progress.map((one) => [one.id, one]));
  const view = (replicaId: number, role: ReplicaView["role"]): ReplicaView => {
    const match = progress.get(replicaId)?.match;
    return {
      replicaId,
      nodeId: topology.nodeOf(partition, replicaId) ?? "",
      role,
      matchIndex: match,
      lag: match === undefined ? undefined : Math.max(0, replica.core.lastIndex - match),
    };
  };
  return {
    partition,
    term: replica.term,
    leader: replica.leader,
    leaderNodeId: topology.nodeOf(partition, replica.leader),
    commitIndex: replica.core.committed,
    appliedIndex: replica.appliedIndex,
    replicas: [
      ...confState.voters.map((id) => view(id, "voter")),
      ...confState.learners.map((id) => view(id, "learner")),
    ],
    health: replica.awaitingSnapshot
      ? "awaiting-snapshot"
      : replica.leader === 0
      ? "no-leader"
      : "ok",
  };
}
