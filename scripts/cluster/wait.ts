// Waiting for a condition instead of sleeping for a guess.

/** Resolves when `probe` is true; rejects after `timeoutMs`. */
export async function until(timeoutMs: number, probe: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!await probe()) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
