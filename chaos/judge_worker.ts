// The checker's thread: one history in, one verdict out. The model comes by the workload's name.

import { seededRandom } from "./random.ts";
import { checkHistory, type Finding, type HistoryToCheck } from "./judge.ts";
import { workloadNamed } from "./workloads/mod.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<HistoryToCheck & { readonly workload: string }>) => void) | null;
  postMessage(finding: Finding): void;
}

const scope = globalThis as unknown as WorkerScope;

function find(workload: string, history: HistoryToCheck): Finding {
  try {
    const { model } = workloadNamed(workload).start({
      keys: 1,
      nodes: () => [],
      random: seededRandom(1),
      promisesApplied: history.promisesApplied,
      hasIdempotency: false,
      now: () => 0,
    });
    return checkHistory(history, model);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    return { problem: `the checker's thread failed: ${text}` };
  }
}

scope.onmessage = ({ data: { workload, ...history } }) => {
  scope.postMessage(find(workload, history));
};
