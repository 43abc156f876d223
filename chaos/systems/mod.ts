// The systems that can be put behind the bench, by name.

import type { System } from "../types.ts";
import { Cluster, type SystemKind } from "./cluster.ts";
import { denoKv } from "./deno_kv.ts";
import { loopbackLayout } from "./places.ts";
import { pontoon } from "./pontoon.ts";
import { wrong, WRONG_SYSTEMS } from "./wrong.ts";

export { WRONG_SYSTEMS };
export const SYSTEM_NAMES: readonly string[] = ["pontoon", "deno-kv", ...WRONG_SYSTEMS];

/** How a system is set up for one run. */
export interface SystemOptions {
  readonly name: string;
  /** Ignored by systems that have one node only. */
  readonly nodes: number;
  /** Nodes that are not in the cluster and could join it, where the system knows such a thing. Default: 0. */
  readonly spares?: number;
  /** Holds data directories and logs; created. */
  readonly dir: string;
  /** What stands in the links. Default: "none". */
  readonly net?: "none" | "proxy";
  /** Runs nodes on machines that can be made to misbehave, where the system knows such a thing. Default: false. */
  readonly faulty?: boolean;
  readonly seed: number;
  /** Further flags of every node of Pontoon. */
  readonly flags?: readonly string[];
}

function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `n${i + 1}`);
}

/**
 * A system by name, not started yet.
 *
 * @throws Error if there is no such system, or if it can't run here
 */
export function createSystem(options: SystemOptions): Promise<System> {
  const { name, dir, nodes, spares = 0, net = "none", faulty = false, seed } = options;
  Deno.mkdirSync(dir, { recursive: true });
  const proxied = net === "proxy";
  const cluster = (kind: SystemKind, names: readonly string[], framed: boolean, byHttp: boolean) =>
    new Cluster({
      kind,
      layout: loopbackLayout(names, dir, { proxied, framed, peersByHttp: byHttp }),
      nodes: Math.min(nodes, names.length),
      seed,
    });
  const first = namesOf(nodes);
  if (name === "pontoon") {
    const { flags } = options;
    const kind = pontoon({ faulty, ...(flags && { flags }) }, first);
    return Promise.resolve(cluster(kind, namesOf(nodes + spares), true, false));
  }
  if (name === "deno-kv") return Promise.resolve(cluster(denoKv(), namesOf(1), false, true));
  const kind = WRONG_SYSTEMS.find((one) => one === name);
  if (kind === undefined) {
    return Promise.reject(new Error(`Cannot find the system ${name}: ${SYSTEM_NAMES.join(", ")}`));
  }
  return Promise.resolve(cluster(wrong(kind), first, false, true));
}
