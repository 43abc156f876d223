// `deno task cluster`: a durable cluster on this machine, from one command, until Ctrl-C.
// Owns the order of things: claim the directory, probe the ports, start, announce, watch, stop.

import { relative } from "node:path";
import { Cluster } from "./cluster/cluster.ts";
import { claimDataDir } from "./cluster/data_dir.ts";
import { nodeFlags, type NodeProcess } from "./cluster/node_process.ts";
import { ClusterError, type ClusterOptions, HELP, parseOptions } from "./cluster/options.ts";
import { assertPortsFree } from "./cluster/ports.ts";
import { Screen, standardOutput } from "./cluster/screen.ts";
import { isReady } from "./cluster/status.ts";
import { listenForStop } from "./cluster/stop_requests.ts";

const STATUS_INTERVAL_MS = 500;
const EXIT_FAILED = 1;

/** A path as short as it gets: relative to here if it lies below. */
function shortPath(path: string): string {
  const below = relative(Deno.cwd(), path);
  return below === "" || below.startsWith("..") ? path : below;
}

function announcement({ nodes }: ClusterOptions): string {
  const url = (index: number) => `http://${nodes[index % nodes.length].http}`;
  return [
    "",
    "cluster ready",
    ...nodes.map((node) => `  ${node.name}  http://${node.http}  log ${shortPath(node.logPath)}`),
    "",
    "try",
    `  curl -X PUT ${url(0)}/key/hello -d 'world'`,
    `  curl ${url(1)}/key/hello`,
    `  curl ${url(2)}/cluster`,
    "",
    "Ctrl-C stops the cluster",
  ].join("\n");
}

function quote(word: string): string {
  return /^[\w./:=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Runs one cluster from start to stop. */
class Run {
  readonly #options: ClusterOptions;
  readonly #screen = new Screen(standardOutput());
  readonly #cluster: Cluster;
  readonly #stopRequested = Promise.withResolvers<void>();
  #ready = false;
  #stopping: Promise<void> | undefined;
  #failure: string | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
    listenForStop((cause) => this.#stop(cause), () => this.#force());
    const { nodes } = options;
    const count = nodes.length === 1 ? "one node" : `${nodes.length} nodes`;
    this.#screen.print(`starting ${count}, data in ${shortPath(options.dataDir)}`);
    this.#cluster = new Cluster(options, (node) => this.#nodeEnded(node));
  }

  /** Resolves when the cluster has stopped. @throws ClusterError if it stopped because it could not go on. */
  async untilStopped(): Promise<void> {
    while (this.#stopping === undefined) {
      const status = await this.#unlessStopping(this.#cluster.status());
      if (status === undefined) break;
      if (!this.#ready && isReady(status)) {
        this.#ready = true;
        this.#screen.print(announcement(this.#options));
      }
      this.#screen.status(status, performance.now());
      const running = status.some((node) => node.state !== "ended");
      if (!running && this.#cluster.allEnded) this.#fail("every node has ended");
      await this.#unlessStopping(new Promise((resolve) => setTimeout(resolve, STATUS_INTERVAL_MS)));
    }
    await this.#stopping;
    if (this.#failure !== undefined) throw new ClusterError(this.#failure);
    this.#screen.print("stopped");
  }

  /** What `work` results in, or undefined as soon as the cluster is to stop. */
  #unlessStopping<T>(work: Promise<T>): Promise<T | undefined> {
    return Promise.race([work, this.#stopRequested.promise.then(() => undefined)]);
  }

  #nodeEnded(node: NodeProcess): void {
    if (this.#stopping !== undefined) return;
    const { name, logPath } = node.spec;
    if (!this.#ready) return this.#fail(`${name} could not start: ${node.reason()}`);
    const flags = nodeFlags(node.spec, this.#options).map(quote).join(" ");
    this.#screen.print(
      `${name} died: ${node.reason()} (log ${shortPath(logPath)})\n` +
        `  start it again: deno task node ${flags}`,
    );
  }

  #fail(message: string): void {
    this.#failure ??= message;
    this.#beginStop();
  }

  #stop(cause: string): void {
    const first = this.#stopping === undefined;
    this.#beginStop();
    if (first) this.#screen.print(`stopping: ${cause}`);
  }

  #beginStop(): void {
    this.#screen.end();
    this.#stopping ??= this.#cluster.stop();
    this.#stopRequested.resolve();
  }

  #force(): void {
    this.#screen.print("killing the nodes");
    this.#cluster.kill();
  }
}

async function main(): Promise<void> {
  const options = parseOptions(Deno.args);
  if (options === undefined) return console.log(HELP);
  const claim = claimDataDir(options);
  assertPortsFree(options.nodes);
  await new Run(options).untilStopped();
  claim.release();
}

try {
  await main();
  Deno.exit(0);
} catch (cause) {
  if (!(cause instanceof ClusterError)) throw cause;
  console.error(`pontoon: ${cause.message}`);
  Deno.exit(EXIT_FAILED);
}
