// Proposes to the meta group, here or at whichever member leads it.

import { META_PARTITION, type NodeId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";
import { encodeCommand, type MetaCommand, type MetaResult } from "../partition/mod.ts";
import type { CallResult } from "../transport/mod.ts";
import { failure, unreadable } from "./data_partition.ts";
import { decodePlainAnswer, encodeMetaRequest, readable } from "./forward.ts";
import type { HostedMeta } from "./group.ts";
import type { Failure } from "./service.ts";
import type { Topology } from "./topology.ts";

/** Between two attempts, if nothing is heard of another leader. */
const RETRY_INTERVAL_MS = 50;

export interface MetaProposalsHost {
  readonly clock: Clock;
  readonly nodeId: NodeId;
  readonly topology: Topology;
  readonly meta: () => HostedMeta | undefined;
  readonly stopping: () => boolean;
  readonly request: (to: NodeId, body: Uint8Array, budgetMs: number) => Promise<CallResult>;
  /** Resolves when a leader changed, or at the deadline. */
  readonly leaderChange: (deadlineMs: number) => Promise<unknown>;
}

export class MetaProposals {
  readonly #host: MetaProposalsHost;

  constructor(host: MetaProposalsHost) {
    this.#host = host;
  }

  /** Proposes until it is applied or refused for what it asks, at most for `timeoutMs`. */
  async propose(command: MetaCommand, timeoutMs: number): Promise<MetaResult | Failure> {
    const { clock } = this.#host;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    const bytes = encodeCommand(command);
    let last: MetaResult | Failure = failure("no-leader", "none", "the meta group has no leader");
    for (let attempt = 0; !this.#host.stopping(); attempt++) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) break;
      last = await this.#attempt(bytes, attempt, leftMs) ?? last;
      // Meta commands are idempotent or name what they expect, so any of them may be repeated.
      if (last.ok || !("outcome" in last)) return last;
      await this.#host.leaderChange(Math.min(deadlineMs, clock.monotonicMs() + RETRY_INTERVAL_MS));
    }
    return last;
  }

  /** Undefined if nobody could be asked. */
  async #attempt(
    command: Uint8Array,
    attempt: number,
    timeoutMs: number,
  ): Promise<MetaResult | Failure | undefined> {
    const { topology, nodeId } = this.#host;
    const meta = this.#host.meta();
    if (meta?.replica.isLeader) return this.proposeHere(command, timeoutMs);
    const { members } = topology.map;
    const known = meta && topology.nodeOf(META_PARTITION, meta.replica.leader);
    const target = known ?? members[attempt % Math.max(1, members.length)]?.nodeId;
    if (target === undefined || target === nodeId) return undefined;
    return metaAnswer(await this.#host.request(target, encodeMetaRequest(command), timeoutMs));
  }

  /** Proposes once, to the replica on this node. */
  proposeHere(command: Uint8Array, timeoutMs: number): Promise<MetaResult | Failure> {
    const meta = this.#host.meta();
    if (meta === undefined) {
      return Promise.resolve(failure("not-leader", "none", "no meta replica lives here"));
    }
    const deadlineMs = this.#host.clock.monotonicMs() + timeoutMs;
    return new Promise((settle) => {
      meta.replica.propose(command, deadlineMs, (outcome) => {
        if (outcome.kind === "applied" && outcome.result !== undefined) settle(outcome.result);
        else if (outcome.kind === "none") settle(failure("not-leader", "none", outcome.reason));
        else settle(failure("timeout", "unknown", "the meta group did not commit it in time"));
      });
    });
  }
}

function metaAnswer(result: CallResult): MetaResult | Failure {
  switch (result.kind) {
    case "answered":
      return readable(decodePlainAnswer<MetaResult | Failure>, result.body) ?? unreadable();
    case "not-sent":
      return failure("no-leader", "none", result.reason);
    case "unknown":
      return failure("timeout", "unknown", result.reason);
  }
}
