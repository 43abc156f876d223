// The answering end of forwarded requests: runs each at most once, drops what came too late, and answers
// on this node's own link to the asker.

import { InvariantError } from "../base/assert.ts";
import type { NodeId } from "../base/ids.ts";
import { textOf, type TransportEnvironment, type TransportHandlers } from "./environment.ts";
import type { InboundLink } from "./inbound_link.ts";
import { INBOUND_REQUESTS_MAX } from "./parameters.ts";
import { reasonBytes, type RequestFrame, ResponseStatus } from "./requests.ts";

/**
 * Which requests of one peer incarnation may still begin. A sender numbers its requests upwards and never
 * re-sends one, and its links succeed each other, so the highest number seen tells all.
 */
class RequestGate {
  readonly bootNonce: number;
  #highestSequence = 0;
  /** Requests that run now. */
  runningCount = 0;

  constructor(bootNonce: number) {
    this.bootNonce = bootNonce;
  }

  /** True the first time only. */
  admit(sequence: number): boolean {
    if (sequence <= this.#highestSequence) return false;
    this.#highestSequence = sequence;
    return true;
  }
}

/** Sends an answer to the incarnation that asked; false if that is impossible. */
export type Respond = (
  nodeId: NodeId,
  bootNonce: number,
  sequence: number,
  status: number,
  body: Uint8Array,
) => boolean;

export class RequestServer {
  readonly #environment: TransportEnvironment;
  readonly #handlers: Pick<TransportHandlers, "onRequest">;
  readonly #respond: Respond;
  readonly #gates = new Map<NodeId, RequestGate>();

  constructor(
    environment: TransportEnvironment,
    handlers: Pick<TransportHandlers, "onRequest">,
    respond: Respond,
  ) {
    this.#environment = environment;
    this.#handlers = handlers;
    this.#respond = respond;
  }

  /** Runs a request that came with `budgetMs` left, or refuses it. */
  take(link: InboundLink, request: RequestFrame, budgetMs: number): void {
    const { nodeId, session: { bootNonce } } = link;
    const { sequence } = request;
    const gate = this.#gateOf(nodeId, bootNonce);
    if (gate.bootNonce !== bootNonce || !gate.admit(sequence)) {
      this.#environment.log.log("warn", "repeated request dropped", { peer: nodeId, sequence });
      return;
    }
    const answer = (status: number, body: Uint8Array) =>
      this.#respond(nodeId, bootNonce, sequence, status, body);
    const refuse = (reason: string) => answer(ResponseStatus.Refused, reasonBytes(reason));
    if (budgetMs <= 0) {
      refuse("expired on the way");
      return;
    }
    if (gate.runningCount >= INBOUND_REQUESTS_MAX) {
      refuse("the peer is overloaded");
      return;
    }
    gate.runningCount += 1;
    this.#handlers.onRequest(nodeId, request.body, budgetMs).then((body) => {
      gate.runningCount -= 1;
      if (answer(ResponseStatus.Ok, body)) return;
      answer(ResponseStatus.Failed, reasonBytes("the answer could not be sent"));
    }, (cause) => {
      gate.runningCount -= 1;
      if (cause instanceof InvariantError) {
        this.#environment.process.fatal("a forwarded request failed", cause);
      }
      answer(ResponseStatus.Failed, reasonBytes(textOf(cause)));
    });
  }

  /** The gate of the peer's newest incarnation; nonces ascend. */
  #gateOf(nodeId: NodeId, bootNonce: number): RequestGate {
    const known = this.#gates.get(nodeId);
    if (known !== undefined && known.bootNonce >= bootNonce) return known;
    const gate = new RequestGate(bootNonce);
    this.#gates.set(nodeId, gate);
    return gate;
  }
}
