// What a command reads and writes, so that tests can run one without a process. Output that nobody reads any
// more is dropped, never an error.

/** One stream of output. */
export interface Output {
  readonly isTerminal: boolean;
  columns(): number;
  rows(): number;
  write(data: string | Uint8Array): void;
}

export interface Io {
  readonly out: Output;
  readonly err: Output;
  stdin(): ReadableStream<Uint8Array>;
  readonly stdinIsTerminal: boolean;
  env(name: string): string | undefined;
  /** Calls back when the user wants an end (Ctrl-C); returns how to stop listening. */
  onInterrupt(callback: () => void): () => void;
  /** Single key presses from now on; undefined without a terminal. The returned function ends it. */
  onKey(callback: (key: string) => void): (() => void) | undefined;
}

const COLUMNS_DEFAULT = 80;
const ROWS_DEFAULT = 24;
const encoder = new TextEncoder();

interface FileLike {
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

function output(file: FileLike): Output {
  let broken = false;
  return {
    isTerminal: file.isTerminal(),
    columns: () => consoleSize().columns,
    rows: () => consoleSize().rows,
    write: (data) => {
      const bytes = typeof data === "string" ? encoder.encode(data) : data;
      for (let written = 0; written < bytes.length && !broken;) {
        try {
          written += file.writeSync(bytes.subarray(written));
        } catch {
          // A pipe that was closed (`kv scan | head`) or a terminal that is gone.
          broken = true;
        }
      }
    },
  };
}

function consoleSize(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return { columns: COLUMNS_DEFAULT, rows: ROWS_DEFAULT };
  }
}

/** The process's own streams. */
export function processIo(): Io {
  return {
    out: output(Deno.stdout),
    err: output(Deno.stderr),
    stdin: () => Deno.stdin.readable,
    stdinIsTerminal: Deno.stdin.isTerminal(),
    env: (name) => Deno.env.get(name),
    onInterrupt: (callback) => {
      Deno.addSignalListener("SIGINT", callback);
      return () => Deno.removeSignalListener("SIGINT", callback);
    },
    onKey: (callback) => {
      if (!Deno.stdin.isTerminal()) return undefined;
      Deno.stdin.setRaw(true);
      const reader = Deno.stdin.readable.getReader();
      const decoder = new TextDecoder();
      (async () => {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return;
          callback(decoder.decode(value));
        }
      })().catch(() => {});
      return () => {
        reader.cancel().catch(() => {});
        try {
          Deno.stdin.setRaw(false);
        } catch {
          // The terminal is gone.
        }
      };
    },
  };
}

/** All of standard input. */
export async function readAll(io: Io): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of io.stdin()) {
    chunks.push(chunk);
    length += chunk.length;
  }
  const all = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

/** Lines of a stream of bytes, without their ends; `endBytes` is where the next line begins. */
export async function* linesOf(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<{ line: string; endBytes: number }> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let rest = new Uint8Array();
  let offset = 0;
  for await (const chunk of stream) {
    const all = new Uint8Array(rest.length + chunk.length);
    all.set(rest);
    all.set(chunk, rest.length);
    let start = 0;
    for (;;) {
      const end = all.indexOf(0x0a, start);
      if (end < 0) break;
      offset += end + 1 - start;
      yield { line: decoder.decode(all.subarray(start, end)), endBytes: offset };
      start = end + 1;
    }
    rest = all.slice(start);
  }
  if (rest.length > 0) yield { line: decoder.decode(rest), endBytes: offset + rest.length };
}
