// What an operator asks of the cluster: members in, out and drained, replicas moved, leaderships handed
// over. Decides nothing by itself: each verb is refused with its reason, or becomes a command to the meta
// group or a request to a partition's leader. It must refuse what would cost a partition its quorum.

import { META_PARTITION, type NodeId, type PartitionId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";
import {
  type BeginMove,
  type ClusterStatus,
  drainObstacle,
  type Member,
  type MetaCommand,
  type MetaResult,
  moveObstacle,
  type PartitionEntry,
} from "../partition/mod.ts";
import type { CallResult } from "../transport/mod.ts";
import { failure, NOT_LEADER } from "./data_partition.ts";
import { decodePlainAnswer, encodeTransferRequest, readable } from "./forward.ts";
import type { Hosting } from "./hosting.ts";
import type { Failure, MemberChange } from "./service.ts";
import type { Topology } from "./topology.ts";

/** What administration needs of the node. */
export interface AdministrationHost {
  readonly clock: Clock;
  readonly nodeId: NodeId;
  readonly topology: Topology;
  hosting(): Hosting | undefined;
  /** Who is down, and damaged, as far as this node knows. */
  status(): ClusterStatus;
  proposeMeta(command: MetaCommand, timeoutMs: number): Promise<MetaResult | Failure>;
  /** Admits the node that listens for peers at the address. */
  admit(peer: string, timeoutMs: number): Promise<Accepted | Failure>;
  leaderOf(partition: PartitionId): NodeId | undefined;
  request(to: NodeId, body: Uint8Array, budgetMs: number): Promise<CallResult>;
  /** Resolves when a leader may have changed, at the latest at `deadlineMs`. */
  leaderChange(deadlineMs: number): Promise<void>;
}

/** The meta group has committed the intent in the map of this epoch. */
export interface Accepted {
  readonly ok: true;
  readonly epoch: number;
}

/** Between two attempts to reach a partition's leader. */
const RETRY_PAUSE_MS = 50;

export class Administration {
  readonly #host: AdministrationHost;

  constructor(host: AdministrationHost) {
    this.#host = host;
  }

  // --------------------------------------------------------------------------------------- members

  async changeMembers(change: MemberChange, timeoutMs: number): Promise<Accepted | Failure> {
    if (change.kind === "add") return await this.#host.admit(change.peer, timeoutMs);
    const member = this.#host.topology.findMember(change.node);
    if (member === undefined) return unknownMember(change.node);
    const { nodeId } = member;
    if (change.kind === "activate") {
      return await this.#propose({ kind: "stayMember", nodeId }, timeoutMs);
    }
    const obstacle = this.#drainObstacle(member);
    if (obstacle !== undefined) {
      return failure("conflict", "none", `${member.name} can't go now: ${obstacle}`);
    }
    const kind = change.kind === "drain" ? "drainMember" : "leaveMember";
    return await this.#propose({ kind, nodeId }, timeoutMs);
  }

  /** Why the member's replicas could not leave it. One that is empty, or on its way out, may always go on. */
  #drainObstacle({ nodeId, state }: Member): string | undefined {
    if (state !== "active") return undefined;
    return drainObstacle(this.#host.topology.map, nodeId, this.#host.status());
  }

  // ----------------------------------------------------------------------------------------- moves

  /** Moves a partition's replica from one member to another; names or nodeIds. */
  async moveReplica(
    partition: PartitionId,
    from: string,
    to: string,
    timeoutMs: number,
  ): Promise<Accepted | Failure> {
    const { topology } = this.#host;
    const entry = topology.map.partitions[partition];
    if (entry === undefined) return unknownPartition(partition);
    const source = topology.findMember(from);
    const target = topology.findMember(to);
    if (source === undefined) return unknownMember(from);
    if (target === undefined) return unknownMember(to);
    const leaving = entry.replicas.find(({ nodeId }) => nodeId === source.nodeId);
    if (leaving === undefined) {
      return failure("conflict", "none", `${from} holds no voter of partition ${partition}`);
    }
    const command: BeginMove = {
      kind: "beginMove",
      partition,
      add: [target.nodeId],
      remove: [leaving.replicaId],
      replace: [],
      expected: entry.replicas.map(({ replicaId }) => replicaId),
    };
    const obstacle = moveObstacle(topology.map, command, this.#host.status());
    if (obstacle !== undefined) return failure("conflict", "none", obstacle);
    return await this.#propose(command, timeoutMs);
  }

  // ------------------------------------------------------------------------------------- leadership

  /** Asks that a data partition's leader be in `zone` where a voter is there; undefined: anywhere. */
  async preferZone(
    partition: PartitionId,
    zone: string | undefined,
    timeoutMs: number,
  ): Promise<Accepted | Failure> {
    const { map } = this.#host.topology;
    if (partition === META_PARTITION || map.partitions[partition] === undefined) {
      return unknownPartition(partition);
    }
    if (zone !== undefined && !map.members.some((member) => member.zone === zone)) {
      return failure("conflict", "none", `no member is in a zone ${zone}`);
    }
    const wanted = zone === undefined ? {} : { zone };
    return await this.#propose({ kind: "preferZone", partition, ...wanted }, timeoutMs);
  }

  /** Has the partition's leader, wherever it is, hand over to a member; name or nodeId. */
  async transfer(
    partition: PartitionId,
    to: string,
    timeoutMs: number,
  ): Promise<{ ok: true } | Failure> {
    const { clock, nodeId, topology } = this.#host;
    const entry = topology.map.partitions[partition];
    if (entry === undefined) return unknownPartition(partition);
    const member = topology.findMember(to);
    if (member === undefined) return unknownMember(to);
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    let last: Failure = failure("no-leader", "none", `partition ${partition} has no leader`);
    for (;;) {
      const nowMs = clock.monotonicMs();
      if (nowMs >= deadlineMs) return last;
      const leader = this.#host.leaderOf(partition);
      const answer = leader === undefined
        ? undefined
        : leader === nodeId
        ? this.transferHere(partition, member.nodeId)
        : await this.#transferAt(leader, partition, member.nodeId, deadlineMs - nowMs);
      if (answer?.ok) return answer;
      if (answer !== undefined) {
        if (answer.code !== "not-leader") return answer;
        last = answer;
      }
      await this.#host.leaderChange(Math.min(deadlineMs, clock.monotonicMs() + RETRY_PAUSE_MS));
    }
  }

  async #transferAt(
    leader: NodeId,
    partition: PartitionId,
    to: NodeId,
    budgetMs: number,
  ): Promise<{ ok: true } | Failure | undefined> {
    const result = await this.#host.request(leader, encodeTransferRequest(partition, to), budgetMs);
    // Asking twice does no harm: a leadership handed over is handed over.
    return result.kind === "answered"
      ? readable(decodePlainAnswer<{ ok: true } | Failure>, result.body)
      : undefined;
  }

  /** Hands over what this node leads; also what another node asks of it. */
  transferHere(partition: PartitionId, to: NodeId): { ok: true } | Failure {
    const hosted = this.#host.hosting()?.get(partition);
    if (hosted === undefined || hosted.kind === "suspect" || !hosted.replica.isLeader) {
      return { ...NOT_LEADER, detail: "this node does not lead the partition" };
    }
    const { map } = this.#host.topology;
    const target = voterOn(map.partitions[partition], to);
    const { replica } = hosted;
    const name = map.members.find(({ nodeId }) => nodeId === to)?.name ?? to;
    if (target === undefined || !replica.configuration.confState.voters.includes(target)) {
      return failure("conflict", "none", `${name} holds no voter of partition ${partition}`);
    }
    if (target !== replica.id && !replica.hears(target)) {
      return failure("conflict", "none", `${name} does not answer partition ${partition}'s leader`);
    }
    replica.transferLeadership(target);
    return { ok: true };
  }

  async #propose(command: MetaCommand, timeoutMs: number): Promise<Accepted | Failure> {
    return acceptedOr(await this.#host.proposeMeta(command, timeoutMs));
  }
}

/** A meta command's result as an admin verb answers it. */
export function acceptedOr(result: MetaResult | Failure): Accepted | Failure {
  if (result.ok) return { ok: true, epoch: result.epoch };
  return "outcome" in result ? result : failure("conflict", "none", result.detail);
}

function voterOn(entry: PartitionEntry | undefined, nodeId: NodeId): number | undefined {
  const refs = [...entry?.replicas ?? [], ...entry?.move?.adding ?? []];
  return refs.findLast((ref) => ref.nodeId === nodeId)?.replicaId;
}

function unknownMember(name: string): Failure {
  return failure("unknown-member", "none", `there is no member ${name}`);
}

function unknownPartition(partition: PartitionId): Failure {
  return failure("unknown-partition", "none", `there is no partition ${partition}`);
}
