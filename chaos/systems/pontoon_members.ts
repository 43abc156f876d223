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

function nodeIdOf(view: ClusterView | undefined, { name }: SystemNode): string | undefined {
  return view?.members.find((member) => member.name === name)?.nodeId;
}

function told(what: string, accepted: boolean): string {
  return accepted ? what : `${what}, refused`;
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

  async drain(given: SystemNode, timeoutMs: number): Promise<void> {
    const node = this.#cluster.own(given);
    const change = (action: string) =>
      until(`the ${action} of ${node.name} is accepted`, timeoutMs, () => {
        return this.#ask("/cluster/members", { action, node: node.name });
      });
    await change("drain");
    await until(`${node.name} is drained`, timeoutMs, async () => {
      const view = await this.#anyView([node]);
      return view?.members.find(({ name }) => name === node.name)?.state === "drained";
    });
    await change("activate");
  }

  async transfer(random: Random): Promise<string> {
    const view = await this.#anyView([]);
    const partition = view && pick(random, view.partitions);
    const to = this.#cluster.nodes.filter((node) => {
      const nodeId = nodeIdOf(view, node);
      return nodeId !== undefined && nodeId !== partition?.leaderNodeId &&
        partition?.replicas.some((one) => one.nodeId === nodeId && one.role === "voter");
    });
    if (partition === undefined || to.length === 0) return "nobody could lead instead";
    const target = pick(random, to).name;
    const body = { partition: partition.partition, to: target };
    const accepted = await this.#ask("/cluster/transfer", body);
    return told(`leadership of partition ${partition.partition} to ${target}`, accepted);
  }

  async move(random: Random): Promise<string> {
    const view = await this.#anyView([]);
    const partitions = view?.partitions.filter(({ partition }) => partition !== 0) ?? [];
    if (partitions.length === 0) return "there is no partition to be moved";
    const { partition, replicas } = pick(random, partitions);
    const has = (node: ClusterNode) =>
      replicas.some(({ nodeId }) => nodeId === nodeIdOf(view, node));
    const from = this.#cluster.nodes.filter(has);
    const to = this.#cluster.nodes.filter((node) => !has(node));
    if (from.length === 0 || to.length === 0) return "every node has a replica";
    const body = { from: pick(random, from).name, to: pick(random, to).name };
    const accepted = await this.#ask(`/cluster/partitions/${partition}/move`, body);
    return told(`replica of partition ${partition} from ${body.from} to ${body.to}`, accepted);
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
