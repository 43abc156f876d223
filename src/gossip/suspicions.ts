// How long each suspect has left to refute (SWIM §4.2): long for a lone suspicion, shorter with every
// other member that confirms it (Lifeguard §IV-B). Times only; what follows is gossip.ts's business.

import type { NodeId } from "../base/ids.ts";
import {
  CONFIRMATIONS_MAX,
  PROBE_INTERVAL_MS,
  SUSPICION_ROUNDS_MIN,
  SUSPICION_SPREAD,
} from "./types.ts";

interface Suspicion {
  readonly incarnation: number;
  startMs: number;
  readonly minMs: number;
  readonly confirmedBy: Set<NodeId>;
}

export class Suspicions {
  readonly #suspicions = new Map<NodeId, Suspicion>();

  /**
   * `by` saw that the node did not answer in this incarnation. True if that is a confirmation that
   * others should hear of; repeating one changes nothing.
   */
  raise(
    nodeId: NodeId,
    incarnation: number,
    by: NodeId,
    memberCount: number,
    nowMs: number,
  ): boolean {
    let suspicion = this.#suspicions.get(nodeId);
    if (suspicion?.incarnation !== incarnation) {
      const rounds = SUSPICION_ROUNDS_MIN * Math.max(1, Math.log10(memberCount));
      suspicion = {
        incarnation,
        startMs: nowMs,
        minMs: rounds * PROBE_INTERVAL_MS,
        confirmedBy: new Set(),
      };
      suspicion.confirmedBy.add(by);
      this.#suspicions.set(nodeId, suspicion);
      return false;
    }
    const { confirmedBy } = suspicion;
    if (confirmedBy.has(by) || confirmedBy.size > CONFIRMATIONS_MAX) return false;
    confirmedBy.add(by);
    return true;
  }

  clear(nodeId: NodeId): void {
    this.#suspicions.delete(nodeId);
  }

  keep(isMember: (nodeId: NodeId) => boolean): void {
    for (const nodeId of this.#suspicions.keys()) {
      if (!isMember(nodeId)) this.#suspicions.delete(nodeId);
    }
  }

  /** This node did not run for so long: suspects get the time back. */
  postpone(byMs: number): void {
    for (const suspicion of this.#suspicions.values()) suspicion.startMs += byMs;
  }

  /** Suspects whose time is over; each is told once. */
  due(nowMs: number): NodeId[] {
    const due: NodeId[] = [];
    for (const [nodeId, { startMs, minMs, confirmedBy }] of this.#suspicions) {
      const maxMs = minMs * SUSPICION_SPREAD;
      // The first to say so is no confirmation of itself.
      const confirmations = Math.min(CONFIRMATIONS_MAX, confirmedBy.size - 1);
      const share = Math.log(confirmations + 1) / Math.log(CONFIRMATIONS_MAX + 1);
      if (nowMs >= startMs + Math.max(minMs, maxMs - (maxMs - minMs) * share)) due.push(nodeId);
    }
    for (const nodeId of due) this.#suspicions.delete(nodeId);
    return due;
  }
}
