// Asks a node over HTTP how it is: readiness, and what it knows of its partitions.
// Never waits longer than its limit, and never throws: a node that can't be asked is silent.

import { get } from "node:http";

const ANSWER_TIMEOUT_MS = 1000;
const ANSWER_SIZE_BYTES_MAX = 4 * 1024 * 1024;

/** One partition as one node sees it. */
export interface PartitionStatus {
  readonly partition: number;
  readonly term: number;
  /** Name of the leader the node follows; undefined if it knows none. */
  readonly leader: string | undefined;
  readonly commitIndex: number;
}

/** How a node answers. */
export interface Observation {
  readonly health: "ready" | "not ready" | "silent";
  readonly partitions: readonly PartitionStatus[];
}

const SILENT: Observation = { health: "silent", partitions: [] };

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A plain GET: unlike `fetch` it minds no proxy of the environment, which could not reach this machine. */
function ask(address: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const request = get(`http://${address}${path}`, { agent: false, signal }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body += text;
        if (body.length > ANSWER_SIZE_BYTES_MAX) request.destroy(new Error("answer too large"));
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.on("error", reject);
    });
    request.on("error", reject);
  });
}

function partitionsOf(body: string): PartitionStatus[] {
  const { members, partitions } = JSON.parse(body) as {
    members: { nodeId: string; name: string }[];
    partitions: {
      partition: number;
      term: number;
      leaderNodeId?: string;
      commitIndex: number;
    }[];
  };
  const names = new Map(members.map((member) => [member.nodeId, member.name]));
  return partitions.map(({ partition, term, leaderNodeId, commitIndex }) => ({
    partition,
    term,
    leader: leaderNodeId ? names.get(leaderNodeId) ?? leaderNodeId.slice(0, 8) : undefined,
    commitIndex,
  }));
}

/** How the node at `address` (host:port) answers now. */
export async function observe(address: string): Promise<Observation> {
  try {
    const [ready, cluster] = await Promise.all([
      ask(address, "/health/ready"),
      ask(address, "/cluster"),
    ]);
    return {
      health: ready.status === 200 ? "ready" : "not ready",
      partitions: cluster.status === 200 ? partitionsOf(cluster.body) : [],
    };
  } catch {
    return SILENT;
  }
}
