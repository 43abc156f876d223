// What the runner shows. In a terminal: lines that stay, above a status that is redrawn in place.
// Elsewhere: one plain line a change. Output that nobody can read any more is dropped, never an error.

import { type NodeStatus, statusLine, statusTable } from "./status.ts";

/** Without a terminal, a change of commit indexes alone is worth a line this often. */
const COMMIT_LINE_INTERVAL_MS = 5000;
const COLUMNS_DEFAULT = 80;
const ROWS_DEFAULT = 24;
const encoder = new TextEncoder();

/** Where a {@linkcode Screen} writes. */
export interface ScreenOutput {
  /** True if the status can be redrawn in place. */
  readonly terminal: boolean;
  /** Of the terminal; 0 where that is not known, as in `docker exec -t`. */
  size(): { columns: number; rows: number };
  write(text: string): void;
}

/** Standard output. */
export function standardOutput(): ScreenOutput {
  return {
    terminal: Deno.stdout.isTerminal(),
    size: () => {
      try {
        return Deno.consoleSize();
      } catch {
        return { columns: 0, rows: 0 };
      }
    },
    write: (text) => {
      const bytes = encoder.encode(text);
      try {
        for (let written = 0; written < bytes.length;) {
          written += Deno.stdout.writeSync(bytes.subarray(written));
        }
      } catch {
        // The terminal or the reader of the pipe is gone; the cluster is not there for its output.
      }
    },
  };
}

export class Screen {
  readonly #output: ScreenOutput;
  #status: readonly NodeStatus[] = [];
  /** The lines of the status as they stand in the terminal. */
  #drawn: readonly string[] = [];
  #lastLine = "";
  #lastKey = "";
  #lastLineMs = -Infinity;

  constructor(output: ScreenOutput) {
    this.#output = output;
  }

  /** Shows lines that stay. */
  print(text: string): void {
    this.#output.write(`${this.#eraseSequence()}${text}\n`);
    if (this.#output.terminal && this.#status.length > 0) this.status(this.#status, 0);
  }

  /** Shows the status as of `nowMs`, if it changed. */
  status(nodes: readonly NodeStatus[], nowMs: number): void {
    this.#status = nodes;
    if (this.#output.terminal) this.#draw();
    else this.#log(nowMs);
  }

  /** Leaves the last status where it is; what follows goes below it. */
  end(): void {
    this.#status = [];
    this.#drawn = [];
  }

  #draw(): void {
    const { columns, rows } = this.#size();
    const width = Math.max(1, columns - 1);
    // What is redrawn must fit, beside the empty line above it and the cursor's below: what has scrolled
    // out of a terminal can't be reached any more.
    const height = Math.max(1, rows - 2);
    const lines = ["", ...statusTable(this.#status, width, height)];
    if (lines.join("\n") === this.#drawn.join("\n")) return;
    this.#output.write(`${this.#eraseSequence()}${lines.join("\n")}\n`);
    this.#drawn = lines;
  }

  #log(nowMs: number): void {
    const key = statusLine(this.#status, false);
    const line = statusLine(this.#status, true);
    if (line === this.#lastLine) return;
    if (key === this.#lastKey && nowMs - this.#lastLineMs < COMMIT_LINE_INTERVAL_MS) return;
    this.#output.write(`${line}\n`);
    this.#lastLine = line;
    this.#lastKey = key;
    this.#lastLineMs = nowMs;
  }

  #size(): { columns: number; rows: number } {
    const { columns, rows } = this.#output.size();
    return { columns: columns || COLUMNS_DEFAULT, rows: rows || ROWS_DEFAULT };
  }

  /** Moves up over the drawn status and clears it. */
  #eraseSequence(): string {
    if (this.#drawn.length === 0) return "";
    // A terminal that became narrower has broken the lines into more rows.
    const { columns } = this.#size();
    const rows = this.#drawn.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)),
      0,
    );
    this.#drawn = [];
    return `\x1b[${rows}A\r\x1b[J`;
  }
}
