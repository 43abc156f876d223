// Runs `deno task cluster` as a user does, and finds every process that belongs to one run.

import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** As the README gives it. */
export const NPX_DENO = "deno@2.9.6";
const START_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 20_000;
const PROBE_INTERVAL_MS = 50;
const PEER_PORT_DISTANCE = 1000;

/** Resolves when `probe` holds; rejects, saying `what` was waited for, after `timeoutMs`. */
export async function until(
  what: string,
  timeoutMs: number,
  probe: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!await probe()) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PROBE_INTERVAL_MS));
  }
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch {
    return false;
  }
}

/** The first of `count` ports in a row that are free, as are the peer ports that go with them. */
export function freePortRange(count: number): number {
  for (let attempt = 0; attempt < 100; attempt++) {
    // Below the range from which the system takes ports for outgoing connections.
    const first = 10_000 + Math.floor(Math.random() * 20_000);
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if (ports.every((port) => isFree(port) && isFree(port + PEER_PORT_DISTANCE))) return first;
  }
  throw new Error("no free ports");
}

export interface FoundProcess {
  readonly pid: number;
  readonly parentPid: number;
  readonly command: string;
}

/** The processes, ended but unreaped ones aside, whose command line holds `marker`. */
export function processesWith(marker: string): FoundProcess[] {
  const found: FoundProcess[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const command = Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ");
      if (!command.includes(marker)) continue;
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [state, parentPid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z" || state === "X") continue;
      found.push({ pid: Number(name), parentPid: Number(parentPid), command });
    } catch {
      // It ended between listing and looking.
    }
  }
  return found;
}

function killNow(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

/** `nohup` and background jobs of a script ignore these; what a test starts must not inherit that. */
const DEFAULT_SIGNALS = ["env", "--default-signal=INT,HUP"];

/** One `deno task cluster`, from the command to the last of its nodes. */
export class ClusterTool {
  /** Temporary; its name is in the command line of every process of the run. */
  readonly dir: string;
  readonly dataDir: string;
  readonly child: Deno.ChildProcess;
  #output = "";
  #exited = false;
  readonly #collected: Promise<unknown>;

  constructor(launcher: "npx" | "task", args: string[], dir = ClusterTool.tempDir()) {
    this.dir = dir;
    this.dataDir = `${dir}/data`;
    const command = launcher === "npx" ? ["npx", "-y", NPX_DENO] : [Deno.execPath()];
    const [program, ...rest] = [...DEFAULT_SIGNALS, ...command, "task", "cluster"];
    this.child = new Deno.Command(program, {
      args: [...rest, "--data", this.dataDir, ...args],
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: true,
      env: { NO_COLOR: "1" },
    }).spawn();
    this.child.status.then(() => this.#exited = true);
    this.#collected = Promise.all([
      this.#collect(this.child.stdout),
      this.#collect(this.child.stderr),
    ]);
  }

  static tempDir(): string {
    return Deno.makeTempDirSync({ prefix: "pontoon-cluster-" });
  }

  /** Everything printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Waits until `text` is printed. */
  prints(text: string): Promise<void> {
    return until(`"${text}" in ${this.dir}`, START_TIMEOUT_MS, () => {
      if (this.#output.includes(text)) return true;
      if (this.#exited) throw new Error(`ended without "${text}":\n${this.#output}`);
      return false;
    });
  }

  /** The process that runs scripts/cluster.ts itself. */
  runner(): FoundProcess {
    const runner = processesWith(this.dir).find(({ command }) =>
      / run .*scripts\/cluster\.ts /.test(command)
    );
    if (runner === undefined) throw new Error(`no runner:\n${this.#output}`);
    return runner;
  }

  /** The exit code of what was started, and everything it printed. */
  async ended(): Promise<{ code: number; output: string }> {
    const { code } = await this.child.status;
    await this.#collected;
    return { code, output: this.#output };
  }

  /** Ends what is left and deletes the directory. */
  async dispose(): Promise<void> {
    // A process that npm is about to start, or that is renaming itself, shows only a moment later.
    await until("everything is gone", END_TIMEOUT_MS, () => {
      const left = processesWith(this.dir).map(({ pid }) => pid);
      if (!this.#exited) left.push(this.child.pid);
      for (const pid of left) killNow(pid);
      return left.length === 0;
    });
    await this.ended();
    Deno.removeSync(this.dir, { recursive: true });
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) this.#output += decoder.decode(bytes, { stream: true });
  }
}
