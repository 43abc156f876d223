// Where a script's commands write: a buffer that can be indented, and silenced by the log level.

const LEVELS = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"];

export class Output {
  #text = "";
  #level = 0;

  /** What was printed since the last `reset`. */
  get text(): string {
    return this.#text;
  }

  reset(): void {
    this.#text = "";
  }

  print(text: string): void {
    if (LEVELS[this.#level] !== "NONE") this.#text += text;
  }

  printLine(text: string): void {
    this.print(text + "\n");
  }

  /** Shows an error at any level. */
  printError(text: string): void {
    this.#text += text;
  }

  /** Sets the level by name; false if there is none of that name. */
  setLevel(name: string): boolean {
    const level = LEVELS.indexOf(name.toUpperCase());
    if (level < 0) return false;
    this.#level = level;
    return true;
  }

  /** Runs `work` and puts the level back afterwards. */
  keepingLevel(work: () => void): void {
    const level = this.#level;
    try {
      work();
    } finally {
      this.#level = level;
    }
  }

  /** Runs `work` with all it prints indented by two. */
  indented(work: () => void): void {
    const outer = this.#text;
    this.#text = "";
    work();
    const lines = this.#text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    this.#text = outer + lines.map((line) => `  ${line}\n`).join("");
  }
}

/** The names `setLevel` knows. */
export const LEVEL_NAMES: readonly string[] = LEVELS;
