// The systems that can be put behind the bench, by name.

import { createNetwork, namespaceOf, netnsObstacle } from "../links/netns.ts";
import { NetnsLinks } from "../links/netns_links.ts";
import type { System } from "../types.ts";
import { Cluster, type SystemKind } from "./cluster.ts";
import { denoKv } from "./deno_kv.ts";
import { etcd, etcdObstacle, memberId, withGateways } from "./etcd.ts";
import { withFaketime } from "./faketime.ts";
import { allLinks, type Layout, type LinkShape, loopbackLayout, networkLayout } from "./places.ts";
import { pontoon } from "./pontoon.ts";
import { wrong, WRONG_SYSTEMS } from "./wrong.ts";

export { WRONG_SYSTEMS };
export const SYSTEM_NAMES: readonly string[] = ["pontoon", "deno-kv", "etcd", ...WRONG_SYSTEMS];

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
  readonly net?: "none" | "proxy" | "netns";
  /** Runs nodes on machines that can be made to misbehave, where the system knows such a thing. Default: false. */
  readonly faulty?: boolean;
  readonly seed: number;
  /** The tree that Pontoon is run from; ends with a slash. Default: this repository. */
  readonly root?: string;
  /** Further flags of every node of Pontoon. */
  readonly flags?: readonly string[];
}

/** A kind of system with the names of all its nodes, spares last. */
interface Wanted {
  readonly kind: (layout: Layout) => { readonly kind: SystemKind; readonly layout: Layout };
  readonly names: readonly string[];
  readonly nodes: number;
  readonly shape: LinkShape;
}

function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `n${i + 1}`);
}

function wanted({ name, nodes, spares = 0, faulty = false, root, flags }: SystemOptions): Wanted {
  const names = namesOf(nodes);
  const timed = (kind: SystemKind) => faulty ? withFaketime(kind) : kind;
  const plainly = (kind: SystemKind) => (layout: Layout) => ({ kind, layout });
  if (name === "pontoon") {
    const kind = plainly(
      pontoon({ faulty, ...(root && { root }), ...(flags && { flags }) }, names),
    );
    return { kind, names: namesOf(nodes + spares), nodes, shape: { framed: true } };
  }
  if (name === "deno-kv") {
    return {
      kind: plainly(timed(denoKv())),
      names: namesOf(1),
      nodes: 1,
      shape: { peersByHttp: true },
    };
  }
  if (name === "etcd") {
    const obstacle = etcdObstacle();
    if (obstacle !== undefined) throw new Error(`Cannot use the system etcd: ${obstacle}`);
    const kind = (plain: Layout) => {
      const { layout, fronts } = withGateways(plain);
      return { kind: etcd(fronts), layout };
    };
    const dialler = { header: "x-server-from", valueOf: memberId };
    return { kind, names, nodes, shape: { dialler } };
  }
  const kind = WRONG_SYSTEMS.find((one) => one === name);
  if (kind === undefined) {
    throw new Error(`Cannot find the system ${name}: ${SYSTEM_NAMES.join(", ")}`);
  }
  return { kind: plainly(timed(wrong(kind))), names, nodes, shape: { peersByHttp: true } };
}

/**
 * A system by name, not started yet. With "netns" the network is there already: it goes with `stop`.
 *
 * @throws Error if there is no such system, or if it can't run here
 */
export async function createSystem(options: SystemOptions): Promise<System> {
  const { dir, net = "none", seed } = options;
  const { kind, names, nodes, shape } = wanted(options);
  Deno.mkdirSync(dir, { recursive: true });
  if (net !== "netns") {
    const layout = loopbackLayout(names, dir, { ...shape, proxied: net === "proxy" });
    return new Cluster({ ...kind(layout), nodes, seed });
  }
  const obstacle = netnsObstacle();
  if (obstacle !== undefined) throw new Error(`Cannot use --net netns: ${obstacle}`);
  const { addresses, hostAddress, tag } = await createNetwork(names);
  return new Cluster({
    ...kind(networkLayout(names, dir, { ...shape, addresses })),
    nodes,
    seed,
    links: await NetnsLinks.start({ addresses, hostAddress, tag }, allLinks(names)),
    wrap: ({ program, args, ...rest }, { name }) => ({
      program: "ip",
      args: ["netns", "exec", namespaceOf(tag, names.indexOf(name)), program, ...args],
      ...rest,
    }),
  });
}
