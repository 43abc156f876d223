// The words of the membership gossip and its settings. What each is for is said by SWIM (Das, Gupta,
// Motivala: "SWIM: Scalable Weakly-consistent Infection-style Process Group Membership Protocol", 2002)
// and Lifeguard (Dadgar, Phillips, Currey, 2017).

import type { LogIndex, NodeId } from "../base/ids.ts";

/** What the nodes believe of one of them. Ascending: at equal incarnation the later one overrides. */
export const STATUSES = ["alive", "suspect", "dead"] as const;
export type Status = typeof STATUSES[number];

/** What a node says of its own load; informs operators and the choice of leaders, decides nothing. */
export interface LoadFigures {
  /** Client requests a second, over the last seconds. */
  readonly requestsPerSecond: number;
  /** Replicas this node leads. */
  readonly leaderCount: number;
  readonly replicaCount: number;
  /** Length of the write-ahead log. */
  readonly logBytes: number;
  readonly diskFreeBytes: number;
}

export const NO_LOAD: LoadFigures = {
  requestsPerSecond: 0,
  leaderCount: 0,
  replicaCount: 0,
  logBytes: 0,
  diskFreeBytes: 0,
};

/** What travels about one node. */
export interface News {
  readonly nodeId: NodeId;
  readonly status: Status;
  /** Who saw for itself that a suspect did not answer; the node itself for other statuses. */
  readonly by: NodeId;
  /** Only the node itself raises it, to refute a suspicion; a restart begins above all earlier ones. */
  readonly incarnation: number;
  /** Orders the figures below within an incarnation; only the node itself raises it. */
  readonly version: number;
  /** Epoch of the newest map that the node knows. */
  readonly epoch: LogIndex;
  readonly load: LoadFigures;
}

/** A node as this one sees it. */
export interface MemberNews extends News {
  /** Monotonic time since which it is alive, or since which it is not: suspicion and death are one silence. */
  readonly sinceMs: number;
}

export type GossipMessage =
  | { readonly kind: "ping"; readonly sequence: number }
  | { readonly kind: "ack"; readonly sequence: number }
  /** Asks the receiver to ping `target` and to pass its answer on under `sequence`. */
  | { readonly kind: "pingReq"; readonly sequence: number; readonly target: NodeId }
  /** The target did not answer the helper either; shows that the helper itself is well. */
  | { readonly kind: "nack"; readonly sequence: number };

/** A message with what it carries along. */
export interface Envelope {
  readonly message: GossipMessage;
  readonly news: readonly News[];
}

/** Each round probes one member. */
export const PROBE_INTERVAL_MS = 500;
/** A ping unanswered for so long is tried through others. Several round trips of a slow network. */
export const PROBE_TIMEOUT_MS = 150;
/** Members asked to try (SWIM's k). */
export const INDIRECT_PROBES = 3;
/** Rounds, times log10 of the members, that a suspect has at least to refute. */
export const SUSPICION_ROUNDS_MIN = 4;
/** What a lone suspicion is given beyond that; each confirmation by another member shortens it. */
export const SUSPICION_SPREAD = 4;
/** Independent confirmations after which only the minimum is left. */
export const CONFIRMATIONS_MAX = 3;
/** News is passed on this often, times log2 of the members. */
export const RETRANSMIT_MULTIPLIER = 3;
/** News in one message beside the sender's own: keeps it under 3 KiB. */
export const NEWS_PER_MESSAGE_MAX = 20;
/** Most that a node which is unwell itself slows its own probes down by (Lifeguard §IV-A). */
export const UNWELLNESS_MAX = 7;
/** Figures are told again no sooner than this. */
export const FIGURES_INTERVAL_MS = 2000;
/** Nodes that may be watched; far above the supported size, bounds what peers can make a node hold. */
export const MEMBERS_MAX = 1000;
