// Ends the test runner when somebody asks for it or when whoever started it is gone, and takes its children along.
// Must never end a run on a guess: unlike the cluster's runner, it doesn't infer an interrupt from a shell's sleep.

import { ChainJudge, findLauncherChain } from "../cluster/ancestors.ts";
import { readProcesses } from "../cluster/process_table.ts";
import { killAll } from "./bounded_process.ts";

const POLL_MS = 1_000;
const EXIT_INTERRUPTED = 130;

/** Calls `onGone` once the npm launcher that this was started by, if any, has ended. */
async function watchLauncher(onGone: (cause: string) => void): Promise<void> {
  const chain = await findLauncherChain(Deno.ppid);
  if (chain.length === 0) return;
  const judge = new ChainJudge(chain);
  const poll = async () => {
    const table = await readProcesses(chain.map(({ pid }) => pid));
    const cause = table && judge.judge(table, false);
    if (cause !== undefined) return onGone(cause);
    Deno.unrefTimer(setTimeout(poll, POLL_MS));
  };
  await poll();
}

/** From here on, a signal or the loss of the parent process kills all running tests and ends this process. */
export function endWithParent(): void {
  const end = (cause: string) => {
    killAll();
    console.log(`\nstopped: ${cause}`);
    Deno.exit(EXIT_INTERRUPTED);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => end(signal));
  }
  const parentPid = Deno.ppid;
  const timer = setInterval(() => {
    if (Deno.ppid !== parentPid) end("the process that started the tests is gone");
  }, POLL_MS);
  Deno.unrefTimer(timer);
  watchLauncher(end);
}
