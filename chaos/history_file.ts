// A history on disk while it is being made: lines gather in memory and go out in pieces, so that a bench that is
// killed leaves what it saw.

const PIECE_CHARACTERS = 1 << 16;

export class HistoryFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #encoder = new TextEncoder();
  #pending: string[] = [];
  #pendingCharacters = 0;

  constructor(path: string) {
    this.path = path;
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true });
  }

  write(line: string): void {
    this.#pending.push(line, "\n");
    this.#pendingCharacters += line.length;
    if (this.#pendingCharacters >= PIECE_CHARACTERS) this.flush();
  }

  flush(): void {
    const bytes = this.#encoder.encode(this.#pending.join(""));
    this.#pending = [];
    this.#pendingCharacters = 0;
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }

  close(): void {
    this.flush();
    this.#file.close();
  }
}
