// `deno task cluster`: a durable cluster on this machine, from one command, until Ctrl-C.
// Owns the order of things: claim the directory, probe the ports, start, announce, watch, stop.

import { relative } from "node:path";
import { Cluster } from "./cluster/cluster.ts";
import { serveControl } from "./cluster/control_server.ts";
import { claimDataDir, type DataDirClaim, type Roster } from "./cluster/data_dir.ts";
import { nodeFlags, type NodeProcess } from "./cluster/node_process.ts";
import {
  ClusterError,
  type ClusterOptions,
  HELP,
  NODES_MAX,
  type NodeSpec,
  nodeSpec,
  parseOptions,
} from "./cluster/options.ts";
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
  readonly #claim: DataDirClaim;
  readonly #stopControl: () => Promise<void>;
  #roster: Roster;
  #failure: string | undefined;

  constructor(options: ClusterOptions, claim: DataDirClaim) {
    this.#options = options;
    this.#claim = claim;
    this.#roster = claim.roster;
    listenForStop((cause) => this.#stop(cause), () => this.#force());
    const { nodes } = options;
    const count = nodes.length === 1 ? "one node" : `${nodes.length} nodes`;
    this.#screen.print(`starting ${count}, data in ${shortPath(options.dataDir)}`);
    this.#cluster = new Cluster(options, (node) => this.#nodeEnded(node));
    this.#stopControl = serveControl(options.dataDir, {
      nodes: () => this.#cluster.specs,
      add: () => this.#add(),
      remove: (name) => this.#remove(name),
    });
  }

  /** Starts one more node; noted first, so that a later start knows it whatever happens. */
  #add(): NodeSpec {
    const { numbers, highest, first } = this.#roster;
    if (numbers.length >= NODES_MAX) {
      throw new ClusterError(`this machine runs at most ${NODES_MAX} nodes of a cluster`);
    }
    if (this.#stopping !== undefined) throw new ClusterError("the cluster is stopping");
    const number = highest + 1;
    const spec = { ...nodeSpec(number, this.#options), joins: true };
    assertPortsFree([spec]);
    this.#note({ numbers: [...numbers, number], highest: number, first });
    this.#cluster.add(spec);
    this.#screen.print(`${spec.name} added: http://${spec.http}`);
    return spec;
  }

  async #remove(name: string): Promise<boolean> {
    const { numbers, highest, first } = this.#roster;
    const rest = numbers.filter((number) => nodeSpec(number, this.#options).name !== name);
    if (rest.length === numbers.length) return false;
    this.#note({ numbers: rest, highest, first });
    this.#screen.print(`${name} removed`);
    return await this.#cluster.remove(name);
  }

  #note(roster: Roster): void {
    this.#claim.note(roster);
    this.#roster = roster;
  }

  /** Resolves when the cluster has stopped. @throws ClusterError if it stopped because it could not go on. */
  async untilStopped(): Promise<void> {
    while (this.#stopping === undefined) {
      const status = await this.#unlessStopping(this.#cluster.status());
      if (status === undefined) break;
      // First, so that what stands below the announcement is ready too.
      this.#screen.status(status, performance.now());
      if (!this.#ready && isReady(status)) {
        this.#ready = true;
        this.#screen.print(announcement(this.#options));
      }
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
    if (this.#stopping !== undefined || !this.#cluster.has(node)) return;
    const { name, logPath } = node.spec;
    if (!this.#ready) return this.#fail(`${name} could not start: ${node.reason()}`);
    const shape = { ...this.#options, nodes: this.#cluster.specs };
    const flags = nodeFlags(node.spec, shape).map(quote).join(" ");
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
    this.#stopping ??= this.#stopControl().then(() => this.#cluster.stop());
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
  const { numbers, first } = claim.roster;
  const nodes = numbers.map((number): NodeSpec => {
    const spec = nodeSpec(number, options);
    return number > first ? { ...spec, joins: true } : spec;
  });
  assertPortsFree(nodes);
  await new Run({ ...options, nodes }, claim).untilStopped();
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
