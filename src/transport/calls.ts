// Requests between nodes, answered on the other side's own link. A request runs at most once, whatever
// the links do; the caller learns whether a byte of it was sent (RULES 13, 15).

import type { NodeId } from "../base/ids.ts";

/** How a request ended. */
export type CallResult =
  | { readonly kind: "answered"; readonly body: Uint8Array }
  /** No byte of it left this node. */
  | { readonly kind: "not-sent"; readonly reason: string }
  /** It may have run, or may yet. */
  | { readonly kind: "unknown"; readonly reason: string };

interface PendingCall {
  readonly nodeId: NodeId;
  readonly position: number;
  readonly deadlineMs: number;
  readonly settle: (result: CallResult) => void;
}

/** Requests of this node that wait for their answers. */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  #nextSequence = 1;

  /** Sequence numbers ascend for the life of the process and are never used twice. */
  take(): number {
    return this.#nextSequence++;
  }

  get size(): number {
    return this.#calls.size;
  }

  add(sequence: number, call: PendingCall): void {
    this.#calls.set(sequence, call);
  }

  answered(sequence: number, nodeId: NodeId, body: Uint8Array): void {
    const call = this.#calls.get(sequence);
    if (call === undefined || call.nodeId !== nodeId) return; // late: already given up
    this.#calls.delete(sequence);
    call.settle({ kind: "answered", body });
  }

  /** The link to `nodeId` is gone; `sentPosition` says how far it had got. */
  linkLost(nodeId: NodeId, sentPosition: number): void {
    for (const [sequence, call] of this.#calls) {
      if (call.nodeId !== nodeId) continue;
      this.#calls.delete(sequence);
      const reason = "the link to the peer was lost";
      call.settle(
        call.position >= sentPosition ? { kind: "not-sent", reason } : { kind: "unknown", reason },
      );
    }
  }

  expire(nowMs: number): void {
    for (const [sequence, call] of this.#calls) {
      if (call.deadlineMs > nowMs) continue;
      this.#calls.delete(sequence);
      call.settle({ kind: "unknown", reason: "no answer within the deadline" });
    }
  }
}

/**
 * Which requests of peers have been run. A peer numbers its requests upwards within one boot, and a
 * connection keeps their order; so whatever is not above the highest seen is a repeat, or came by an
 * older connection, and must not run.
 */
export class SeenCalls {
  readonly #highest = new Map<NodeId, { bootNonce: number; sequence: number }>();

  /** True exactly once for a request that may run. `bootNonce` ascends with each start of the peer. */
  admit(nodeId: NodeId, bootNonce: number, sequence: number): boolean {
    const seen = this.#highest.get(nodeId);
    if (seen !== undefined) {
      if (bootNonce < seen.bootNonce) return false;
      if (bootNonce === seen.bootNonce && sequence <= seen.sequence) return false;
    }
    this.#highest.set(nodeId, { bootNonce, sequence });
    return true;
  }
}
