// A simulated cluster without clients, for what must happen by itself: groups that fall asleep, and that
// notice in their sleep what concerns them. No faults but those that a test injects.

import { assert } from "@std/assert";
import type { NodeConfig } from "../../src/node/config.ts";
import type { ClusterView } from "../../src/node/service.ts";
import { preloadSchemaRoutes } from "../../src/http/app.ts";
import { banAmbient } from "./ambient.ts";
import { Scheduler } from "./clock.ts";
import { SimNetwork } from "./network.ts";
import { SeededRandom } from "./random.ts";
import { type SimHost, SimNode } from "./sim_node.ts";
import { replicasOf, type RunningReplica } from "./standing.ts";
import { Trace } from "./trace.ts";

const SLEEP_MS_MAX = 20_000;
const LOOK_INTERVAL_MS = 10;

export interface IdleOptions {
  readonly nodes: number;
  readonly partitions: number;
  readonly seed?: number;
  readonly deadAfterMs?: number;
  readonly slowRequestMs?: number;
  /** Of each group's log, in memory; absent: the product's own. */
  readonly logWindowBytes?: number;
  /** Lines of all nodes' logs. */
  readonly onLog?: (node: string, message: string, fields: Record<string, unknown>) => void;
}

// deno-lint-ignore no-explicit-any -- answers are looked into by name
type Json = any;

export class IdleCluster {
  readonly scheduler = new Scheduler();
  readonly network: SimNetwork;
  readonly nodes: SimNode[] = [];
  readonly failures: string[] = [];
  readonly #host: SimHost;
  readonly #options: IdleOptions;

  constructor(options: IdleOptions) {
    this.#options = options;
    const random = new SeededRandom(options.seed ?? 1);
    this.network = new SimNetwork(this.scheduler, random, { delayMsMean: 1 });
    this.#host = {
      scheduler: this.scheduler,
      network: this.network,
      random,
      trace: new Trace(false),
      syncDelayMsMean: 1,
      ...(options.onLog === undefined ? {} : { onLog: options.onLog }),
      onEnd: (node: SimNode, reason: string) => this.failures.push(`${node.name}: ${reason}`),
    };
    const initial = Array.from({ length: options.nodes }, (_, i) => ({
      name: `n${i}`,
      peer: `n${i}:1`,
    }));
    for (const { name } of initial) this.#add(name, { initial, join: [] });
  }

  #add(name: string, how: Pick<NodeConfig, "initial" | "join">): SimNode {
    const { partitions, deadAfterMs, slowRequestMs, logWindowBytes } = this.#options;
    const config: NodeConfig = {
      name,
      peer: `${name}:1`,
      http: `${name}:80`,
      ...how,
      partitions,
      replication: 3,
      weight: 1,
      secret: new Uint8Array(32).fill(7),
      valueSizeBytesMax: 1024 * 1024,
      dialOverrides: new Map(),
      logSizes: { segmentSizeBytes: 256 * 1024, batchSizeBytesMax: 128 * 1024 },
      snapshotLogBytes: 1024 * 1024,
      deadAfterMs: deadAfterMs ?? 300_000,
      ...(slowRequestMs === undefined ? {} : { slowRequestMs }),
      ...(logWindowBytes === undefined ? {} : { logWindowBytes }),
      requestTimeoutMs: 2000,
    };
    const node = new SimNode(this.#host, config);
    this.nodes.push(node);
    return node;
  }

  /** Starts one more node, which asks the first one for admission. */
  join(name: string): SimNode {
    const node = this.#add(name, { initial: [], join: [this.nodes[0].config.peer] });
    this.scheduler.schedule(0, () => node.start());
    return node;
  }

  /** The cluster as `node` sees it. */
  view(node: SimNode): ClusterView {
    const running = node.life?.running;
    assert(running !== undefined, `${node.name} does not run`);
    return running.node.api.cluster();
  }

  /** Data partitions' replicas on each node by its name, as `node`'s map says. */
  replicaCounts(node: SimNode): Record<string, number> {
    return Object.fromEntries(
      this.view(node).members.map(({ name, replicas }) => [name, replicas]),
    );
  }

  /** Data partitions led by each node that runs, by its name. */
  leaderCounts(): Record<string, number> {
    return Object.fromEntries(
      this.nodes.filter(({ life }) => life !== undefined).map((node) => [
        node.name,
        this.replicas([node]).filter(({ kind, replica }) => kind === "data" && replica.isLeader)
          .length,
      ]),
    );
  }

  /** Waits until no move is under way or due, as every running node sees it, and everything sleeps. */
  async atRest(limitMs: number): Promise<void> {
    const running = () => this.nodes.filter(({ life }) => life?.running !== undefined);
    let since = this.scheduler.nowMs;
    await this.until("the cluster is at rest", limitMs, () => {
      const restless = running().some((node) => {
        const { moves, plan } = this.view(node);
        return moves.length > 0 || (plan?.waiting ?? 0) > 0;
      });
      if (restless) since = this.scheduler.nowMs;
      return this.scheduler.nowMs - since > 2000;
    });
  }

  /** POSTs a JSON document to a node's API. */
  async post(node: SimNode, path: string, body: unknown): Promise<{ status: number; json: Json }> {
    const response = await this.fetch(node, path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    let json: Json = {};
    let read = false;
    response.json().then((value) => {
      json = value;
      read = true;
    });
    await this.until("the answer's body", 1000, () => read);
    return { status: response.status, json };
  }

  /** The running replicas of the nodes that are up. */
  replicas(nodes: readonly SimNode[] = this.nodes): RunningReplica[] {
    return replicasOf(nodes);
  }

  /** Which replica leads each partition, as all running replicas agree; throws if they don't. */
  leaders(nodes: readonly SimNode[] = this.nodes): Map<number, number> {
    const leaders = new Map<number, number>();
    for (const { partition, replica } of this.replicas(nodes)) {
      const known = leaders.get(partition) ?? replica.leader;
      assert(known === replica.leader && known !== 0, `partition ${partition} has no one leader`);
      leaders.set(partition, known);
    }
    return leaders;
  }

  isAsleep(nodes: readonly SimNode[] = this.nodes): boolean {
    return this.replicas(nodes).every(({ replica }) => replica.asleep);
  }

  /** Sends a request to a node's API and lets time pass until it is answered. */
  async fetch(node: SimNode, path: string, init?: RequestInit): Promise<Response> {
    const { life } = node;
    assert(life?.handler !== undefined, `${node.name} does not serve`);
    let response: Response | undefined;
    life.incarnation.run(async () => {
      response = await life.handler!(new Request(`http://${node.config.http}${path}`, init));
    });
    await this.scheduler.runUntil(`an answer to ${path}`, 5000, () => response !== undefined);
    return response!;
  }

  /** Lets time pass until `condition` holds, which is looked at every few milliseconds. */
  until(what: string, limitMs: number, condition: () => boolean): Promise<void> {
    let nextMs = 0;
    return this.scheduler.runUntil(what, limitMs, () => {
      if (this.scheduler.nowMs < nextMs) return false;
      nextMs = this.scheduler.nowMs + LOOK_INTERVAL_MS;
      return condition();
    });
  }

  async run(durationMs: number): Promise<void> {
    await this.scheduler.runFor(durationMs);
  }

  /** Starts all nodes. */
  start(): void {
    for (const node of this.nodes) this.scheduler.schedule(0, () => node.start());
  }

  /** Waits until all nodes are ready and every group sleeps. */
  async settle(): Promise<void> {
    const ready = () =>
      this.nodes.every(({ life }) => life?.running?.node.api.ready().ready ?? false);
    await this.until("the cluster is there", SLEEP_MS_MAX, ready);
    await this.until("everything sleeps", SLEEP_MS_MAX, () => this.isAsleep());
  }
}

/** Runs `body` on a cluster that is not started yet, with ambient time and randomness taken away. */
export async function withCluster(
  options: IdleOptions,
  body: (cluster: IdleCluster) => Promise<void>,
): Promise<void> {
  await new Response("warm").text();
  await preloadSchemaRoutes();
  const restore = banAmbient();
  try {
    const cluster = new IdleCluster(options);
    await body(cluster);
    assert(cluster.failures.length === 0, cluster.failures.join("; "));
  } finally {
    restore();
  }
}

/** Runs `body` on a cluster that has settled. */
export function withIdleCluster(
  options: IdleOptions,
  body: (cluster: IdleCluster) => Promise<void>,
): Promise<void> {
  return withCluster(options, async (cluster) => {
    cluster.start();
    await cluster.settle();
    await body(cluster);
  });
}
