// How a node that is a Deno program is started.

import type { Command } from "./node_process.ts";

/** Path of a file given relative to a module. */
export function localPath(relative: string, base: string): string {
  return decodeURIComponent(new URL(relative, base).pathname);
}

const CONFIG = localPath("../../deno.json", import.meta.url);

export function denoCommand(
  permissions: readonly string[],
  script: string,
  args: readonly string[],
): Command {
  return {
    program: Deno.execPath(),
    args: ["run", "--quiet", "--no-prompt", "--config", CONFIG, ...permissions, script, ...args],
  };
}
