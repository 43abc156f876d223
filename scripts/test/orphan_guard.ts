// Loaded before every test file: ends the file's process, and all it started, once the test runner is gone. The
// runner ends its children itself wherever it can; nobody can on SIGKILL.

const POLL_MS = 1_000;

const runnerPid = Deno.ppid;
const timer = setInterval(() => {
  // Every test file runs as the leader of a process group of its own.
  if (Deno.ppid !== runnerPid) Deno.kill(-Deno.pid, "SIGKILL");
}, POLL_MS);
Deno.unrefTimer(timer);
