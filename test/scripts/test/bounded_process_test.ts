import { assert, assertEquals } from "@std/assert";
import { runBounded } from "../../../scripts/test/bounded_process.ts";

const cwd = new URL(".", import.meta.url);

function sh(script: string, timeoutMs = 30_000) {
  return runBounded("sh", { args: ["-c", script], cwd, timeoutMs });
}

function isAlive(pid: number): boolean {
  try {
    // A killed child of ours that nobody has waited for yet is a zombie, and gone for our purpose.
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

/** Resolves when the process is gone: a kill is asked for at once, and carried out a moment later. */
async function death(pid: number): Promise<void> {
  assert(pid > 1);
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 2));
}

Deno.test("runBounded() returns the exit code and both outputs", async () => {
  const ended = await sh("echo out; echo err >&2; exit 3");
  assertEquals([ended.code, ended.timedOut], [3, false]);
  assert(ended.output.includes("out\n") && ended.output.includes("err\n"), ended.output);
});

Deno.test("runBounded() kills what runs out of time, its children too", async () => {
  const ended = await sh("sleep 600 & echo $!; wait", 200);
  assertEquals([ended.code, ended.timedOut], [-1, true]);
  await death(Number(ended.output));
});

Deno.test("runBounded() kills what a process leaves behind, and does not wait for its pipes", async () => {
  const ended = await sh("sleep 600 & echo $!");
  assertEquals([ended.code, ended.timedOut], [0, false]);
  await death(Number(ended.output));
});

Deno.test("runBounded() keeps the beginning and the end of an endless output", async () => {
  const ended = await sh("echo first; yes 0123456789abcdef | head -c 8000000; echo last");
  assert(ended.output.startsWith("first\n") && ended.output.endsWith("last\n"));
  assert(ended.output.includes("… cut …"));
  assert(ended.output.length < 4_000_000);
});
