// Members of a Pontoon cluster that come and go, and leaderships that move, by its HTTP API.

import { unsyncedDirectory } from "../../test/faulty/undo_journal.ts";
import { pick } from "../random.ts";
import type { Membership, Random, SystemNode } from "../types.ts";
import { until } from "../wait.ts";
import { answers, type Cluster, type ClusterNode } from "./cluster.ts";
import { askForChange, type ClusterView, clusterView } from "./pontoon_api.ts";

/** Copies that a partition has if there are nodes enough. */
const REPLICATION = 3;

async function viewOrNothing(http: string): Promise<ClusterView | undefined> {
  try {
    return await clusterView(http);
  } catch {
    return undefined;
  }
}

function isSettled({ partitions }: ClusterView, nodes: number): boolean {
  return partitions.every(({ partition, health, replicas }) => {
    const voters = replicas.filter(({ role }) => role === "voter").length;
    if (health !== "ok") return false;
    // The meta group keeps learners on the nodes that don't vote in it.
    if (partition === 0) return voters >= Math.min(REPLICATION, nodes);
    return voters === replicas.length && voters === Math.min(REPLICATION, nodes);
  });
}

export class PontoonMembership implements Membership {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  get spares(): readonly SystemNode[] {
    return this.#cluster.spares;
  }

  async join(given: SystemNode, timeoutMs: number): Promise<void> {
    const node = this.#cluster.own(given);
    node.joining = true;
    await this.#cluster.restart(node);
    await until(`${node.name} has joined`, timeoutMs, async () => {
      const view = await this.#anyView([node]);
      return view?.members.some(({ name }) => name === node.name) === true &&
        await answers(`http://${node.directHttp}/health/ready`);
    });
    this.#cluster.admit(node);
  }

  async leave(given: SystemNode, timeoutMs: number): Promise<void> {
    const node = this.#cluster.own(given);
    await until(`the removal of ${node.name} is accepted`, timeoutMs, async () => {
      const view = await this.#anyView([node]);
      if (view !== undefined && !view.members.some(({ name }) => name === node.name)) return true;
      return await this.#ask("/cluster/members", { action: "remove", node: node.name }, node);
    });
    await until(`${node.name} has left`, timeoutMs, async () => {
      const view = await this.#anyView([node]);
      return view !== undefined && !view.members.some(({ name }) => name === node.name);
    });
    this.#cluster.dismiss(node);
    await this.#cluster.kill(node);
    for (const path of [node.dataDir, unsyncedDirectory(node.dataDir)]) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    }
  }

  async settled(timeoutMs: number): Promise<void> {
    await until("every partition has all its replicas", timeoutMs, async () => {
      const { nodes } = this.#cluster;
      const views = await Promise.all(nodes.map(({ directHttp }) => viewOrNothing(directHttp)));
      return views.every((view) => view !== undefined && isSettled(view, nodes.length));
    });
  }

  async move(random: Random): Promise<string> {
    const view = await this.#anyView([]);
    const partition = view && pick(random, view.partitions);
    const to = this.#cluster.nodes.filter((node) => {
      const nodeId = view?.members.find(({ name }) => name === node.name)?.nodeId;
      return nodeId !== undefined && nodeId !== partition?.leaderNodeId &&
        partition?.replicas.some((one) => one.nodeId === nodeId && one.role === "voter");
    });
    if (partition === undefined || to.length === 0) return "nothing could be moved";
    const target = pick(random, to).name;
    const body = { partition: partition.partition, to: target };
    const accepted = await this.#ask("/cluster/transfer", body);
    const what = `leadership of partition ${partition.partition} to ${target}`;
    return accepted ? what : `${what}, refused`;
  }

  /** What a running member says. */
  async #anyView(except: readonly ClusterNode[]): Promise<ClusterView | undefined> {
    for (const node of this.#cluster.nodes) {
      if (node.down || !node.running || except.includes(node)) continue;
      try {
        return await clusterView(node.directHttp);
      } catch {
        // It is ending or starting; another one knows too.
      }
    }
    return undefined;
  }

  async #ask(path: string, body: unknown, except?: ClusterNode): Promise<boolean> {
    for (const node of this.#cluster.nodes) {
      if (node.down || !node.running || node === except) continue;
      try {
        if (await askForChange(node.directHttp, path, body)) return true;
      } catch {
        // Another node may be able to pass it on.
      }
    }
    return false;
  }
}
