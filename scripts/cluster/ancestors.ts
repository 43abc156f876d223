// Notices the end, or the interruption, of an npm launcher above `deno task`. Started as
// `npx -y deno task cluster` the runner has above it the task, a shell and npx, and a signal to npx never gets
// further than the shell. Never asks to stop because of a reading that failed.

import { basename } from "node:path";
import { type ProcessInfo, readArguments, readProcesses } from "./process_table.ts";

const POLL_INTERVAL_MS = 400;
/** deno task, npm's starter of deno, a shell, npx: more levels belong to somebody else. */
const LEVELS_MAX = 5;
/** Silence longer than this means that the machine, or this process, was paused in between. */
const PAUSE_MS = 5000;
/** Wall and monotonic clock drift this far apart only by a suspended machine or a clock that was set. */
const CLOCK_JUMP_MS = 1000;
const LAUNCHERS = new Set(["npm", "npx", "pnpm", "yarn", "bun", "bunx"]);
const SHELLS = new Set(["sh", "dash", "bash"]);
const BETWEEN = new Set(["deno", "node", ...SHELLS]);

/** A process above the runner whose end ends the runner. */
export interface Ancestor {
  readonly pid: number;
  readonly parentPid: number;
  readonly program: "launcher" | "shell" | "other";
}

/** The program's name; a launcher script that node runs counts as the program. */
function programName(args: readonly string[]): string {
  // npm names itself "npm exec deno …", all in one argument.
  const name = basename(args[0]?.split(" ")[0] ?? "");
  if (name !== "node") return name;
  const script = basename(args[1] ?? "").replace(/\.[cm]?js$/, "").replace(/-cli$/, "");
  return LAUNCHERS.has(script) ? script : name;
}

/** What part the process with these arguments plays; undefined if it is none of a launcher's chain. */
export function programOf(args: readonly string[]): Ancestor["program"] | undefined {
  const name = programName(args);
  if (LAUNCHERS.has(name)) return "launcher";
  // An interactive shell has no command; who starts a launcher by hand may leave it running.
  if (SHELLS.has(name)) return args[1] === "-c" ? "shell" : undefined;
  return BETWEEN.has(name) ? "other" : undefined;
}

/** The chain from `pid` up to the npm launcher; empty if there is none above it. */
export async function findLauncherChain(pid: number): Promise<Ancestor[]> {
  const chain: Ancestor[] = [];
  for (let level = 0; level < LEVELS_MAX && pid > 1; level++) {
    const [table, args] = await Promise.all([readProcesses([pid]), readArguments(pid)]);
    const info = table?.get(pid);
    const program = programOf(args);
    if (info === undefined || program === undefined) return [];
    chain.push({ pid, parentPid: info.parentPid, program });
    if (program === "launcher") return chain;
    pid = info.parentPid;
  }
  return [];
}

/**
 * Judges successive readings of a launcher's chain.
 *
 * An interrupt sent to npx is passed on to its shell, and a POSIX shell keeps it until its command ends,
 * which is never. All that shows is that the shell, asleep since it started that command, woke up once.
 */
export class ChainJudge {
  readonly #chain: readonly Ancestor[];
  #last: ReadonlyMap<number, ProcessInfo> | undefined;

  constructor(chain: readonly Ancestor[]) {
    this.#chain = chain;
  }

  /**
   * @param table what the system says now
   * @param undisturbed false if something else may have woken every process since the last reading
   * @returns why to stop; undefined if there is no reason.
   */
  judge(table: ReadonlyMap<number, ProcessInfo>, undisturbed: boolean): string | undefined {
    const last = this.#last;
    this.#last = table;
    for (const { pid, parentPid, program } of this.#chain) {
      const info = table.get(pid);
      // The launcher itself may be handed to another parent by a shell that ends: it runs on.
      const moved = program !== "launcher" && info?.parentPid !== parentPid;
      if (info === undefined || !info.alive || moved) {
        return "the command that started this is gone";
      }
    }
    const paused = (one: ReadonlyMap<number, ProcessInfo>) =>
      this.#chain.some(({ pid }) => one.get(pid)?.paused);
    if (!undisturbed || last === undefined || paused(last) || paused(table)) return undefined;
    const woken = this.#chain.some(({ pid, program }) =>
      program === "shell" && table.get(pid)?.sleeps !== last.get(pid)?.sleeps
    );
    return woken ? "the command that started this was interrupted" : undefined;
  }
}

/** Tells whether the machine or this process was stopped for a while between two calls. */
class PauseDetector {
  #monotonicMs = performance.now();
  #wallMs = Date.now();
  #continued = false;

  constructor() {
    Deno.addSignalListener("SIGCONT", () => this.#continued = true);
  }

  paused(): boolean {
    const monotonicMs = performance.now();
    const wallMs = Date.now();
    const elapsedMs = monotonicMs - this.#monotonicMs;
    const jumpMs = Math.abs(wallMs - this.#wallMs - elapsedMs);
    const paused = this.#continued || elapsedMs > PAUSE_MS || jumpMs > CLOCK_JUMP_MS;
    this.#monotonicMs = monotonicMs;
    this.#wallMs = wallMs;
    this.#continued = false;
    return paused;
  }
}

/** Calls `onGone` once, with the reason, when the npm launcher above `parentPid`, if any, ends or is interrupted. */
export async function watchLauncher(
  parentPid: number,
  onGone: (cause: string) => void,
): Promise<void> {
  const chain = await findLauncherChain(parentPid);
  if (chain.length === 0) return;
  const judge = new ChainJudge(chain);
  const pauses = new PauseDetector();
  const pids = chain.map(({ pid }) => pid);
  const poll = async () => {
    const table = await readProcesses(pids);
    const undisturbed = !pauses.paused();
    const cause = table && judge.judge(table, undisturbed);
    if (cause !== undefined) return onGone(cause);
    setTimeout(poll, POLL_INTERVAL_MS);
  };
  await poll();
}
