// How the checker's verdict, the workload's own findings and the gates make one verdict. Pure.

import type { Gate } from "./gates.ts";
import type { Judgement } from "./judge.ts";

/** `true`: held. `false`: a violation. `unknown`: the run proves nothing. */
export type Valid = boolean | "unknown";

/** A violation stands whatever else went wrong; anything less is void if the bench or a gate failed. */
export function outcomeOf(
  judgement: Judgement,
  gates: readonly Gate[],
  interrupted: boolean,
  problem: string | undefined,
): { readonly valid: Valid; readonly reason: string } {
  const { verdict, flaws } = judgement;
  if (verdict?.verdict === "illegal") {
    return { valid: false, reason: verdict.counterexample!.explanation };
  }
  if (flaws.length > 0) {
    const more = flaws.length > 1 ? ` (and ${flaws.length - 1} more)` : "";
    return { valid: false, reason: flaws[0]!.message + more };
  }
  const unknown = (reason: string) => ({ valid: "unknown" as const, reason });
  // What fails while everything is being ended is no news.
  if (interrupted) return unknown("it was interrupted");
  if (problem !== undefined) return unknown(problem);
  if (verdict === undefined) return unknown(judgement.problem ?? "nothing was judged");
  if (verdict.verdict === "unknown") return unknown(verdict.reason ?? "the checker gave up");
  const missed = gates.find(({ passed }) => !passed);
  if (missed !== undefined) return unknown(`not shown: ${missed.name} (${missed.detail})`);
  return { valid: true, reason: "linearizable" };
}
