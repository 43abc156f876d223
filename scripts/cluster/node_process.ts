// One node's process: started in a session of its own, so that a terminal's Ctrl-C does not reach it,
// with standard input as the lifeline that ends it when this process is gone however it went.
// Its output goes straight into its log file: a paused or dead runner never blocks a node.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type ClusterOptions, initialList, type NodeSpec } from "./options.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
/** A log that is larger at a start becomes `node.log.1`, in place of the one before. */
const LOG_SIZE_BYTES_MAX = 16 * 1024 * 1024;
/** How much of the end of a log is searched for the reason of an end. */
const LOG_TAIL_BYTES = 64 * 1024;

/** What every node of a cluster is told alike. */
export type ClusterShape = Pick<ClusterOptions, "nodes" | "partitions">;

/** How a process ended: by itself with a code, or by a signal. */
export interface NodeEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** What `deno` is given to run `spec`'s node; it may touch nothing but its directory and this machine. */
export function nodeArguments(spec: NodeSpec, cluster: ClusterShape): string[] {
  // In a permission list a comma separates paths, two stand for one.
  const directory = spec.dataDir.replaceAll(",", ",,");
  const host = spec.http.slice(0, spec.http.lastIndexOf(":"));
  return [
    "run",
    "--quiet",
    "--no-prompt",
    `--config=${CONFIG}`,
    `--allow-read=${directory}`,
    `--allow-write=${directory}`,
    `--allow-net=${host}`,
    "--allow-sys=statfs",
    // The same heap settings as in the task `node`. The store's maps are large and live long: V8 by itself
    // lets them double before it collects. But each collection of the old generation takes both cores of a
    // small machine for 50 ms, and a node with little data would collect every few seconds, hence the first
    // 96 MB without one (the 99th percentile at 1,400 requests a second, by turns: 21 and 34 ms with 20% of
    // growth, 16 and 23 with these settings). A second thread that helps to scavenge shortens no pause (1.5 us
    // per KB that survives against 1.3 without it) and takes its time from the other nodes.
    "--v8-flags=--heap-growing-percent=50,--initial-old-space-size=96,--no-parallel-scavenge,--expose-gc",
    MAIN,
    ...nodeFlags(spec, cluster),
    "--lifeline",
    "stdin",
  ];
}

/** The node's own flags, as `deno task node` takes them too. */
export function nodeFlags(spec: NodeSpec, cluster: ClusterShape): string[] {
  const { name, dataDir, http, peer } = spec;
  const own = ["--name", name, "--data", dataDir, "--http", http, "--peer", peer];
  if (spec.joins) {
    const others = cluster.nodes.filter((node) => node.name !== name).map((node) => node.peer);
    // The last one left has nobody to join, nor need to.
    return others.length === 0 ? own : [...own, "--join", others.join(",")];
  }
  const first = cluster.nodes.filter((node) => !node.joins);
  return [...own, "--initial", initialList(first), "--partitions", String(cluster.partitions)];
}

function sizeBytes(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

export class NodeProcess {
  readonly spec: NodeSpec;
  /** Settles when the process is gone. */
  readonly ended: Promise<NodeEnd>;
  #end: NodeEnd | undefined;
  readonly #child: ChildProcess;
  readonly #logStartBytes: number;

  /** Starts the node; failing to start shows in {@linkcode ended}. */
  constructor(spec: NodeSpec, cluster: ClusterShape) {
    this.spec = spec;
    Deno.mkdirSync(spec.dataDir, { recursive: true });
    if (sizeBytes(spec.logPath) > LOG_SIZE_BYTES_MAX) {
      Deno.renameSync(spec.logPath, `${spec.logPath}.1`);
    }
    this.#logStartBytes = sizeBytes(spec.logPath);
    const log = openSync(spec.logPath, "a");
    this.#child = spawn(Deno.execPath(), nodeArguments(spec, cluster), {
      detached: true,
      env: { ...Deno.env.toObject(), NO_COLOR: "1" },
      stdio: ["pipe", log, log],
    });
    closeSync(log);
    // Writing is never tried; closing the lifeline of a process that is gone may report a broken pipe.
    this.#child.stdin?.on("error", () => {});
    this.ended = new Promise((resolve) => {
      const settle = (end: NodeEnd) => resolve(this.#end ??= end);
      this.#child.on("exit", (code, signal) => settle({ code, signal }));
      this.#child.on("error", () => settle({ code: null, signal: null }));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** How it ended; undefined while it runs. */
  get end(): NodeEnd | undefined {
    return this.#end;
  }

  /** Asks for a graceful stop: the node hands its leaderships over, answers what it began, syncs. */
  stop(): void {
    if (this.#end !== undefined) return;
    this.#child.kill("SIGTERM");
    this.#child.stdin?.end();
  }

  /** Ends it at once. */
  kill(): void {
    if (this.#end === undefined) this.#child.kill("SIGKILL");
  }

  /** One line on why it ended, from the log of this run where that says. */
  reason(): string {
    const said = lastWords(this.#logTail());
    if (said !== undefined) return said;
    const { code, signal } = this.#end ?? { code: null, signal: null };
    if (signal !== null) return `killed by ${signal}`;
    return code === null ? "it could not be started" : `exit code ${code}`;
  }

  #logTail(): string {
    try {
      using file = Deno.openSync(this.spec.logPath, { read: true });
      const size = file.statSync().size;
      const from = Math.max(this.#logStartBytes, size - LOG_TAIL_BYTES);
      file.seekSync(from, Deno.SeekMode.Start);
      const bytes = new Uint8Array(Math.max(0, size - from));
      let length = 0;
      while (length < bytes.length) {
        const read = file.readSync(bytes.subarray(length));
        if (read === null) break;
        length += read;
      }
      return new TextDecoder().decode(bytes.subarray(0, length));
    } catch {
      return "";
    }
  }
}

/**
 * The line of a log that tells why the node ended: its fatal line, its last JSON line of level error, or
 * what Deno said about an uncaught error.
 *
 * @returns undefined if there is no such line.
 */
export function lastWords(log: string): string | undefined {
  for (const line of log.split("\n").reverse()) {
    if (line.startsWith("pontoon: ")) return line.slice("pontoon: ".length);
    if (line.startsWith("error")) return line;
    if (!line.startsWith("{")) continue;
    try {
      const { level, message, error } = JSON.parse(line);
      if (level !== "error") continue;
      return typeof error === "string" ? `${message}: ${error.split("\n")[0]}` : String(message);
    } catch {
      // A line that was cut while it was written says nothing.
    }
  }
  return undefined;
}
