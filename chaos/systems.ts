// The systems that can be put behind the bench, by name.

import { ProcessSystem } from "./process_system.ts";
import type { SystemUnderTest } from "./system.ts";

function path(relative: string): string {
  return decodeURIComponent(new URL(relative, import.meta.url).pathname);
}

const CONFIG = path("../deno.json");
const PONTOON = path("../src/main.ts");
const WRONG = path("./wrong/node.ts");
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-net", "--allow-sys=statfs"];

/** Systems that must be caught; see wrong/node.ts. */
export const WRONG_SYSTEMS = ["wrong-lww", "wrong-stale", "wrong-unsynced"] as const;
export const SYSTEM_NAMES: readonly string[] = ["pontoon", ...WRONG_SYSTEMS];

/** A system by name, with its data under `dir`. */
export function createSystem(name: string, nodes: number, dir: string): SystemUnderTest {
  const run = ["run", "--quiet", "--no-prompt", "--config", CONFIG, ...PERMISSIONS];
  if (name === "pontoon") {
    return new ProcessSystem({
      name,
      nodes,
      dir,
      promisesApplied: true,
      readyPath: "/health/ready",
      args: (node, all) => [
        ...[...run, PONTOON, "--name", node.name, "--data", node.dataDir],
        ...["--http", node.http, "--peer", node.peer, "--lifeline", "stdin"],
        ...["--initial", all.map((one) => `${one.name}=${one.peer}`).join(",")],
      ],
    });
  }
  return new ProcessSystem({
    name,
    nodes,
    dir,
    promisesApplied: false,
    readyPath: "/health/ready",
    args: (node, all) => [
      ...[...run, WRONG, name, node.name, node.http, node.dataDir],
      all.map((one) => one.http).join(","),
    ],
  });
}
