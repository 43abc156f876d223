// Gives the leadership of a node's groups to others, before it stops or when its disk is full.

import type { PartitionId, ReplicaId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";
import type { Hosting } from "./hosting.ts";

/** How long a stopping node waits for others to take over what it leads. */
const HANDOVER_MS_MAX = 1000;
/** Between two looks at what is still led, if no leader changed. */
const LOOK_INTERVAL_MS = 100;

/**
 * Asks the live voter furthest ahead of every group led here to lead it, among those that `mayLead`; whether there was
 * any.
 */
export function giveLeadershipAway(
  hosting: Hosting,
  mayLead: (partition: PartitionId, replicaId: ReplicaId) => boolean = () => true,
): boolean {
  let led = false;
  for (const hosted of hosting.all()) {
    if (hosted.kind === "suspect" || !hosted.replica.isLeader) continue;
    const { partition } = hosted;
    const heir = hosted.replica.bestHeir((replicaId) => mayLead(partition, replicaId));
    if (heir === undefined) continue;
    hosted.replica.transferLeadership(heir);
    led = true;
  }
  return led;
}

/** Gives leadership away and waits, for a moment at most, until it is taken. */
export async function handOver(
  hosting: Hosting | undefined,
  clock: Clock,
  leaderChange: (deadlineMs: number) => Promise<unknown>,
): Promise<void> {
  if (hosting === undefined || !giveLeadershipAway(hosting)) return;
  const deadlineMs = clock.monotonicMs() + HANDOVER_MS_MAX;
  while (clock.monotonicMs() < deadlineMs && leadsForOthers(hosting)) {
    await leaderChange(Math.min(deadlineMs, clock.monotonicMs() + LOOK_INTERVAL_MS));
  }
}

function leadsForOthers(hosting: Hosting): boolean {
  for (const hosted of hosting.all()) {
    if (hosted.kind === "suspect" || !hosted.replica.isLeader) continue;
    if (hosted.replica.bestHeir() !== undefined) return true;
  }
  return false;
}
