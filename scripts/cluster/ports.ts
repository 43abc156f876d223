// Finds out before anything is started whether the nodes' ports are free.

import { ClusterError, type NodeSpec } from "./options.ts";

/**
 * Binds every address of the nodes once.
 *
 * @throws ClusterError naming the first port that can't be bound.
 */
export function assertPortsFree(nodes: readonly NodeSpec[]): void {
  const http = nodes.map((node) => [node.http, `HTTP port of ${node.name}`]);
  const peer = nodes.map((node) => [node.peer, `peer port of ${node.name}`]);
  for (const [address, use] of [...http, ...peer]) {
    const [hostname, port] = address.split(":");
    try {
      Deno.listen({ hostname, port: Number(port) }).close();
    } catch (cause) {
      const taken = cause instanceof Deno.errors.AddrInUse;
      const why = taken ? "is taken" : `can't be used: ${(cause as Error).message}`;
      throw new ClusterError(`port ${port} (${use}) ${why}; choose others with --port`);
    }
  }
}
