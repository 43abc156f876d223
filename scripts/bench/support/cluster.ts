// Starts Pontoon clusters for benchmarks and end-to-end tests: one process a node, each ended by process
// id and, whatever happens, by its lifeline. Knows nodes by flags, HTTP and signals only.

/** What `deno task node` allows a node, without its data directory and addresses. */
const NODE_PERMISSIONS = [
  "--v8-flags=--heap-growing-percent=50,--initial-old-space-size=96,--no-parallel-scavenge,--expose-gc",
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-sys=statfs",
];
const MAIN = decodeURIComponent(new URL("../../../src/main.ts", import.meta.url).pathname);
const CONFIG = decodeURIComponent(new URL("../../../deno.json", import.meta.url).pathname);

/** A checkout of this repository, of another version than this one. */
export interface Program {
  /** Path of its src/main.ts. */
  readonly main: string;
  /** Path of its deno.json. */
  readonly config: string;
}

/** One node of a {@linkcode TestCluster}. */
export interface TestNode {
  readonly name: string;
  readonly http: string;
  readonly peer: string;
  readonly dataDir: string;
  readonly logFile: string;
  process: Deno.ChildProcess | undefined;
  /** What it runs from its next start on, if not this version. */
  program?: Program;
}

export interface TestClusterOptions {
  readonly nodes: number;
  /** Parent of the data directories; a temporary one beside the system's others if absent. */
  readonly dir?: string;
  /** Data partitions; 1 unless said otherwise, so that what is looked at is one group. */
  readonly partitions?: number;
  readonly flags?: readonly string[];
  /** Flags of one node, by name. */
  readonly nodeFlags?: (name: string) => readonly string[];
  /** Added to the environment of the nodes. */
  readonly env?: Readonly<Record<string, string>>;
  /** Script to run instead of src/main.ts, and arguments before the node's flags. */
  readonly main?: readonly string[];
  /** What all nodes run at first, if not this version. */
  readonly program?: Program;
}

/** Ports that were free a moment ago, on loopback. */
export function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map((listener) => (listener.addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** Writes what comes as it comes; a piped stream would hold lines back. */
async function keepLog(stream: ReadableStream<Uint8Array>, log: Deno.FsFile): Promise<void> {
  for await (const chunk of stream) log.writeSync(chunk);
  log.close();
}

/** Waits until `probe` returns something; rejects with `what` after `timeoutMs`. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A cluster of real node processes. Use with `await using`. */
export class TestCluster implements AsyncDisposable {
  readonly nodes: TestNode[];
  readonly dir: string;
  readonly #options: TestClusterOptions;
  readonly #ownsDir: boolean;
  /** The first nodes, for `--initial`. */
  readonly #initial: string;

  private constructor(options: TestClusterOptions) {
    this.#options = options;
    this.#ownsDir = options.dir === undefined;
    this.dir = options.dir ?? Deno.makeTempDirSync({ prefix: "pontoon-" });
    const ports = freePorts(2 * options.nodes);
    this.nodes = Array.from(
      { length: options.nodes },
      (_, i) => this.#nodeAt(`n${i + 1}`, ports.slice(2 * i, 2 * i + 2)),
    );
    this.#initial = this.nodes.map(({ name, peer }) => `${name}=${peer}`).join(",");
  }

  /** Starts all nodes; does not wait for them to be ready. */
  static start(options: TestClusterOptions): TestCluster {
    const cluster = new TestCluster(options);
    for (const node of cluster.nodes) cluster.spawn(node);
    return cluster;
  }

  /** Starts a node's process (again). */
  spawn(node: TestNode, extra: readonly string[] = []): void {
    const log = Deno.openSync(node.logFile, { create: true, append: true });
    const { program } = node;
    const args = ["run", "--quiet", "--config", program?.config ?? CONFIG, ...NODE_PERMISSIONS];
    const main = program === undefined ? this.#options.main ?? [MAIN] : [program.main];
    args.push(...main, "--name", node.name, "--data", node.dataDir);
    args.push("--http", node.http, "--peer", node.peer);
    if (!extra.includes("--join")) args.push("--initial", this.#initial);
    args.push("--partitions", String(this.#options.partitions ?? 1));
    args.push("--lifeline", "stdin", ...(this.#options.flags ?? []));
    args.push(...(this.#options.nodeFlags?.(node.name) ?? []), ...extra);
    const child = new Deno.Command(Deno.execPath(), {
      args,
      env: { ...this.#options.env },
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    keepLog(child.stderr, log);
    node.process = child;
  }

  /** Starts a node that is not one of the first and joins by `seed`. */
  join(name: string, seed: TestNode): TestNode {
    const node = this.#nodeAt(name, freePorts(2));
    this.nodes.push(node);
    this.spawn(node, ["--join", seed.peer]);
    return node;
  }

  #nodeAt(name: string, [http, peer]: readonly number[]): TestNode {
    return {
      name,
      http: `127.0.0.1:${http}`,
      peer: `127.0.0.1:${peer}`,
      dataDir: `${this.dir}/${name}`,
      logFile: `${this.dir}/${name}.log`,
      process: undefined,
      program: this.#options.program,
    };
  }

  /** Runs a node that is expected to end by itself, on addresses of its own. */
  async runOnce(flags: readonly string[]): Promise<{ code: number; stderr: string }> {
    const [http, peer] = freePorts(2);
    const args = ["run", "--quiet", "--config", CONFIG, ...NODE_PERMISSIONS, MAIN, "--name", "x"];
    args.push("--http", `127.0.0.1:${http}`);
    if (!flags.includes("--peer")) args.push("--peer", `127.0.0.1:${peer}`);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args, "--log-level", "error", ...flags],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(node: TestNode): Promise<void> {
    const child = node.process;
    if (child === undefined) return;
    node.process = undefined;
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended by itself.
    }
    await child.status;
  }

  signal(node: TestNode, signal: Deno.Signal): void {
    node.process?.kill(signal);
  }

  /** Waits until every running node is ready. */
  async ready(timeoutMs = 20_000): Promise<void> {
    for (const node of this.nodes) {
      if (node.process === undefined) continue;
      await until(`${node.name} is ready (${node.logFile})`, timeoutMs, () => isReady(node.http));
    }
  }

  /** The node that leads `partition`, as the others tell. */
  leader(partition = 1, timeoutMs = 10_000): Promise<TestNode> {
    return until(`partition ${partition} has a leader`, timeoutMs, async () => {
      for (const node of this.nodes) {
        if (node.process === undefined) continue;
        const view = await clusterView(node.http);
        const leaderId = view?.partitions.find((one) => one.partition === partition)?.leaderNodeId;
        const member = view?.members.find(({ nodeId }) => nodeId === leaderId);
        const leader = this.nodes.find(({ name }) => name === member?.name);
        if (leader?.process !== undefined) return leader;
      }
      return undefined;
    });
  }

  /** The node that leads the partition of `key`. */
  async leaderOf(key: string): Promise<TestNode> {
    const partition = await until(`the partition of ${key} answers`, 20_000, async () => {
      const node = this.nodes.find(({ process }) => process !== undefined)!;
      const url = `http://${node.http}/key/${key}`;
      const response = await fetch(url, { signal: AbortSignal.timeout(5000) }).catch(() => null);
      await response?.body?.cancel();
      return Number(response?.headers.get("pontoon-partition")) || undefined;
    });
    return this.leader(partition);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => {
      try {
        node.process?.kill("SIGCONT");
      } catch {
        // Not running.
      }
      await this.kill(node);
    }));
    if (this.#ownsDir) Deno.removeSync(this.dir, { recursive: true });
  }
}

/** What `GET /cluster` says, as far as tests and benches look. */
export interface ClusterAnswer {
  readonly members: {
    nodeId: string;
    name: string;
    http: string;
    state: string;
    replicas: number;
    reachable: boolean;
    gossip?: string;
  }[];
  readonly routing: {
    partition: number;
    slots: [start: number, end: number][];
    replicas: string[];
    leader?: string;
  }[];
  readonly moves: { partition: number; adding: string[]; removing: string[] }[];
  readonly plan?: { waiting: number };
  readonly partitions: {
    partition: number;
    term: number;
    leaderNodeId?: string;
    commitIndex: number;
    appliedIndex: number;
    replicas: { replicaId: number; nodeId: string; role: string }[];
    asleep: boolean;
    snapshotBytes: number;
    health: string;
  }[];
}

export async function clusterView(http: string): Promise<ClusterAnswer | undefined> {
  try {
    const response = await fetch(`http://${http}/cluster`, { signal: AbortSignal.timeout(1000) });
    return await response.json();
  } catch {
    return undefined;
  }
}

export async function isReady(http: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${http}/health/ready`, {
      signal: AbortSignal.timeout(1000),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** User and system time that a process has used, all its threads, ms (Linux, 100 ticks a second). */
export function cpuMs(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident set of a process in bytes (Linux). */
export function residentBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) * 1024;
}

/** Peak resident set of a process in bytes (Linux). */
export function peakResidentBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) * 1024;
}
