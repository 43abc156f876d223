// The copy-on-write B+ tree behind every ordered collection of the store, keys in byte order.

import treeModule from "sorted-btree";

/** Entries in a tree node; 64 was fastest at a million random keys without costing memory. */
const NODE_SIZE = 64;

/** An ordered map whose `clone()` costs microseconds. */
export type Tree<V> = InstanceType<typeof treeModule.default<string, V>>;

function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** An empty tree. */
export function newTree<V>(): Tree<V> {
  return new treeModule.default<string, V>(undefined, compareKeys, NODE_SIZE);
}
