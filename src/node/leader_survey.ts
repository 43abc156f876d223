// Asks the other members which partitions they lead, for those that have no replica here: the routing table
// that clients are shown, and the balance of leaders, want to know all of them. A wrong entry costs a hop.

import { META_PARTITION, type NodeId, type PartitionId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";
import type { CallResult } from "../transport/mod.ts";
import { decodePlainAnswer, encodeLeadsRequest, readable } from "./forward.ts";
import type { Hosting } from "./hosting.ts";
import type { LeaderTable } from "./leader_table.ts";
import type { Topology } from "./topology.ts";

/** What the survey needs of the node. */
export interface SurveyHost {
  readonly clock: Clock;
  readonly nodeId: NodeId;
  readonly topology: Topology;
  readonly leaders: LeaderTable;
  hosting(): Hosting | undefined;
  isUp(nodeId: NodeId): boolean;
  request(to: NodeId, body: Uint8Array, budgetMs: number): Promise<CallResult>;
}

const INTERVAL_MS = 2000;
/** What nobody corrects by a refusal is looked at anew this often. */
const REFRESH_MS = 10_000;
const ANSWER_TIMEOUT_MS = 1000;

export class LeaderSurvey {
  readonly #host: SurveyHost;
  #nextMs = 0;
  #refreshMs = 0;

  constructor(host: SurveyHost) {
    this.#host = host;
  }

  /** Call at every tick. */
  tick(): void {
    const nowMs = this.#host.clock.monotonicMs();
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + INTERVAL_MS;
    if (nowMs < this.#refreshMs && !this.#isWanted()) return;
    this.#refreshMs = nowMs + REFRESH_MS;
    if (!this.#hasElsewhere()) return;
    const { topology, nodeId, isUp, request } = this.#host;
    for (const { nodeId: other } of topology.map.members) {
      if (other === nodeId || !isUp(other)) continue;
      request(other, encodeLeadsRequest(), ANSWER_TIMEOUT_MS).then((result) =>
        this.#onAnswer(other, result)
      );
    }
  }

  /** Whether a leader is not known here; whoever balances leaders looks again and again. */
  #isWanted(): boolean {
    const { topology, leaders, isUp } = this.#host;
    const balances = this.#host.hosting()?.meta()?.replica.isLeader ?? false;
    return topology.map.partitions.some(({ partition }) => {
      if (!this.#isElsewhere(partition)) return false;
      const leader = leaders.leaderOf(partition);
      return balances || leader === undefined || !isUp(leader);
    });
  }

  /** Whether some partition has no replica here. */
  #hasElsewhere(): boolean {
    return this.#host.topology.map.partitions.some(({ partition }) => this.#isElsewhere(partition));
  }

  #isElsewhere(partition: PartitionId): boolean {
    return partition !== META_PARTITION && this.#host.hosting()?.data(partition) === undefined;
  }

  #onAnswer(from: NodeId, result: CallResult): void {
    if (result.kind !== "answered") return;
    const answer = readable(decodePlainAnswer<{ leads?: unknown }>, result.body);
    if (!Array.isArray(answer?.leads)) return;
    for (const partition of answer.leads) {
      if (this.#host.topology.map.partitions[partition] === undefined) continue;
      if (this.#isElsewhere(partition)) this.#host.leaders.note(partition, from);
    }
  }
}

/** The data partitions led here, as the answer to another node's survey. */
export function ledHere(hosting: Hosting): PartitionId[] {
  const leads: PartitionId[] = [];
  for (const hosted of hosting.all()) {
    if (hosted.kind === "data" && hosted.replica.isLeader) leads.push(hosted.partition);
  }
  return leads;
}
