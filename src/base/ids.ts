// The identifiers of the store's vocabulary as distinct types, so that the compiler refuses to mix them.
// All numbers are safe integers (below 2^53).

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]?: B };

/** Raft term; 0 before the first election. */
export type Term = Brand<number, "Term">;
/** Index in one group's Raft log; the first entry has index 1. */
export type LogIndex = Brand<number, "LogIndex">;
/** A replica's identity within its group, handed out by the meta group and never reused; 0 is "none". */
export type ReplicaId = Brand<number, "ReplicaId">;
/** A partition, and the Raft group that holds it. 0 is the meta group. */
export type PartitionId = Brand<number, "PartitionId">;
/** Log index at which a key last changed; comparable within its partition only. */
export type Revision = Brand<number, "Revision">;
/** Identity of a data directory: 32 lower-case hex digits drawn at first start, never reused. */
export type NodeId = Brand<string, "NodeId">;

/** The meta group's partition id. */
export const META_PARTITION: PartitionId = 0;
