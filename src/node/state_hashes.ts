// State hashes of this node's replicas, for whoever compares replicas. A large state is hashed in steps, from
// a copy, so that the node goes on meanwhile.

import type { LogIndex, NodeId, PartitionId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";
import { failure } from "./data_partition.ts";
import type { Hosted } from "./group.ts";
import type { Hosting } from "./hosting.ts";
import type { Failure, HashesAnswer, RequestOptions } from "./service.ts";

/** One replica, not before it has applied `applied`. */
export interface HashWish {
  readonly partition: PartitionId;
  readonly applied: LogIndex;
}

interface HashSources {
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly hosting: Hosting;
}

type OneHash = HashesAnswer["partitions"][number];

const POLL_MS = 10;
/** Steps between two turns of the event loop: about a ms. */
const STEPS_AT_ONCE = 8;

/** Hashes of all replicas here, or of one once it is far enough. */
export async function stateHashes(
  sources: HashSources,
  wanted: HashWish | undefined,
  options: RequestOptions,
): Promise<HashesAnswer | Failure> {
  const { nodeId, clock, hosting } = sources;
  const deadlineMs = clock.monotonicMs() + options.timeoutMs;
  const chosen = wanted === undefined ? [...hosting.all()] : [hosting.get(wanted.partition)];
  const partitions: OneHash[] = [];
  for (const hosted of chosen) {
    if (hosted === undefined || hosted.kind === "suspect") {
      if (wanted === undefined) continue; // a damaged replica has no state to compare
      return failure("conflict", "none", "this node holds no whole replica of the partition");
    }
    const hash = await hashOf(hosted, wanted?.applied ?? 0, clock, deadlineMs);
    if (hash === undefined) {
      return failure("unavailable", "none", "the replica was not far enough in time");
    }
    partitions.push(hash);
  }
  partitions.sort((a, b) => a.partition - b.partition);
  return { ok: true, nodeId, partitions };
}

async function hashOf(
  hosted: Exclude<Hosted, { kind: "suspect" }>,
  applied: LogIndex,
  clock: Clock,
  deadlineMs: number,
): Promise<OneHash | undefined> {
  const { replica, partition } = hosted;
  while (!replica.serving || replica.appliedIndex < applied) {
    if (clock.monotonicMs() >= deadlineMs) return undefined;
    await new Promise<void>((resolve) => clock.setTimer(POLL_MS, resolve));
  }
  const { appliedIndex } = replica;
  if (hosted.kind === "meta") {
    return { partition, applied: appliedIndex, hash: hosted.machine.stateHash() };
  }
  const steps = hosted.machine.stateHashSteps();
  for (let count = 1;; count++) {
    const { done, value } = steps.next();
    if (done) return { partition, applied: appliedIndex, hash: value };
    if (count % STEPS_AT_ONCE === 0) await new Promise<void>((resolve) => clock.defer(resolve));
  }
}
