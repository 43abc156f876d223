// The nodes of one local cluster and what is known of them. Starts and stops processes; shows nothing.

import { type ClusterShape, NodeProcess } from "./node_process.ts";
import type { NodeSpec } from "./options.ts";
import { type Observation, observe } from "./observe.ts";
import type { NodeState, NodeStatus } from "./status.ts";

/** A node's own limit for a graceful stop is 5 s; what takes longer is killed. */
const STOP_TIMEOUT_MS = 8000;

export class Cluster {
  #nodes: readonly NodeProcess[];
  readonly #partitions: number;
  readonly #onEnd: (node: NodeProcess) => void;
  /** Names of the nodes that have answered once: from then on silence is no longer starting. */
  readonly #answered = new Set<string>();

  /** Starts every node; `onEnd` is called as each of them ends, however that comes about. */
  constructor(shape: ClusterShape, onEnd: (node: NodeProcess) => void) {
    this.#partitions = shape.partitions;
    this.#onEnd = onEnd;
    this.#nodes = shape.nodes.map((spec) => this.#start(spec, shape));
  }

  #start(spec: NodeSpec, shape: ClusterShape): NodeProcess {
    const node = new NodeProcess(spec, shape);
    node.ended.then(() => this.#onEnd(node));
    return node;
  }

  get specs(): NodeSpec[] {
    return this.#nodes.map(({ spec }) => spec);
  }

  /** Whether the node belongs to the cluster; one that was taken out may still be ending. */
  has(node: NodeProcess): boolean {
    return this.#nodes.includes(node);
  }

  /** Starts one more node. */
  add(spec: NodeSpec): void {
    const shape = { nodes: [...this.specs, spec], partitions: this.#partitions };
    this.#nodes = [...this.#nodes, this.#start(spec, shape)];
  }

  /** Takes a node out and stops its process gracefully; false if there is no such node. */
  async remove(name: string): Promise<boolean> {
    const node = this.#nodes.find(({ spec }) => spec.name === name);
    if (node === undefined) return false;
    this.#nodes = this.#nodes.filter((other) => other !== node);
    await this.#end([node]);
    return true;
  }

  get allEnded(): boolean {
    return this.#nodes.every((node) => node.end !== undefined);
  }

  /** Asks every node how it is; takes about a second at most. */
  async status(): Promise<NodeStatus[]> {
    const nodes = this.#nodes;
    const observations = await Promise.all(nodes.map(({ spec }) => observe(spec.http)));
    return nodes.map((node, index) => ({
      name: node.spec.name,
      pid: node.end === undefined ? node.pid : undefined,
      state: this.#state(node, observations[index]),
      partitions: observations[index].partitions,
    }));
  }

  /** Stops every node gracefully, in the end by force; resolves when all processes are gone. */
  async stop(): Promise<void> {
    await this.#end(this.#nodes);
  }

  async #end(nodes: readonly NodeProcess[]): Promise<void> {
    for (const node of nodes) node.stop();
    const timer = setTimeout(() => nodes.forEach((node) => node.kill()), STOP_TIMEOUT_MS);
    await Promise.all(nodes.map((node) => node.ended));
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
