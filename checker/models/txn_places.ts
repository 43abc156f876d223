// Which partition an operation belongs to whose own record does not tell: one of unknown outcome has no answer, and
// answers are what names partitions. A key is of one partition, and so is everything in one transaction.

import { HistoryError, type Operation } from "../history/types.ts";

/** Keys known to be of one partition, as a forest of parents. */
class Groups {
  readonly #parents = new Map<string, string>();
  readonly #partitions = new Map<string, string | number>();

  find(key: string): string {
    let root = key;
    for (let parent = this.#parents.get(root); parent !== undefined;) {
      root = parent;
      parent = this.#parents.get(root);
    }
    if (root !== key) this.#parents.set(key, root);
    return root;
  }

  join(a: string, b: string): void {
    const [from, to] = [this.find(a), this.find(b)];
    if (from !== to) this.#parents.set(from, to);
  }

  /** False if the keys are known to be of another partition. */
  place(key: string, partition: string | number): boolean {
    const root = this.find(key);
    const known = this.#partitions.get(root);
    this.#partitions.set(root, known ?? partition);
    return known === undefined || known === partition;
  }

  /** Of keys that no answer placed: a name of their own. */
  partitionOf(key: string): string | number {
    const root = this.find(key);
    return this.#partitions.get(root) ?? `keys with ${JSON.stringify(root)}`;
  }
}

/**
 * The history with every operation's `partition`, as long as some operation has one: taken from other operations on
 * the same keys, or on keys that a transaction ties to them. Where none has one, all are taken for one partition's.
 *
 * @param keysOf the keys that an operation names, not those that it may find in a range
 * @throws HistoryError where that does not tell.
 */
export function placeByKeys<Op extends Operation>(
  history: readonly Op[],
  keysOf: (operation: Op) => ReadonlySet<string>,
): readonly Op[] {
  const isPlaced = ({ partition }: Op) => partition !== undefined;
  if (!history.some(isPlaced) || history.every(isPlaced)) return history;
  const groups = new Groups();
  const keys = history.map((operation) => [...keysOf(operation)]);
  for (const [first, ...others] of keys) {
    for (const other of others) groups.join(first!, other);
  }
  const torn = history.findIndex((operation, i) =>
    isPlaced(operation) && keys[i]!.some((key) => !groups.place(key, operation.partition!))
  );
  return history.map((operation, i) => {
    if (isPlaced(operation)) return operation;
    const [key] = keys[i]!;
    if (key === undefined) {
      throw new HistoryError("its partition can't be told: it names no key", operation.line);
    }
    if (torn >= 0) {
      throw new HistoryError(
        "its keys are of two partitions, so that of operations without one can't be told",
        history[torn]!.line,
      );
    }
    return { ...operation, partition: groups.partitionOf(key) };
  });
}
