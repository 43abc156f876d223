// The nodes of one local cluster and what is known of them. Starts and stops processes; shows nothing.

import { type ClusterShape, NodeProcess } from "./node_process.ts";
import { type Observation, observe } from "./observe.ts";
import type { NodeState, NodeStatus } from "./status.ts";

/** A node's own limit for a graceful stop is 5 s; what takes longer is killed. */
const STOP_TIMEOUT_MS = 8000;

export class Cluster {
  readonly #nodes: readonly NodeProcess[];
  /** Names of the nodes that have answered once: from then on silence is no longer starting. */
  readonly #answered = new Set<string>();

  /** Starts every node; `onEnd` is called as each of them ends, however that comes about. */
  constructor(shape: ClusterShape, onEnd: (node: NodeProcess) => void) {
    this.#nodes = shape.nodes.map((spec) => new NodeProcess(spec, shape));
    for (const node of this.#nodes) node.ended.then(() => onEnd(node));
  }

  get allEnded(): boolean {
    return this.#nodes.every((node) => node.end !== undefined);
  }

  /** Asks every node how it is; takes about a second at most. */
  async status(): Promise<NodeStatus[]> {
    const observations = await Promise.all(this.#nodes.map(({ spec }) => observe(spec.http)));
    return this.#nodes.map((node, index) => ({
      name: node.spec.name,
      pid: node.end === undefined ? node.pid : undefined,
      state: this.#state(node, observations[index]),
      partitions: observations[index].partitions,
    }));
  }

  /** Stops every node gracefully, in the end by force; resolves when all processes are gone. */
  async stop(): Promise<void> {
    for (const node of this.#nodes) node.stop();
    const timer = setTimeout(() => this.kill(), STOP_TIMEOUT_MS);
    await Promise.all(this.#nodes.map((node) => node.ended));
    clearTimeout(timer);
  }

  /** Ends every node at once. What was acknowledged is on disk. */
  kill(): void {
    for (const node of this.#nodes) node.kill();
  }

  #state(node: NodeProcess, { health }: Observation): NodeState {
    // A node that was started again by hand answers although the process from here is gone.
    if (health !== "silent") {
      this.#answered.add(node.spec.name);
      return health;
    }
    if (node.end !== undefined) return "ended";
    return this.#answered.has(node.spec.name) ? "no answer" : "starting";
  }
}
