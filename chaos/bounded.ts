// Holds every part of a run to its end: what goes on after it should have stopped is an error that names it.

import { rest } from "./wait.ts";

/** Members come and go within a minute. */
const END_TIMEOUT_MS = 90_000;

/** Rejects if `part` goes on for long after `stopped` has come to hold. */
export async function bounded<T>(
  part: Promise<T> | undefined,
  what: string,
  stopped: () => boolean,
  endTimeoutMs = END_TIMEOUT_MS,
): Promise<void> {
  let over = part === undefined;
  const watchdog = async () => {
    await rest(Infinity, () => over || stopped());
    await rest(endTimeoutMs, () => over);
    if (!over) throw new Error(`${what} did not end within ${endTimeoutMs / 1000} s`);
  };
  try {
    await Promise.race([part, watchdog()]);
  } finally {
    over = true;
  }
}
