// How a node that is a Deno program is started.

import type { Command } from "./node_process.ts";

/** Path of a file given relative to a module. */
export function localPath(relative: string, base: string): string {
  return decodeURIComponent(new URL(relative, base).pathname);
}

/** This repository; ends with a slash. */
export const ROOT = localPath("../../", import.meta.url);

/** Runs `script` as the tree at `root` has it configured. */
export function denoCommand(
  permissions: readonly string[],
  script: string,
  args: readonly string[],
  root = ROOT,
): Command {
  const config = `${root}deno.json`;
  return {
    program: Deno.execPath(),
    args: ["run", "--quiet", "--no-prompt", "--config", config, ...permissions, script, ...args],
  };
}
