// What a Pontoon node says of its cluster, and how it is asked for changes.

const ASK_TIMEOUT_MS = 2000;
const CHANGE_TIMEOUT_MS = 10_000;

/** What `GET /cluster` says, as far as the bench looks. */
export interface ClusterView {
  readonly epoch: number;
  readonly version: string;
  readonly members: readonly {
    readonly nodeId: string;
    readonly name: string;
    readonly peer: string;
    /** `active`, `draining`, `drained` or `leaving`. */
    readonly state: string;
  }[];
  readonly partitions: readonly {
    readonly partition: number;
    readonly term: number;
    readonly leaderNodeId?: string;
    readonly health: string;
    readonly replicas: readonly { readonly nodeId: string; readonly role: string }[];
  }[];
}

/** Rejects if the node does not answer. */
export async function clusterView(http: string): Promise<ClusterView> {
  const response = await fetch(`http://${http}/cluster`, {
    signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
  });
  return await response.json();
}

/** Asks a node to change its cluster; whether it accepted. Rejects if it does not answer. */
export async function askForChange(http: string, path: string, body: unknown): Promise<boolean> {
  const response = await fetch(`http://${http}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(CHANGE_TIMEOUT_MS),
  });
  await response.body?.cancel();
  return response.ok;
}
