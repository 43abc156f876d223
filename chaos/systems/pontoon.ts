// Pontoon behind the bench: its command line and what /cluster says. Knows it from outside only.

import type { PartitionStatus } from "../types.ts";
import type { SystemKind } from "./cluster.ts";
import { denoCommand, ROOT } from "./deno_command.ts";
import { FaultyMachines } from "./faulty_machines.ts";
import type { Layout, Place } from "./places.ts";
import { clusterView } from "./pontoon_api.ts";
import { PontoonMembership } from "./pontoon_members.ts";

/** How the nodes are set up. */
export interface PontoonOptions {
  /** Runs the nodes on machines that can be made to misbehave. */
  readonly faulty: boolean;
  /** The tree whose nodes are run; ends with a slash. Default: this repository. */
  readonly root?: string;
  /** Further flags of every node. */
  readonly flags?: readonly string[];
}

const MAIN = "src/main.ts";
const FAULTY = "test/faulty/node.ts";
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-net", "--allow-sys=statfs"];

async function status({ http }: Place): Promise<readonly PartitionStatus[]> {
  const { members, partitions } = await clusterView(http);
  const nameOf = new Map(members.map(({ nodeId, name }) => [nodeId, name]));
  // The meta group comes last: the first is what clients feel.
  return partitions.toSorted((a, b) => (a.partition || Infinity) - (b.partition || Infinity))
    .map(({ partition, term, leaderNodeId }) => ({
      partition: String(partition),
      term,
      leader: leaderNodeId === undefined ? undefined : nameOf.get(leaderNodeId),
    }));
}

function nodeArgs(
  { name, dataDir, http, peer, clientHttp }: Place,
  layout: Layout,
  first: readonly string[],
  joining: boolean,
): string[] {
  const others = layout.places.filter((place) => place.name !== name);
  const overrides = others.filter((other) => layout.dialAddress(name, other.name) !== other.peer)
    .map((other) => `${other.peer}=${layout.dialAddress(name, other.name)}`);
  const founders = layout.places.filter((place) => first.includes(place.name));
  return [
    ...["--name", name, "--data", dataDir, "--http", http, "--peer", peer, "--lifeline", "stdin"],
    ...["--advertise-http", clientHttp],
    // The addresses of a network of the bench's own: nobody else reaches them.
    ...(http.startsWith("127.") ? [] : ["--insecure"]),
    ...(overrides.length > 0 ? ["--dial-override", overrides.join(",")] : []),
    ...(joining
      ? ["--join", others.map((other) => other.peer).join(",")]
      : ["--initial", founders.map((place) => `${place.name}=${place.peer}`).join(",")]),
  ];
}

/** Pontoon as a kind of system, `first` naming the first nodes. */
export function pontoon(options: PontoonOptions, first: readonly string[]): SystemKind {
  const { root = ROOT } = options;
  return {
    name: "pontoon",
    features: ["kv", "conditions", "txn", "idempotency", "ttl", "scan", "watch", "applied"],
    abilities: [
      ...["processes", "graceful-stop", "files", "membership", "moves"] as const,
      ...(options.faulty ? ["clocks", "disks"] as const : []),
    ],
    readyPath: "/health/ready",
    command: (place, layout, joining) =>
      denoCommand(
        PERMISSIONS,
        `${root}${options.faulty ? FAULTY : MAIN}`,
        [...nodeArgs(place, layout, first, joining), ...(options.flags ?? [])],
        root,
      ),
    status,
    versions: () => Promise.resolve({ deno: Deno.version.deno, v8: Deno.version.v8 }),
    ...(options.faulty ? { machines: (cluster) => new FaultyMachines(cluster) } : {}),
    membership: (cluster) => new PontoonMembership(cluster),
  };
}
