// The command line of `deno task cluster`.

import { parseArgs } from "node:util";

export interface ClusterOptions {
  readonly nodes: number;
  /** HTTP port of the first node; the others follow. Peer ports are 1000 above. */
  readonly port: number;
  readonly data: string;
  readonly fresh: boolean;
  readonly partitions: number;
}

/** Peer ports lie this far above the HTTP ports. */
export const PEER_PORT_OFFSET = 1000;
const NODES_MAX = 16;

export const HELP = `deno task cluster: a Pontoon cluster on this machine

  --nodes N        number of nodes, 1 to ${NODES_MAX}                      [3]
  --port P         HTTP port of the first node, the others follow    [7001]
                   (peer links use the ports ${PEER_PORT_OFFSET} above)
  --data DIR       where the nodes keep their data                   [.pontoon]
  --partitions N   data partitions of a new cluster                  [1]
  --fresh          delete what an earlier cluster left in DIR
  --help

Ctrl-C stops all nodes; their data stays in DIR.`;

function integer(text: string, flag: string, low: number, high: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < low || value > high) {
    throw new Error(`${flag} takes a whole number from ${low} to ${high}: got ${text}`);
  }
  return value;
}

/** Undefined when help was asked for. Throws Error with one clear line. */
export function parseOptions(args: string[]): ClusterOptions | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    strict: true,
    options: {
      nodes: { ...text, default: "3" },
      port: { ...text, default: "7001" },
      data: { ...text, default: ".pontoon" },
      partitions: { ...text, default: "1" },
      fresh: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help) return undefined;
  const nodes = integer(values.nodes, "--nodes", 1, NODES_MAX);
  const port = integer(values.port, "--port", 1, 65535 - PEER_PORT_OFFSET - NODES_MAX);
  return {
    nodes,
    port,
    data: values.data,
    fresh: values.fresh ?? false,
    partitions: integer(values.partitions, "--partitions", 1, 1024),
  };
}
