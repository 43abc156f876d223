// Starts attempts in a mutant's tree as processes of their own, with the flags of `deno task sim`, so that a
// mutant that hangs or crashes V8 costs its own attempt only.

import type { Attempt, Outcome } from "./attempt.ts";

/** Beyond its minutes, what starting, the last run and shrinking may take. */
const GRACE_MS = 90_000;

/** It never came to an end, or could not even start. */
export interface Broken {
  readonly kind: "broken";
  readonly reason: string;
}

/** The arguments of `deno` that run `script` as `deno task sim` runs the simulator. */
function simArguments(folder: string, script: string): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${folder}/deno.json`));
  const [, ...rest] = (tasks.sim as string).split(" ");
  return [...rest.slice(0, -1), script];
}

/** Runs `attempt` in the tree at `folder`; `stop` ends it. */
export async function runAttempt(
  folder: string,
  attempt: Attempt,
  stop?: AbortSignal,
): Promise<Outcome | Broken> {
  const limit = AbortSignal.timeout(attempt.minutes * 60_000 + GRACE_MS);
  const signal = stop === undefined ? limit : AbortSignal.any([limit, stop]);
  const child = new Deno.Command(Deno.execPath(), {
    args: simArguments(folder, "chaos/mutants/attempt.ts"),
    cwd: folder,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(JSON.stringify(attempt)));
    await writer.close();
  } catch {
    // It ended before it had read everything; its status says why.
  }
  const { code, stdout, stderr } = await output;
  const decoder = new TextDecoder();
  const last = decoder.decode(stdout).trim().split("\n").at(-1) ?? "";
  if (code === 0) return JSON.parse(last);
  const words = decoder.decode(stderr).trim().split("\n").slice(0, 6).join("\n");
  if (stop?.aborted) return { kind: "broken", reason: "interrupted" };
  return { kind: "broken", reason: limit.aborted ? "no end within its time" : words };
}
