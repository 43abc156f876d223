// A scratch copy of who holds what, on which placement tries out changes. Owns loads, spread penalties
// and rendezvous scores; it decides nothing and never touches a map.
// Weighted rendezvous hashing: Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005.

import { utf8Bytes } from "../base/bytes.ts";
import type { NodeId, PartitionId } from "../base/ids.ts";
import { type Hash64, hashBytes, hashWith, naturalLog, unitOfHash } from "./hash.ts";

/** A node as placement sees it. */
export interface LayoutNode {
  readonly nodeId: NodeId;
  readonly host?: string;
  readonly zone?: string;
  readonly weight: number;
  /** May be given replicas. */
  readonly eligible: boolean;
}

/** One shared host outweighs any number of shared zones: 7 replicas make 21 pairs. */
const HOST_PAIR_PENALTY = 1000;

/** Nodes are named by their place in `nodes`, partitions by number. */
export class Layout {
  readonly nodes: readonly LayoutNode[];
  /** Replicas a node holds. */
  readonly loads: Int32Array;
  readonly #seeds: readonly Hash64[];
  readonly #host: Int32Array;
  readonly #zone: Int32Array;
  /** Whether any two nodes share a failure domain; if none do, penalties are 0. */
  readonly #shared: boolean;
  /** Scores by partition and node, made when asked for; NaN until then. */
  readonly #scores: Float64Array[] = [];
  readonly #holders: number[][] = [];
  readonly #held: Set<PartitionId>[];
  readonly #versions: Int32Array;

  constructor(nodes: readonly LayoutNode[]) {
    this.nodes = nodes;
    this.loads = new Int32Array(nodes.length);
    this.#seeds = nodes.map((node) => hashBytes(utf8Bytes(node.nodeId)));
    this.#host = labelNumbers(nodes.map((node) => node.host));
    this.#zone = labelNumbers(nodes.map((node) => node.zone));
    this.#shared = hasRepeats(this.#host) || hasRepeats(this.#zone);
    this.#held = nodes.map(() => new Set());
    this.#versions = new Int32Array(nodes.length);
  }

  /** Nodes that hold `partition`. */
  holders(partition: PartitionId): readonly number[] {
    return this.#holders[partition] ?? [];
  }

  /** Partitions that `node` holds. */
  held(node: number): ReadonlySet<PartitionId> {
    return this.#held[node];
  }

  holds(node: number, partition: PartitionId): boolean {
    return this.#held[node].has(partition);
  }

  /** Changes whenever a partition that `node` holds or held has changed. */
  version(node: number): number {
    return this.#versions[node];
  }

  add(partition: PartitionId, node: number): void {
    (this.#holders[partition] ??= []).push(node);
    this.#held[node].add(partition);
    this.loads[node]++;
    this.#touch(partition);
  }

  remove(partition: PartitionId, node: number): void {
    this.#touch(partition);
    this.#holders[partition] = this.#holders[partition].filter((other) => other !== node);
    this.#held[node].delete(partition);
    this.loads[node]--;
  }

  /** Rendezvous score: the higher, the more `node` is `partition`'s. Proportional to weight on average. */
  score(partition: PartitionId, node: number): number {
    const scores = this.#scores[partition] ??= new Float64Array(this.nodes.length).fill(NaN);
    if (Number.isNaN(scores[node])) {
      const unit = unitOfHash(hashWith(this.#seeds[node], partition));
      scores[node] = this.nodes[node].weight / -naturalLog(unit);
    }
    return scores[node];
  }

  /** How badly `holders` share failure domains; 0 is best. */
  penalty(holders: readonly number[]): number {
    if (!this.#shared) return 0;
    let penalty = 0;
    for (let i = 1; i < holders.length; i++) {
      for (let j = 0; j < i; j++) {
        if (this.#host[holders[i]] === this.#host[holders[j]]) penalty += HOST_PAIR_PENALTY;
        if (this.#zone[holders[i]] === this.#zone[holders[j]]) penalty++;
      }
    }
    return penalty;
  }

  /** The share of {@linkcode penalty} that `node` has beside the holders, itself and `except` left out. */
  penaltyBeside(holders: readonly number[], node: number, except = -1): number {
    if (!this.#shared) return 0;
    let penalty = 0;
    for (const other of holders) {
      if (other === except || other === node) continue;
      if (this.#host[other] === this.#host[node]) penalty += HOST_PAIR_PENALTY;
      if (this.#zone[other] === this.#zone[node]) penalty++;
    }
    return penalty;
  }

  /** Orders nodes by how full they would be with one more replica, for their weight. */
  compareFill(a: number, b: number): number {
    return (2 * this.loads[a] + 1) * this.nodes[b].weight -
      (2 * this.loads[b] + 1) * this.nodes[a].weight;
  }

  /** Whether a replica fewer on `from` and one more on `to` evens the loads out. Such steps strictly
   * reduce the sum of load²/weight, so they come to an end; equal weights end at most one apart. */
  evens(from: number, to: number): boolean {
    return (2 * this.loads[to] + 1) * this.nodes[from].weight <
      (2 * this.loads[from] - 1) * this.nodes[to].weight;
  }

  /**
   * The best node to take a replica of `partition`, or -1: least shared failure domains, then least
   * full, then highest score. `except` holds a replica that is about to go.
   */
  bestTarget(partition: PartitionId, except = -1): number {
    const holders = this.holders(partition);
    let best = -1;
    let bestPenalty = 0;
    for (let node = 0; node < this.nodes.length; node++) {
      if (!this.nodes[node].eligible || this.holds(node, partition)) continue;
      const penalty = this.penaltyBeside(holders, node, except);
      if (best !== -1) {
        const order = penalty - bestPenalty || this.compareFill(node, best);
        if (order > 0) continue;
        if (order === 0 && this.score(partition, node) <= this.score(partition, best)) continue;
      }
      best = node;
      bestPenalty = penalty;
    }
    return best;
  }

  #touch(partition: PartitionId): void {
    for (const node of this.#holders[partition] ?? []) this.#versions[node]++;
  }
}

/** Equal labels get equal numbers; a node without a label shares its domain with nobody. */
function labelNumbers(labels: readonly (string | undefined)[]): Int32Array {
  const numbers = new Map<string, number>();
  return Int32Array.from(labels, (label, i) => {
    if (label === undefined) return -1 - i;
    const number = numbers.get(label) ?? numbers.size;
    numbers.set(label, number);
    return number;
  });
}

function hasRepeats(numbers: Int32Array): boolean {
  return new Set(numbers).size < numbers.length;
}
