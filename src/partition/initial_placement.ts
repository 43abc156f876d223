// The first placement of a new cluster, which every node computes from the genesis record on its own:
// it hangs on nothing but its arguments, and a change of it is a change of protocol.

import type { NodeId, PartitionId } from "../base/ids.ts";
import { balance, spread, type StepRules } from "./balance.ts";
import { Layout, type LayoutNode } from "./layout.ts";
import type { MemberDetails } from "./map.ts";

type Candidate = MemberDetails & { readonly nodeId: NodeId };

/** No data exists yet, so every step is free. */
const NO_DATA: StepRules = { cost: () => "planned", left: () => false, moved: () => {} };

function layoutOf(members: readonly Candidate[]): Layout {
  return new Layout(members.map((member): LayoutNode => ({ ...member, eligible: true })));
}

/** The nodes of data partitions 1..partitionCount (at [0], [1], …): min(replication, members) each. */
export function initialPlacement(
  partitionCount: number,
  members: readonly Candidate[],
  replication: number,
): NodeId[][] {
  const layout = layoutOf(members);
  const partitions = Array.from({ length: partitionCount }, (_, i): PartitionId => i + 1);
  for (const partition of partitions) {
    const copies = Math.min(replication, members.length);
    while (layout.holders(partition).length < copies) {
      layout.add(partition, layout.bestTarget(partition));
    }
  }
  spread(layout, partitions, NO_DATA);
  balance(layout, NO_DATA);
  return partitions.map((partition) =>
    layout.holders(partition).map((node) => layout.nodes[node].nodeId)
  );
}

/** The nodes of the meta group's first voters. */
export function metaPlacement(members: readonly Candidate[], voterCount: number): NodeId[] {
  const layout = layoutOf(members);
  while (layout.holders(0).length < voterCount) layout.add(0, layout.bestTarget(0));
  return layout.holders(0).map((node) => layout.nodes[node].nodeId);
}
