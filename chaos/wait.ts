// Waiting for things: always for the thing itself, always bounded.

const POLL_MS = 20;
const SLICE_MS = 50;

/** Waits until `probe` holds. Rejects after `timeoutMs`, saying what was waited for: a clause, "n1 serves". */
export async function until(
  what: string,
  timeoutMs: number,
  probe: () => Promise<boolean> | boolean,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await probe())) {
    if (performance.now() > deadlineMs) {
      throw new Error(`it waited ${timeoutMs / 1000} s in vain until ${what}`);
    }
    await sleep(POLL_MS);
  }
}

export function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** Lets time pass, in slices, so that a stop is seen at once. */
export async function rest(durationMs: number, stopped: () => boolean): Promise<void> {
  const endMs = performance.now() + durationMs;
  for (;;) {
    const leftMs = endMs - performance.now();
    if (leftMs <= 0 || stopped()) return;
    await sleep(Math.min(SLICE_MS, leftMs));
  }
}
