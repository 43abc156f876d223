// When to stop: signals, and the end of whoever started this process. The first request asks for a graceful
// stop, a later signal for a quick one. Never ends anything itself.

import { watchLauncher } from "./ancestors.ts";

/** Signals closer together than this are one: a terminal's Ctrl-C arrives directly and through `deno task`. */
const SAME_SIGNAL_MS = 500;
const PARENT_POLL_INTERVAL_MS = 250;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What a request means; "nothing" if it repeats an earlier one. */
export type StopVerdict = "stop" | "force" | "nothing";

/** Tells a repeated request to stop from a second, impatient one. */
export class StopRequests {
  #requestedMs = -Infinity;

  /** Judges a signal that arrives at `nowMs`. */
  signal(nowMs: number): StopVerdict {
    const elapsedMs = nowMs - this.#requestedMs;
    this.#requestedMs = nowMs;
    if (elapsedMs === Infinity) return "stop";
    return elapsedMs < SAME_SIGNAL_MS ? "nothing" : "force";
  }

  /** Judges the loss of a parent at `nowMs`: often the same event as a signal before it, so it never forces. */
  orphaned(nowMs: number): StopVerdict {
    if (this.#requestedMs !== -Infinity) return "nothing";
    this.#requestedMs = nowMs;
    return "stop";
  }
}

/** Calls `onStop` at the first request, with its cause as text, and `onForce` at each later signal. */
export function listenForStop(onStop: (cause: string) => void, onForce: () => void): void {
  const requests = new StopRequests();
  for (const signal of SIGNALS) {
    Deno.addSignalListener(signal, () => {
      const verdict = requests.signal(performance.now());
      if (verdict === "stop") onStop(signal);
      if (verdict === "force") onForce();
    });
  }
  const orphaned = (cause: string) => {
    if (requests.orphaned(performance.now()) === "stop") onStop(cause);
  };
  const parentPid = Deno.ppid;
  const timer = setInterval(() => {
    if (Deno.ppid === parentPid) return;
    clearInterval(timer);
    orphaned("the process that started this one is gone");
  }, PARENT_POLL_INTERVAL_MS);
  watchLauncher(parentPid, orphaned);
}
