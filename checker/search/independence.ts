// Finds partitions that a model did not declare. Two operations are tied if they share a cell; what is not tied,
// even through others, can't affect one another, because a step is given its own cells only. So the
// state is a product, and the history is linearizable iff each part is (Herlihy and Wing's locality).

import type { Operation, PartitionKey } from "../history/types.ts";
import type { AnyModel } from "../models/model.ts";

/** A partition function for these operations, or undefined if the model names no cells. */
export function findIndependent(
  model: AnyModel,
  operations: readonly Operation[],
): ((operation: Operation) => PartitionKey) | undefined {
  if (model.cells === undefined) return undefined;
  const parent = new Map<PartitionKey, PartitionKey>();
  const find = (cell: PartitionKey): PartitionKey => {
    let root = cell;
    for (let up = parent.get(root)!; up !== root; up = parent.get(root)!) root = up;
    for (let at = cell; at !== root;) {
      const up = parent.get(at)!;
      parent.set(at, root);
      at = up;
    }
    return root;
  };
  for (const operation of operations) {
    const cells = model.cells(operation);
    for (const cell of cells) {
      if (!parent.has(cell)) parent.set(cell, cell);
      parent.set(find(cell), find(cells[0]!));
    }
  }
  return (operation) => {
    const [cell] = model.cells!(operation);
    // An operation about no cell affects nothing and can stand by itself.
    return cell === undefined ? "" : find(cell);
  };
}
