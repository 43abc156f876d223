// A progress bar on standard error, on a terminal only, for runs that take a while.

import type { Progress } from "../check.ts";

const WIDTH = 30;
/** Nothing is shown for runs shorter than this. */
const QUIET_MS = 500;
const INTERVAL_MS = 100;

export class ProgressBar {
  readonly #label: string;
  readonly #enabled = Deno.stderr.isTerminal();
  readonly #startedAt = performance.now();
  #shownAt = 0;

  constructor(label: string) {
    this.#label = label;
  }

  show({ partitionsDone, partitionCount, steps }: Progress): void {
    const now = performance.now();
    if (!this.#enabled || now - this.#startedAt < QUIET_MS || now - this.#shownAt < INTERVAL_MS) {
      return;
    }
    this.#shownAt = now;
    const filled = Math.round((partitionsDone / Math.max(partitionCount, 1)) * WIDTH);
    const bar = "█".repeat(filled) + "░".repeat(WIDTH - filled);
    this.#write(
      `\r\x1b[K${this.#label} ${bar} ${partitionsDone}/${partitionCount} partitions, ` +
        `${(steps / 1e6).toFixed(1)} M steps, ${((now - this.#startedAt) / 1000).toFixed(0)} s`,
    );
  }

  clear(): void {
    if (this.#shownAt > 0) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}
