// Ends the test runner when somebody asks for it or when whoever started it is gone, and takes its children along.

import { killAll } from "./bounded_process.ts";

const PARENT_POLL_MS = 500;
const EXIT_INTERRUPTED = 130;

/** From here on, a signal or the loss of the parent process kills all running tests and ends this process. */
export function endWithParent(): void {
  const end = (why: string) => {
    killAll();
    console.log(`\nstopped: ${why}`);
    Deno.exit(EXIT_INTERRUPTED);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => end(signal));
  }
  const parent = Deno.ppid;
  const timer = setInterval(() => {
    if (Deno.ppid !== parent) end("the process that started the tests is gone");
  }, PARENT_POLL_MS);
  Deno.unrefTimer(timer);
}
