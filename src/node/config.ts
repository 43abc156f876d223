// What a node is started with. Values only; main.ts reads them from flags, tests write them down.

import type { CompressionOptions } from "./compression.ts";
import type { Address } from "../platform/ports.ts";
import type { ProtocolVersions } from "../transport/mod.ts";

// What a configuration may hold is what the genesis record and the map take of a member.
export { isAddress, isLabel } from "../partition/mod.ts";

/** One of the first nodes, by the name it will bear. */
export interface InitialNode {
  readonly name: string;
  readonly peer: Address;
}

export interface NodeConfig {
  readonly name: string;
  /** Where to listen. */
  readonly http: Address;
  readonly peer: Address;
  /** What others are told; the listening addresses if absent. */
  readonly advertiseHttp?: Address;
  readonly advertisePeer?: Address;
  /** The first nodes of a new cluster, the same list on each of them; empty to join one. */
  readonly initial: readonly InitialNode[];
  /** Peer addresses of a running cluster's members, to join it. */
  readonly join: readonly Address[];
  /** Data partitions of a new cluster. */
  readonly partitions: number;
  /** Copies of each partition in a new cluster. */
  readonly replication: number;
  readonly host?: string;
  readonly zone?: string;
  readonly weight: number;
  readonly secret: Uint8Array;
  /** Versions of the peer protocol to speak; those of the program if absent. */
  readonly protocol?: ProtocolVersions;
  readonly valueSizeBytesMax: number;
  /** Values are kept plain if absent. */
  readonly compression?: CompressionOptions;
  /** Peer address -> address to dial instead. */
  readonly dialOverrides: ReadonlyMap<Address, Address>;
  /** Log bytes of one group after which its next snapshot is taken. */
  readonly snapshotLogBytes: number;
  /** Sizes of the log's files and batches where the product's own don't fit, as in simulations. */
  readonly logSizes?: { readonly segmentSizeBytes: number; readonly batchSizeBytesMax: number };
  /** Entries that each group keeps in memory for followers a little late, bytes; likewise. */
  readonly logWindowBytes?: number;
  /** A node silent for so long counts as lost for good, ms. */
  readonly deadAfterMs: number;
  /** Requests that take at least so long are logged, with where the time went; undefined: none are. */
  readonly slowRequestMs?: number;
  /** How long a request may take when the client says nothing, ms. */
  readonly requestTimeoutMs: number;
}

/** Version of this program, as `/cluster` and the handshake log tell it. */
export const PONTOON_VERSION = "0.1.0";
