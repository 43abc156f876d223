// When to stop: on a signal, or when whoever started us is gone. `deno task` and npx stand between the
// user and this process and don't pass every signal on, so their ends count too.

/** Signals closer together than this are one (a terminal's Ctrl-C comes directly and through the task). */
const SAME_SIGNAL_MS = 500;
const PARENT_CHECK_MS = 300;
/** Asking for all processes costs some milliseconds. */
const CHAIN_CHECK_MS = 1000;
/** Launchers between the user's shell and us; whoever stands above them may go without us. */
const LAUNCHER = /\b(deno|npx|npm)\b/;

/** Calls `stop(false)` at the first reason to end, `stop(true)` when asked again later. */
export function watchEnd(stop: (force: boolean) => void): void {
  let askedAtMs: number | undefined;
  const ask = () => {
    const nowMs = performance.now();
    if (askedAtMs !== undefined && nowMs - askedAtMs < SAME_SIGNAL_MS) return;
    const again = askedAtMs !== undefined;
    askedAtMs = nowMs;
    stop(again);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, ask);
  }
  const parent = Deno.ppid;
  const chain = launcherChain();
  const end = () => {
    clearInterval(parentTimer);
    clearInterval(chainTimer);
    if (askedAtMs === undefined) ask();
  };
  const parentTimer = setInterval(() => {
    if (Deno.ppid !== parent) end();
  }, PARENT_CHECK_MS);
  const chainTimer = setInterval(() => {
    const now = processes();
    if (now.size > 0 && chain.some(({ pid, parent }) => now.get(pid)?.parent !== parent)) end();
  }, CHAIN_CHECK_MS);
  Deno.unrefTimer(parentTimer);
  Deno.unrefTimer(chainTimer);
}

interface Link {
  readonly pid: number;
  readonly parent: number;
}

/** The launchers above this process, each with its parent as it is now. */
function launcherChain(): Link[] {
  const now = processes();
  const chain: Link[] = [];
  for (let pid = Deno.ppid; pid > 1;) {
    const found = now.get(pid);
    if (found === undefined || !LAUNCHER.test(found.command)) break;
    chain.push({ pid, parent: found.parent });
    pid = found.parent;
  }
  return chain;
}

/** All processes by id; empty where there is no `ps` to ask. */
function processes(): Map<number, { parent: number; command: string }> {
  const found = new Map<number, { parent: number; command: string }>();
  let text: string;
  try {
    const { stdout } = new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid=,args="] })
      .outputSync();
    text = new TextDecoder().decode(stdout);
  } catch {
    return found;
  }
  for (const line of text.split("\n")) {
    const match = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line);
    if (match !== null) {
      found.set(Number(match[1]), { parent: Number(match[2]), command: match[3] });
    }
  }
  return found;
}
