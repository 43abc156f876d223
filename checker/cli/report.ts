// A verdict as text for a terminal and as JSON for programs.

import type { Operation } from "../history/types.ts";
import type { AnyModel, AnyNondeterministicModel } from "../models/model.ts";
import { describeOperation } from "../verdict/explain.ts";
import type { Verdict } from "../verdict/types.ts";

/** Operations of a counterexample listed on a terminal at most. */
const LISTED_MAX = 60;

export function reportText(
  file: string,
  history: readonly Operation[],
  model: AnyModel | AnyNondeterministicModel,
  verdict: Verdict,
): string {
  const partitions = verdict.partitions.length;
  const head = `${file}: ${verdict.verdict} (${verdict.operationCount} operations, ` +
    `${verdict.unknownOutcomeCount} of unknown outcome, ${partitions} partition${
      partitions === 1 ? "" : "s"
    }, ` +
    `${verdict.elapsedMs.toFixed(verdict.elapsedMs < 10 ? 1 : 0)} ms)`;
  const lines = [head];
  if (verdict.reason !== undefined) lines.push(`  ${verdict.reason}`);
  const { counterexample } = verdict;
  if (counterexample !== undefined) {
    lines.push(`  ${counterexample.explanation}`);
    lines.push(
      `  ${counterexample.minimal ? "Minimal illegal" : "Illegal"} sub-history` +
        `${counterexample.verified ? ", verified again" : ""}:`,
    );
    for (const id of counterexample.operations.slice(0, LISTED_MAX)) {
      const mark = id === counterexample.blocked
        ? "✗"
        : counterexample.open.includes(id)
        ? "…"
        : " ";
      lines.push(`  ${mark} ${describeOperation(model as AnyModel, history[id]!)}`);
    }
    const more = counterexample.operations.length - LISTED_MAX;
    if (more > 0) lines.push(`    and ${more} more`);
  }
  return lines.join("\n");
}

/** One line of JSON. Orders are arrays of positions in the file's operations, in order of their calls. */
export function reportJson(file: string, verdict: Verdict): string {
  return JSON.stringify(
    { file, ...verdict },
    (_key, value) => value instanceof Int32Array ? [...value] : value,
  );
}
