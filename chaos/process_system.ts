// Systems whose nodes are child processes on loopback: spawns, signals, lifelines, logs. What a node's command
// line is comes from outside. Ends processes by their own id only.

import type { SystemNode, SystemUnderTest } from "./system.ts";

/** Addresses and directory of one node to be started. */
export interface NodePlace {
  readonly name: string;
  readonly http: string;
  readonly peer: string;
  readonly dataDir: string;
}

export interface ProcessSystemOptions {
  readonly name: string;
  readonly nodes: number;
  /** Holds data directories and logs. */
  readonly dir: string;
  readonly promisesApplied: boolean;
  /** Path that answers 2xx once a node serves. */
  readonly readyPath: string;
  /** Arguments to `deno` for one node; it must end when its standard input closes. */
  readonly args: (node: NodePlace, all: readonly NodePlace[]) => readonly string[];
}

const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 20;

interface ChildNode extends NodePlace, SystemNode {
  child: Deno.ChildProcess | undefined;
  running: boolean;
}

function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map((listener) => (listener.addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** Waits until `probe` holds; rejects with `what` after `timeoutMs`. */
export async function until(
  what: string,
  timeoutMs: number,
  probe: () => Promise<boolean> | boolean,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await probe())) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function keepLog(stream: ReadableStream<Uint8Array>, path: string): Promise<void> {
  using log = Deno.openSync(path, { create: true, append: true });
  for await (const chunk of stream) log.writeSync(chunk);
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

export class ProcessSystem implements SystemUnderTest {
  readonly name: string;
  readonly promisesApplied: boolean;
  readonly #nodes: ChildNode[];
  readonly #options: ProcessSystemOptions;

  constructor(options: ProcessSystemOptions) {
    this.#options = options;
    this.name = options.name;
    this.promisesApplied = options.promisesApplied;
    const ports = freePorts(2 * options.nodes);
    this.#nodes = Array.from({ length: options.nodes }, (_, i) => ({
      name: `n${i + 1}`,
      http: `127.0.0.1:${ports[2 * i]}`,
      peer: `127.0.0.1:${ports[2 * i + 1]}`,
      dataDir: `${options.dir}/n${i + 1}`,
      child: undefined,
      running: false,
    }));
  }

  get nodes(): readonly SystemNode[] {
    return this.#nodes;
  }

  async start(): Promise<void> {
    for (const node of this.#nodes) this.restart(node);
    await this.ready(READY_TIMEOUT_MS);
  }

  restart(given: SystemNode): void {
    const node = this.#own(given);
    if (node.running) return;
    const child = new Deno.Command(Deno.execPath(), {
      args: [...this.#options.args(node, this.#nodes)],
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    keepLog(child.stderr, `${this.#options.dir}/${node.name}.log`);
    node.child = child;
    node.running = true;
    child.status.then(() => {
      if (node.child === child) node.running = false;
    });
  }

  async kill(given: SystemNode): Promise<void> {
    const child = this.#own(given).child;
    if (child === undefined) return;
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended by itself.
    }
    await child.status;
  }

  async pause(given: SystemNode): Promise<void> {
    const child = this.#own(given).child;
    if (child === undefined) return;
    child.kill("SIGSTOP");
    await until(`${given.name} is stopped`, 2000, () => {
      const stat = Deno.readTextFileSync(`/proc/${child.pid}/stat`);
      return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
    });
  }

  resume(given: SystemNode): void {
    try {
      this.#own(given).child?.kill("SIGCONT");
    } catch {
      // It ended while it was paused.
    }
  }

  async ready(timeoutMs: number): Promise<void> {
    await Promise.all(this.#nodes.map((node) =>
      until(
        `${node.name} serves`,
        timeoutMs,
        () => answers(`http://${node.http}${this.#options.readyPath}`),
      )
    ));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => this.kill(node)));
  }

  #own(node: SystemNode): ChildNode {
    const own = this.#nodes.find(({ name }) => name === node.name);
    if (own === undefined) throw new Error(`Cannot find node ${node.name} in ${this.name}`);
    return own;
  }
}
