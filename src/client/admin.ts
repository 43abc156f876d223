// The administration of a cluster: its members, and which of them hold and lead which partition. What is
// accepted here is carried out later; the cluster's view shows how far it is. Types only.

import type { CallOptions } from "./types.ts";

/** `GET /cluster`: the cluster as one node sees it. Members that this client does not know are kept. */
export interface ClusterView {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly name: string;
  readonly version: string;
  readonly epoch: number;
  readonly members: readonly {
    readonly nodeId: string;
    readonly name: string;
    readonly http: string;
    readonly peer: string;
    readonly state: string;
    readonly reachable: boolean;
    readonly zone?: string;
    readonly weight?: number;
    readonly load?: { readonly requestsPerSecond?: number };
  }[];
  /** Those that the node holds a replica of; the meta group is partition 0. */
  readonly partitions: readonly {
    readonly partition: number;
    readonly term: number;
    readonly leaderNodeId?: string;
    readonly commitIndex: number;
    readonly appliedIndex: number;
    readonly replicas: readonly {
      readonly nodeId: string;
      readonly role: string;
      readonly matchIndex?: number;
      readonly lag?: number;
    }[];
    readonly health: string;
  }[];
  readonly routing: readonly {
    readonly partition: number;
    readonly slots: readonly (readonly [number, number])[];
    readonly replicas: readonly string[];
    readonly leader?: string;
  }[];
}

/**
 * Changes of the cluster. Every method resolves when the change is accepted, which is when it survives any
 * failure, and throws PontoonError: `conflict` if it can't be done now, `unknown-member` if there is none.
 * None is sent twice: with `outcome` unknown, look at the cluster before trying again.
 */
export interface Admin {
  /** The cluster as the nearest node sees it. */
  view(options?: CallOptions): Promise<ClusterView>;
  /** Takes in a running node that belongs to no cluster. @param peer its peer address, host:port */
  add(peer: string, options?: CallOptions): Promise<void>;
  /** Lets a member go: its replicas go elsewhere first. @param node its name or nodeId */
  remove(node: string, options?: CallOptions): Promise<void>;
  /** Takes all replicas off a member, which stays one. @param node its name or nodeId */
  drain(node: string, options?: CallOptions): Promise<void>;
  /** Takes a drain or a removal back. @param node its name or nodeId */
  activate(node: string, options?: CallOptions): Promise<void>;
  /** Moves a replica of a partition. @param from name or nodeId @param to name or nodeId */
  move(partition: number, from: string, to: string, options?: CallOptions): Promise<void>;
  /** Hands the leadership of a partition over. @param to name or nodeId of the node that shall lead */
  transfer(partition: number, to: string, options?: CallOptions): Promise<void>;
}
