// One node's process: started in a session of its own, its log written straight into a file, its standard input the
// lifeline that ends it when the bench is gone. A stopped process would never see that, so on Linux the kernel is
// asked to kill it when the bench dies. Ends processes by their own id only.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { until } from "../wait.ts";

/** What to run. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Sets what the kernel does with the child when its parent is gone; part of every Debian. */
const SETPRIV = "/usr/bin/setpriv";
/** The kernel stops a process within microseconds; this is for a loaded machine. */
const PAUSE_TIMEOUT_MS = 5000;

export class NodeProcess {
  readonly #logFile: string;
  readonly #onOwnEnd: (code: number) => void;
  #asked = false;
  #child: ChildProcess | undefined;
  #ended: Promise<number> = Promise.resolve(0);

  /** `onOwnEnd`: called when the process ends without having been asked to; -1 if a signal ended it. */
  constructor(logFile: string, onOwnEnd: (code: number) => void = () => {}) {
    this.#logFile = logFile;
    this.#onOwnEnd = onOwnEnd;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** Starts the process unless it runs. */
  start(command: Command): void {
    if (this.#child !== undefined) return;
    const guarded = Deno.build.os === "linux" && existsSync(SETPRIV);
    const [program, ...args] = guarded
      ? [SETPRIV, "--pdeathsig", "KILL", command.program, ...command.args]
      : [command.program, ...command.args];
    const log = openSync(this.#logFile, "a");
    const child = spawn(program!, args, {
      detached: true,
      env: { ...Deno.env.toObject(), NO_COLOR: "1", ...command.env },
      stdio: ["pipe", log, log],
    });
    closeSync(log);
    // Nothing is written to it; closing the lifeline of a process that is gone may report a broken pipe.
    child.stdin?.on("error", () => {});
    this.#child = child;
    this.#asked = false;
    this.#ended = new Promise((resolve) => {
      const settle = (code: number) => {
        if (this.#child !== child) return;
        this.#child = undefined;
        resolve(code);
        if (!this.#asked) this.#onOwnEnd(code);
      };
      child.on("exit", (code) => settle(code ?? -1));
      child.on("error", () => settle(-1));
    });
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#asked = true;
    this.#signal("SIGKILL");
    await this.#ended;
  }

  /** SIGTERM; resolves with the exit code, -1 if a signal ended it. */
  async terminate(timeoutMs: number): Promise<number> {
    this.#asked = true;
    this.#signal("SIGTERM");
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), timeoutMs);
    });
    const code = await Promise.race([this.#ended, late]);
    clearTimeout(timer);
    if (code !== undefined) return code;
    await this.kill();
    throw new Error(`SIGTERM did not end the process within ${timeoutMs} ms`);
  }

  /** SIGSTOP; resolves when the kernel says the process is stopped. */
  async pause(): Promise<void> {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    this.#signal("SIGSTOP");
    await until("the process is stopped", PAUSE_TIMEOUT_MS, () => {
      if (this.#child?.pid !== pid) return true;
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
    });
  }

  resume(): void {
    this.#signal("SIGCONT");
  }

  /** Not by the child's own kill(): after that any exit counts as by a signal. */
  #signal(signal: Deno.Signal): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      Deno.kill(pid, signal);
    } catch {
      // It has just ended by itself.
    }
  }
}
