// The copy-on-write B+ trees behind every ordered collection of the store: maps with keys in byte order,
// and sets of objects in an order of their own. Owns the library's settings; knows no content.

import treeModule from "sorted-btree";
import bulkLoadModule from "sorted-btree/bulk-load";

/** Entries in a tree node; 64 was fastest at a million random keys without costing memory. */
const NODE_SIZE = 64;
/** How full a bulk-loaded node is: random inserts leave about as much room. */
const BULK_LOAD_FACTOR = 0.8;

/** An ordered map whose `clone()` costs microseconds. */
export type Tree<V> = InstanceType<typeof treeModule.default<string, V>>;

/** An ordered set whose `clone()` costs microseconds; its nodes hold no values. */
export type TreeSet<T> = InstanceType<typeof treeModule.default<T, undefined>>;

/** Byte order of one-byte strings. */
export function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a === b ? 0 : 1;
}

/** An empty map. */
export function newTree<V>(): Tree<V> {
  return new treeModule.default<string, V>(undefined, compareKeys, NODE_SIZE);
}

/** A map of `keys[i]` to `values[i]`; keys strictly ascending. Several times as fast as inserting. */
export function treeOfSorted<V>(keys: string[], values: V[]): Tree<V> {
  return bulkLoadModule.bulkLoad(keys, values, NODE_SIZE, compareKeys, BULK_LOAD_FACTOR);
}

/** An empty set in the order of `compare`. */
export function newTreeSet<T>(compare: (a: T, b: T) => number): TreeSet<T> {
  return new treeModule.default<T, undefined>(undefined, compare, NODE_SIZE);
}

/** A set of `items`, strictly ascending by `compare`. */
export function treeSetOfSorted<T>(items: T[], compare: (a: T, b: T) => number): TreeSet<T> {
  const values: undefined[] = new Array(items.length).fill(undefined);
  return bulkLoadModule.bulkLoad(items, values, NODE_SIZE, compare, BULK_LOAD_FACTOR);
}
