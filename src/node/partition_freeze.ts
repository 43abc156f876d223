// A data partition's state at one applied index, for backups, on whichever replica is asked. Costs the
// partition one entry of its log, which brings partition time up to now; holds nothing up.

import type { LogIndex, NodeId, PartitionId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";
import { encodeEnvelope, type PageQuery } from "../store/mod.ts";
import { failure, NOT_LEADER } from "./data_partition.ts";
import type { HostedData } from "./group.ts";
import type { Router } from "./router.ts";
import type { Failure, FrozenPartition, RequestOptions } from "./service.ts";
import { isWhole } from "./watch_source.ts";

/** What freezing needs of the node. */
export interface FreezeHost {
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly router: Router;
  readonly hosted: HostedData | undefined;
  /** Who leads the partition, if that is another node. */
  readonly leaderHttp: string | undefined;
  /** False if this node leads it and its disk is almost full. */
  readonly mayWrite: boolean;
}

const POLL_MS = 10;

/** Reads nothing but the place in the log at which a linearizable read stands. */
const LOOK: PageQuery = {
  start: "",
  end: undefined,
  reverse: false,
  want: "count",
  limit: 0,
  sizeBytesMax: 0,
};

/** The state here, once it holds all that was acknowledged before the call. */
export async function freezePartition(
  host: FreezeHost,
  partition: PartitionId,
  options: RequestOptions,
): Promise<FrozenPartition | Failure> {
  const { clock, hosted, nodeId, leaderHttp } = host;
  if (hosted === undefined || !isWhole(hosted)) {
    const detail = "this node holds no whole replica of the partition";
    return { ...NOT_LEADER, detail, leaderHttp };
  }
  const deadlineMs = clock.monotonicMs() + options.timeoutMs;
  const index = await presentIndex(host, partition, options);
  if (typeof index !== "number") return index;
  const { replica, data } = hosted;
  while (!replica.serving || replica.appliedIndex < index) {
    if (clock.monotonicMs() >= deadlineMs) {
      return failure("unavailable", "none", "the replica was not far enough in time");
    }
    await new Promise<void>((resolve) => clock.setTimer(POLL_MS, resolve));
  }
  // One synchronous step: no entry is applied between the two.
  const { appliedIndex } = replica;
  return { ok: true, nodeId, partition, appliedIndex, state: data.store.freeze() };
}

/** An index at or behind which everything acknowledged by now stands. */
async function presentIndex(
  { router, mayWrite }: FreezeHost,
  partition: PartitionId,
  options: RequestOptions,
): Promise<LogIndex | Failure> {
  if (mayWrite) {
    // Entries carry partition time: without one, a quiet partition's would lie behind.
    const envelope = encodeEnvelope({ timeMs: 0, command: { kind: "time" } });
    const written = await router.write(partition, envelope, true, options);
    if (written.ok) return written.applied.appliedIndex;
    if (written.code !== "disk-full") {
      // Whether it was written is nobody's concern: it changes nothing that a client could see.
      return failure("no-leader", "none", written.detail);
    }
  }
  const look = await router.page(partition, LOOK, options);
  return look.ok ? look.appliedIndex : look;
}
