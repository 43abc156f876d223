// The command line of `deno task cluster`: flags -> names, addresses and directories of the nodes.
// Never touches the disk or the network.

import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const HOST = "127.0.0.1";
const NODES_DEFAULT = 3;
export const NODES_MAX = 16;
const PARTITIONS_MAX = 1024;
const PORT_MAX = 65_535;
/** Peer ports lie this far above the HTTP ports, or below them where there is no room above. */
const PEER_PORT_DISTANCE = 1000;

export const HELP =
  `deno task cluster: a durable Pontoon cluster on this machine, one process a node

Usage: deno task cluster [options]

  --nodes N       nodes, named n1, n2, …; later starts may have more     [3]
  --port PORT     HTTP port of n1; n2 has the next one, and so on        [7001]
                  Links between the nodes use the HTTP ports + ${PEER_PORT_DISTANCE}
                  (- ${PEER_PORT_DISTANCE} where that would pass ${PORT_MAX})
  --data DIR      the cluster's directory; node n1 keeps its data in DIR/n1
                  and its log in DIR/n1/node.log                         [.pontoon]
  --partitions N  data partitions of a new cluster, 1 to 1024            [8]
  --fresh         begin empty: delete what an earlier cluster left in DIR. Refuses
                  a directory that this command did not create
  --help

Ctrl-C stops every node, a second Ctrl-C kills them. What was written is there at the
next start. \`deno task cluster:add\` and \`deno task cluster:remove NAME\` change a cluster
that runs.
`;

/** A mistake of the user or a condition of the machine that one line explains. */
export class ClusterError extends Error {
  override readonly name = "ClusterError";
}

/** Where one node lives. */
export interface NodeSpec {
  readonly name: string;
  /** host:port */
  readonly http: string;
  /** host:port */
  readonly peer: string;
  readonly dataDir: string;
  readonly logPath: string;
  /** It was not among the first nodes: it joins the others. */
  readonly joins?: boolean;
}

export interface ClusterOptions {
  readonly nodes: readonly NodeSpec[];
  /** Whether the number of nodes was asked for; else a directory's own counts. */
  readonly nodesGiven: boolean;
  /** HTTP port of the first node. */
  readonly port: number;
  /** Peer port of the first node. */
  readonly peerPort: number;
  /** Data partitions, if the cluster is new. */
  readonly partitions: number;
  /** Absolute. */
  readonly dataDir: string;
  readonly fresh: boolean;
}

function integer(text: string, flag: string, low: number, high: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= low && value <= high) return value;
  throw new ClusterError(
    `${flag} takes a whole number from ${low} to ${high}: got ${text || "nothing"}`,
  );
}

function readFlags(args: string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args,
      strict: true,
      options: {
        nodes: text,
        port: { ...text, default: "7001" },
        data: { ...text, default: ".pontoon" },
        partitions: { ...text, default: "8" },
        fresh: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ClusterError(`${message.split(/\.\s|\n/)[0]} (--help lists the options)`);
  }
}

/**
 * Reads the command line.
 *
 * @returns undefined if help is asked for.
 * @throws ClusterError if a flag is unknown or out of range.
 */
export function parseOptions(args: string[]): ClusterOptions | undefined {
  const values = readFlags(args);
  if (values.help) return undefined;
  const count = integer(values.nodes ?? String(NODES_DEFAULT), "--nodes", 1, NODES_MAX);
  const firstPort = integer(values.port, "--port", 1, PORT_MAX - count + 1);
  if (values.data === "") throw new ClusterError("--data takes a directory: got nothing");
  const dataDir = resolve(values.data);
  const above = firstPort + PEER_PORT_DISTANCE + count - 1 <= PORT_MAX;
  const peerPort = firstPort + (above ? PEER_PORT_DISTANCE : -PEER_PORT_DISTANCE);
  const nodesGiven = values.nodes !== undefined;
  const partitions = integer(values.partitions, "--partitions", 1, PARTITIONS_MAX);
  const place = { port: firstPort, peerPort, dataDir };
  const nodes = Array.from({ length: count }, (_, index) => nodeSpec(index + 1, place));
  return { ...place, nodes, nodesGiven, partitions, fresh: values.fresh };
}

/** Where node `number` of a cluster lives; numbers count from 1. */
export function nodeSpec(
  number: number,
  { port, peerPort, dataDir }: Pick<ClusterOptions, "port" | "peerPort" | "dataDir">,
): NodeSpec {
  const name = `n${number}`;
  return {
    name,
    http: `${HOST}:${port + number - 1}`,
    peer: `${HOST}:${peerPort + number - 1}`,
    dataDir: join(dataDir, name),
    logPath: join(dataDir, name, "node.log"),
  };
}

/** The value of a node's `--initial`. */
export function initialList(nodes: readonly NodeSpec[]): string {
  return nodes.map(({ name, peer }) => `${name}=${peer}`).join(",");
}
