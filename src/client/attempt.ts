// One request to one node, answered within its time or given up. Knows nothing of retries.

import type { Alarms } from "./alarms.ts";
import type { Answer } from "./verdict.ts";

export interface AttemptInit {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
  /** On the clock of performance.now(). */
  readonly deadlineMs: number;
  /** The caller's: aborts the attempt. */
  readonly signal: AbortSignal | undefined;
}

/** The attempt took longer than it may. */
export class AttemptTimeout extends Error {
  override readonly name = "AttemptTimeout";
}

/** Rejects if no whole answer came: with AttemptTimeout, the signal's reason or the connection's error. */
export async function attempt(
  fetcher: typeof fetch,
  alarms: Alarms,
  url: string,
  { method, headers, body, deadlineMs, signal }: AttemptInit,
): Promise<Answer> {
  const controller = new AbortController();
  const alarm = alarms.set(
    deadlineMs,
    () => controller.abort(new AttemptTimeout(`no answer from ${new URL(url).host} in time`)),
  );
  const abort = signal && (() => controller.abort(signal.reason));
  if (abort !== undefined) {
    if (signal!.aborted) abort();
    signal!.addEventListener("abort", abort, { once: true });
  }
  try {
    const response = await fetcher(url, { method, headers, body, signal: controller.signal });
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch (error) {
    // What fetch throws when it is aborted differs between runtimes; the reason does not.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    alarms.cancel(alarm);
    if (abort !== undefined) signal!.removeEventListener("abort", abort);
  }
}
