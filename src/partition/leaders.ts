// Which groups should change their leader so that every node leads its share. Pure; proposes transfers
// and nothing else. An assignment is even when no chain of transfers makes it more so.
// Harvey, Ladner, Lovasz and Tamir, "Semi-matchings for bipartite graphs and load balancing", 2006.

import type { NodeId, PartitionId, ReplicaId } from "../base/ids.ts";
import type { ClusterMap, PartitionEntry } from "./map.ts";
import { type ClusterStatus, isSuspect } from "./status.ts";

export interface LeaderTransfer {
  readonly partition: PartitionId;
  readonly from: NodeId;
  readonly to: ReplicaId;
}

/** A partition whose leader may change. */
interface Movable {
  readonly partition: PartitionId;
  /** Nodes, as numbers, that could lead it. */
  readonly candidates: readonly number[];
  /** The candidates are those of a preferred zone. */
  readonly pinned: boolean;
}

/**
 * The transfers that even leadership out over the data partitions: at most one apart over nodes of
 * equal weight whose replicas are at most one apart and have no preferred zone. None are proposed while that holds already, and
 * none for partitions in a move or without a known leader; those count where they are.
 *
 * `leaders` gives the node that leads each partition, as far as it is known.
 */
export function planLeaders(
  map: ClusterMap,
  leaders: ReadonlyMap<PartitionId, NodeId>,
  status: ClusterStatus,
): LeaderTransfer[] {
  const plan = new LeaderPlan(map, leaders, status);
  plan.leaveIneligible();
  plan.even();
  return plan.transfers();
}

class LeaderPlan {
  readonly #map: ClusterMap;
  readonly #leaders: ReadonlyMap<PartitionId, NodeId>;
  readonly #numbers = new Map<NodeId, number>();
  readonly #weights: number[];
  readonly #eligible: boolean[];
  readonly #counts: number[];
  /** The movable partitions each node leads. */
  readonly #led: Set<Movable>[];

  constructor(
    map: ClusterMap,
    leaders: ReadonlyMap<PartitionId, NodeId>,
    status: ClusterStatus,
  ) {
    this.#map = map;
    this.#leaders = leaders;
    map.members.forEach((member, i) => this.#numbers.set(member.nodeId, i));
    this.#weights = map.members.map((member) => member.weight);
    this.#eligible = map.members.map((member) =>
      member.state === "active" && !status.down.has(member.nodeId) &&
      !status.full.has(member.nodeId)
    );
    this.#counts = map.members.map(() => 0);
    this.#led = map.members.map(() => new Set());
    for (const entry of map.partitions.slice(1)) this.#place(entry, status);
  }

  #place(entry: PartitionEntry, status: ClusterStatus): void {
    const leader = this.#leaders.get(entry.partition);
    const node = leader === undefined ? undefined : this.#numbers.get(leader);
    if (node === undefined) return;
    this.#counts[node]++;
    if (entry.move !== undefined) return;
    const candidates = entry.replicas
      .filter((ref) => !isSuspect(status, entry.partition, ref.replicaId))
      .map((ref) => this.#numbers.get(ref.nodeId)!)
      .filter((candidate) => this.#eligible[candidate]);
    if (candidates.length === 0) return;
    const preferred = entry.preferredZone === undefined
      ? []
      : candidates.filter((candidate) => this.#map.members[candidate].zone === entry.preferredZone);
    this.#led[node].add({
      partition: entry.partition,
      candidates: preferred.length > 0 ? preferred : candidates,
      pinned: preferred.length > 0,
    });
  }

  /** Takes leadership off nodes that are being drained or have no room, and to preferred zones. */
  leaveIneligible(): void {
    for (let from = 0; from < this.#led.length; from++) {
      for (const movable of [...this.#led[from]]) {
        const isWellPlaced = movable.pinned
          ? movable.candidates.includes(from)
          : this.#eligible[from];
        if (isWellPlaced) continue;
        const to = movable.candidates.reduce((a, b) => this.#compareFill(b, a) < 0 ? b : a);
        this.#shift(movable, from, to);
      }
    }
  }

  /** Shifts leadership along chains until none helps. Each strictly reduces the sum of count²/weight. */
  even(): void {
    while (this.#evenOnce());
  }

  #evenOnce(): boolean {
    const donors = [...this.#counts.keys()].filter((node) =>
      this.#eligible[node] && this.#led[node].size > 0
    ).sort((a, b) => this.#compareExcess(b, a) || a - b);
    return donors.some((donor) => this.#shedFrom(donor));
  }

  /** Breadth first from `donor` to the emptiest node that a shortest chain reaches and that evens out. */
  #shedFrom(donor: number): boolean {
    const cameBy = new Map<number, { from: number; movable: Movable }>();
    const queue = [donor];
    let best = -1;
    for (let i = 0; i < queue.length; i++) {
      const node = queue[i];
      for (const movable of this.#led[node]) {
        for (const next of movable.candidates) {
          if (next === donor || cameBy.has(next)) continue;
          cameBy.set(next, { from: node, movable });
          queue.push(next);
          if (!this.#evens(donor, next)) continue;
          if (best === -1 || this.#compareFill(next, best) < 0) best = next;
        }
      }
    }
    for (let to = best; to !== -1 && to !== donor;) {
      const { from, movable } = cameBy.get(to)!;
      this.#shift(movable, from, to);
      to = from;
    }
    return best !== -1;
  }

  /** Every partition whose leader ends elsewhere than it is. */
  transfers(): LeaderTransfer[] {
    const transfers: LeaderTransfer[] = [];
    this.#led.forEach((led, node) => {
      const nodeId = this.#map.members[node].nodeId;
      for (const { partition } of led) {
        const from = this.#leaders.get(partition)!;
        if (from === nodeId) continue;
        const ref = this.#map.partitions[partition].replicas.find((ref) => ref.nodeId === nodeId)!;
        transfers.push({ partition, from, to: ref.replicaId });
      }
    });
    return transfers.sort((a, b) => a.partition - b.partition);
  }

  #shift(movable: Movable, from: number, to: number): void {
    this.#led[from].delete(movable);
    this.#led[to].add(movable);
    this.#counts[from]--;
    this.#counts[to]++;
  }

  #evens(from: number, to: number): boolean {
    return (2 * this.#counts[to] + 1) * this.#weights[from] <
      (2 * this.#counts[from] - 1) * this.#weights[to];
  }

  /** Orders nodes by how full they would be with one more. */
  #compareFill(a: number, b: number): number {
    return (2 * this.#counts[a] + 1) * this.#weights[b] -
      (2 * this.#counts[b] + 1) * this.#weights[a];
  }

  /** Orders nodes by how full they would be with one fewer. */
  #compareExcess(a: number, b: number): number {
    return (2 * this.#counts[a] - 1) * this.#weights[b] -
      (2 * this.#counts[b] - 1) * this.#weights[a];
  }
}
