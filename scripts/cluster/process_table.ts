// Reads what the system knows about other processes. On Linux from /proc, through `cat`: Deno itself opens
// /proc for nobody who lacks all permissions, and small images have no `ps`. Elsewhere from `ps`.

const READ_TIMEOUT_MS = 5000;

export interface ProcessInfo {
  readonly pid: number;
  readonly parentPid: number;
  /** False for a process that has ended but was not waited for by its parent. */
  readonly alive: boolean;
  /** Stopped by SIGSTOP, SIGTSTP or a debugger. */
  readonly paused: boolean;
  /** How often it went to sleep by itself; undefined where the system doesn't tell. */
  readonly sleeps: number | undefined;
}

const isLinux = Deno.build.os === "linux";

/** What `command` prints; undefined if it can't be run. Its exit code tells of absent processes, so it is no error. */
async function outputOf(command: string, args: string[]): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command(command, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      signal: AbortSignal.timeout(READ_TIMEOUT_MS),
    }).output();
    return new TextDecoder().decode(stdout);
  } catch {
    return undefined;
  }
}

/** Parses concatenated /proc/PID/status files. */
export function parseStatusFiles(text: string): ProcessInfo[] {
  return text.split(/^(?=Name:)/m).filter((record) => record !== "").map((record) => {
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(record)?.[1];
    const state = field("State") ?? "";
    const sleeps = field("voluntary_ctxt_switches");
    return {
      pid: Number(field("Pid")),
      parentPid: Number(field("PPid")),
      alive: !/^[ZX]/.test(state),
      paused: /^[Tt]/.test(state),
      sleeps: sleeps === undefined ? undefined : Number(sleeps),
    };
  });
}

/** Parses `ps -o pid=,ppid=,stat=`. */
export function parsePs(text: string): ProcessInfo[] {
  return text.split("\n").filter((line) => line.trim() !== "").map((line) => {
    const [pid, parentPid, state] = line.trim().split(/\s+/);
    return {
      pid: Number(pid),
      parentPid: Number(parentPid),
      alive: !state.startsWith("Z"),
      paused: state.startsWith("T"),
      sleeps: undefined,
    };
  });
}

/**
 * Looks up processes, this one always among them: its presence proves that the reading worked.
 *
 * @returns those that exist, by pid; undefined if the system could not be asked.
 */
export async function readProcesses(
  pids: readonly number[],
): Promise<Map<number, ProcessInfo> | undefined> {
  const wanted = [Deno.pid, ...pids];
  const text = isLinux
    ? await outputOf("cat", wanted.map((pid) => `/proc/${pid}/status`))
    : await outputOf("ps", ["-o", "pid=,ppid=,stat=", "-p", wanted.join(",")]);
  if (text === undefined) return undefined;
  const found = isLinux ? parseStatusFiles(text) : parsePs(text);
  const table = new Map(found.map((info) => [info.pid, info]));
  return table.has(Deno.pid) ? table : undefined;
}

/** The arguments of a process, the program first; empty if they can't be read. */
export async function readArguments(pid: number): Promise<string[]> {
  if (isLinux) {
    const text = await outputOf("cat", [`/proc/${pid}/cmdline`]);
    return text?.split("\0").filter((part) => part !== "") ?? [];
  }
  const text = await outputOf("ps", ["-o", "command=", "-p", String(pid)]);
  return text?.trim().split(/\s+/) ?? [];
}
