// A terminal, or a pair of pipes, for the command line under test: what is typed, what is shown.

import type { Io, Output } from "../../src/cli/io.ts";
import { runCommandLine } from "../../src/cli/program.ts";

export interface RunInit {
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
  readonly env?: Readonly<Record<string, string>>;
  /** Output goes to a terminal of 100 x 30. */
  readonly terminal?: boolean;
  /** Called with each piece of standard output; returning true is Ctrl-C. */
  readonly onOutput?: (text: string) => boolean;
}

export interface RunEnd {
  readonly code: number;
  readonly out: string;
  readonly outBytes: Uint8Array;
  readonly err: string;
}

function recorded(
  terminal: boolean,
  chunks: Uint8Array[],
  onWrite?: (text: string) => void,
): Output {
  return {
    isTerminal: terminal,
    columns: () => 100,
    rows: () => 30,
    write: (data) => {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data.slice();
      chunks.push(bytes);
      onWrite?.(new TextDecoder().decode(bytes));
    },
  };
}

/** Runs one command line to its end. */
export async function run(args: readonly string[], init: RunInit = {}): Promise<RunEnd> {
  const { stdin = "", env = {}, terminal = false, onOutput } = init;
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  const interrupts = new Set<() => void>();
  const io: Io = {
    out: recorded(terminal, out, (text) => {
      if (onOutput?.(text)) { for (const interrupt of interrupts) interrupt(); }
    }),
    err: recorded(terminal, err),
    stdin: () => new Blob([stdin]).stream(),
    stdinIsTerminal: false,
    env: (name) => env[name],
    onInterrupt: (callback) => {
      interrupts.add(callback);
      return () => interrupts.delete(callback);
    },
    onKey: () => undefined,
  };
  const code = await runCommandLine(args, io);
  const outBytes = new Uint8Array(await new Blob(out as BlobPart[]).arrayBuffer());
  return {
    code,
    out: new TextDecoder().decode(outBytes),
    outBytes,
    err: await new Blob(err as BlobPart[]).text(),
  };
}
