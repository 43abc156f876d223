// What the runner shows. In a terminal: lines that stay, above a status that is redrawn in place.
// Elsewhere: one plain line a change. Output that nobody can read any more is dropped, never an error.

import { type NodeStatus, statusLine, statusTable } from "./status.ts";

/** Without a terminal, a change of commit indexes alone is worth a line this often. */
const COMMIT_LINE_INTERVAL_MS = 5000;
const COLUMNS_DEFAULT = 80;
const encoder = new TextEncoder();

/** Where a {@linkcode Screen} writes. */
export interface ScreenOutput {
  /** True if the status can be redrawn in place. */
  readonly terminal: boolean;
  columns(): number;
  write(text: string): void;
}

/** Standard output. */
export function standardOutput(): ScreenOutput {
  return {
    terminal: Deno.stdout.isTerminal(),
    columns: () => {
      try {
        return Deno.consoleSize().columns;
      } catch {
        return COLUMNS_DEFAULT;
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
  /** The status as it stands in the terminal. */
  #drawn = "";
  #drawnRows = 0;
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
    this.#drawn = "";
    this.#drawnRows = 0;
  }

  #draw(): void {
    const rows = statusTable(this.#status, Math.max(1, this.#output.columns() - 1));
    const text = `\n${rows.join("\n")}\n`;
    if (text === this.#drawn) return;
    this.#output.write(this.#eraseSequence() + text);
    this.#drawn = text;
    this.#drawnRows = rows.length + 1;
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

  /** Moves up over the drawn status and clears it. */
  #eraseSequence(): string {
    if (this.#drawnRows === 0) return "";
    const sequence = `\x1b[${this.#drawnRows}A\r\x1b[J`;
    this.#drawn = "";
    this.#drawnRows = 0;
    return sequence;
  }
}
