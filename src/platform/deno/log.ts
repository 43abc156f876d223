// Log as JSON lines on standard error. A disabled level costs one comparison.

import type { Log, LogLevel } from "../ports.ts";

const RANKS: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const encoder = new TextEncoder();

function writeLine(line: string): void {
  const bytes = encoder.encode(line);
  try {
    let written = 0;
    while (written < bytes.length) written += Deno.stderr.writeSync(bytes.subarray(written));
  } catch {
    // Nobody reads the log any more (the reader of a pipe is gone); the node goes on.
  }
}

/** JSON lines {time, level, message, ...fields} at or above `level`. */
export class DenoLog implements Log {
  readonly #level: LogLevel;
  readonly #fields: Record<string, unknown>;

  constructor(level: LogLevel, fields: Record<string, unknown> = {}) {
    this.#level = level;
    this.#fields = fields;
  }

  log(level: LogLevel, message: string, fields?: Record<string, unknown>): void {
    if (RANKS[level] < RANKS[this.#level]) return;
    const time = new Date().toISOString();
    writeLine(`${JSON.stringify({ time, level, message, ...this.#fields, ...fields })}\n`);
  }

  with(fields: Record<string, unknown>): Log {
    return new DenoLog(this.#level, { ...this.#fields, ...fields });
  }
}
