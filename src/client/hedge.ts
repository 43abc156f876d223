// A read asked of several replicas, each a while after the one before. A refusal that may be tried again
// sends it on to the next, as silence does, and is the answer only if nobody has a better one.

import type { Alarms } from "./alarms.ts";
import type { PooledNode } from "./node_pool.ts";
import { firstAnswer } from "./race.ts";
import { type Answer, verdictOf } from "./verdict.ts";

/** An answer and who gave it. */
export interface NodeAnswer {
  readonly node: PooledNode;
  readonly answer: Answer;
}

/** A refusal, on its way through a race for the first answer. */
class Refused extends Error {}

/**
 * The first answer that is no retryable refusal; if there is none, the last refusal; if nobody answered at
 * all, the last failure is thrown. `onLost` hears of each node that did not answer, unless it was not to
 * any more.
 */
export async function hedge(
  nodes: readonly PooledNode[],
  afterMs: number,
  alarms: Alarms,
  ask: (node: PooledNode, signal: AbortSignal) => Promise<Answer>,
  onLost: (node: PooledNode) => void,
  signal: AbortSignal | undefined,
): Promise<NodeAnswer> {
  let refusal: NodeAnswer | undefined;
  try {
    return await firstAnswer(nodes, afterMs, alarms, async (node, own) => {
      let answer: Answer;
      try {
        answer = await ask(node, own);
      } catch (error) {
        if (!own.aborted) onLost(node);
        throw error;
      }
      if (verdictOf(answer, false).kind !== "retry") return { node, answer };
      refusal = { node, answer };
      throw new Refused();
    }, signal);
  } catch (error) {
    if (refusal === undefined || signal?.aborted) throw error;
    return refusal;
  }
}
