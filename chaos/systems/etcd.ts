// etcd behind the bench, if it is installed: its nodes, and a process that speaks the clients' API to its JSON gateway.
// All members reach a member by one address; who dialled is told by the header X-Server-From of its requests.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import type { PartitionStatus } from "../types.ts";
import type { SystemKind } from "./cluster.ts";
import { denoCommand, localPath } from "./deno_command.ts";
import { freePorts, type Layout, type Place } from "./places.ts";

const GATEWAY = localPath("./etcd_gateway.ts", import.meta.url);
const CLUSTER_TOKEN = "chaos";
const ASK_TIMEOUT_MS = 2000;

/** Why etcd can't be run here; undefined if it can. */
export function etcdObstacle(): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  const found = folders.some((folder) => folder !== "" && existsSync(`${folder}/etcd`));
  return found ? undefined : "needs etcd (apt-get install etcd-server)";
}

/**
 * The id of a first member, in hex as etcd writes it: the first eight bytes of SHA-1 over its peer URL and the cluster's
 * token (server/etcdserver/api/membership, NewMember).
 */
export function memberId(peer: string): string {
  const digest = createHash("sha1").update(`http://${peer}${CLUSTER_TOKEN}`).digest("hex");
  return digest.slice(0, 16).replace(/^0+/, "");
}

async function status({ http }: Place, layout: Layout): Promise<readonly PartitionStatus[]> {
  const response = await fetch(`http://${http}/v3/maintenance/status`, {
    method: "POST",
    body: "{}",
    signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
  });
  const { leader, raftTerm }: { leader?: string; raftTerm?: string } = await response.json();
  const id = leader === undefined ? undefined : BigInt(leader).toString(16);
  const name = layout.places.find(({ peer }) => memberId(peer) === id)?.name;
  return [{ partition: "1", term: Number(raftTerm ?? 0), leader: name }];
}

function versionText(): string {
  const { stdout } = new Deno.Command("etcd", { args: ["--version"], stdout: "piped" })
    .outputSync();
  return /etcd Version: (\S+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "unknown";
}

/** The layout with a gateway before each node, and where each gateway has to go. */
export function withGateways(layout: Layout): {
  readonly layout: Layout;
  readonly fronts: readonly { readonly listen: string; readonly target: string }[];
} {
  const ports = freePorts(layout.places.length);
  const listen = (place: number) => `127.0.0.1:${ports[place]}`;
  return {
    layout: {
      ...layout,
      places: layout.places.map((place, i) => ({ ...place, clientHttp: listen(i) })),
    },
    fronts: layout.places.map(({ clientHttp }, i) => ({ listen: listen(i), target: clientHttp })),
  };
}

export function etcd(fronts: readonly { listen: string; target: string }[]): SystemKind {
  return {
    name: "etcd",
    features: ["kv", "conditions", "txn"],
    abilities: ["processes"],
    readyPath: "/health",
    companion: denoCommand(["--allow-net"], GATEWAY, [JSON.stringify(fronts)]),
    command: ({ name, http, peer, peerListen, dataDir }, { places }) => ({
      program: "etcd",
      args: [
        ...["--name", name, "--data-dir", dataDir, "--initial-cluster-token", CLUSTER_TOKEN],
        ...["--listen-client-urls", `http://${http}`, "--advertise-client-urls", `http://${http}`],
        ...["--listen-peer-urls", `http://${peerListen}`],
        ...["--initial-advertise-peer-urls", `http://${peer}`],
        "--initial-cluster",
        places.map((place) => `${place.name}=http://${place.peer}`).join(","),
        ...["--logger", "zap", "--log-level", "warn", "--log-outputs", "stderr"],
      ],
    }),
    status,
    versions: () => Promise.resolve({ etcd: versionText(), deno: Deno.version.deno }),
  };
}
