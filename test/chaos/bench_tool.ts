// Runs the bench as a user does, and finds every process that belongs to one run of it.

import { fileURLToPath } from "node:url";

export { type FoundProcess, processesWith, until } from "../scripts/cluster_tool.ts";
import { processesWith, until } from "../scripts/cluster_tool.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PRINT_TIMEOUT_MS = 60_000;

/** One `deno task chaos`, with a directory of its own as `--out`. */
export class BenchTool {
  /** Temporary; its name is in the command line of every process of the run. */
  readonly dir = Deno.makeTempDirSync({ prefix: "pontoon-chaos-" });
  readonly child: Deno.ChildProcess;
  #output = "";
  readonly #collected: Promise<unknown>;

  constructor(args: readonly string[]) {
    this.child = new Deno.Command("env", {
      // `nohup` and background jobs of a script ignore these; what a test starts must not inherit that.
      args: [
        "--default-signal=INT,HUP",
        Deno.execPath(),
        "task",
        "--quiet",
        "chaos",
        "--out",
        this.dir,
      ]
        .concat(args),
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const collect = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder();
      for await (const bytes of stream) this.#output += decoder.decode(bytes, { stream: true });
    };
    this.#collected = Promise.all([collect(this.child.stdout), collect(this.child.stderr)]);
  }

  get output(): string {
    return this.#output;
  }

  /** The process that runs the bench itself. */
  runner(): number {
    const found = processesWith(this.dir).find(({ command }) => / chaos\/main\.ts /.test(command));
    if (found === undefined) throw new Error(`no runner: ${this.#output}`);
    return found.pid;
  }

  async prints(text: string): Promise<void> {
    await until(`it prints ${text}`, PRINT_TIMEOUT_MS, () => this.#output.includes(text));
  }

  /** Resolves when it has ended by itself. */
  async ended(): Promise<{ readonly code: number; readonly output: string }> {
    const { code } = await this.child.status;
    await this.#collected;
    return { code, output: this.#output };
  }

  /** Ends whatever is left, and removes the directory. */
  async dispose(): Promise<void> {
    for (const { pid } of processesWith(this.dir)) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    await this.child.status;
    await this.#collected;
    await until("all processes are gone", 10_000, () => processesWith(this.dir).length === 0);
    Deno.removeSync(this.dir, { recursive: true });
  }
}
