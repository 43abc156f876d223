// Asks several nodes for the same thing, each a while after the one before or as soon as that failed, and
// takes the first answer. For what may be done twice: reads.

import type { Alarms } from "./alarms.ts";

/**
 * The first result of `ask(candidate, signal)`. The others' signals are aborted then, and all of them when
 * `signal` is. Rejects with the last failure once every candidate has failed.
 */
export function firstAnswer<Candidate, Answer>(
  candidates: readonly Candidate[],
  staggerMs: number,
  alarms: Alarms,
  ask: (candidate: Candidate, signal: AbortSignal) => Promise<Answer>,
  signal?: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const controllers: AbortController[] = [];
    let next = 0;
    let failed = 0;
    let alarm: ReturnType<Alarms["set"]> | undefined;
    const end = () => {
      if (alarm !== undefined) alarms.cancel(alarm);
      next = candidates.length;
      signal?.removeEventListener("abort", abort);
    };
    const abort = () => {
      end();
      for (const controller of controllers) controller.abort(signal?.reason);
      reject(signal?.reason);
    };
    const start = () => {
      if (alarm !== undefined) alarms.cancel(alarm);
      alarm = undefined;
      if (next === candidates.length) return;
      const controller = new AbortController();
      controllers.push(controller);
      ask(candidates[next++], controller.signal).then((answer) => {
        end();
        for (const other of controllers) if (other !== controller) other.abort();
        resolve(answer);
      }, (error) => {
        if (++failed === candidates.length) {
          end();
          reject(error);
        } else start();
      });
      if (next < candidates.length) alarm = alarms.set(performance.now() + staggerMs, start);
    };
    if (signal?.aborted) return reject(signal.reason);
    signal?.addEventListener("abort", abort, { once: true });
    start();
  });
}
