// Spreading and balancing on a layout: single replica steps, each of which strictly improves it, so
// both end. Owns which replica goes where; what a step costs is told by its caller through `cost`.

import type { PartitionId } from "../base/ids.ts";
import type { Layout } from "./layout.ts";

/** What a step would cost: `planned` moves no data, since the replica is not there yet; `free` is an
 * ordinary move; `busy` has to wait for the partition's present move. */
export type StepCost = "planned" | "free" | "busy";

/** How balancing asks about one replica, and tells what it did. */
export interface StepRules {
  cost(partition: PartitionId, from: number): StepCost;
  /** Whether a node gave its replica up lately, which may have been an operator's wish. */
  left(partition: PartitionId, node: number): boolean;
  moved(partition: PartitionId): void;
}

const COST_ORDER: Readonly<Record<StepCost, number>> = { planned: 0, free: 1, busy: 2 };

/** Moves replicas out of failure domains they share, where a node elsewhere can take them. */
export function spread(layout: Layout, partitions: Iterable<PartitionId>, rules: StepRules): void {
  for (const partition of partitions) {
    if (layout.penalty(layout.holders(partition)) === 0) continue;
    while (spreadOnce(layout, partition)) rules.moved(partition);
  }
}

function spreadOnce(layout: Layout, partition: PartitionId): boolean {
  const holders = layout.holders(partition);
  let best: { from: number; to: number; gain: number } | undefined;
  for (const from of holders) {
    if (!layout.nodes[from].eligible) continue;
    const to = layout.bestTarget(partition, from);
    if (to === -1) continue;
    const gain = layout.penaltyBeside(holders, from) - layout.penaltyBeside(holders, to, from);
    if (gain <= 0) continue;
    const better = best === undefined || gain > best.gain ||
      gain === best.gain && layout.loads[from] > layout.loads[best.from];
    if (better) best = { from, to, gain };
  }
  if (best === undefined) return false;
  layout.remove(partition, best.from);
  layout.add(partition, best.to);
  return true;
}

/** Evens loads out between eligible nodes, never spreading any partition worse than it is. */
export function balance(layout: Layout, rules: StepRules): void {
  const barren = new BarrenPairs(layout);
  const nodes = [...layout.nodes.keys()].filter((node) => layout.nodes[node].eligible);
  if (nodes.length === 0) return;
  while (balanceOnce(layout, nodes, rules, barren));
}

function balanceOnce(
  layout: Layout,
  nodes: readonly number[],
  rules: StepRules,
  barren: BarrenPairs,
): boolean {
  // Node numbers break ties, so that the outcome does not hang on the order of earlier steps.
  const byFill = (a: number, b: number) => layout.compareFill(a, b) || a - b;
  const byExcess = (a: number, b: number) => compareExcess(layout, b, a) || a - b;
  // Nearly always the fullest can give to the emptiest; sorting them all is for when it can't.
  const emptiest = nodes.reduce((a, b) => byFill(b, a) < 0 ? b : a);
  const fullest = nodes.reduce((a, b) => byExcess(b, a) < 0 ? b : a);
  if (!layout.evens(fullest, emptiest)) return false;
  if (passOn(layout, fullest, emptiest, rules, barren)) return true;
  const receivers = nodes.toSorted(byFill);
  for (const from of nodes.toSorted(byExcess)) {
    for (const to of receivers) {
      if (!layout.evens(from, to)) break;
      if (passOn(layout, from, to, rules, barren)) return true;
    }
  }
  return false;
}

/** Moves the best replica from one node to the other; false if none may go. */
function passOn(
  layout: Layout,
  from: number,
  to: number,
  rules: StepRules,
  barren: BarrenPairs,
): boolean {
  if (barren.has(from, to)) return false;
  const partition = bestPartition(layout, from, to, rules);
  if (partition === undefined) {
    barren.add(from, to);
    return false;
  }
  layout.remove(partition, from);
  layout.add(partition, to);
  rules.moved(partition);
  return true;
}

/** Orders nodes by how full they would be with one replica fewer, for their weight. */
function compareExcess(layout: Layout, a: number, b: number): number {
  return (2 * layout.loads[a] - 1) * layout.nodes[b].weight -
    (2 * layout.loads[b] - 1) * layout.nodes[a].weight;
}

/**
 * The partition whose replica goes from one node to the other: the cheapest, then one that does not go back to
 * where it was lately, then the highest score.
 */
function bestPartition(
  layout: Layout,
  from: number,
  to: number,
  rules: StepRules,
): PartitionId | undefined {
  let best: PartitionId | undefined;
  let bestCost = 0;
  let bestScore = 0;
  for (const partition of layout.held(from)) {
    if (layout.holds(to, partition)) continue;
    const holders = layout.holders(partition);
    if (layout.penaltyBeside(holders, to, from) > layout.penaltyBeside(holders, from)) continue;
    const cost = 2 * COST_ORDER[rules.cost(partition, from)] + (rules.left(partition, to) ? 1 : 0);
    if (best !== undefined && cost > bestCost) continue;
    const score = layout.score(partition, to);
    if (best !== undefined && cost === bestCost) {
      if (score < bestScore || score === bestScore && partition > best) continue;
    }
    best = partition;
    bestCost = cost;
    bestScore = score;
  }
  return best;
}

/** Pairs of nodes between which no partition may go, until a partition of either changes. */
class BarrenPairs {
  readonly #layout: Layout;
  readonly #seen = new Map<number, number>();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  has(from: number, to: number): boolean {
    return this.#seen.get(this.#key(from, to)) === this.#version(from, to);
  }

  add(from: number, to: number): void {
    this.#seen.set(this.#key(from, to), this.#version(from, to));
  }

  #key(from: number, to: number): number {
    return from * this.#layout.nodes.length + to;
  }

  /** Versions only grow, so an equal sum means that both are unchanged. */
  #version(from: number, to: number): number {
    return this.#layout.version(from) + this.#layout.version(to);
  }
}
