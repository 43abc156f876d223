// One line on standard error that is redrawn in place while a command works: a bar, a count, a rate, the
// time left. Without a terminal there is only a last line.

import { durationText, fitted, grouped } from "./format.ts";
import type { Output } from "./io.ts";

const REDRAW_MS = 100;
const BAR_COLUMNS = 24;

export class Progress {
  readonly #output: Output;
  readonly #verb: string;
  readonly #total: number | undefined;
  readonly #startedMs = performance.now();
  #drawnMs = -Infinity;
  #count = 0;
  #done = 0;

  /** @param total what `done` goes up to; undefined if nobody knows */
  constructor(output: Output, verb: string, total: number | undefined) {
    this.#output = output;
    this.#verb = verb;
    this.#total = total;
  }

  /** @param count keys so far @param done how much of the total */
  update(count: number, done = count): void {
    this.#count = count;
    this.#done = done;
    const nowMs = performance.now();
    if (!this.#output.isTerminal || nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    this.#output.write(`\r\x1b[2K${fitted(this.#line(nowMs), this.#output.columns() - 1)}`);
  }

  /** Takes the line away, for something else to be printed, or at the end. */
  clear(): void {
    if (this.#output.isTerminal) this.#output.write("\r\x1b[2K");
  }

  /** The last word. */
  finish(): void {
    this.clear();
    const elapsedMs = performance.now() - this.#startedMs;
    const rate = this.#count / Math.max(elapsedMs, 1) * 1000;
    this.#output.write(
      `${this.#verb} ${grouped(this.#count)} keys in ${durationText(elapsedMs)} (${
        grouped(rate)
      }/s)\n`,
    );
  }

  #line(nowMs: number): string {
    const elapsedMs = Math.max(nowMs - this.#startedMs, 1);
    const rate = `${grouped(this.#count / elapsedMs * 1000)} keys/s`;
    const count = `${grouped(this.#count)} keys`;
    const total = this.#total;
    if (total === undefined || total === 0) return `${this.#verb}  ${count}  ${rate}`;
    const share = Math.min(1, this.#done / total);
    const filled = Math.round(share * BAR_COLUMNS);
    const bar = "█".repeat(filled) + "░".repeat(BAR_COLUMNS - filled);
    const left = share > 0 ? durationText(elapsedMs / share - elapsedMs) : "…";
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    return `${this.#verb} ${bar} ${percent}  ${count}  ${rate}  ${left} left`;
  }
}
