// One hosted replica and what belongs to it on this node.

import type { PartitionId, ReplicaId } from "../base/ids.ts";
import type { MetaMachine, MetaResult } from "../partition/mod.ts";
import type { SharedGroupSnapshots } from "./group_files.ts";
import type { Replica } from "../replica/replica.ts";
import type { DataPartition, StoreMachine } from "./data_partition.ts";

interface HostedBase {
  readonly partition: PartitionId;
  readonly replicaId: ReplicaId;
  readonly snapshots: SharedGroupSnapshots;
}

/** A data partition's replica. */
export interface HostedData extends HostedBase {
  readonly kind: "data";
  // deno-lint-ignore no-explicit-any -- the driver is generic in what its machine returns
  readonly replica: Replica<any>;
  readonly machine: StoreMachine;
  readonly data: DataPartition;
}

/** The meta group's replica. */
export interface HostedMeta extends HostedBase {
  readonly kind: "meta";
  readonly replica: Replica<MetaResult>;
  readonly machine: MetaMachine;
}

/** A replica whose log lost acknowledged data: it only waits to be replaced (RULES 4). */
export interface HostedSuspect extends HostedBase {
  readonly kind: "suspect";
  readonly reason: string;
}

export type Hosted = HostedData | HostedMeta | HostedSuspect;
