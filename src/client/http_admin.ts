// The administration of a cluster over its HTTP API. Sends nothing twice.

import type { Admin, ClusterView } from "./admin.ts";
import type { Caller } from "./caller.ts";
import { PontoonError } from "./error.ts";
import type { CallOptions } from "./types.ts";
import { type Answer, type Verdict, verdictOf } from "./verdict.ts";

/** The administration by way of HTTP. */
export class HttpAdmin implements Admin {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  async view(options?: CallOptions): Promise<ClusterView> {
    const answer = await this.#caller.call({
      method: "GET",
      route: "/cluster",
      target: "/cluster",
      partition: undefined,
      kind: "read",
      judge: verdictOfView,
    }, options);
    return JSON.parse(answer.text) as ClusterView;
  }

  add(peer: string, options?: CallOptions): Promise<void> {
    return this.#post("/cluster/members", { action: "add", peer }, options);
  }

  remove(node: string, options?: CallOptions): Promise<void> {
    return this.#post("/cluster/members", { action: "remove", node }, options);
  }

  drain(node: string, options?: CallOptions): Promise<void> {
    return this.#post("/cluster/members", { action: "drain", node }, options);
  }

  activate(node: string, options?: CallOptions): Promise<void> {
    return this.#post("/cluster/members", { action: "activate", node }, options);
  }

  move(partition: number, from: string, to: string, options?: CallOptions): Promise<void> {
    return this.#post(`/cluster/partitions/${partition}/move`, { from, to }, options);
  }

  transfer(partition: number, to: string, options?: CallOptions): Promise<void> {
    return this.#post("/cluster/transfer", { partition, to }, options);
  }

  async #post(target: string, document: unknown, options?: CallOptions): Promise<void> {
    await this.#caller.call({
      method: "POST",
      route: target.replace(/\d+/, ":id"),
      target,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(document),
      partition: undefined,
      kind: "once",
    }, options);
  }
}

/** A node that has only just started answers before it knows a map: others know more. */
function verdictOfView(answer: Answer): Verdict {
  const verdict = verdictOf(answer, false);
  if (verdict.kind !== "decided") return verdict;
  const { members } = JSON.parse(answer.text) as ClusterView;
  if (members.length > 0) return verdict;
  const error = new PontoonError("The node knows no map yet", {
    code: "no-map",
    outcome: "none",
    retryable: true,
  });
  return { kind: "retry", where: "other", waitMs: 0, error };
}
