// The cluster as this node sees it, for `GET /cluster`.

import type { NodeId, PartitionId } from "../base/ids.ts";
import type { MemberNews } from "../gossip/mod.ts";
import type { Member, Move, PartitionEntry } from "../partition/mod.ts";
import { PONTOON_VERSION } from "./config.ts";
import type { Hosted } from "./group.ts";
import type { Hosting } from "./hosting.ts";
import { routingView } from "./routing_view.ts";
import type {
  ClusterView,
  MemberView,
  MoveView,
  PartitionView,
  PlanView,
  ReplicaView,
} from "./service.ts";
import type { Topology } from "./topology.ts";

interface ViewSources {
  readonly nodeId: NodeId;
  readonly name: string;
  readonly clusterId: string;
  readonly topology: Topology;
  readonly hosting: Hosting | undefined;
  /** By partition, as far as this node knows. */
  readonly leaders: ReadonlyMap<PartitionId, NodeId>;
  readonly plan: PlanView | undefined;
  waitingFor(partition: PartitionId): string | undefined;
  isConnected(nodeId: NodeId): boolean;
  newsOf(nodeId: NodeId): MemberNews | undefined;
  readonly nowMs: number;
}

export function clusterView(sources: ViewSources): ClusterView {
  const { nodeId, name, clusterId, topology, hosting } = sources;
  const partitions: PartitionView[] = [];
  const held = replicaCounts(topology);
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
        state: memberState(member, held.get(member.nodeId) ?? 0),
        replicas: held.get(member.nodeId) ?? 0,
        weight: member.weight,
        ...(member.zone === undefined ? {} : { zone: member.zone }),
        ...(member.host === undefined ? {} : { host: member.host }),
        reachable: sources.isConnected(member.nodeId),
        ...(news === undefined ? {} : {
          gossip: news.status,
          gossipForMs: Math.max(0, Math.round(sources.nowMs - news.sinceMs)),
          load: news.load,
        }),
      };
    }),
    partitions: partitions.sort((a, b) => a.partition - b.partition),
    routing: routingView(topology, sources.leaders),
    moves: topology.map.partitions.flatMap((entry) =>
      entry.move === undefined ? [] : [moveView(entry, entry.move, sources)]
    ),
    plan: sources.plan,
  };
}

/** Replicas of data partitions by the node that holds them, or is about to. */
function replicaCounts({ map }: Topology): Map<NodeId, number> {
  const counts = new Map<NodeId, number>();
  for (const entry of map.partitions.slice(1)) {
    for (const { nodeId } of [...entry.replicas, ...entry.move?.adding ?? []]) {
      counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
    }
  }
  return counts;
}

function memberState({ state }: Member, replicas: number): MemberView["state"] {
  return state === "draining" && replicas === 0 ? "drained" : state;
}

function moveView(entry: PartitionEntry, move: Move, sources: ViewSources): MoveView {
  const { partition } = entry;
  const hosted = sources.hosting?.get(partition);
  const replica = hosted?.kind === "suspect" ? undefined : hosted?.replica;
  const nodesOf = (refs: readonly { readonly nodeId: NodeId }[]) =>
    refs.map(({ nodeId }) => nodeId);
  const view: MoveView = {
    partition,
    beganEpoch: move.beganEpoch,
    adding: nodesOf(move.adding),
    removing: nodesOf([...move.removing, ...move.demoting]),
    phase: move.phase,
    cancelled: move.cancelEpoch !== undefined,
  };
  if (!replica?.isLeader) return view;
  const { progress, lastIndex } = replica.core.status();
  return {
    ...view,
    progress: move.adding.map(({ nodeId, replicaId }) => {
      const matchIndex = progress.find(({ id }) => id === replicaId)?.match ?? 0;
      return { nodeId, matchIndex, lag: Math.max(0, lastIndex - matchIndex) };
    }),
    waitingFor: sources.waitingFor(partition),
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
      asleep: false,
      logBytes: 0,
      snapshotBytes: 0,
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
    asleep: replica.asleep,
    ...(hosted.kind === "data" ? { keys: hosted.machine.store.size } : {}),
    logBytes: replica.logBytes,
    snapshotBytes: hosted.snapshots.latest?.sizeBytes ?? 0,
    health: replica.awaitingSnapshot
      ? "awaiting-snapshot"
      : replica.leader === 0
      ? "no-leader"
      : "ok",
  };
}
