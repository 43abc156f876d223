// One node process: started in a group of its own with its standard input as lifeline, so that it ends
// with us however we end, and so that a Ctrl-C in the terminal reaches it through us only.

import { type ClusterOptions, PEER_PORT_OFFSET } from "./options.ts";

/** What keeps the cluster from starting, for the user. */
export class UsageProblem extends Error {}

/** A graceful stop takes at most five seconds; then the process is ended. */
const STOP_TIMEOUT_MS = 7000;
const PROBE_TIMEOUT_MS = 1000;
const ROOT = decodeURIComponent(new URL("../..", import.meta.url).pathname);

export interface NodePlan {
  readonly name: string;
  readonly http: string;
  readonly peer: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly partitions: number;
}

/** The nodes to start. Throws UsageProblem if a port is taken. */
export function nodePlans(options: ClusterOptions): NodePlan[] {
  const plans = Array.from({ length: options.nodes }, (_, i) => {
    const name = `n${i + 1}`;
    return {
      name,
      http: `127.0.0.1:${options.port + i}`,
      peer: `127.0.0.1:${options.port + PEER_PORT_OFFSET + i}`,
      dataDir: `${options.data}/${name}`,
      logFile: `${options.data}/${name}/node.log`,
      partitions: options.partitions,
    };
  });
  for (const { http, peer } of plans) {
    for (const address of [http, peer]) {
      const [hostname, port] = address.split(":");
      try {
        Deno.listen({ hostname, port: Number(port) }).close();
      } catch {
        throw new UsageProblem(`port ${port} is taken; choose another --port`);
      }
    }
  }
  return plans;
}

/** A node as `GET /cluster` of itself shows it. */
export interface NodeStatus {
  readonly leads: boolean;
  readonly leaderName: string | undefined;
  readonly term: number;
  readonly commitIndex: number;
  readonly health: string;
}

export class ClusterNode {
  readonly plan: NodePlan;
  readonly #plans: readonly NodePlan[];
  #child: Deno.ChildProcess | undefined;
  #lifeline: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #lastLine = "";

  constructor(plan: NodePlan, plans: readonly NodePlan[]) {
    this.plan = plan;
    this.#plans = plans;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Starts the process; `onEnd` hears how it ended, whenever that is. */
  start(onEnd: (reason: string) => void): void {
    const { name, http, peer, dataDir, logFile, partitions } = this.plan;
    Deno.mkdirSync(dataDir, { recursive: true });
    const log = Deno.openSync(logFile, { create: true, append: true });
    const initial = this.#plans.map((plan) => `${plan.name}=${plan.peer}`).join(",");
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", "--allow-read", `--allow-write=${dataDir}`].concat(
        ["--allow-net", "--allow-sys=statfs", "--v8-flags=--heap-growing-percent=20"],
        ["src/main.ts", "--name", name, "--data", dataDir, "--http", http, "--peer", peer],
        ["--initial", initial, "--partitions", String(partitions), "--lifeline", "stdin"],
      ),
      cwd: ROOT,
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
      detached: true,
    }).spawn();
    this.#child = child;
    this.#lifeline = child.stdin.getWriter();
    this.#lifeline.closed.catch(() => {}); // the node went first
    this.#keepLog(child.stderr, log);
    child.status.then(({ code, signal }) => {
      this.#child = undefined;
      onEnd(signal === null ? `exit code ${code}` : signal);
    });
  }

  async #keepLog(stream: ReadableStream<Uint8Array>, log: Deno.FsFile): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      log.writeSync(chunk);
      const lines = decoder.decode(chunk).trim().split("\n");
      this.#lastLine = lines.at(-1) ?? this.#lastLine;
    }
    log.close();
  }

  /** The line by which a node that could not start said why. */
  lastError(): string | undefined {
    const match = /^pontoon: (.*)$/.exec(this.#lastLine);
    if (match !== null) return `${this.plan.name}: ${match[1]}`;
    return undefined;
  }

  /** Lets the lifeline go: the node stops gracefully. Resolves when it is gone. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#lifeline?.close().catch(() => {});
    const timer = setTimeout(() => this.kill(), STOP_TIMEOUT_MS);
    await child.status;
    clearTimeout(timer);
  }

  kill(): void {
    try {
      this.#child?.kill("SIGKILL");
    } catch {
      // It ended by itself.
    }
  }

  async isReady(): Promise<boolean> {
    const response = await this.#get("/health/ready");
    await response?.body?.cancel();
    return response?.ok ?? false;
  }

  async status(): Promise<NodeStatus | undefined> {
    const response = await this.#get("/cluster");
    if (response === undefined || !response.ok) return undefined;
    const view = await response.json();
    const partition = view.partitions.find((one: { partition: number }) => one.partition > 0) ??
      view.partitions[0];
    if (partition === undefined) return undefined;
    const leader = view.members.find((member: { nodeId: string }) =>
      member.nodeId === partition.leaderNodeId
    );
    return {
      leads: partition.leaderNodeId === view.nodeId,
      leaderName: leader?.name,
      term: partition.term,
      commitIndex: partition.commitIndex,
      health: partition.health,
    };
  }

  async #get(path: string): Promise<Response | undefined> {
    try {
      return await fetch(`http://${this.plan.http}${path}`, {
        signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
      });
    } catch {
      return undefined;
    }
  }
}
